/*
 * From scores to lists and ranks:
 *
 *     taken out of the field ──► sorted by region and score ──► lists, of what may be shown
 *                                                          └──► ranks
 *
 * The catalog is asked for each video that gets into a list, once a round, so that what was hidden
 * or renamed shows at once; of others it is known from the time when they came.
 */
#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/order.h"
#include "origin/trending/snapshot_internal.h"

#include <stdlib.h>
#include <string.h>

/* ---- out of the field -------------------------------------------------------------- */

static int compare_ids(const void *left, const void *right)
{
    struct origin_field_video *const *a = left;
    struct origin_field_video *const *b = right;

    return strcmp((*a)->id.text, (*b)->id.text);
}

static size_t count_ranked(const struct origin_field *field)
{
    size_t n = field->n;

    for (size_t i = 0; i < field->n; i++) {
        n += field->videos[i]->n_regions;
    }
    return n;
}

void origin_ranking_take(const struct origin_field *field, struct origin_ranking *ret_ranking)
{
    struct origin_ranking ranking = {.n_videos = field->n, .n_regions = field->regions.n};
    size_t n = count_ranked(field);

    ranking.videos = fb_alloc_array(field->n, sizeof(struct origin_field_video *));
    for (size_t i = 0; i < field->n; i++) {
        ranking.videos[i] = field->videos[i];
    }
    if (field->n > 1) {
        qsort(ranking.videos, field->n, sizeof(struct origin_field_video *), compare_ids);
    }
    ranking.regions = fb_alloc_array(ranking.n_regions, sizeof(*ranking.regions));
    for (size_t i = 0; i < ranking.n_regions; i++) {
        ranking.regions[i] = field->regions.names[i];
    }
    for (size_t w = 0; w < ORIGIN_TRENDING_N_WINDOWS; w++) {
        struct origin_ranked *ranked = fb_alloc_array(n, sizeof(*ranked));
        ranking.ranked[w] = ranked;
        ranking.n_ranked = 0;
        for (size_t i = 0; i < field->n; i++) {
            const struct origin_field_video *video = ranking.videos[i];
            ranked[ranking.n_ranked++] =
                (struct origin_ranked){.video = (uint32_t)i, .score = video->scores[w].total};
            for (size_t j = 0; j < video->n_regions; j++) {
                if (video->regions[j].region != 0) {
                    ranked[ranking.n_ranked++] =
                        (struct origin_ranked){.region = video->regions[j].region,
                                               .video = (uint32_t)i,
                                               .score = video->regions[j].totals[w]};
                }
            }
        }
    }
    *ret_ranking = ranking;
}

void origin_ranking_done(struct origin_ranking *ranking)
{
    fb_free(ranking->videos);
    fb_free(ranking->regions);
    for (size_t w = 0; w < ORIGIN_TRENDING_N_WINDOWS; w++) {
        fb_free(ranking->ranked[w]);
    }
    *ranking = (struct origin_ranking){0};
}

/* By region, the highest score first, equal ones by id. */
static int compare_ranked(const void *left, const void *right)
{
    const struct origin_ranked *a = left;
    const struct origin_ranked *b = right;
    int order = FB_ORDER(a->region, b->region);

    order = order != 0 ? order : FB_ORDER(b->score, a->score);
    return order != 0 ? order : FB_ORDER(a->video, b->video);
}

/* ---- lists ------------------------------------------------------------------------- */

struct maker {
    struct origin_ranking *ranking;
    const struct origin_rank_options *options;
    struct origin_snapshot *snapshot;
    struct fb_buf json; /* scratch */
};

