/*
 * What the success of an unsafe method makes invalid (RFC 9111 section 4.4): the
 * target, and what Location and Content-Location name, if that is of the same host.
 * A URL of http and one of https are one thing here, as they have one key.
 */
#include "base/core/err.h"
#include "edge/serve/serve_internal.h"
#include "edge/store/store.h"

#include <string.h>

bool edge_serve_is_unsafe(enum fb_method method)
{
    return method != FB_METHOD_GET && method != FB_METHOD_HEAD && method != FB_METHOD_OPTIONS;
}

static struct fb_str drop_join(struct fb_arena *arena, struct fb_str a, struct fb_str b)
{
    char *text = fb_arena_alloc(arena, a.len + b.len + 1);

    memcpy(text, a.ptr, a.len);
    memcpy(text + a.len, b.ptr, b.len);
    return (struct fb_str){text, a.len + b.len};
}

/* Takes "http://host" or "//host" off the front of a reference; the host of the request
 * without one. ptr NULL: it is of another kind. */
static struct fb_str drop_take_host(const struct serve_request *request, struct fb_str *reference)
{
    struct fb_str rest = *reference;
    struct fb_str scheme = fb_str_first(rest, fb_str_find(rest, ':'));

    if (fb_str_equal_nocase(scheme, FB_STR("http")) ||
        fb_str_equal_nocase(scheme, FB_STR("https"))) {
        rest = fb_str_skip(rest, scheme.len + 1);
        if (!fb_str_starts_with(rest, FB_STR("//"))) {
            return FB_STR_NONE;
        }
    }
    if (!fb_str_starts_with(rest, FB_STR("//"))) {
        return request->client->host;
    }
    rest = fb_str_skip(rest, 2);
    size_t n = FB_MIN(fb_str_find(rest, '/'), fb_str_find(rest, '?'));
    *reference = n < rest.len ? fb_str_skip(rest, n) : FB_STR("/");
    return fb_str_first(rest, n);
}

/* The target that a reference without a host names (RFC 3986 section 5.2). */
static struct fb_str drop_resolve(struct serve_request *request, struct fb_str reference)
{
    struct fb_str base = request->wanted.path;

    if (fb_str_starts_with(reference, FB_STR("/"))) {
        return reference;
    }
    if (!fb_str_starts_with(reference, FB_STR("?"))) {
        while (base.len > 0 && base.ptr[base.len - 1] != '/') {
            base.len--;
        }
    }
    return drop_join(request->arena, base, reference);
}

/* What is kept of `key`, and what is under way: it was asked for before the change. */
static void drop_key(struct serve_request *request, struct fb_str key)
{
    const struct edge_serve_options *options = &request->serve->options;

    edge_fill_outdate(options->fills, key);
    edge_store_invalidate(options->store, request->serve->loop, key);
}

/* What `name` of the response names. */
static void drop_named(struct serve_request *request, const struct fb_headers *response,
                       struct fb_str name)
{
    struct fb_str reference = fb_headers_find(response, name);
    struct edge_target target;

    reference = fb_str_first(reference, fb_str_find(reference, '#'));
    if (reference.len == 0) {
        return;
    }
    struct fb_str host = drop_take_host(request, &reference);
    struct fb_str text = drop_resolve(request, reference);
    size_t path_len = fb_str_find(text, '?');
    struct fb_request_head head = {
        .method = FB_METHOD_GET,
        .target = text,
        .path = fb_str_first(text, path_len),
        .query = path_len < text.len ? fb_str_skip(text, path_len + 1) : FB_STR_NONE,
        .host = host,
    };
    if (edge_site_key(request->site, request->arena, &head, &target) == FB_OK &&
        fb_str_equal(target.host, request->wanted.host)) {
        drop_key(request, target.key);
    }
}

void edge_serve_drop(struct serve_request *request, const struct fb_headers *response)
{
    drop_key(request, request->key);
    drop_named(request, response, FB_STR("location"));
    drop_named(request, response, FB_STR("content-location"));
}
