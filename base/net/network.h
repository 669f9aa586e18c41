/*
 * Networks: an address, and how many of its first bits count.
 *
 * Text forms: "192.0.2.0/24", "2001:db8::/32", and a lone address, of which all
 * bits count. Both families are one: an IPv4 address stands as the IPv6 address
 * ::ffff:a.b.c.d that sockets for both families show it as, so that it is one
 * client however it came, and "::/0" is everybody.
 *
 * Threads    Plain values and pure functions, any thread.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "base/net/address.h"

#include <stdbool.h>
#include <stdint.h>

struct fb_network {
    uint8_t bytes[16]; /* zero behind `bits` */
    uint8_t bits;      /* 0..128; an IPv4 network's length and 96 */
};

enum { FB_NETWORK_TEXT_MAX = 64 };

/* FB_E_MALFORMED with a sentence when `text` is no network, or has bits set that do not
 * count. */
FB_MUST_CHECK int fb_network_parse(struct fb_str text, struct fb_network *ret_network,
                                   struct fb_diag *diag);

/* The same for whoever only wants to know, such as a table of the configuration. */
FB_MUST_CHECK int fb_network_check(struct fb_str text, struct fb_diag *diag);

/* The network that `address` is in: of IPv4 the first `bits_v4` bits (at most 32), of IPv6
 * `bits_v6`. FB_E_NOT_FOUND for an address that is not known. */
FB_MUST_CHECK int fb_network_of(const struct fb_address *address, unsigned bits_v4,
                                unsigned bits_v6, struct fb_network *ret_network);

/* True if all of `inner` is in `outer`. */
bool fb_network_has(const struct fb_network *outer, const struct fb_network *inner);

bool fb_network_is_v4(const struct fb_network *network);

/* The address alone, without its length or brackets; returns `text`. */
char *fb_network_text(const struct fb_network *network, char text[FB_NETWORK_TEXT_MAX]);
