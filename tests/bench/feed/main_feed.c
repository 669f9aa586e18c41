/*
 * What the feed's ranking is worth beside popularity and beside item-kNN, on people made up.
 *
 *     usage: feed-bench [SEED]
 *
 * A world of videos, owners and people with tastes lives through a month. Each day the shelf and
 * the likeness are made anew, as the origin's rounds do, and the ranker learns from what people
 * were shown and what of it they watched through. Then the last six days are hidden: of what each
 * person will watch through in them, how much is among the first 20 that each way would show them?
 *
 *     popularity   most watched of the last day, then ever
 *     item-kNN     by likeness to what they watched, summed
 *     ranker       candidates by the ranker's chance
 *     feed         the same with the rules of the mix: what people are shown
 *
 * Recall is the share of what is wanted that is there; NDCG weighs the first places more. The world
 * knows nothing of features: people choose by a hidden taste, an appeal of each video that nobody
 * is told, by what they follow, and by chance.
 */
#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/mix.h"
#include "origin/feed/candidates.h"
#include "origin/feed/features.h"
#include "origin/feed/mix.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    VIDEOS = 6000,
    OWNERS = 500,
    PEOPLE = 3000,
    TOPICS = 16,
    TAGS_OF_TOPIC = 12,
    DAYS = 30,
    TAUGHT_DAYS = 24,
    SHOWN = 10,    /* at each visit */
    PONDERED = 60, /* videos that somebody looks at before they choose one */
    FIRST = 20,
    WANTED_MIN = 3,
    FOLLOWS = 6
};

static const int64_t DAY_MS = (int64_t)24 * 3600 * 1000;
static const int64_t START_MS = (int64_t)20000 * 24 * 3600 * 1000;

/* ---- the world --------------------------------------------------------------------- */

struct maker {
    uint64_t state;
};

static uint64_t draw(struct maker *maker)
{
    return fb_draw(&maker->state);
}

static uint32_t draw_below(struct maker *maker, uint32_t n)
{
    return (uint32_t)(draw(maker) % n);
}

static double draw_share(struct maker *maker)
{
    return (double)(draw(maker) >> 11) / 9007199254740992.0;
}

/* Normally distributed, by Box and Muller. */
static double draw_normal(struct maker *maker)
{
    double radius = sqrt(-2 * log(1 - draw_share(maker)));
    return radius * cos(6.283185307179586 * draw_share(maker));
}

struct film {
    struct origin_shelf_video facts;
    uint32_t topic;
    double appeal; /* hidden */
    int day;       /* of publication; those before the month at -1 */
};

struct person {
    double taste[TOPICS]; /* hidden */
    uint32_t follows[FOLLOWS];
    uint32_t watched[512];
    size_t n_watched;
    double eagerness; /* visits a day */
    uint32_t wanted[256];
    size_t n_wanted;
};

struct world {
    struct maker maker;
    struct film *films;
    struct person *people;
    struct origin_id owners[OWNERS];
    uint32_t owner_topics[OWNERS];
};

static void film_make(struct world *world, struct film *film, int64_t number)
{
    struct maker *maker = &world->maker;
    uint32_t owner = draw_below(maker, OWNERS);

    film->topic = draw_share(maker) < 0.8 ? world->owner_topics[owner] : draw_below(maker, TOPICS);
    film->appeal = draw_normal(maker);
    film->day = (int)draw_below(maker, 2 * DAYS) - DAYS;
    film->facts = (struct origin_shelf_video){
        .seq = number,
        .id = origin_id_new(),
        .owner = world->owners[owner],
        .category = film->topic + 1,
        .published_ms = START_MS + film->day * DAY_MS,
        .duration_ms = 15000 + draw_below(maker, 600000),
        .completion = -1,
    };
    for (size_t i = 0; i < 3; i++) {
        uint32_t topic = draw_share(maker) < 0.85 ? film->topic : draw_below(maker, TOPICS);
        film->facts.tags[film->facts.n_tags++] =
            1000 + topic * TAGS_OF_TOPIC + draw_below(maker, TAGS_OF_TOPIC);
    }
}

static void person_make(struct world *world, struct person *person)
{
    struct maker *maker = &world->maker;

    for (size_t i = 0; i < TOPICS; i++) {
        person->taste[i] = 0.4 * draw_normal(maker);
    }
    for (size_t i = 0; i < 3; i++) {
        person->taste[draw_below(maker, TOPICS)] += 2;
    }
    for (size_t i = 0; i < FOLLOWS;) {
        uint32_t owner = draw_below(maker, OWNERS);
        if (person->taste[world->owner_topics[owner]] > 1 || draw_share(maker) < 0.01) {
            person->follows[i++] = owner;
        }
    }
    person->eagerness = 1 + 4 * draw_share(maker);
}

