/*
 * The other side of the edge in test_rfc9111.c: clients' questions, and an origin that
 * changes its mind by chance and answers as RFC 9110 wants, from its own state alone.
 */
#pragma once

#include "base/http/date.h"
#include "rfc9111_model.h"
#include "serve_fixture.h"
#include "tests/support/test_random.h"

enum { TEXT_MAX = 80 };

/* ---- the origin ---------------------------------------------------------- */

enum origin_mood { ORIGIN_WELL, ORIGIN_GONE, ORIGIN_BROKEN };

struct origin {
    struct model_head head; /* of the next whole answer, but for when it is made */
    unsigned version;
    enum origin_mood mood;
    bool knows_ranges;
};

struct world {
    struct fixture *f;
    struct test_random random;
    struct origin origins[MODEL_N_KEYS];
    struct model model;
    struct fb_buf story; /* for whoever reads why it failed */
    uint64_t *seen;      /* N_SEEN of them */
};

/* What a client asks. */
struct question {
    unsigned key;
    unsigned language;
    bool is_authorized;
    bool is_conditional;
    unsigned known_version; /* of If-None-Match */
    bool has_range;
    unsigned first; /* less than any body's length */
    unsigned last;
};

/* What came to pass, so that no run passes without it. */
enum seen {
    SEEN_USED,
    SEEN_REFRESHED,
    SEEN_VALIDATED,
    SEEN_REPLACED,
    SEEN_STOOD_IN,
    SEEN_FAILED,
    SEEN_PASSED,
    SEEN_ALONE,
    SEEN_304,
    SEEN_206,
    N_SEEN
};

static inline unsigned chance(struct world *w, unsigned n)
{
    return (unsigned)test_random_below(&w->random, n);
}

/* One of the first `n` of these. */
static inline int pick(struct world *w, const int *from, unsigned n)
{
    return from[chance(w, n)];
}

static inline struct model_directives draw_directives(struct world *w, bool is_likely)
{
    static const int times[] = {-1, -1, 0, 2, 10, 60};
    static const int grants[] = {-1, -1, -1, 5, 30};
    struct model_directives d = {.max_age = -1, .s_maxage = -1, .while_revalidate = -1};

    d.if_error = -1;
    d.is_present = is_likely ? chance(w, 8) > 0 : chance(w, 8) == 0;
    if (!d.is_present) {
        return d;
    }
    d.max_age = pick(w, times, 6);
    d.s_maxage = chance(w, 4) == 0 ? pick(w, times, 6) : -1;
    d.while_revalidate = pick(w, grants, 5);
    d.if_error = pick(w, grants, 5);
    d.no_store = chance(w, 16) == 0;
    d.is_private = chance(w, 16) == 0;
    d.is_public = chance(w, 6) == 0;
    d.no_cache = chance(w, 10) == 0;
    d.must_revalidate = chance(w, 10) == 0;
    d.proxy_revalidate = chance(w, 12) == 0;
    return d;
}

static inline void draw_head(struct world *w, struct model_head *head)
{
    static const int statuses[] = {200, 200, 200, 200, 200, 200, 404, 410, 301, 302, 204, 203};
    static const int ages[] = {-1, -1, -1, 0, 3, 20};
    static const int offsets[] = {0, 0, 0, -4, -30, 7};
    static const int expiries[] = {-5, 0, 3, 20};
    static const enum model_etag etags[] = {MODEL_ETAG_NONE, MODEL_ETAG_STRONG, MODEL_ETAG_WEAK};
    int64_t now_s = w->f->clock.wall_now_ms / 1000;

    *head = (struct model_head){.status = (unsigned)pick(w, statuses, 12)};
    head->control = draw_directives(w, true);
    head->targeted = draw_directives(w, false);
    head->expires = (enum model_expires)(chance(w, 6) > 1 ? 0 : chance(w, 3));
    head->expires_at_s = now_s + pick(w, expiries, 4);
    head->date = chance(w, 5) == 0 ? MODEL_DATE_NONE : MODEL_DATE_OFF_BY;
    head->date_off_s = pick(w, offsets, 6);
    head->age_s = pick(w, ages, 6);
    head->etag = etags[chance(w, 3)];
    head->has_last_modified = chance(w, 3) == 0;
    head->vary = chance(w, 20) == 0  ? MODEL_VARY_ANY
                 : chance(w, 3) == 0 ? MODEL_VARY_LANGUAGE
                                     : MODEL_VARY_NONE;
    head->sets_cookie = chance(w, 24) == 0;
}

