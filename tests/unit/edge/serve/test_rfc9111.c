/*
 * The edge beside a model of RFC 9111: random sequences of responses, requests and clock
 * steps, on a clock that the test turns. For each request the model says whether the
 * upstream may and has to be asked, with which validators, and what the client gets.
 *
 * FB_MODEL_SEQUENCES sets how many sequences are run, FB_TEST_SEED repeats a run.
 */
#include "edge/fresh/demands.h"
#include "rfc9111_check.h"

#include <stdlib.h>

enum { STEPS = 24 };

#ifdef FB_SANITIZED
enum { SEQUENCES = 1000 };
#else
enum { SEQUENCES = 10000 };
#endif

/* ---- what the model makes of an answer ----------------------------------- */

/* What was stored is right: its head is brought up to date. Returns what the client gets. */
static struct model_stored model_take_304(struct world *w, const struct question *q,
                                          struct model_stored *stale,
                                          const struct answer_made *made)
{
    int64_t now_ms = w->f->clock.wall_now_ms;
    struct model_stored fresh = *stale;

    model_freshen(&fresh, &made->head);
    fresh.language = q->language;
    fresh.received_ms = now_ms;
    fresh.initial_age_ms = model_initial_age_ms(&fresh.head, now_ms);
    if (model_may_store(&fresh.head, q->is_authorized, now_ms)) {
        model_store(&w->model, &fresh);
    } else {
        stale->is_used = false;
    }
    return fresh;
}

/* Returns true, and what the client gets, if the answer is kept. */
static bool model_take_whole(struct world *w, const struct question *q,
                             const struct model_stored *stale, const struct answer_made *made,
                             struct model_stored *ret_stored)
{
    int64_t now_ms = w->f->clock.wall_now_ms;

    if (!model_may_store(&made->head, q->is_authorized, now_ms)) {
        if (!q->is_authorized) {
            bool is_doubtful = made->head.status >= 400 || stale != NULL;
            w->model.unshared_until_ms[q->key] =
                now_ms + (is_doubtful ? MODEL_DOUBTED_MS : MODEL_UNSHARED_MS);
        }
        return false;
    }
    *ret_stored = (struct model_stored){
        .key = q->key,
        .language = q->language,
        .version = w->origins[q->key].version,
        .head = made->head,
        .received_ms = now_ms,
        .initial_age_ms = model_initial_age_ms(&made->head, now_ms),
    };
    model_store(&w->model, ret_stored);
    return true;
}

/* Sent on for this client alone, with what it wrote; nothing is kept of it. */
static void take_alone(struct world *w, const struct question *q, struct fb_exchange *exchange)
{
    CHECK(w, (field_of(fetches[0], "if-none-match").ptr != NULL) == (q->match != MATCH_NONE));
    CHECK(w, (field_of(fetches[0], "if-modified-since").ptr != NULL) == q->has_since);
    CHECK(w, (field_of(fetches[0], "if-match").ptr != NULL) == q->has_if_match);
    CHECK(w, (field_of(fetches[0], "if-unmodified-since").ptr != NULL) == q->has_unmodified);
    CHECK(w, (field_of(fetches[0], "range").ptr != NULL) == (q->range != RANGE_NONE));
    CHECK(w, (field_of(fetches[0], "if-range").ptr != NULL) == (q->if_range != IF_RANGE_NONE));
    CHECK(w, fetches[0]->request->method == q->method);
    struct answer_made made = origin_answer(w, q, true);
    if (made.err < 0) {
        check_failed(w, q, exchange);
    } else {
        check_through(w, exchange, &made);
    }
}

/* A part without a strong validator is of no use: the whole is asked for. */
static void take_whole_instead(struct world *w, const struct question *q, struct answer_made *made)
{
    if (made->is_part && n_fetches == 1) {
        CHECK(w, field_of(fetches[0], "range").ptr == NULL);
        *made = origin_answer(w, q, false);
    }
}

