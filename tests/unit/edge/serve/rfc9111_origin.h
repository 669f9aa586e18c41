/*
 * The other side of the edge in test_rfc9111.c: an origin that answers as RFC 9110 wants,
 * from its own state alone.
 */
#pragma once

#include "rfc9111_world.h"

/* ---- text ---------------------------------------------------------------- */

static inline void write_etag(char text[TEXT_MAX], unsigned key, unsigned version,
                              const struct model_head *head, unsigned language)
{
    char name[TEXT_MAX];

    write_name(name, key, version, head->vary != MODEL_VARY_NONE, language);
    (void)snprintf(text, TEXT_MAX, "%s\"%.60s\"", head->etag == MODEL_ETAG_WEAK ? "W/" : "", name);
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
        {"must-understand", d->must_understand, -1},
        {"private", d->is_private, -1},
        {"private=\"x-own\"", d->has_private_field, -1},
        {"public", d->is_public, -1},
        {"no-cache", d->no_cache, -1},
        {"no-cache=\"x-own\"", d->has_no_cache_field, -1},
        {"immutable", d->is_immutable, -1},
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
    if (d->is_malformed) {
        fb_buf_append(buf, FB_STR(", =1"));
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
    add_directives(fetch, "CDN-Cache-Control", &head->cdn);
    add_directives(fetch, "Forebay-Cache-Control", &head->forebay);
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
        add_date(fetch, "Last-Modified", head->modified_s);
    }
    if (head->own >= 0) {
        (void)snprintf(text, sizeof(text), "%d", head->own);
        add_field(fetch, "X-Own", fb_str_from(text));
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
    FB_AUTO(fb_buf_done) struct fb_buf cdn = {0};
    FB_AUTO(fb_buf_done) struct fb_buf forebay = {0};

    write_directives(&control, &head->control);
    write_directives(&cdn, &head->cdn);
    write_directives(&forebay, &head->forebay);
    fb_buf_printf(story,
                  "%u cc=%d(%s) cdn=%d(%s) forebay=%d(%s) expires=%d@%lld date=%d%+d age=%d "
                  "etag=%d lm=%d@%lld own=%d vary=%d cookie=%d",
                  head->status, head->control.is_present, control.ptr, head->cdn.is_present,
                  cdn.ptr, head->forebay.is_present, forebay.ptr, (int)head->expires,
                  (long long)head->expires_at_s, (int)head->date, head->date_off_s, head->age_s,
                  (int)head->etag, head->has_last_modified, (long long)head->modified_s, head->own,
                  (int)head->vary, head->sets_cookie);
}

static inline void tell_origins(struct world *w)
{
    for (unsigned i = 0; i < MODEL_N_KEYS; i++) {
        fb_buf_printf(&w->story, "  origin %u v%u mood %d: ", i, w->origins[i].version,
                      (int)w->origins[i].mood);
        tell_head(&w->story, &w->origins[i].head);
        fb_buf_append(&w->story, FB_STR("\n"));
    }
}

/* ---- what the origin answers --------------------------------------------- */

/* What came of asking the origin. */
struct answer_made {
    int err;
    bool is_not_modified;
    bool is_part;
    struct model_head head;

    /* As they went over the wire. */
    unsigned status;
    char text[TEXT_MAX];
    char content_range[TEXT_MAX];
};

static inline struct fb_str field_of(const struct edge_fetch *fetch, const char *name)
{
    return fb_headers_find(&fetch->request->headers, fb_str_from(name));
}

/* True if the validators that the edge sent say that it has what there is (RFC 9110 13.1). */
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
    return fb_str_equal(since, fb_date_format(origin->head.modified_s, text));
}

/* Cuts the whole of status 200 to the range that the edge asks for, from its first byte. */
static inline void cut_for_edge(const struct edge_fetch *fetch, struct answer_made *made)
{
    struct fb_str range = field_of(fetch, "range");
    unsigned len = (unsigned)strlen(made->text);
    char text[TEXT_MAX];
    unsigned n = 0;

    if (range.ptr == NULL || made->status != 200) {
        return;
    }
    (void)snprintf(text, sizeof(text), "%.*s", FB_STR_ARG(range));
    assert_true(sscanf(text, "bytes=0-%u", &n) == 1 || sscanf(text, "bytes=-%u", &n) == 1);
    assert_true(n >= len);
    made->status = 206;
    (void)snprintf(made->content_range, TEXT_MAX, "bytes 0-%u/%u", len - 1, len);
}

/* To the edge for itself, or if `is_clients` to a client, whose conditions come along. */
static inline void settle_answer(struct world *w, const struct question *q,
                                 const struct edge_fetch *fetch, bool is_clients,
                                 struct answer_made *made)
{
    struct origin *origin = &w->origins[q->key];
    const struct model_stored there = {
        .version = origin->version, .head = made->head, .received_ms = w->f->clock.wall_now_ms};

    made->status = made->head.status;
    write_name(made->text, q->key, origin->version, made->head.vary != MODEL_VARY_NONE,
               q->language);
    if (is_clients && !question_holds(q, &there)) {
        made->status = 412;
    } else if (origin->mood == ORIGIN_WELL &&
               (is_clients ? question_knows(q, &there, false) : is_known(fetch, q, origin))) {
        made->is_not_modified = true;
        made->status = 304;
    } else if (origin->knows_ranges && is_clients && question_has_range(q, &there)) {
        made->status = cut_text(q, made->text, made->content_range);
    } else if (origin->knows_ranges && !is_clients) {
        cut_for_edge(fetch, made);
    }
    made->is_part = made->status == 206;
    if (made->status == 304 || made->status == 204 || made->status == 412) {
        made->text[0] = '\0';
    }
}

static inline struct answer_made origin_answer(struct world *w, const struct question *q,
                                               bool is_clients)
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
    settle_answer(w, q, fetch, is_clients, &made);
    fetch->response = (struct fb_response_head){.status = made.status};
    write_response(fetch, q, origin->version, &made.head);
    if (made.content_range[0] != '\0') {
        add_field(fetch, "Content-Range", fb_str_from(made.content_range));
    }
    if (w->location != NULL) {
        add_field(fetch, "Location", fb_str_from(w->location));
    }
    if (w->content_location != NULL) {
        add_field(fetch, "Content-Location", fb_str_from(w->content_location));
    }
    fetch->length = (int64_t)strlen(made.text);
    if (fetch->request->method == FB_METHOD_HEAD) {
        made.text[0] = '\0';
    }
    struct fb_str body = fb_arena_dup(fetch->arena, fb_str_from(made.text));
    fetch->body = fb_reader_of_slice((struct fb_slice){.bytes = body});
    fb_reader_close(fetch->request_body);
    fb_op_finish(&fetch->op, FB_OK);
    turn(w->f);
    return made;
}

/* Makes the newest fetch the next that is answered. */
static inline void take_newest_first(void)
{
    struct edge_fetch *newest = fetches[n_fetches - 1];

    memmove(&fetches[1], &fetches[0], (n_fetches - 1) * sizeof(fetches[0]));
    fetches[0] = newest;
}
