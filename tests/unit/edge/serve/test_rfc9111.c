/*
 * The edge beside a model of RFC 9111: random sequences of responses, requests and clock
 * steps, on a clock that the test turns. For each request the model says whether the
 * upstream may and has to be asked, with which validators, and what the client gets.
 *
 * FB_MODEL_SEQUENCES sets how many sequences are run, FB_TEST_SEED repeats a run.
 */
#include "rfc9111_origin.h"

#include <stdlib.h>

enum { STEPS = 24 };

#ifdef FB_SANITIZED
enum { SEQUENCES = 2000 };
#else
enum { SEQUENCES = 10000 };
#endif

/* ---- what the client has to get ------------------------------------------ */

#define CHECK(w, condition)                                                                   \
    do {                                                                                      \
        if (!(condition)) {                                                                   \
            (void)fprintf(stderr, "%s\nline %d: %s\n", (w)->story.ptr, __LINE__, #condition); \
            fail();                                                                           \
        }                                                                                     \
    } while (0)

static struct fb_str response_field(const struct fb_exchange *exchange, const char *name)
{
    for (size_t i = 0; i < exchange->response.n_headers; i++) {
        if (fb_str_equal_nocase(exchange->response.headers[i].name, fb_str_from(name))) {
            return exchange->response.headers[i].value;
        }
    }
    return FB_STR_NONE;
}

/* The client's part of a body with status 200; else all of it. */
static unsigned take_part(const struct question *q, unsigned status, char text[TEXT_MAX])
{
    if (!q->has_range || status != 200) {
        return status;
    }
    size_t end = FB_MIN(strlen(text), (size_t)q->last + 1);
    memmove(text, text + q->first, end - q->first);
    text[end - q->first] = '\0';
    return 206;
}

static void see(struct world *w, enum seen what)
{
    w->seen[what]++;
}

static void check_body(struct world *w, struct fb_exchange *exchange, unsigned status,
                       const char *text)
{
    if (status == 206 || status == 304) {
        see(w, status == 206 ? SEEN_206 : SEEN_304);
    }
    CHECK(w, exchange->n_responses == 1);
    fb_buf_printf(&w->story, "  %u for %u\n", exchange->response.status, status);
    CHECK(w, exchange->response.status == status);
    const char *body = finish(w->f, exchange);
    if (text != NULL) {
        CHECK(w, strcmp(body, text) == 0);
    }
}

/* The answer is this stored response, at its age. */
static void check_stored(struct world *w, struct fb_exchange *exchange, const struct question *q,
                         const struct model_stored *stored)
{
    char text[TEXT_MAX];
    char age[TEXT_MAX];
    int64_t now_ms = w->f->clock.wall_now_ms;
    const struct model_head *head = &stored->head;
    bool is_match = q->is_conditional && head->status < 300 && head->etag != MODEL_ETAG_NONE &&
                    q->known_version == stored->version;

    (void)snprintf(age, sizeof(age), "%lld", (long long)(model_age_ms(stored, now_ms) / 1000));
    fb_buf_printf(&w->story, "  age %.*s, not %s\n", FB_STR_ARG(response_field(exchange, "age")),
                  age);
    CHECK(w, fb_str_equal(response_field(exchange, "age"), fb_str_from(age)));
    write_name(text, q->key, stored->version, head, stored->language);
    if (is_match || head->status == 204) {
        check_body(w, exchange, is_match ? 304 : 204, "");
        return;
    }
    unsigned status = take_part(q, head->status, text);
    check_body(w, exchange, status, text);
}

/* The validators of what was stored went upstream, and nothing else of the kind. */
static void check_validators(struct world *w, const struct question *q,
                             const struct model_stored *stored)
{
    const struct edge_fetch *fetch = fetches[0];
    struct fb_str match = field_of(fetch, "if-none-match");
    struct fb_str since = field_of(fetch, "if-modified-since");
    char text[TEXT_MAX];

    if (stored == NULL || stored->head.etag == MODEL_ETAG_NONE) {
        CHECK(w, match.ptr == NULL);
    } else {
        write_etag(text, q->key, stored->version, &stored->head, stored->language);
        CHECK(w, fb_str_equal(match, fb_str_from(text)));
    }
    CHECK(w, (since.ptr != NULL) == (stored != NULL && stored->head.has_last_modified));
}

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

/* Without an upstream: 504 if that is what keeps a stored response from being used (section
 * 5.2.2.2). */
static unsigned failure_of(struct world *w, const struct question *q)
{
    struct model_stored *stored = model_find(&w->model, q->key, q->language);

    return stored != NULL && model_is_never_stale(&stored->head) ? 504 : 502;
}

/* Sent on for this client alone, with what it wrote; nothing is kept of it. */
static void take_alone(struct world *w, const struct question *q, struct fb_exchange *exchange)
{
    char text[TEXT_MAX];

    CHECK(w, (field_of(fetches[0], "if-none-match").ptr != NULL) == q->is_conditional);
    CHECK(w, (field_of(fetches[0], "range").ptr != NULL) == q->has_range);
    struct answer_made made = origin_answer(w, q);
    write_name(text, q->key, w->origins[q->key].version, &made.head, q->language);
    if (made.err < 0) {
        check_body(w, exchange, failure_of(w, q), NULL);
    } else if (made.is_not_modified || made.head.status == 204) {
        check_body(w, exchange, made.is_not_modified ? 304 : 204, "");
    } else {
        unsigned status = made.is_part ? take_part(q, made.head.status, text) : made.head.status;
        check_body(w, exchange, status, text);
    }
}

/* A part without a strong validator is of no use: the whole is asked for. */
static void take_whole_instead(struct world *w, const struct question *q, struct answer_made *made)
{
    if (made->is_part && n_fetches == 1) {
        CHECK(w, field_of(fetches[0], "range").ptr == NULL);
        *made = origin_answer(w, q);
    }
}

/* What is not kept goes to the client as it came; what was asked for in larger parts than
 * the client's is asked for again. */
static void check_passed(struct world *w, const struct question *q, struct answer_made *made,
                         struct fb_exchange *exchange)
{
    char text[TEXT_MAX];

    if (made->is_part && n_fetches == 1 && field_of(fetches[0], "range").ptr == NULL) {
        take_whole_instead(w, q, made);
    }
    if (n_fetches == 1) {
        CHECK(w, q->has_range && made->head.status == 200);
        take_alone(w, q, exchange);
        return;
    }
    write_name(text, q->key, w->origins[q->key].version, &made->head, q->language);
    bool has_body = made->err == FB_OK && made->head.status != 204;
    check_body(w, exchange, made->err < 0 ? failure_of(w, q) : made->head.status,
               has_body ? text : NULL);
}

/* The fetch of a fill that nobody, or the client behind `exchange`, waits for. */
static void take_shared(struct world *w, const struct question *q, struct model_stored *stale,
                        struct fb_exchange *exchange)
{
    struct model_stored got;

    check_validators(w, q, stale);
    struct answer_made made = origin_answer(w, q);
    bool is_failure = made.err < 0 || made.head.status >= 500;
    if (is_failure && stale != NULL && model_stands_in(stale, w->f->clock.wall_now_ms)) {
        see(w, SEEN_STOOD_IN);
        got = *stale;
    } else if (made.is_not_modified) {
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
    CHECK(w, n_fetches == 0);
    if (exchange != NULL) {
        check_stored(w, exchange, q, &got);
    }
}

/* ---- steps --------------------------------------------------------------- */

static void begin_question(struct world *w, const struct question *q, enum fb_method method,
                           struct fb_exchange *exchange)
{
    static const char *const paths[] = {"/a", "/b", "/c"};
    static const char *const languages[] = {"de", "en", "fr"};
    struct fb_headers *headers = &exchange->request.headers;
    char text[TEXT_MAX];

    *exchange = (struct fb_exchange){.loop = w->f->loop};
    exchange->request = (struct fb_request_head){
        .method = method,
        .method_text = fb_method_text(method),
        .target = fb_str_from(paths[q->key]),
        .path = fb_str_from(paths[q->key]),
        .host = FB_STR("h"),
    };
    fb_headers_add(headers, &exchange->arena, FB_STR("X-Lang"),
                   fb_str_from(languages[q->language]));
    if (q->is_authorized) {
        fb_headers_add(headers, &exchange->arena, FB_STR("Authorization"), FB_STR("Basic eA=="));
    }
    if (q->is_conditional) {
        /* Whatever varies: both names that the version may have. */
        (void)snprintf(text, sizeof(text), "\"k%uv%ul%u\", \"k%uv%ul9\"", q->key, q->known_version,
                       q->language, q->key, q->known_version);
        fb_headers_add(headers, &exchange->arena, FB_STR("If-None-Match"),
                       fb_arena_dup(&exchange->arena, fb_str_from(text)));
    }
    if (q->has_range) {
        (void)snprintf(text, sizeof(text), "bytes=%u-%u", q->first, q->last);
        fb_headers_add(headers, &exchange->arena, FB_STR("Range"),
                       fb_arena_dup(&exchange->arena, fb_str_from(text)));
    }
    edge_serve_handle(w->f->serve, exchange);
    turn(w->f);
}

static void ask_once(struct world *w)
{
    struct fb_exchange exchange;
    struct question q = {.key = chance(w, MODEL_N_KEYS), .language = chance(w, MODEL_N_LANGUAGES)};
    int64_t now_ms = w->f->clock.wall_now_ms;

    q.is_authorized = chance(w, 12) == 0;
    q.is_conditional = chance(w, 6) == 0;
    q.known_version = w->origins[q.key].version - chance(w, 2);
    q.has_range = chance(w, 6) == 0;
    q.first = chance(w, 5);
    q.last = q.first + chance(w, 5);
    fb_buf_printf(&w->story, "%lld GET %u lang %u%s", (long long)now_ms / 1000 % 100000, q.key,
                  q.language, q.is_authorized ? " authorized" : "");
    if (q.is_conditional) {
        fb_buf_printf(&w->story, " unless v%u", q.known_version);
    }
    if (q.has_range) {
        fb_buf_printf(&w->story, " bytes %u-%u", q.first, q.last);
    }
    fb_buf_printf(&w->story, " (origin v%u mood %d)\n", w->origins[q.key].version,
                  (int)w->origins[q.key].mood);
    struct model_stored *stored = model_find(&w->model, q.key, q.language);
    enum model_verdict verdict = stored != NULL ? model_judge(stored, now_ms) : MODEL_VALIDATE;
    bool is_unshared = now_ms < w->model.unshared_until_ms[q.key];
    begin_question(w, &q, FB_METHOD_GET, &exchange);
    if (verdict != MODEL_VALIDATE) {
        bool refreshes = verdict == MODEL_USE_AND_REFRESH && !is_unshared;
        CHECK(w, n_fetches == (refreshes ? 1U : 0U));
        see(w, refreshes ? SEEN_REFRESHED : SEEN_USED);
        check_stored(w, &exchange, &q, stored);
        if (refreshes) {
            take_shared(w, &q, stored, NULL);
        }
        return;
    }
    CHECK(w, n_fetches == 1);
    if (is_unshared) {
        see(w, SEEN_ALONE);
        take_alone(w, &q, &exchange);
    } else {
        take_shared(w, &q, stored, &exchange);
    }
}

/* A success of an unsafe method makes what is stored invalid (section 4.4). */
static void change_by_post(struct world *w)
{
    struct fb_exchange exchange;
    struct question q = {.key = chance(w, MODEL_N_KEYS)};

    fb_buf_printf(&w->story, "POST %u\n", q.key);
    begin_question(w, &q, FB_METHOD_POST, &exchange);
    CHECK(w, n_fetches == 1);
    struct answer_made made = origin_answer(w, &q);
    if (made.err == FB_OK && made.head.status < 400) {
        model_invalidate(&w->model, q.key);
    }
    check_body(w, &exchange, made.err < 0 ? 502 : made.head.status, NULL);
}

static void step(struct world *w)
{
    static const int seconds[] = {1, 1, 2, 4, 9, 31};

    switch (chance(w, 10)) {
    case 0:
    case 1:
    case 2:
        test_clock_advance_ms(&w->f->clock, (uint64_t)pick(w, seconds, 6) * 1000);
        turn(w->f);
        break;
    case 3:
        change_origin(w);
        for (unsigned i = 0; i < MODEL_N_KEYS; i++) {
            fb_buf_printf(&w->story, "  origin %u v%u mood %d: ", i, w->origins[i].version,
                          (int)w->origins[i].mood);
            tell_head(&w->story, &w->origins[i].head);
            fb_buf_append(&w->story, FB_STR("\n"));
        }
        break;
    case 4:
        if (chance(w, 3) == 0) {
            change_by_post(w);
        }
        break;
    default:
        ask_once(w);
        break;
    }
}

static void run_sequence(struct fixture *f, uint64_t seed, uint64_t seen[N_SEEN])
{
    struct world w = {.f = f, .random = {.state = seed}, .seen = seen};

    fb_buf_printf(&w.story, "FB_TEST_SEED=%#llx FB_MODEL_SEQUENCES=1\n", (unsigned long long)seed);
    for (unsigned i = 0; i < MODEL_N_KEYS; i++) {
        w.origins[i].version = 1;
        draw_head(&w, &w.origins[i].head);
        fb_buf_printf(&w.story, "  origin %u v1: ", i);
        tell_head(&w.story, &w.origins[i].head);
        fb_buf_append(&w.story, FB_STR("\n"));
    }
    for (unsigned i = 0; i < STEPS; i++) {
        step(&w);
    }
    fb_buf_done(&w.story);
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
        void *own = NULL;
        assert_int_equal(set_up(&own), 0);
        run_sequence(own, is_one ? random.state : test_random_next(&random), seen);
        assert_int_equal(tear_down(&own), 0);
    }
    for (unsigned i = 0; i < N_SEEN; i++) {
        print_message("seen %u: %llu\n", i, (unsigned long long)seen[i]);
        assert_true(n < 1000 || seen[i] > n / 100);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_edge_does_what_the_rfcs_say)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