static struct world *world_new(uint64_t seed)
{
    struct world *world = FB_NEW(struct world);

    world->maker.state = seed;
    world->films = fb_alloc_array(VIDEOS, sizeof(*world->films));
    world->people = fb_alloc_array(PEOPLE, sizeof(*world->people));
    for (uint32_t i = 0; i < OWNERS; i++) {
        world->owners[i] = origin_id_new();
        world->owner_topics[i] = draw_below(&world->maker, TOPICS);
    }
    for (uint32_t i = 0; i < VIDEOS; i++) {
        film_make(world, &world->films[i], i + 1);
    }
    for (uint32_t i = 0; i < PEOPLE; i++) {
        person_make(world, &world->people[i]);
    }
    return world;
}

static void world_free(struct world *world)
{
    fb_free(world->people);
    fb_free(world->films);
    fb_free(world);
}

static bool person_has_watched(const struct person *person, uint32_t film)
{
    for (size_t i = 0; i < person->n_watched; i++) {
        if (person->watched[i] == film) {
            return true;
        }
    }
    return false;
}

static bool person_follows(const struct world *world, const struct person *person,
                           const struct film *film)
{
    for (size_t i = 0; i < FOLLOWS; i++) {
        if (origin_id_equal(&world->owners[person->follows[i]], &film->facts.owner)) {
            return true;
        }
    }
    return false;
}

/* How much somebody likes what they see; nobody but the world knows. */
static double person_likes(const struct world *world, const struct person *person,
                           const struct film *film, int day)
{
    return person->taste[film->topic] + film->appeal +
           (person_follows(world, person, film) ? 1.2 : 0) - 0.06 * (day - film->day);
}

/* What somebody chooses by themselves of what they come across: the one that they like most. */
static uint32_t person_choose(struct world *world, const struct person *person, int day)
{
    uint32_t best = VIDEOS;
    double best_liking = -1e9;

    for (int i = 0; i < PONDERED; i++) {
        uint32_t film = draw_below(&world->maker, VIDEOS);
        if (world->films[film].day > day || person_has_watched(person, film)) {
            continue;
        }
        double liking =
            person_likes(world, person, &world->films[film], day) + draw_normal(&world->maker);
        if (liking > best_liking) {
            best_liking = liking;
            best = film;
        }
    }
    return best;
}

static bool person_watches_through(struct world *world, const struct person *person, uint32_t film,
                                   int day)
{
    double liking = person_likes(world, person, &world->films[film], day);
    return draw_share(&world->maker) < 1 / (1 + exp(1 - liking));
}

static void person_watch(struct world *world, struct person *person, uint32_t film, bool through)
{
    struct origin_shelf_video *facts = &world->films[film].facts;
    double share = through ? 1 : 0.3;

    if (person->n_watched < FB_ARRAY_LEN(person->watched)) {
        person->watched[person->n_watched++] = film;
    }
    facts->completion = facts->completion < 0 ? share
                                              : (facts->completion * (double)facts->views + share) /
                                                    ((double)facts->views + 1);
    facts->views++;
    facts->views_today++;
    facts->likes += through && draw_share(&world->maker) < 0.1;
}

/* ---- what the origin knows each day ------------------------------------------------- */

struct knowledge {
    struct origin_shelf *shelf;
    struct origin_likeness *likeness;
    uint32_t numbers[VIDEOS]; /* on the shelf; ORIGIN_SHELF_MAX: not there yet */
    uint32_t films[VIDEOS];   /* the other way */
};

static void knowledge_make(struct knowledge *known, const struct world *world, int day)
{
    known->shelf = origin_shelf_new(START_MS + day * DAY_MS);
    for (uint32_t i = 0; i < VIDEOS; i++) {
        known->numbers[i] = ORIGIN_SHELF_MAX;
        if (world->films[i].day <= day) {
            known->numbers[i] = origin_shelf_add(known->shelf, &world->films[i].facts);
            known->films[known->numbers[i]] = i;
        }
    }
    origin_shelf_seal(known->shelf);
    known->likeness = origin_likeness_new(origin_shelf_count(known->shelf));
    for (size_t i = 0; i < PEOPLE; i++) {
        uint32_t history[FB_ARRAY_LEN(world->people[i].watched)];
        for (size_t k = 0; k < world->people[i].n_watched; k++) {
            history[k] = known->numbers[world->people[i].watched[k]];
        }
        origin_likeness_add(known->likeness, history, world->people[i].n_watched);
    }
    origin_likeness_finish(known->likeness);
}