/* What is not kept goes to the client as it came; what was asked for in larger parts than
 * the client's is asked for again. */
static void check_passed(struct world *w, const struct question *q, struct answer_made *made,
                         struct fb_exchange *exchange)
{
    if (made->is_part && n_fetches == 1 && field_of(fetches[0], "if-range").ptr == NULL &&
        field_of(fetches[0], "range").ptr == NULL) {
        take_whole_instead(w, q, made);
    }
    if (n_fetches == 1) {
        CHECK(w, q->range != RANGE_NONE && made->head.status == 200);
        take_alone(w, q, exchange);
    } else if (made->err < 0) {
        check_failed(w, q, exchange);
    } else {
        check_through(w, exchange, made);
    }
}

/* The upstream failed while `stale` was validated. Returns true if that is what is answered,
 * or is not for lack of the client's consent. */
static bool take_stand_in(struct world *w, const struct question *q, struct model_stored *stale,
                          struct fb_exchange *exchange)
{
    int64_t now_ms = w->f->clock.wall_now_ms;

    if (model_stands_in(stale, &q->demands, now_ms)) {
        see(w, SEEN_STOOD_IN);
        if (exchange != NULL) {
            check_own(w, exchange, &stale->head, FROM_STORE, NULL);
            check_stored(w, exchange, q, stale);
        }
        return true;
    }
    if (!model_stands_in(stale, &model_no_demands, now_ms)) {
        return false;
    }
    see(w, SEEN_REFUSED);
    check_failed(w, q, exchange);
    return true;
}

/* ---- unsafe methods (section 4.4) --------------------------------------------- */

/* A reference in the answer to an unsafe method. */
struct reference {
    const char *text;
    int key; /* that it makes invalid; -1: none, for it is of another host */
};

/* A success of an unsafe method makes what is stored of `key` invalid, and what it names.
 * True if `key` is. */
static bool change_by_method(struct world *w, unsigned key)
{
    static const enum fb_method methods[] = {FB_METHOD_POST, FB_METHOD_PUT, FB_METHOD_DELETE,
                                             FB_METHOD_PATCH};
    static const struct reference references[] = {{NULL, -1},
                                                  {NULL, -1},
                                                  {"/a", 0},
                                                  {"http://h/b", 1},
                                                  {"//h/c", 2},
                                                  {"b#part", 1},
                                                  {"http://other/a", -1},
                                                  {"/none", -1}};
    struct fb_exchange exchange;
    struct question q = {.method = methods[chance(w, 4)],
                         .key = key,
                         .written = model_no_demands,
                         .demands = model_no_demands};
    const struct reference *location = &references[chance(w, 8)];
    const struct reference *content_location = &references[chance(w, 8)];

    fb_buf_printf(&w->story, "%.*s %u, naming %s, %s\n", FB_STR_ARG(fb_method_text(q.method)),
                  q.key, location->text, content_location->text);
    unsigned n_before = n_fetches;
    ask_question(w->f, &q, &exchange);
    CHECK(w, n_fetches == n_before + 1);
    take_newest_first();
    CHECK(w, fetches[0]->request->method == q.method);
    w->location = location->text;
    w->content_location = content_location->text;
    struct answer_made made = origin_answer(w, &q, true);
    w->location = NULL;
    w->content_location = NULL;
    if (made.err < 0) {
        check_body(w, &exchange, 502, NULL);
        return false;
    }
    const int keys[] = {(int)q.key, location->key, content_location->key};
    for (size_t i = 0; i < FB_ARRAY_LEN(keys) && made.status < 400; i++) {
        if (keys[i] >= 0) {
            see(w, i > 0 ? SEEN_ELSEWHERE : SEEN_INVALIDATED);
            model_invalidate(&w->model, (unsigned)keys[i]);
        }
    }
    check_through(w, &exchange, &made);
    return made.status < 400;
}