/* What is said of the same bytes changes, or the bytes. */
static inline void change_origin(struct world *w)
{
    static const enum origin_mood moods[] = {ORIGIN_WELL, ORIGIN_GONE, ORIGIN_BROKEN};
    struct origin *origin = &w->origins[chance(w, MODEL_N_KEYS)];
    struct model_head old = origin->head;

    if (chance(w, 4) == 0) {
        origin->mood = moods[chance(w, 3)];
        return;
    }
    origin->mood = ORIGIN_WELL;
    origin->knows_ranges = chance(w, 2) == 0;
    draw_head(w, &origin->head);
    if (chance(w, 2) == 0) {
        origin->version++;
        return;
    }
    origin->head.status = old.status;
    origin->head.etag = old.etag;
    origin->head.has_last_modified = old.has_last_modified;
    origin->head.vary = old.vary;
}

/* ---- text ---------------------------------------------------------------- */

/* The representation that a question selects, as its body or entity tag has it. */
static inline void write_name(char *text, unsigned key, unsigned version,
                              const struct model_head *head, unsigned language)
{
    bool varies = head->vary != MODEL_VARY_NONE;

    (void)snprintf(text, TEXT_MAX, "k%uv%ul%u", key, version, varies ? language : 9);
}

static inline void write_etag(char text[TEXT_MAX], unsigned key, unsigned version,
                              const struct model_head *head, unsigned language)
{
    char name[TEXT_MAX];

    write_name(name, key, version, head, language);
    (void)snprintf(text, TEXT_MAX, "%s\"%.60s\"", head->etag == MODEL_ETAG_WEAK ? "W/" : "", name);
}

static inline int64_t last_modified_s(unsigned version)
{
    return 1700000000 + (int64_t)version * 60;
}

static inline void write_directives(struct fb_buf *buf, const struct model_directives *d)
{
    const struct {
        const char *name;
        bool is_there;
        int number;
    } all[] = {
        {"max-age", d->max_age >= 0, d->max_age},
        {"s-maxage", d->s_maxage >= 0, d->s_maxage},
        {"stale-while-revalidate", d->while_revalidate >= 0, d->while_revalidate},
        {"stale-if-error", d->if_error >= 0, d->if_error},
        {"no-store", d->no_store, -1},
        {"private", d->is_private, -1},
        {"public", d->is_public, -1},
        {"no-cache", d->no_cache, -1},
        {"must-revalidate", d->must_revalidate, -1},
        {"proxy-revalidate", d->proxy_revalidate, -1},
    };

    for (size_t i = 0; i < FB_ARRAY_LEN(all); i++) {
        if (all[i].is_there) {
            fb_buf_printf(buf, "%s%s", buf->len > 0 ? ", " : "", all[i].name);
            if (all[i].number >= 0) {
                fb_buf_printf(buf, "=%d", all[i].number);
            }
        }
    }
    if (buf->len == 0) {
        fb_buf_append(buf, FB_STR("x-nothing"));
    }
}

static inline void add_field(struct edge_fetch *fetch, const char *name, struct fb_str value)
{
    fb_headers_add(&fetch->response.headers, fetch->arena, fb_str_from(name),
                   fb_arena_dup(fetch->arena, value));
}

static inline void add_date(struct edge_fetch *fetch, const char *name, int64_t seconds)
{
    char text[FB_DATE_MAX];

    add_field(fetch, name, fb_date_format(seconds, text));
}

static inline void add_directives(struct edge_fetch *fetch, const char *name,
                                  const struct model_directives *d)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    if (d->is_present) {
        write_directives(&text, d);
        add_field(fetch, name, fb_buf_str(&text));
    }
}

static inline void write_response(struct edge_fetch *fetch, const struct question *q,
                                  unsigned version, const struct model_head *head)
{
    char text[TEXT_MAX];

    add_directives(fetch, "Cache-Control", &head->control);
    add_directives(fetch, "CDN-Cache-Control", &head->targeted);
    if (head->expires == MODEL_EXPIRES_IN) {
        add_date(fetch, "Expires", head->expires_at_s);
    } else if (head->expires == MODEL_EXPIRES_MALFORMED) {
        add_field(fetch, "Expires", FB_STR("0"));
    }
    if (head->date == MODEL_DATE_OFF_BY) {
        add_date(fetch, "Date", head->made_ms / 1000 + head->date_off_s);
    }
    if (head->age_s >= 0) {
        (void)snprintf(text, sizeof(text), "%d", head->age_s);
        add_field(fetch, "Age", fb_str_from(text));
    }
    if (head->etag != MODEL_ETAG_NONE) {
        write_etag(text, q->key, version, head, q->language);
        add_field(fetch, "ETag", fb_str_from(text));
    }
    if (head->has_last_modified) {
        add_date(fetch, "Last-Modified", last_modified_s(version));
    }
    if (head->vary != MODEL_VARY_NONE) {
        add_field(fetch, "Vary",
                  head->vary == MODEL_VARY_ANY ? FB_STR("X-Lang, *") : FB_STR("x-lang"));
    }
    if (head->sets_cookie) {
        add_field(fetch, "Set-Cookie", FB_STR("a=b"));
    }
}