static void knowledge_done(struct knowledge *known)
{
    origin_likeness_free(known->likeness);
    origin_shelf_free(known->shelf);
}

static void viewer_of(const struct world *world, const struct knowledge *known,
                      const struct person *person, struct origin_viewer *viewer)
{
    size_t n = FB_MIN(person->n_watched, (size_t)ORIGIN_VIEWER_HISTORY_MAX);

    *viewer = (struct origin_viewer){.n_history = n, .n_follows = FOLLOWS};
    for (size_t i = 0; i < n; i++) {
        viewer->history[i] = known->numbers[person->watched[person->n_watched - n + i]];
    }
    for (size_t i = 0; i < FOLLOWS; i++) {
        viewer->follows[i] = world->owners[person->follows[i]];
    }
    origin_viewer_sum_up(viewer, known->shelf);
}

/* ---- the month ---------------------------------------------------------------------- */

/* Half of what is watched people find by themselves; the other half is of what they are shown: some
 * candidates by lot, of which they take the one that they like most. */
static void visit(struct world *world, const struct knowledge *known, struct person *person,
                  struct origin_ranker *ranker, int day)
{
    static struct origin_candidate candidates[ORIGIN_CANDIDATES_MAX];
    struct origin_viewer viewer;
    uint32_t shown[SHOWN];
    size_t best = 0;
    double best_liking = -1e9;

    viewer_of(world, known, person, &viewer);
    size_t n = origin_candidates_gather(known->shelf, known->likeness, &viewer, candidates);
    if (n < SHOWN) {
        return;
    }
    for (size_t i = 0; i < SHOWN; i++) {
        shown[i] = draw_below(&world->maker, (uint32_t)n);
        double liking = draw_normal(&world->maker) +
                        person_likes(world, person,
                                     &world->films[known->films[candidates[shown[i]].video]], day);
        if (liking > best_liking) {
            best_liking = liking;
            best = i;
        }
    }
    for (size_t i = 0; i < SHOWN; i++) {
        struct origin_features features;
        uint32_t film = known->films[candidates[shown[i]].video];
        bool through = i == best && person_watches_through(world, person, film, day);
        origin_features_of(known->shelf, &viewer, &candidates[shown[i]], &features);
        origin_ranker_learn(ranker, &features, through);
        if (i == best) {
            person_watch(world, person, film, through);
        }
    }
}

static void live_a_day(struct world *world, struct origin_ranker *ranker, int day)
{
    static struct knowledge known;

    knowledge_make(&known, world, day);
    for (uint32_t i = 0; i < VIDEOS; i++) {
        world->films[i].facts.views_today = 0;
    }
    for (size_t i = 0; i < PEOPLE; i++) {
        struct person *person = &world->people[i];
        for (double left = person->eagerness; left > draw_share(&world->maker); left -= 1) {
            if (draw_share(&world->maker) < 0.5) {
                visit(world, &known, person, ranker, day);
            } else {
                uint32_t film = person_choose(world, person, day);
                if (film != VIDEOS && known.numbers[film] != ORIGIN_SHELF_MAX) {
                    person_watch(world, person, film,
                                 person_watches_through(world, person, film, day));
                }
            }
        }
    }
    knowledge_done(&known);
}

/* What they will watch through by themselves, of what is there today. */
static void foresee(struct world *world, int day)
{
    for (size_t i = 0; i < PEOPLE; i++) {
        struct person *person = &world->people[i];
        double left = person->eagerness * (DAYS - TAUGHT_DAYS);
        for (; left > 0 && person->n_wanted < FB_ARRAY_LEN(person->wanted); left -= 1) {
            uint32_t film = person_choose(world, person, day);
            if (film != VIDEOS && person_watches_through(world, person, film, day)) {
                person->wanted[person->n_wanted++] = film;
            }
        }
    }
}

/* ---- judging ------------------------------------------------------------------------ */

enum way { POPULARITY, ITEM_KNN, RANKER, FEED, WAYS };

struct score {
    double recall;
    double ndcg;
};

static bool is_wanted(const struct person *person, uint32_t film)
{
    for (size_t i = 0; i < person->n_wanted; i++) {
        if (person->wanted[i] == film) {
            return true;
        }
    }
    return false;
}

static size_t distinct_wanted(const struct person *person)
{
    size_t n = 0;

    for (size_t i = 0; i < person->n_wanted; i++) {
        size_t k = 0;
        while (person->wanted[k] != person->wanted[i]) {
            k++;
        }
        n += k == i;
    }
    return n;
}

