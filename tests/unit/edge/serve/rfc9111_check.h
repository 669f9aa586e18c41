/*
 * What clients have to get in test_rfc9111.c. A check that fails tells the story of its
 * sequence, with the seed that repeats it.
 */
#pragma once

#include "rfc9111_origin.h"

#define CHECK(w, condition)                                                                   \
    do {                                                                                      \
        if (!(condition)) {                                                                   \
            (void)fprintf(stderr, "%s\nline %d: %s\n", (w)->story.ptr, __LINE__, #condition); \
            fail();                                                                           \
        }                                                                                     \
    } while (0)

static inline struct fb_str response_field(const struct fb_exchange *exchange, const char *name)
{
    for (size_t i = 0; i < exchange->response.n_headers; i++) {
        if (fb_str_equal_nocase(exchange->response.headers[i].name, fb_str_from(name))) {
            return exchange->response.headers[i].value;
        }
    }
    return FB_STR_NONE;
}

static inline void see(struct world *w, enum seen what)
{
    w->seen[what]++;
}

static inline void see_status(struct world *w, unsigned status)
{
    static const struct {
        unsigned status;
        enum seen what;
    } all[] = {{206, SEEN_206}, {304, SEEN_304}, {412, SEEN_412}, {416, SEEN_416}};

    for (size_t i = 0; i < FB_ARRAY_LEN(all); i++) {
        if (all[i].status == status) {
            see(w, all[i].what);
        }
    }
}

/* `text` may be NULL: whatever it is. */
static inline void check_body(struct world *w, struct fb_exchange *exchange, unsigned status,
                              const char *text)
{
    see_status(w, status);
    CHECK(w, exchange->n_responses == 1);
    fb_buf_printf(&w->story, "  %u for %u\n", exchange->response.status, status);
    CHECK(w, exchange->response.status == status);
    CHECK(w, response_field(exchange, "forebay-cache-control").ptr == NULL); /* for tiers alone */
    const char *body = finish(w->f, exchange);
    if (text != NULL) {
        CHECK(w, strcmp(body, text) == 0);
    }
}

/* What the origin sent went through as it is. */
static inline void check_through(struct world *w, struct fb_exchange *exchange,
                                 const struct answer_made *made)
{
    struct fb_str range = response_field(exchange, "content-range");

    CHECK(w, fb_str_equal(range, fb_str_from(made->content_range)));
    check_body(w, exchange, made->status, made->text);
}

/* No upstream answered: 504 if that is what keeps a stored response from being used (section
 * 5.2.2.2 wants this unless something else fits better), else 502. */
static inline void check_failed(struct world *w, const struct question *q,
                                struct fb_exchange *exchange)
{
    struct model_stored *stored = model_find(&w->model, q->key, q->language);
    bool may_be_504 = w->is_overtaken || (stored != NULL && model_is_never_stale(&stored->head));
    bool is_504 = may_be_504 && exchange->response.status == 504;

    check_body(w, exchange, is_504 ? 504 : 502, NULL);
}

/* Who is answered from what is stored, and what of X-Own that may show. */
enum from { FROM_STORE, FROM_FETCH, FROM_HEAD };

/* X-Own, or -1. */
static inline int own_of(const struct fb_exchange *exchange)
{
    struct fb_str text = response_field(exchange, "x-own");
    uint64_t number = 0;

    return text.ptr != NULL && fb_str_to_u64(text, &number) == FB_OK ? (int)number : -1;
}

/* Sections 5.2.2.4 and 5.2.2.7. `told` is the upstream's answer to this very request, if it is
 * FROM_FETCH or FROM_HEAD. */
static inline void check_own(struct world *w, const struct fb_exchange *exchange,
                             const struct model_head *head, enum from from,
                             const struct model_head *told)
{
    const struct model_directives *directives = model_effective(head);
    bool is_private =
        directives->has_private_field || (told != NULL && model_effective(told)->has_private_field);
    int own = own_of(exchange);

    fb_buf_printf(&w->story, "  own %d, stored %d\n", own, head->own);
    if (exchange->response.status == 416) {
        CHECK(w, own == -1); /* it tells of the range alone */
    } else if (is_private) {
        CHECK(w, own == -1 || (from == FROM_FETCH && own == told->own));
        w->seen[SEEN_OWN] += own != -1;
    } else if (directives->has_no_cache_field && from == FROM_STORE) {
        CHECK(w, own == -1);
        w->seen[SEEN_HELD_BACK] += head->own != -1;
    } else {
        CHECK(w, own == head->own);
    }
}

static inline void check_range(struct world *w, struct fb_exchange *exchange,
                               const struct question *q, char text[TEXT_MAX])
{
    char content_range[TEXT_MAX];

    unsigned status = cut_text(q, text, content_range);
    CHECK(w, fb_str_equal(response_field(exchange, "content-range"), fb_str_from(content_range)));
    check_body(w, exchange, status, status == 416 ? NULL : text);
}

/* The answer is this stored response, at its age. */
static inline void check_stored(struct world *w, struct fb_exchange *exchange,
                                const struct question *q, const struct model_stored *stored)
{
    char text[TEXT_MAX];
    char age[TEXT_MAX];
    int64_t now_ms = w->f->clock.wall_now_ms;
    const struct model_head *head = &stored->head;
    bool knows = question_knows(q, stored, true);

    write_name(text, q->key, stored->version, head->vary != MODEL_VARY_NONE, stored->language);
    bool has_range = !knows && question_has_range(q, stored);
    if (has_range && exchange->response.status == 416) {
        check_range(w, exchange, q, text);
        return; /* which tells of the range, not of what is stored */
    }
    (void)snprintf(age, sizeof(age), "%lld", (long long)(model_age_ms(stored, now_ms) / 1000));
    fb_buf_printf(&w->story, "  age %.*s, not %s\n", FB_STR_ARG(response_field(exchange, "age")),
                  age);
    CHECK(w, fb_str_equal(response_field(exchange, "age"), fb_str_from(age)));
    if (has_range) {
        check_range(w, exchange, q, text);
    } else if (knows) {
        check_body(w, exchange, 304, "");
    } else if (q->method == FB_METHOD_HEAD) {
        CHECK(w, head->status == 204 || exchange->response.length == (int64_t)strlen(text));
        check_body(w, exchange, head->status, "");
    } else {
        check_body(w, exchange, head->status, head->status == 204 ? "" : text);
    }
}

/* The validators of what was stored went upstream, and nothing else of the kind. */
static inline void check_validators(struct world *w, const struct question *q,
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