static inline void tell_head(struct fb_buf *story, const struct model_head *head)
{
    FB_AUTO(fb_buf_done) struct fb_buf control = {0};
    FB_AUTO(fb_buf_done) struct fb_buf targeted = {0};

    write_directives(&control, &head->control);
    write_directives(&targeted, &head->targeted);
    fb_buf_printf(story,
                  "%u cc=%d(%s) cdn=%d(%s) expires=%d@%lld date=%d%+d age=%d etag=%d lm=%d "
                  "vary=%d cookie=%d",
                  head->status, head->control.is_present, control.ptr, head->targeted.is_present,
                  targeted.ptr, (int)head->expires, (long long)head->expires_at_s, (int)head->date,
                  head->date_off_s, head->age_s, (int)head->etag, head->has_last_modified,
                  (int)head->vary, head->sets_cookie);
}

/* ---- what the origin answers --------------------------------------------- */

/* What came of asking the origin. */
struct answer_made {
    int err;
    bool is_not_modified;
    bool is_part;
    struct model_head head;
};

static inline struct fb_str field_of(const struct edge_fetch *fetch, const char *name)
{
    return fb_headers_find(&fetch->request->headers, fb_str_from(name));
}

/* True if the request's conditions say that it has what there is (RFC 9110 13.1). */
static inline bool is_known(const struct edge_fetch *fetch, const struct question *q,
                            const struct origin *origin)
{
    struct fb_str match = field_of(fetch, "if-none-match");
    struct fb_str since = field_of(fetch, "if-modified-since");
    char text[TEXT_MAX];

    if (origin->head.status != 200) {
        return false;
    }
    if (match.ptr != NULL) {
        write_etag(text, q->key, origin->version, &origin->head, q->language);
        return origin->head.etag != MODEL_ETAG_NONE && fb_str_equal(match, fb_str_from(text));
    }
    if (since.ptr == NULL || !origin->head.has_last_modified) {
        return false;
    }
    return fb_str_equal(since, fb_date_format(last_modified_s(origin->version), text));
}

/* The body, or of a representation of status 200 the range that `range` asks for. */
static inline struct fb_str cut_body(struct edge_fetch *fetch, struct fb_str body, unsigned *status)
{
    struct fb_str range = field_of(fetch, "range");
    unsigned first = 0;
    unsigned last = 0;
    char text[TEXT_MAX];

    if (range.ptr == NULL || *status != 200) {
        return body;
    }
    (void)snprintf(text, sizeof(text), "%.*s", FB_STR_ARG(range));
    assert_int_equal(sscanf(text, "bytes=%u-%u", &first, &last), 2);
    assert_true(first < body.len && first <= last);
    last = FB_MIN(last, (unsigned)body.len - 1);
    *status = 206;
    (void)snprintf(text, sizeof(text), "bytes %u-%u/%zu", first, last, body.len);
    add_field(fetch, "Content-Range", fb_str_from(text));
    return fb_str_first(fb_str_skip(body, first), last - first + 1);
}

static inline struct answer_made origin_answer(struct world *w, const struct question *q)
{
    struct origin *origin = &w->origins[q->key];
    struct edge_fetch *fetch = take_fetch();
    struct answer_made made = {.head = origin->head};

    if (origin->mood == ORIGIN_GONE) {
        made.err = FB_E_CLOSED;
        fb_reader_close(fetch->request_body);
        fb_op_finish(&fetch->op, FB_E_CLOSED);
        turn(w->f);
        return made;
    }
    made.head.made_ms = w->f->clock.wall_now_ms;
    if (origin->mood == ORIGIN_BROKEN) {
        made.head.status = 503;
    }
    made.is_not_modified = origin->mood == ORIGIN_WELL && is_known(fetch, q, origin);
    unsigned status = made.is_not_modified ? 304 : made.head.status;
    fetch->response = (struct fb_response_head){.status = status};
    write_response(fetch, q, origin->version, &made.head);
    char text[TEXT_MAX];
    write_name(text, q->key, origin->version, &made.head, q->language);
    bool has_body = !made.is_not_modified && made.head.status != 204;
    struct fb_str body = has_body ? fb_arena_dup(fetch->arena, fb_str_from(text)) : FB_STR("");
    if (origin->knows_ranges) {
        body = cut_body(fetch, body, &fetch->response.status);
    }
    made.is_part = fetch->response.status == 206;
    fetch->length = (int64_t)body.len;
    fetch->body = fb_reader_of_slice((struct fb_slice){.bytes = body});
    fb_reader_close(fetch->request_body);
    fb_op_finish(&fetch->op, FB_OK);
    turn(w->f);
    return made;
}
