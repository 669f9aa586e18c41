/*
 * What clients ask of the edge in test_rfc9111.c, and what RFC 9110 says that their
 * conditions and ranges make of a response.
 */
#pragma once

#include "base/http/date.h"
#include "rfc9111_model.h"
#include "serve_fixture.h"

enum { TEXT_MAX = 96 };

enum question_match { MATCH_NONE, MATCH_TAGS, MATCH_ANY };
enum question_range { RANGE_NONE, RANGE_CLOSED, RANGE_OPEN, RANGE_SUFFIX, RANGE_TWO };
enum question_if_range { IF_RANGE_NONE, IF_RANGE_STRONG, IF_RANGE_WEAK, IF_RANGE_DATE };

/* What a client asks. */
struct question {
    enum fb_method method;
    unsigned key;
    unsigned language;
    bool is_authorized;

    /* Conditions. */
    enum question_match match; /* If-None-Match */
    bool has_if_match;
    bool has_since;      /* If-Modified-Since */
    bool has_unmodified; /* If-Unmodified-Since */
    unsigned known_version;
    bool known_varies; /* of the tag in If-Range */
    int64_t since_s;   /* of all dates */

    enum question_range range;
    unsigned first; /* RANGE_SUFFIX: how many */
    unsigned last;
    unsigned first_of_second; /* and three bytes from there */
    enum question_if_range if_range;

    struct model_demands written; /* in its Cache-Control */
    struct model_demands demands; /* as far as the site obeys them */
};

/* ---- text ---------------------------------------------------------------- */

/* The representation that a question selects, as its body or entity tag has it. */
static inline void write_name(char *text, unsigned key, unsigned version, bool varies,
                              unsigned language)
{
    (void)snprintf(text, TEXT_MAX, "k%uv%ul%u", key, version, varies ? language : 9);
}

static inline void write_range(const struct question *q, char text[TEXT_MAX])
{
    switch (q->range) {
    case RANGE_NONE:
        text[0] = '\0';
        return;
    case RANGE_CLOSED:
        (void)snprintf(text, TEXT_MAX, "bytes=%u-%u", q->first, q->last);
        return;
    case RANGE_OPEN:
        (void)snprintf(text, TEXT_MAX, "bytes=%u-", q->first);
        return;
    case RANGE_SUFFIX:
        (void)snprintf(text, TEXT_MAX, "bytes=-%u", q->first);
        return;
    case RANGE_TWO:
        (void)snprintf(text, TEXT_MAX, "bytes=%u-%u, %u-%u", q->first, q->last, q->first_of_second,
                       q->first_of_second + 2);
        return;
    }
}

static inline void write_if_range(const struct question *q, char text[TEXT_MAX])
{
    char name[TEXT_MAX];
    char date[FB_DATE_MAX];

    write_name(name, q->key, q->known_version, q->known_varies, q->language);
    if (q->if_range == IF_RANGE_DATE) {
        (void)snprintf(text, TEXT_MAX, "%.*s", FB_STR_ARG(fb_date_format(q->since_s, date)));
    } else {
        (void)snprintf(text, TEXT_MAX, "%s\"%.60s\"", q->if_range == IF_RANGE_WEAK ? "W/" : "",
                       name);
    }
}

static inline void write_demands(struct fb_buf *buf, const struct model_demands *d)
{
    const struct {
        const char *name;
        bool is_there;
        int number;
    } all[] = {
        {"only-if-cached", d->only_if_cached, -1},
        {"no-store", d->no_store, -1},
        {"no-cache", d->no_cache, -1},
        {"max-age", d->max_age >= 0, d->max_age},
        {"min-fresh", d->min_fresh >= 0, d->min_fresh},
        {"max-stale", d->max_stale >= 0, d->max_stale},
        {"stale-if-error", d->if_error >= 0, d->if_error},
    };

    for (size_t i = 0; i < FB_ARRAY_LEN(all); i++) {
        if (all[i].is_there) {
            fb_buf_printf(buf, "%s%s", buf->len > 0 ? ", " : "", all[i].name);
            if (all[i].number >= 0) {
                fb_buf_printf(buf, "=%d", all[i].number);
            }
        }
    }
}