static void judge(struct score *score, const struct knowledge *known, const struct person *person,
                  const struct origin_candidate *list, size_t n)
{
    size_t n_wanted = distinct_wanted(person);
    double gain = 0;
    double best = 0;
    size_t hits = 0;

    for (size_t i = 0; i < FIRST; i++) {
        double weight = 1 / log2((double)i + 2);
        best += i < n_wanted ? weight : 0;
        if (i < n && is_wanted(person, known->films[list[i].video])) {
            gain += weight;
            hits++;
        }
    }
    score->recall += (double)hits / (double)FB_MIN(n_wanted, (size_t)FIRST);
    score->ndcg += gain / best;
}

static int chance_compare(const void *left, const void *right)
{
    double a = ((const struct origin_candidate *)left)->chance;
    double b = ((const struct origin_candidate *)right)->chance;
    return a > b ? -1 : a < b;
}

static size_t most_popular(const struct knowledge *known, const struct origin_viewer *viewer,
                           struct origin_candidate *list)
{
    size_t n_all = 0;
    size_t n = 0;
    const uint32_t *watched = origin_shelf_in(known->shelf, ORIGIN_SHELF_WATCHED, &n_all);

    for (size_t i = 0; i < n_all && n < FIRST; i++) {
        if (!origin_viewer_has_watched(viewer, watched[i])) {
            list[n++].video = watched[i];
        }
    }
    return n;
}

static void judge_person(struct score scores[WAYS], const struct world *world,
                         const struct knowledge *known, const struct origin_ranker *ranker,
                         const struct person *person)
{
    static struct origin_candidate gathered[ORIGIN_CANDIDATES_MAX];
    static struct origin_candidate list[ORIGIN_CANDIDATES_MAX];
    struct origin_viewer viewer;

    viewer_of(world, known, person, &viewer);
    judge(&scores[POPULARITY], known, person, list, most_popular(known, &viewer, list));
    size_t n = origin_candidates_gather(known->shelf, known->likeness, &viewer, gathered);
    for (size_t i = 0; i < n; i++) {
        list[i] = gathered[i];
        list[i].chance = gathered[i].likeness;
    }
    qsort(list, n, sizeof(list[0]), chance_compare);
    judge(&scores[ITEM_KNN], known, person, list, n);
    for (size_t i = 0; i < n; i++) {
        struct origin_features features;
        origin_features_of(known->shelf, &viewer, &gathered[i], &features);
        gathered[i].chance = origin_ranker_chance(ranker, &features);
        list[i] = gathered[i];
    }
    qsort(list, n, sizeof(list[0]), chance_compare);
    judge(&scores[RANKER], known, person, list, n);
    n = origin_mix(known->shelf, gathered, n,
                   &(struct origin_mix_options){.window = FIRST, .max = FIRST, .seed = 1});
    judge(&scores[FEED], known, person, gathered, n);
}

int main(int argc, char **argv)
{
    static const char *const names[WAYS] = {"popularity", "item-kNN", "ranker", "feed"};
    static struct knowledge known;
    struct score scores[WAYS] = {{0}};
    struct world *world = world_new(argc > 1 ? strtoull(argv[1], NULL, 10) : 1);
    struct origin_ranker *ranker = origin_ranker_new();
    size_t n_judged = 0;

    for (int day = 0; day < TAUGHT_DAYS; day++) {
        live_a_day(world, ranker, day);
    }
    knowledge_make(&known, world, TAUGHT_DAYS);
    foresee(world, TAUGHT_DAYS);
    clock_t begin = clock();
    for (size_t i = 0; i < PEOPLE; i++) {
        if (distinct_wanted(&world->people[i]) >= WANTED_MIN) {
            judge_person(scores, world, &known, ranker, &world->people[i]);
            n_judged++;
        }
    }
    double each_us = (double)(clock() - begin) * 1e6 / CLOCKS_PER_SEC / (double)n_judged;
    printf("%d videos, %d people, %llu lessons; %zu people judged, %.0f us each\n", VIDEOS, PEOPLE,
           (unsigned long long)origin_ranker_lessons(ranker), n_judged, each_us);
    printf("%-12s %10s %10s\n", "", "recall@20", "NDCG@20");
    for (size_t i = 0; i < WAYS; i++) {
        printf("%-12s %10.3f %10.3f\n", names[i], scores[i].recall / (double)n_judged,
               scores[i].ndcg / (double)n_judged);
    }
    knowledge_done(&known);
    origin_ranker_free(ranker);
    world_free(world);
    return 0;
}
