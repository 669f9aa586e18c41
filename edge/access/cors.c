#include "edge/access/cors.h"

#include "base/core/err.h"

#include <string.h>

const struct edge_cors *edge_cors_copy(struct fb_arena *arena, const struct edge_cors *cors)
{
    if (cors == NULL) {
        return NULL;
    }
    struct edge_cors *copy = fb_arena_alloc(arena, sizeof(*copy));
    struct fb_str *origins = fb_arena_alloc(arena, cors->n_origins * sizeof(*origins));

    for (size_t i = 0; i < cors->n_origins; i++) {
        origins[i] = fb_arena_dup(arena, cors->origins[i]);
    }
    *copy = *cors;
    copy->origins = origins;
    copy->methods = fb_arena_dup(arena, cors->methods);
    copy->headers = fb_arena_dup(arena, cors->headers);
    copy->max_age = fb_arena_dup(arena, cors->max_age);
    copy->expose = fb_arena_dup(arena, cors->expose);
    return copy;
}

/* ---- origins ----------------------------------------------------------- */

/* Names, numeric addresses, a port: what browsers serialise, which is in lower case. */
static bool is_host_text(struct fb_str host)
{
    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];
        if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
              (c != '\0' && strchr("-._:[]", c) != NULL))) {
            return false;
        }
    }
    return host.len > 0;
}

/* Cuts "scheme://host" in two behind the slashes. */
static bool origin_cut(struct fb_str origin, struct fb_str *ret_scheme, struct fb_str *ret_host)
{
    size_t colon = fb_str_find(origin, ':');

    if (colon == 0 || !fb_str_starts_with(fb_str_skip(origin, colon), FB_STR("://"))) {
        return false;
    }
    *ret_scheme = fb_str_first(origin, colon + 3);
    *ret_host = fb_str_skip(origin, colon + 3);
    return true;
}

int edge_cors_check_origin(struct fb_str origin, struct fb_diag *diag)
{
    struct fb_str scheme;
    struct fb_str host;

    if (fb_str_equal(origin, FB_STR("*"))) {
        return FB_OK;
    }
    if (origin_cut(origin, &scheme, &host)) {
        if (fb_str_starts_with(host, FB_STR("*."))) {
            host = fb_str_skip(host, 2);
        }
        if (is_host_text(host) && is_host_text(fb_str_first(scheme, scheme.len - 2))) {
            return FB_OK;
        }
    }
    return fb_diag_set(diag, FB_E_MALFORMED,
                       "'%.*s' is no origin: '*', or scheme://host[:port] in lower case without a "
                       "path, such as https://player.example or https://*.example",
                       FB_STR_ARG(origin));
}

static bool origin_matches(struct fb_str pattern, struct fb_str origin)
{
    struct fb_str scheme;
    struct fb_str host;
    struct fb_str own_scheme;
    struct fb_str own_host;

    if (fb_str_equal(pattern, origin)) {
        return true;
    }
    if (!origin_cut(pattern, &scheme, &host) || !fb_str_starts_with(host, FB_STR("*.")) ||
        !origin_cut(origin, &own_scheme, &own_host)) {
        return false;
    }
    host = fb_str_skip(host, 1);
    return fb_str_equal(scheme, own_scheme) && fb_str_ends_with(own_host, host) &&
           own_host.len > host.len && is_host_text(own_host) &&
           fb_str_find(fb_str_first(own_host, own_host.len - host.len), ':') ==
               own_host.len - host.len;
}

bool edge_cors_allows(const struct edge_cors *cors, struct fb_str origin)
{
    if (cors->is_any) {
        return true;
    }
    for (size_t i = 0; i < cors->n_origins && origin.len > 0; i++) {
        if (origin_matches(cors->origins[i], origin)) {
            return true;
        }
    }
    return false;
}

bool edge_cors_is_preflight(const struct fb_request_head *request)
{
    return request->method == FB_METHOD_OPTIONS &&
           fb_headers_find(&request->headers, FB_STR("origin")).ptr != NULL &&
           fb_headers_find(&request->headers, FB_STR("access-control-request-method")).ptr != NULL;
}

/* ---- fields ------------------------------------------------------------ */

static void cors_remove(struct fb_headers *headers)
{
    static const struct fb_str prefix = FB_STR("access-control-");
    size_t n = 0;

    for (size_t i = 0; i < headers->n; i++) {
        struct fb_str name = headers->items[i].name;
        if (!fb_str_equal_nocase(fb_str_first(name, prefix.len), prefix)) {
            headers->items[n++] = headers->items[i];
        }
    }
    headers->n = n;
}

static bool vary_has_origin(const struct fb_headers *headers, struct fb_arena *arena)
{
    struct fb_str vary = fb_headers_join(headers, arena, FB_STR("vary"));

    return fb_list_has(vary, FB_STR("origin")) || fb_list_has(vary, FB_STR("*"));
}

static void cors_allow(const struct edge_cors *cors, struct fb_str origin,
                       struct fb_headers *headers, struct fb_arena *arena)
{
    if (!cors->is_any && !vary_has_origin(headers, arena)) {
        fb_headers_add(headers, arena, FB_STR("Vary"), FB_STR("Origin"));
    }
    if (!edge_cors_allows(cors, origin)) {
        return;
    }
    fb_headers_add(headers, arena, FB_STR("Access-Control-Allow-Origin"),
                   cors->is_any ? FB_STR("*") : origin);
    if (cors->has_credentials) {
        fb_headers_add(headers, arena, FB_STR("Access-Control-Allow-Credentials"), FB_STR("true"));
    }
}

void edge_cors_apply(const struct edge_cors *cors, struct fb_str origin, struct fb_headers *headers,
                     struct fb_arena *arena)
{
    cors_remove(headers);
    cors_allow(cors, origin, headers, arena);
    if (cors->expose.len > 0 && edge_cors_allows(cors, origin)) {
        fb_headers_add(headers, arena, FB_STR("Access-Control-Expose-Headers"), cors->expose);
    }
}

void edge_cors_apply_preflight(const struct edge_cors *cors, struct fb_str origin,
                               struct fb_headers *headers, struct fb_arena *arena)
{
    cors_allow(cors, origin, headers, arena);
    fb_headers_add(headers, arena, FB_STR("Access-Control-Allow-Methods"), cors->methods);
    if (cors->headers.len > 0) {
        fb_headers_add(headers, arena, FB_STR("Access-Control-Allow-Headers"), cors->headers);
    }
    fb_headers_add(headers, arena, FB_STR("Access-Control-Max-Age"), cors->max_age);
}