static inline void ask_field(struct fb_exchange *exchange, const char *name, const char *value)
{
    fb_headers_add(&exchange->request.headers, &exchange->arena, fb_str_from(name),
                   fb_arena_dup(&exchange->arena, fb_str_from(value)));
}

static inline void ask_date(struct fb_exchange *exchange, const char *name, int64_t seconds)
{
    char text[FB_DATE_MAX];

    fb_headers_add(&exchange->request.headers, &exchange->arena, fb_str_from(name),
                   fb_arena_dup(&exchange->arena, fb_date_format(seconds, text)));
}

static inline void ask_conditions(struct fb_exchange *exchange, const struct question *q)
{
    char text[TEXT_MAX];

    /* Whatever varies: both names that the version may have. */
    (void)snprintf(text, sizeof(text), "\"k%uv%ul%u\", \"k%uv%ul9\"", q->key, q->known_version,
                   q->language, q->key, q->known_version);
    if (q->match != MATCH_NONE) {
        ask_field(exchange, "If-None-Match", q->match == MATCH_ANY ? "*" : text);
    }
    if (q->has_if_match) {
        ask_field(exchange, "If-Match", text);
    }
    if (q->has_since) {
        ask_date(exchange, "If-Modified-Since", q->since_s);
    }
    if (q->has_unmodified) {
        ask_date(exchange, "If-Unmodified-Since", q->since_s);
    }
    if (q->range != RANGE_NONE) {
        write_range(q, text);
        ask_field(exchange, "Range", text);
    }
    if (q->if_range != IF_RANGE_NONE) {
        write_if_range(q, text);
        ask_field(exchange, "If-Range", text);
    }
}

static inline void ask_question(struct fixture *f, const struct question *q,
                                struct fb_exchange *exchange)
{
    static const char *const paths[] = {"/a", "/b", "/c"};
    static const char *const languages[] = {"de", "en", "fr"};
    FB_AUTO(fb_buf_done) struct fb_buf demands = {0};

    *exchange = (struct fb_exchange){.loop = f->loop};
    exchange->request = (struct fb_request_head){
        .method = q->method,
        .method_text = fb_method_text(q->method),
        .target = fb_str_from(paths[q->key]),
        .path = fb_str_from(paths[q->key]),
        .host = FB_STR("h"),
    };
    ask_field(exchange, "X-Lang", languages[q->language]);
    if (q->is_authorized) {
        ask_field(exchange, "Authorization", "Basic eA==");
    }
    ask_conditions(exchange, q);
    write_demands(&demands, &q->written);
    if (demands.len > 0) {
        ask_field(exchange, "Cache-Control", demands.ptr);
    }
    edge_serve_handle(f->serve, exchange);
    turn(f);
}

static inline void tell_question(struct fb_buf *story, const struct question *q)
{
    FB_AUTO(fb_buf_done) struct fb_buf demands = {0};
    char range[TEXT_MAX];

    write_demands(&demands, &q->written);
    write_range(q, range);
    fb_buf_printf(story,
                  "%.*s %u lang %u%s, v%u: none-match %d match %d since %d unmodified %d @%lld, "
                  "[%s] if-range %d, demands '%s'",
                  FB_STR_ARG(fb_method_text(q->method)), q->key, q->language,
                  q->is_authorized ? " authorized" : "", q->known_version, (int)q->match,
                  q->has_if_match, q->has_since, q->has_unmodified, (long long)q->since_s, range,
                  (int)q->if_range, demands.len > 0 ? demands.ptr : "");
}

/* ---- conditions (RFC 9110 section 13) -------------------------------------- */

static inline bool is_success(unsigned status)
{
    return status >= 200 && status <= 299;
}

/* If-Match, else If-Unmodified-Since. */
static inline bool question_holds(const struct question *q, const struct model_stored *there)
{
    if (!is_success(there->head.status)) {
        return true;
    }
    if (q->has_if_match) {
        return there->head.etag == MODEL_ETAG_STRONG && q->known_version == there->version;
    }
    return !q->has_unmodified || !there->head.has_last_modified ||
           there->head.modified_s <= q->since_s;
}