/* Whether the video may be in a list; then it is described. */
static bool maker_describe(struct maker *self, uint32_t place)
{
    struct origin_field_video *video = self->ranking->videos[place];
    struct origin_snapshot_video *shown = &self->snapshot->videos[place];

    if (shown->json.len > 0) {
        return true;
    }
    if (video->read_round >= self->options->round && !video->is_shown) {
        return false;
    }
    fb_buf_clear(&self->json);
    self->options->read(self->options->ctx, video, &self->json);
    if (!video->is_shown) {
        return false;
    }
    fb_buf_append(&self->json, self->json.len == 0 ? FB_STR("null") : FB_STR(""));
    shown->json = fb_arena_dup(&self->snapshot->arena, fb_buf_str(&self->json));
    return true;
}

/* The lists of one region and window, until they end: all categories, and each alone. */
struct lists {
    struct origin_snapshot_item *items[ORIGIN_FIELD_NAMES + 1]; /* by category */
    size_t n[ORIGIN_FIELD_NAMES + 1];
};

static bool lists_add(struct lists *lists, size_t category, size_t max_list,
                      const struct origin_snapshot_item *item)
{
    size_t n = lists->n[category];

    if (n == max_list) {
        return false;
    }
    if ((n & (n - 1)) == 0) {
        lists->items[category] =
            fb_realloc(lists->items[category], FB_MAX(n * 2, (size_t)1) * sizeof(*item));
    }
    lists->items[category][n] = *item;
    lists->n[category]++;
    return true;
}

static bool lists_is_full(const struct lists *lists, size_t category, size_t max_list)
{
    return lists->n[category] == max_list;
}

static void maker_fill(struct maker *self, const struct origin_ranked *ranked, size_t n,
                       struct lists *lists)
{
    size_t max_list = self->options->max_list;

    for (size_t i = 0; i < n && ranked[i].score > 0; i++) {
        struct origin_field_video *video = self->ranking->videos[ranked[i].video];
        struct origin_snapshot_item item = {.video = &self->snapshot->videos[ranked[i].video],
                                            .score = ranked[i].score};
        if (video->read_round == 0) {
            self->options->read(self->options->ctx, video, NULL);
        }
        bool is_wanted = !lists_is_full(lists, 0, max_list) ||
                         (video->category != 0 && !lists_is_full(lists, video->category, max_list));
        if (!video->is_shown || !is_wanted || !maker_describe(self, ranked[i].video)) {
            continue;
        }
        (void)lists_add(lists, 0, max_list, &item); /* it may be full, and */
        if (video->category != 0) {
            (void)lists_add(lists, video->category, max_list, &item); /* the other not */
        }
    }
}

static void list_digest(struct origin_snapshot_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct origin_snapshot_item *item = &list->items[i];
        list->order = fb_str_hash(origin_id_str(&item->video->id), list->order + 1);
        list->content = fb_str_hash(origin_id_str(&item->video->id), list->content + 1);
        list->content = fb_str_hash(item->video->json, list->content);
        list->content = fb_str_hash(
            (struct fb_str){(const char *)&item->score, sizeof(item->score)}, list->content);
    }
}

/* Where the lists of a region end up: categories are known only when all are made. */
struct place {
    size_t region;
    enum origin_trending_window window;
    struct lists *lists; /* owned */
};

static void maker_finish(struct maker *self, struct place *places, size_t n)
{
    struct origin_snapshot *snapshot = self->snapshot;
    const struct origin_names *categories = self->options->categories;

    snapshot->n_categories = categories->n;
    snapshot->categories = fb_alloc_array(categories->n, sizeof(struct fb_str));
    for (size_t i = 0; i < categories->n; i++) {
        snapshot->categories[i] = fb_arena_dup(&snapshot->arena, fb_str_from(categories->names[i]));
    }
    snapshot->lists = fb_alloc_array(
        snapshot->n_regions * categories->n * ORIGIN_TRENDING_N_WINDOWS, sizeof(*snapshot->lists));
    for (size_t i = 0; i < n; i++) {
        for (size_t c = 0; c < categories->n; c++) {
            struct origin_snapshot_list *list =
                origin_snapshot_list_at(snapshot, places[i].region, c, places[i].window);
            *list = (struct origin_snapshot_list){.items = places[i].lists->items[c],
                                                  .n = places[i].lists->n[c]};
            list_digest(list);
        }
        fb_free(places[i].lists);
    }
}

