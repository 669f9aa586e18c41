#include "base/core/err.h"
#include "base/http/url.h"
#include "base/net/address.h"
#include "edge/access/access_internal.h"

#include <string.h>

/* ---- paths ------------------------------------------------------------- */

void edge_access_grant_done(struct edge_access_grant *grant)
{
    fb_buf_done(&grant->paths);
    fb_buf_done(&grant->subject);
    *grant = (struct edge_access_grant){0};
}

int edge_access_grant_path(struct edge_access_grant *grant, struct fb_str prefix)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct fb_str normal;

    if (prefix.len == 0 || prefix.ptr[0] != '/' || fb_path_normalise(&arena, prefix, &normal) < 0) {
        return FB_E_MALFORMED;
    }
    fb_buf_append(&grant->paths, normal);
    fb_buf_append_byte(&grant->paths, '\n');
    return FB_OK;
}

/* The length of what separates segments at `path`, for somebody who decodes more than is due:
 * 0 if nothing does. In a normal path escapes are in upper case. */
static size_t separator_at(struct fb_str path)
{
    if (path.ptr[0] == '/') {
        return 1;
    }
    return fb_str_starts_with(path, FB_STR("%2F")) || fb_str_starts_with(path, FB_STR("%5C")) ? 3
                                                                                              : 0;
}

/* True if a segment is "." or ".." once encoded slashes are slashes. */
static bool path_hides_dots(struct fb_str path)
{
    size_t n_dots = 0;
    size_t n_others = 0;

    while (path.len > 0) {
        size_t n = separator_at(path);
        if (n > 0 && n_dots > 0 && n_dots <= 2 && n_others == 0) {
            return true;
        }
        if (n > 0) {
            n_dots = 0;
            n_others = 0;
        } else if (path.ptr[0] == '.') {
            n_dots++;
        } else {
            n_others++;
        }
        path = fb_str_skip(path, n > 0 ? n : 1);
    }
    return n_dots > 0 && n_dots <= 2 && n_others == 0;
}

bool edge_access_covers(struct fb_str prefix, struct fb_str path)
{
    if (prefix.len == 0 || !fb_str_starts_with(path, prefix) || path_hides_dots(path)) {
        return false;
    }
    return path.len == prefix.len || prefix.ptr[prefix.len - 1] == '/' ||
           path.ptr[prefix.len] == '/';
}

bool edge_access_is_open(const struct edge_access *access, struct fb_str path)
{
    for (size_t i = 0; i < access->spec.n_open; i++) {
        if (edge_access_covers(access->spec.open[i], path)) {
            return true;
        }
    }
    return false;
}

static bool grant_covers(const struct edge_access_grant *grant, struct fb_str path)
{
    struct fb_str rest = fb_buf_str(&grant->paths);
    struct fb_str prefix;

    if (rest.len == 0) {
        return true;
    }
    while (fb_str_cut(&rest, '\n', &prefix)) {
        if (edge_access_covers(prefix, path)) {
            return true;
        }
    }
    return false;
}

/* ---- tokens ------------------------------------------------------------ */

bool edge_access_is_costly(const struct edge_access *access, struct fb_str token)
{
    return access->has_costly && !edge_access_is_url_token(token);
}

enum edge_access_cause edge_access_verify(const struct edge_access *access, struct fb_str token,
                                          struct edge_access_grant *ret_grant)
{
    FB_AUTO(edge_access_grant_done) struct edge_access_grant grant = {0};

    enum edge_access_cause cause = edge_access_is_url_token(token)
                                       ? edge_access_verify_url(access, token, &grant)
                                       : edge_access_verify_jwt(access, token, &grant);
    if (cause == EDGE_ACCESS_GRANTED) {
        *ret_grant = grant;
        grant = (struct edge_access_grant){0};
    }
    return cause;
}

static bool grant_has_client(const struct edge_access_grant *grant, const struct fb_address *client)
{
    struct fb_network one;

    return !grant->has_network ||
           (fb_network_of(client, 32, 128, &one) == FB_OK && fb_network_has(&grant->network, &one));
}

enum edge_access_cause edge_access_judge(const struct edge_access *access,
                                         const struct edge_access_grant *grant, struct fb_str path,
                                         const struct fb_address *client, int64_t now_ms)
{
    int64_t now_s = now_ms / 1000;

    if (now_s >= grant->expires_s + access->spec.leeway_s) {
        return EDGE_ACCESS_EXPIRED;
    }
    if (now_s + access->spec.leeway_s < grant->not_before_s) {
        return EDGE_ACCESS_EARLY;
    }
    if (!grant_has_client(grant, client)) {
        return EDGE_ACCESS_OTHER_NETWORK;
    }
    return grant_covers(grant, path) ? EDGE_ACCESS_GRANTED : EDGE_ACCESS_OTHER_PATH;
}