/* If-None-Match, else If-Modified-Since. To a cache, Date stands for a missing Last-Modified
 * (RFC 9111 section 4.3.2). */
static inline bool question_knows(const struct question *q, const struct model_stored *there,
                                  bool is_cache)
{
    const struct model_head *head = &there->head;

    if (!is_success(head->status)) {
        return false;
    }
    if (q->match != MATCH_NONE) {
        return q->match == MATCH_ANY ||
               (head->etag != MODEL_ETAG_NONE && q->known_version == there->version);
    }
    if (!q->has_since || (!head->has_last_modified && !is_cache)) {
        return false;
    }
    int64_t modified_s =
        head->has_last_modified ? head->modified_s : model_date_s(head, there->received_ms);
    return modified_s <= q->since_s;
}

static inline bool question_has_range(const struct question *q, const struct model_stored *there)
{
    const struct model_head *head = &there->head;
    bool varies = head->vary != MODEL_VARY_NONE;

    if (q->range == RANGE_NONE || q->method != FB_METHOD_GET || head->status != 200) {
        return false;
    }
    switch (q->if_range) {
    case IF_RANGE_NONE:
        return true;
    case IF_RANGE_STRONG:
        return head->etag == MODEL_ETAG_STRONG && q->known_version == there->version &&
               q->known_varies == varies;
    case IF_RANGE_WEAK:
        return false;
    case IF_RANGE_DATE: /* strong only if older than the message (section 8.8.2.2) */
        return head->has_last_modified && head->modified_s == q->since_s &&
               head->modified_s < model_date_s(head, there->received_ms);
    }
    return false;
}

/* ---- ranges (RFC 9110 section 14) ------------------------------------------ */

enum part { PART_WHOLE, PART_SOME, PART_PAST_END };

/* Widens what is wanted by a range, of whose bytes there are some. */
static inline void part_add(unsigned *first, unsigned *last, unsigned from, unsigned to,
                            unsigned len, unsigned *n_bytes)
{
    if (from >= len) {
        return;
    }
    to = FB_MIN(to, len - 1);
    *first = FB_MIN(*first, from);
    *last = FB_MAX(*last, to);
    *n_bytes += to - from + 1;
}

/* What the range wants of `len` bytes. Choices: two that are so near are sent as one; of
 * ranges that come to more than there is the whole is sent. */
static inline enum part question_part(const struct question *q, unsigned len, unsigned *ret_first,
                                      unsigned *ret_last)
{
    unsigned first = len;
    unsigned last = 0;
    unsigned n_bytes = 0;

    if (q->range == RANGE_SUFFIX && q->first > 0) {
        part_add(&first, &last, len - FB_MIN(q->first, len), len, len, &n_bytes);
    } else if (q->range == RANGE_OPEN) {
        part_add(&first, &last, q->first, len, len, &n_bytes);
    } else if (q->range != RANGE_SUFFIX) {
        part_add(&first, &last, q->first, q->last, len, &n_bytes);
    }
    if (q->range == RANGE_TWO) {
        part_add(&first, &last, q->first_of_second, q->first_of_second + 2, len, &n_bytes);
    }
    if (n_bytes == 0) {
        return PART_PAST_END;
    }
    *ret_first = first;
    *ret_last = last;
    return n_bytes > len ? PART_WHOLE : PART_SOME;
}

/* Makes of the whole in `text` what the range wants; returns the status, and Content-Range or
 * "" in `content_range`. */
static inline unsigned cut_text(const struct question *q, char text[TEXT_MAX],
                                char content_range[TEXT_MAX])
{
    unsigned len = (unsigned)strlen(text);
    unsigned first = 0;
    unsigned last = 0;

    content_range[0] = '\0';
    switch (question_part(q, len, &first, &last)) {
    case PART_WHOLE:
        return 200;
    case PART_PAST_END:
        (void)snprintf(content_range, TEXT_MAX, "bytes */%u", len);
        text[0] = '\0';
        return 416;
    case PART_SOME:
        (void)snprintf(content_range, TEXT_MAX, "bytes %u-%u/%u", first, last, len);
        memmove(text, text + first, last - first + 1);
        text[last - first + 1] = '\0';
        return 206;
    }
    return 200;
}
