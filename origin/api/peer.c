#include "origin/api/peer.h"

#include "base/core/err.h"

#include <stdbool.h>

enum { V4_BITS = 32, V6_BITS = 128, HOPS_MAX = 32 };

static bool is_trusted(const struct fb_address *address, const struct origin_api_trusted *trusted)
{
    struct fb_network one;

    if (fb_network_of(address, V4_BITS, V6_BITS, &one) < 0) {
        return false;
    }
    for (size_t i = 0; i < trusted->n; i++) {
        if (fb_network_has(&trusted->networks[i], &one)) {
            return true;
        }
    }
    return false;
}

/* With a port or without, and of IPv6 in brackets or not. */
static int read_address(struct fb_str text, struct fb_address *ret_address)
{
    if (text.len >= 2 && text.ptr[0] == '[' && text.ptr[text.len - 1] == ']') {
        text = fb_str_first(fb_str_skip(text, 1), text.len - 2);
    }
    int err = fb_address_from_ip(text, 0, ret_address);
    return err == FB_OK ? err : fb_address_parse(text, ret_address, NULL);
}

/* Cuts the last member off a comma-separated list; false if nothing is left. */
static bool cut_last(struct fb_str *list, struct fb_str *ret_member)
{
    size_t at = list->len;

    if (list->len == 0) {
        return false;
    }
    while (at > 0 && list->ptr[at - 1] != ',') {
        at--;
    }
    *ret_member = fb_str_trim(fb_str_skip(*list, at));
    list->len = at > 0 ? at - 1 : 0;
    return true;
}

struct fb_address origin_api_peer_of(const struct fb_address *peer,
                                     const struct fb_headers *headers,
                                     const struct origin_api_trusted *trusted)
{
    struct fb_address client = *peer;
    size_t n_hops = 0;

    for (size_t i = headers->n; i > 0; i--) {
        struct fb_str rest = headers->items[i - 1].value;
        struct fb_str member;

        if (!fb_str_equal_nocase(headers->items[i - 1].name, FB_STR("X-Forwarded-For"))) {
            continue;
        }
        while (cut_last(&rest, &member)) {
            struct fb_address before;
            if (!is_trusted(&client, trusted) || n_hops++ == HOPS_MAX ||
                read_address(member, &before) < 0) {
                return client;
            }
            client = before;
        }
    }
    return client;
}