/* Now and then what is asked for changes before it is answered; and then the origin goes. */
static void overtake(struct world *w, unsigned key)
{
    w->is_overtaken = chance(w, 16) == 0 && change_by_method(w, key);
    if (w->is_overtaken && chance(w, 3) == 0) {
        w->origins[key].mood = ORIGIN_GONE;
    }
}

/* ---- what others may share ---------------------------------------------------- */

/* The fetch of a fill that nobody, or the client behind `exchange`, waits for. */
static void take_shared(struct world *w, const struct question *q, struct model_stored *stale,
                        struct fb_exchange *exchange)
{
    struct model_stored got;

    check_validators(w, q, stale);
    CHECK(w, fetches[0]->request->method == FB_METHOD_GET);
    overtake(w, q->key);
    struct answer_made made = origin_answer(w, q, false);
    bool is_failure = made.err < 0 || made.head.status >= 500;
    if (is_failure && stale != NULL && !w->is_overtaken && take_stand_in(w, q, stale, exchange)) {
        CHECK(w, n_fetches == 0);
        return;
    }
    if (made.is_not_modified) {
        see(w, SEEN_VALIDATED);
        CHECK(w, stale != NULL);
        got = model_take_304(w, q, stale, &made);
    } else if (is_failure || !model_take_whole(w, q, stale, &made, &got)) {
        see(w, is_failure ? SEEN_FAILED : SEEN_PASSED);
        if (exchange != NULL) {
            check_passed(w, q, &made, exchange);
        } else {
            take_whole_instead(w, q, &made);
        }
        CHECK(w, n_fetches == 0);
        return;
    } else {
        see(w, SEEN_REPLACED);
        take_whole_instead(w, q, &made);
    }
    if (w->is_overtaken) { /* for who waits, and for nobody else */
        see(w, SEEN_OVERTAKEN);
        model_invalidate(&w->model, q->key);
    }
    CHECK(w, n_fetches == 0);
    if (exchange != NULL) {
        check_own(w, exchange, &got.head, FROM_FETCH, &made.head);
        check_stored(w, exchange, q, &got);
    }
}

/* ---- HEAD (section 4.3.5) -------------------------------------------------- */

/* What a 200 says of what is stored. True: that answers. */
static bool take_news(struct world *w, const struct question *q, struct model_stored *stale,
                      const struct answer_made *made, struct fb_exchange *exchange)
{
    struct model_stored news = {.version = w->origins[q->key].version, .head = made->head};
    char had[TEXT_MAX];
    char told[TEXT_MAX];

    write_name(had, q->key, stale->version, stale->head.vary != MODEL_VARY_NONE, 0);
    write_name(told, q->key, news.version, news.head.vary != MODEL_VARY_NONE, 0);
    switch (model_read_head(stale, &news, strlen(had) == strlen(told))) {
    case MODEL_NEWS_NONE:
        return false;
    case MODEL_NEWS_OTHER:
        see(w, SEEN_HEAD_OTHER);
        if (model_stale_ms(stale, w->f->clock.wall_now_ms) < 0) {
            model_invalidate(&w->model, q->key); /* choice: it could not be told from others */
        }
        return false;
    case MODEL_NEWS_SAME:
        see(w, SEEN_HEAD_SAME);
        news = model_take_304(w, q, stale, made);
        check_own(w, exchange, &news.head, FROM_HEAD, &made->head);
        check_stored(w, exchange, q, &news);
        return true;
    }
    return false;
}

/* No body is fetched for it. What it tells of what is stored counts, unless the client wants
 * nothing of it kept. */
