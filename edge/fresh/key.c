#include "edge/fresh/key.h"

#include "base/core/err.h"
#include "base/http/target.h"
#include "base/http/url.h"
#include "edge/fresh/fresh_internal.h"

#include <string.h>

static char to_lower(char c)
{
    return (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
}

/* ---- primary keys ------------------------------------------------------ */

/* Plain HTTP comes to port 80, TLS to 443; both name the same site. */
static struct fb_str without_default_port(struct fb_str host)
{
    const char *colon = memrchr(host.ptr, ':', host.len);

    if (colon == NULL) {
        return host;
    }
    struct fb_str rest = {host.ptr, (size_t)(colon - host.ptr)};
    struct fb_str port = fb_str_skip(host, rest.len);
    bool is_default =
        fb_str_equal(port, FB_STR(":80")) || fb_str_equal(port, FB_STR(":443")) || port.len == 1;
    bool is_numeric =
        is_default && fb_str_find(rest, ':') < rest.len && rest.ptr[rest.len - 1] != ']';
    return is_default && rest.len > 0 && !is_numeric ? rest : host;
}

/* In lower case, and without the dot at the end of the name: it names the same host, as it
 * does where sites are looked up. */
static char *put_host(char *at, struct fb_str host)
{
    size_t n_name = fb_str_find(host, ':');
    bool has_dot = n_name > 1 && host.ptr[n_name - 1] == '.';

    fb_str_put_lower(at, fb_str_first(host, n_name));
    at += has_dot ? n_name - 1 : n_name;
    fb_str_put_lower(at, fb_str_skip(host, n_name));
    return at + host.len - n_name;
}

static char *put(char *at, struct fb_str str)
{
    if (str.len > 0) {
        memcpy(at, str.ptr, str.len);
    }
    return at + str.len;
}

int edge_key_of(struct fb_arena *arena, const struct fb_request_head *request,
                const struct edge_key_policy *policy, struct edge_target *ret_target)
{
    static const struct edge_key_policy preset = {.query = EDGE_KEY_WHOLE};
    struct fb_str path;

    if (!fb_host_is_valid(request->host)) {
        return FB_E_MALFORMED;
    }
    if (request->host.len + request->target.len > EDGE_KEY_MAX) {
        return FB_E_LIMIT;
    }
    if (request->path.len == 0 || request->path.ptr[0] != '/') {
        return FB_E_MALFORMED;
    }
    int err = fb_path_normalise(arena, request->path, &path);
    if (err < 0) {
        return err;
    }

    struct fb_str query = edge_query_of(arena, request->query, policy != NULL ? policy : &preset);
    struct fb_str host = without_default_port(request->host);
    if (host.len + path.len + 1 + query.len > EDGE_KEY_MAX) {
        return FB_E_LIMIT; /* escapes may have made it longer */
    }
    char *key = fb_arena_alloc(arena, host.len + path.len + 1 + query.len);
    char *at = put_host(key, host);
    host = (struct fb_str){key, (size_t)(at - key)};
    at = put(at, path);
    if (query.ptr != NULL) {
        *at++ = '?';
        at = put(at, query);
    }
    struct edge_target target = {.key = {key, (size_t)(at - key)}};
    target.host = host;
    target.target = fb_str_skip(target.key, host.len);
    target.path = fb_str_first(target.target, path.len);
    if (query.ptr != NULL) {
        target.query = fb_str_skip(target.target, path.len + 1);
    }
    *ret_target = target;
    return FB_OK;
}

/* ---- variants ---------------------------------------------------------- */

bool edge_key_is_blocking(struct fb_str key)
{
    struct fb_str query = fb_str_skip(key, fb_str_find(key, '?'));
    struct fb_str parameter;

    query = fb_str_skip(query, 1);
    while (query.len > 0 && fb_str_cut(&query, '&', &parameter)) {
        if (fb_str_starts_with(parameter, FB_STR("_HLS_msn="))) {
            return true;
        }
    }
    return false;
}

struct fb_str edge_vary_of(struct fb_arena *arena, const struct fb_headers *response)
{
    return fb_headers_join(response, arena, FB_STR("vary"));
}

/* What a client says that it accepts: true unless its weight is 0. */
static bool has_weight(struct fb_str parameters)
{
    struct fb_str parameter;

    while (fb_str_cut(&parameters, ';', &parameter)) {
        struct fb_str trimmed = fb_str_trim(parameter);
        if (trimmed.len < 3 || !fb_str_equal_nocase(fb_str_first(trimmed, 2), FB_STR("q="))) {
            continue;
        }
        struct fb_str weight = fb_str_skip(trimmed, 2);
        for (size_t i = 0; i < weight.len; i++) {
            if (weight.ptr[i] >= '1' && weight.ptr[i] <= '9') {
                return true;
            }
        }
        return false;
    }
    return true;
}

struct fb_str edge_accept_encoding_of(struct fb_arena *arena, const struct fb_headers *request)
{
    struct fb_str list = fb_headers_join(request, arena, FB_STR("accept-encoding"));
    struct fb_str member;
    bool has_br = false;
    bool has_gzip = false;

    while (fb_list_member(&list, &member)) {
        size_t semicolon = fb_str_find(member, ';');
        struct fb_str coding = fb_str_trim(fb_str_first(member, semicolon));
        bool is_wanted = has_weight(fb_str_skip(member, semicolon + 1));
        if (fb_str_equal_nocase(coding, FB_STR("br"))) {
            has_br = is_wanted;
        } else if (fb_str_equal_nocase(coding, FB_STR("gzip"))) {
            has_gzip = is_wanted;
        }
    }
    if (has_br && has_gzip) {
        return FB_STR("br, gzip");
    }
    return has_br ? FB_STR("br") : has_gzip ? FB_STR("gzip") : FB_STR("");
}

/* "name:" of a line of a variant key. */
static char *put_name(char *at, struct fb_str name)
{
    for (size_t i = 0; i < name.len; i++) {
        *at++ = to_lower(name.ptr[i]);
    }
    *at++ = ':';
    return at;
}

/* One line for all members of a list. Absent and empty differ: an upstream may answer them
 * differently. */
static char *put_list(char *at, struct fb_str name, struct fb_str list)
{
    struct fb_str member;

    at = put_name(at, name);
    if (list.ptr != NULL) {
        *at++ = ' ';
    }
    while (fb_list_member(&list, &member)) {
        at = put(at, member);
        *at++ = ',';
    }
    *at++ = '\n';
    return at;
}

/* One line for each that the request has, as it is written: a comma may be a part of it. */
static char *put_lines(char *at, struct fb_str name, const struct fb_headers *request)
{
    bool is_there = false;

    for (size_t i = 0; i < request->n; i++) {
        if (fb_str_equal_nocase(request->items[i].name, name)) {
            at = put(put_name(at, name), FB_STR(" "));
            at = put(put(at, request->items[i].value), FB_STR(",\n"));
            is_there = true;
        }
    }
    return is_there ? at : put(put_name(at, name), FB_STR("\n"));
}

bool edge_vary_fits(struct fb_str vary)
{
    struct fb_str name;
    size_t n = 0;

    while (n <= EDGE_VARY_MAX && fb_list_member(&vary, &name)) {
        n++;
    }
    return n <= EDGE_VARY_MAX;
}

/* The most that `name` takes of a variant key, written either way. */
static size_t variant_room(struct fb_str name, const struct fb_headers *request)
{
    size_t room = name.len + 3;

    for (size_t i = 0; i < request->n; i++) {
        if (fb_str_equal_nocase(request->items[i].name, name)) {
            room += name.len + request->items[i].value.len + 4;
        }
    }
    return room;
}

static char *put_variant(char *at, struct fb_arena *arena, struct fb_str name,
                         const struct fb_headers *request)
{
    /* Those of which it is known that they are lists, and that clients send. */
    static const struct fb_str lists[] = {FB_STR("accept"), FB_STR("accept-charset"),
                                          FB_STR("accept-language")};

    if (fb_str_equal_nocase(name, FB_STR("accept-encoding"))) {
        return put_list(at, name, edge_accept_encoding_of(arena, request));
    }
    for (size_t i = 0; i < FB_ARRAY_LEN(lists); i++) {
        if (fb_str_equal_nocase(name, lists[i])) {
            return put_list(at, name, fb_headers_join(request, arena, name));
        }
    }
    return put_lines(at, name, request);
}

struct fb_str edge_variant_of(struct fb_arena *arena, struct fb_str vary,
                              const struct fb_headers *request)
{
    struct fb_str rest = vary;
    struct fb_str name;
    size_t room = 0;

    while (fb_list_member(&rest, &name)) {
        room += variant_room(name, request);
    }
    if (room == 0) {
        return FB_STR("");
    }
    char *variant = fb_arena_alloc(arena, room);
    char *end = variant;
    while (fb_list_member(&vary, &name)) {
        end = put_variant(end, arena, name, request);
    }
    return (struct fb_str){variant, (size_t)(end - variant)};
}
