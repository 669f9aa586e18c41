#include "base/core/err.h"
#include "base/core/text.h"
#include "edge/access/access_internal.h"

#include <string.h>

/* A token may be written as any value of a query: percent-encoded, or not if nothing in it
 * needs that. */
static struct fb_str token_decode(struct fb_arena *arena, struct fb_str text)
{
    FB_AUTO(fb_buf_done) struct fb_buf decoded = {0};

    if (fb_str_find(text, '%') == text.len) {
        return text;
    }
    if (text.len > (size_t)3 * EDGE_ACCESS_TOKEN_MAX ||
        fb_text_percent_decode(&decoded, text) < 0) {
        return FB_STR(""); /* there is one, and it is worth nothing */
    }
    return fb_arena_dup(arena, fb_buf_str(&decoded));
}

static void ticket_take(struct edge_access_ticket *ticket, struct fb_arena *arena,
                        struct fb_str text, enum edge_access_place place)
{
    if (ticket->place == EDGE_ACCESS_NOWHERE) {
        ticket->token = token_decode(arena, text);
        ticket->place = place;
    }
}

/* ---- lists of pairs ---------------------------------------------------- */

/* True if `part` is `name`, or `name=…`, of which the value is `*ret_value`. */
static bool pair_is(struct fb_str part, struct fb_str name, bool is_encoded,
                    struct fb_str *ret_value)
{
    FB_AUTO(fb_buf_done) struct fb_buf decoded = {0};
    size_t equals = fb_str_find(part, '=');
    struct fb_str read = fb_str_first(part, equals);

    if (is_encoded && fb_text_percent_decode(&decoded, read) == FB_OK) {
        read = fb_buf_str(&decoded);
    }
    if (!fb_str_equal(read, name)) {
        return false;
    }
    *ret_value = fb_str_skip(part, equals + 1);
    return true;
}

/* `text` without the pairs `name`; the first of them becomes the ticket. */
static struct fb_str pairs_without(struct fb_arena *arena, struct fb_str text, struct fb_str name,
                                   enum edge_access_place place, struct edge_access_ticket *ticket)
{
    bool is_query = place == EDGE_ACCESS_QUERY;
    char separator = is_query ? '&' : ';';
    char *out = fb_arena_alloc(arena, text.len + 1);
    struct fb_str rest = text;
    struct fb_str part;
    struct fb_str value;
    size_t len = 0;
    bool is_found = false;
    bool is_first = true;

    while (fb_str_cut(&rest, separator, &part)) {
        if (pair_is(is_query ? part : fb_str_trim(part), name, is_query, &value)) {
            is_found = true;
            ticket_take(ticket, arena, value, place);
            continue;
        }
        if (!is_first) {
            out[len++] = separator;
        }
        is_first = false;
        if (part.len > 0) {
            memcpy(out + len, part.ptr, part.len);
        }
        len += part.len;
    }
    if (!is_found) {
        return text;
    }
    struct fb_str kept = {out, len};
    kept = is_query ? kept : fb_str_trim(kept);
    return is_first || kept.len == 0 ? FB_STR_NONE : kept;
}

/* ---- fields ------------------------------------------------------------ */

static bool field_bearer(const struct edge_access *access, struct fb_header field,
                         struct fb_str *ret_token)
{
    static const struct fb_str scheme = FB_STR("Bearer");
    struct fb_str value = field.value;

    if (!access->has_jwt || !fb_str_equal_nocase(field.name, FB_STR("authorization")) ||
        !fb_str_equal_nocase(fb_str_first(value, scheme.len), scheme) ||
        (value.len > scheme.len && value.ptr[scheme.len] != ' ')) {
        return false;
    }
    *ret_token = fb_str_trim(fb_str_skip(value, scheme.len));
    return true;
}

static bool access_reads_cookie(const struct edge_access *access, struct fb_str name)
{
    return access->spec.cookie.len > 0 && fb_str_equal_nocase(name, FB_STR("cookie"));
}

/* The fields without what `place` takes out of them. */
static struct fb_headers fields_without(const struct edge_access *access, struct fb_arena *arena,
                                        const struct fb_headers *from, enum edge_access_place place,
                                        struct edge_access_ticket *ticket)
{
    struct fb_headers kept = {0};
    struct fb_str token;

    for (size_t i = 0; i < from->n; i++) {
        struct fb_header field = from->items[i];
        if (place == EDGE_ACCESS_BEARER && field_bearer(access, field, &token)) {
            if (ticket->place == EDGE_ACCESS_NOWHERE) {
                *ticket = (struct edge_access_ticket){token, EDGE_ACCESS_BEARER};
            }
            continue;
        }
        if (place == EDGE_ACCESS_COOKIE && access_reads_cookie(access, field.name)) {
            field.value =
                pairs_without(arena, field.value, access->spec.cookie, EDGE_ACCESS_COOKIE, ticket);
            if (field.value.ptr == NULL) {
                continue;
            }
        }
        fb_headers_add(&kept, arena, field.name, field.value);
    }
    return kept;
}

/* ---- targets ----------------------------------------------------------- */

/* The path behind its first segment, if that is a token. */
static void path_cut(const struct edge_access *access, struct fb_arena *arena,
                     struct fb_request_head *request, struct edge_access_ticket *ticket)
{
    struct fb_str segments = fb_str_skip(request->path, 1);
    struct fb_str segment = fb_str_first(segments, fb_str_find(segments, '/'));

    if (!access->spec.in_path || segment.len == segments.len) {
        return;
    }
    struct fb_str token = token_decode(arena, segment);
    if (edge_access_is_url_token(token)) {
        ticket_take(ticket, arena, segment, EDGE_ACCESS_SEGMENT);
        request->path = fb_str_skip(segments, segment.len);
    }
}

static void target_join(struct fb_request_head *request, struct fb_arena *arena)
{
    size_t n_query = request->query.ptr != NULL ? request->query.len + 1 : 0;
    char *target = fb_arena_alloc(arena, request->path.len + n_query + 1);

    if (request->path.len > 0) {
        memcpy(target, request->path.ptr, request->path.len);
    }
    if (n_query > 0) {
        target[request->path.len] = '?';
        memcpy(target + request->path.len + 1, request->query.ptr, n_query - 1);
    }
    request->target = (struct fb_str){target, request->path.len + n_query};
}

void edge_access_read(const struct edge_access *access, struct fb_arena *arena,
                      const struct fb_request_head *request, struct fb_request_head *ret_clean,
                      struct edge_access_ticket *ret_ticket)
{
    struct edge_access_ticket ticket = {.place = EDGE_ACCESS_NOWHERE};
    struct fb_request_head clean = *request;

    clean.headers = fields_without(access, arena, &clean.headers, EDGE_ACCESS_BEARER, &ticket);
    if (access->spec.parameter.len > 0 && clean.query.ptr != NULL) {
        clean.query =
            pairs_without(arena, clean.query, access->spec.parameter, EDGE_ACCESS_QUERY, &ticket);
    }
    path_cut(access, arena, &clean, &ticket);
    clean.headers = fields_without(access, arena, &clean.headers, EDGE_ACCESS_COOKIE, &ticket);
    if (clean.query.ptr != request->query.ptr || clean.path.ptr != request->path.ptr) {
        target_join(&clean, arena);
    }
    *ret_clean = clean;
    *ret_ticket = ticket;
}