static void take_head(struct world *w, const struct question *q, struct model_stored *stale,
                      struct fb_exchange *exchange)
{
    if (stale == NULL || q->demands.no_store) {
        take_alone(w, q, exchange);
        return;
    }
    CHECK(w, fetches[0]->request->method == FB_METHOD_HEAD);
    CHECK(w, field_of(fetches[0], "if-none-match").ptr == NULL);
    overtake(w, q->key);
    struct answer_made made = origin_answer(w, q, false);
    bool is_failure = made.err < 0 || made.head.status >= 500;
    if (is_failure && !w->is_overtaken &&
        model_stands_in(stale, &q->demands, w->f->clock.wall_now_ms)) {
        see(w, SEEN_STOOD_IN);
        check_stored(w, exchange, q, stale);
    } else if (made.err < 0) {
        check_failed(w, q, exchange);
    } else if (made.status != 200 || w->is_overtaken || !take_news(w, q, stale, &made, exchange)) {
        check_through(w, exchange, &made);
    }
}

/* ---- questions ------------------------------------------------------------- */

static void take_hit(struct world *w, const struct question *q, struct model_stored *stored,
                     enum model_verdict verdict, struct fb_exchange *exchange)
{
    int64_t now_ms = w->f->clock.wall_now_ms;
    bool is_unshared = now_ms < w->model.unshared_until_ms[q->key];
    bool refreshes = verdict == MODEL_USE_AND_REFRESH && !is_unshared &&
                     !q->demands.only_if_cached && !q->demands.no_store;

    CHECK(w, n_fetches == (refreshes ? 1U : 0U));
    see(w, refreshes ? SEEN_REFRESHED : SEEN_USED);
    if (verdict == MODEL_USE && model_stale_ms(stored, now_ms) >= 0) {
        see(w, SEEN_ACCEPTED);
    }
    if (model_guess_ms(&stored->head, stored->received_ms) > 0 &&
        model_guess_ms(&stored->head, stored->received_ms) ==
            model_lifetime_ms(&stored->head, stored->received_ms)) {
        see(w, SEEN_GUESSED);
    }
    check_own(w, exchange, &stored->head, FROM_STORE, NULL);
    check_stored(w, exchange, q, stored);
    if (refreshes) {
        struct question behind = *q;
        behind.demands = model_no_demands;
        take_shared(w, &behind, stored, NULL);
    }
}

/* What is stored will not do. */
static void take_miss(struct world *w, const struct question *q, struct model_stored *stored,
                      struct fb_exchange *exchange)
{
    if (q->demands.only_if_cached) {
        see(w, SEEN_UNCACHED);
        CHECK(w, n_fetches == 0);
        check_body(w, exchange, 504, NULL);
        return;
    }
    CHECK(w, n_fetches == 1);
    if (q->has_if_match || q->has_unmodified) {
        take_alone(w, q, exchange);
    } else if (q->method == FB_METHOD_HEAD) {
        take_head(w, q, stored, exchange);
    } else if (q->demands.no_store ||
               w->f->clock.wall_now_ms < w->model.unshared_until_ms[q->key]) {
        see(w, SEEN_ALONE);
        take_alone(w, q, exchange);
    } else {
        take_shared(w, q, stored, exchange);
    }
}

static void ask_once(struct world *w)
{
    struct fb_exchange exchange;
    struct question q = draw_question(w);
    int64_t now_ms = w->f->clock.wall_now_ms;
    struct model_stored *stored = model_find(&w->model, q.key, q.language);
    enum model_verdict verdict = MODEL_VALIDATE;

    w->is_overtaken = false;
    fb_buf_printf(&w->story, "%lld ", (long long)now_ms / 1000 % 100000);
    tell_question(&w->story, &q);
    fb_buf_printf(&w->story, " (origin v%u mood %d)\n", w->origins[q.key].version,
                  (int)w->origins[q.key].mood);
    if (stored != NULL) {
        verdict = model_judge(stored, &q.demands, now_ms);
        if (verdict == MODEL_VALIDATE && model_stale_ms(stored, now_ms) < 0 &&
            !model_effective(&stored->head)->no_cache) {
            see(w, SEEN_UNWANTED);
        }
    }
    bool is_strict = q.has_if_match || q.has_unmodified;
    ask_question(w->f, &q, &exchange);
    if (verdict == MODEL_VALIDATE ||
        (is_strict && (verdict != MODEL_USE || !question_holds(&q, stored)))) {
        take_miss(w, &q, stored, &exchange);
    } else {
        take_hit(w, &q, stored, verdict, &exchange);
    }
}