/* ---- ranks ------------------------------------------------------------------------- */

static void maker_rank(struct maker *self, const struct origin_ranked *ranked, size_t n,
                       enum origin_trending_window window)
{
    uint32_t rank = 0;

    for (size_t i = 0; i < n; i++) {
        struct origin_field_video *video = self->ranking->videos[ranked[i].video];
        struct origin_snapshot_video *shown = &self->snapshot->videos[ranked[i].video];
        if (video->read_round == 0) {
            self->options->read(self->options->ctx, video, NULL);
        }
        if (video->is_shown) {
            shown->scores[window] = video->scores[window];
            shown->ranks[window] = ++rank;
        }
    }
    self->snapshot->n_shown = rank;
}

static void maker_name_videos(struct maker *self)
{
    for (size_t i = 0; i < self->ranking->n_videos; i++) {
        const struct origin_field_video *video = self->ranking->videos[i];
        struct origin_snapshot_video *shown = &self->snapshot->videos[i];
        shown->owner = video->owner;
        shown->category = self->snapshot->categories[video->category];
    }
}

/* ---- all ---------------------------------------------------------------------------- */

static void maker_begin(struct maker *self)
{
    const struct origin_ranking *ranking = self->ranking;
    struct origin_snapshot *snapshot = self->snapshot;

    snapshot->n_videos = ranking->n_videos;
    snapshot->videos = fb_alloc_array(ranking->n_videos, sizeof(*snapshot->videos));
    for (size_t i = 0; i < ranking->n_videos; i++) {
        snapshot->videos[i].id = ranking->videos[i]->id;
    }
    snapshot->n_regions = ranking->n_regions;
    snapshot->regions = fb_alloc_array(ranking->n_regions, sizeof(struct fb_str));
    for (size_t i = 0; i < ranking->n_regions; i++) {
        snapshot->regions[i] = fb_arena_dup(&snapshot->arena, fb_str_from(ranking->regions[i]));
    }
}

/* Sorts a window's scores, and fills the lists of all regions. Returns how many. */
static size_t maker_window(struct maker *self, enum origin_trending_window window,
                           struct place *places)
{
    struct origin_ranked *ranked = self->ranking->ranked[window];
    size_t n = self->ranking->n_ranked;
    size_t n_places = 0;

    if (n > 1) {
        qsort(ranked, n, sizeof(*ranked), compare_ranked);
    }
    for (size_t begin = 0; begin < n;) {
        size_t end = begin;
        while (end < n && ranked[end].region == ranked[begin].region) {
            end++;
        }
        struct place *place = &places[n_places++];
        *place = (struct place){
            .region = ranked[begin].region, .window = window, .lists = FB_NEW(struct lists)};
        maker_fill(self, &ranked[begin], end - begin, place->lists);
        begin = end;
    }
    return n_places;
}

struct origin_snapshot *origin_rank(struct origin_ranking *ranking,
                                    const struct origin_rank_options *options)
{
    struct maker self = {
        .ranking = ranking, .options = options, .snapshot = origin_snapshot_new(options->now_ms)};
    struct place *places =
        fb_alloc_array(ranking->n_regions * ORIGIN_TRENDING_N_WINDOWS, sizeof(*places));
    size_t n_places = 0;

    maker_begin(&self);
    for (size_t w = 0; w < ORIGIN_TRENDING_N_WINDOWS; w++) {
        n_places += maker_window(&self, (enum origin_trending_window)w, &places[n_places]);
    }
    for (size_t w = 0; w < ORIGIN_TRENDING_N_WINDOWS; w++) {
        maker_rank(&self, ranking->ranked[w], ranking->n_videos, (enum origin_trending_window)w);
    }
    maker_finish(&self, places, n_places);
    maker_name_videos(&self);
    fb_free(places);
    fb_buf_done(&self.json);
    return self.snapshot;
}
