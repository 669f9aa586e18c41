#include "base/core/err.h"
#include "base/daemon/daemon_internal.h"
#include "base/http/head.h"
#include "base/net/address.h"

/* True for what no name server can point elsewhere: an IP address, or "localhost". */
static bool foreign_is_fixed(struct fb_str host)
{
    bool has_brackets = host.len > 0 && host.ptr[0] == '[';
    struct fb_str bare = has_brackets ? fb_str_skip(host, 1) : host;
    struct fb_address address;

    bare = fb_str_first(bare, fb_str_find(bare, has_brackets ? ']' : ':'));
    if (!has_brackets && fb_str_equal_nocase(bare, FB_STR("localhost"))) {
        return true;
    }
    bool is_ip6 = fb_str_find(bare, ':') != bare.len;
    return is_ip6 == has_brackets && fb_address_from_ip(bare, 0, &address) == FB_OK;
}

/* Browsers add Origin to all but GET and HEAD (Fetch, "append a request `Origin` header"), and no
 * page can take it or a field Sec-… away. */
static bool foreign_is_of_browser(const struct fb_headers *headers)
{
    const struct fb_str prefix = FB_STR("sec-fetch-");

    for (size_t i = 0; i < headers->n; i++) {
        struct fb_str name = headers->items[i].name;
        if (fb_str_equal_nocase(name, FB_STR("origin")) ||
            fb_str_equal_nocase(fb_str_first(name, prefix.len), prefix)) {
            return true;
        }
    }
    return false;
}

/* RFC 6454 section 7.3. That the page is of the host which it asks says nothing if that is a name:
 * its owner may have it point to the page at first, and to this address then. */
bool fb_daemon_is_foreign(const struct fb_request_head *request)
{
    struct fb_str origin = fb_headers_find(&request->headers, FB_STR("origin"));
    struct fb_str site = fb_headers_find(&request->headers, FB_STR("sec-fetch-site"));
    struct fb_str host = fb_str_skip(origin, FB_MIN(fb_str_find(origin, '/') + 2, origin.len));
    bool is_safe = request->method == FB_METHOD_GET || request->method == FB_METHOD_HEAD;

    if (is_safe || !foreign_is_of_browser(&request->headers)) {
        return false;
    }
    return !foreign_is_fixed(request->host) || (origin.ptr == NULL && site.ptr == NULL) ||
           (origin.ptr != NULL && !fb_str_equal_nocase(host, request->host)) ||
           (site.ptr != NULL && !fb_str_equal(site, FB_STR("same-origin")) &&
            !fb_str_equal(site, FB_STR("none")));
}