/* ---- steps --------------------------------------------------------------- */

static void step(struct world *w)
{
    static const int seconds[] = {1, 1, 2, 4, 9, 31};

    switch (chance(w, 12)) {
    case 0:
    case 1:
    case 2:
        test_clock_advance_ms(&w->f->clock, (uint64_t)pick(w, seconds, 6) * 1000);
        turn(w->f);
        break;
    case 3:
        change_origin(w);
        tell_origins(w);
        break;
    case 4:
        if (chance(w, 3) == 0) {
            (void)change_by_method(w, chance(w, MODEL_N_KEYS)); /* nothing is under way */
        }
        break;
    default:
        ask_once(w);
        break;
    }
}

/* ---- sequences ------------------------------------------------------------- */

static void run_sequence(struct fixture *f, uint64_t seed, bool obeys, uint64_t seen[N_SEEN])
{
    struct world w = {.f = f, .random = {.state = seed}, .seen = seen, .obeys = obeys};

    fb_buf_printf(&w.story, "FB_TEST_SEED=%#llx FB_MODEL_SEQUENCES=1\n", (unsigned long long)seed);
    for (unsigned i = 0; i < MODEL_N_KEYS; i++) {
        w.origins[i].version = 1;
        draw_head(&w, i, &w.origins[i].head);
        w.origins[i].head.modified_s = last_modified_s(1);
    }
    tell_origins(&w);
    for (unsigned i = 0; i < STEPS; i++) {
        step(&w);
    }
    fb_buf_done(&w.story);
}

/* A site that grants lifetimes by heuristics to one of the keys, and obeys clients or not. */
static void run_one(uint64_t seed, uint64_t seen[N_SEEN])
{
    static const struct fb_str guessed[] = {FB_STR("/c")};
    const struct edge_rule rule = {
        .prefixes = guessed,
        .n_prefixes = 1,
        .caching = {.heuristic_percent = MODEL_GUESS_PERCENT,
                    .heuristic_max_ms = MODEL_GUESS_MAX_MS},
    };
    bool obeys = seed % 3 != 0;
    void *own = NULL;

    assert_int_equal(
        set_up_site(&own, &(struct edge_site_spec){.site = {.demands = obeys ? EDGE_DEMANDS_ALL
                                                                             : EDGE_DEMANDS_PRESET},
                                                   .rules = &rule,
                                                   .n_rules = 1}),
        0);
    run_sequence(own, seed, obeys, seen);
    assert_int_equal(tear_down(&own), 0);
}

static unsigned sequences_wanted(void)
{
    const char *given = getenv("FB_MODEL_SEQUENCES");

    return given != NULL ? (unsigned)strtoul(given, NULL, 0) : SEQUENCES;
}

static void the_edge_does_what_the_rfcs_say(void **state)
{
    struct test_random random = test_random_new();
    unsigned n = sequences_wanted();
    bool is_one = n == 1; /* the very one of the seed */
    uint64_t seen[N_SEEN] = {0};

    (void)state;
    for (unsigned i = 0; i < n; i++) {
        run_one(is_one ? random.state : test_random_next(&random), seen);
    }
    for (unsigned i = 0; i < N_SEEN; i++) {
        print_message("seen %u: %llu\n", i, (unsigned long long)seen[i]);
    }
    for (unsigned i = 0; i < N_SEEN; i++) {
        assert_true(n < 5000 || seen[i] > 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_edge_does_what_the_rfcs_say)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
