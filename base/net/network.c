#include "base/net/network.h"

#include "base/core/err.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

enum { NETWORK_V4_BITS = 96, NETWORK_ALL_BITS = 128 };

static const uint8_t v4_prefix[12] = {[10] = 0xff, [11] = 0xff};

/* Clears what does not count; true if something did not stand there already. */
static bool network_mask(struct fb_network *network)
{
    bool had_more = false;

    for (unsigned i = 0; i < sizeof(network->bytes); i++) {
        unsigned kept = network->bits > 8 * i ? FB_MIN(network->bits - 8 * i, 8U) : 0;
        uint8_t masked = (uint8_t)(network->bytes[i] & (0xff00U >> kept));
        had_more |= masked != network->bytes[i];
        network->bytes[i] = masked;
    }
    return had_more;
}

bool fb_network_is_v4(const struct fb_network *network)
{
    return network->bits >= NETWORK_V4_BITS &&
           memcmp(network->bytes, v4_prefix, sizeof(v4_prefix)) == 0;
}

int fb_network_of(const struct fb_address *address, unsigned bits_v4, unsigned bits_v6,
                  struct fb_network *ret_network)
{
    struct fb_network network = {.bits = NETWORK_ALL_BITS};

    if (address->len != 0 && address->storage.ss_family == AF_INET) {
        struct sockaddr_in ip4;
        memcpy(&ip4, &address->storage, sizeof(ip4));
        memcpy(network.bytes, v4_prefix, sizeof(v4_prefix));
        memcpy(network.bytes + sizeof(v4_prefix), &ip4.sin_addr, sizeof(ip4.sin_addr));
    } else if (address->len != 0 && address->storage.ss_family == AF_INET6) {
        struct sockaddr_in6 ip6;
        memcpy(&ip6, &address->storage, sizeof(ip6));
        memcpy(network.bytes, &ip6.sin6_addr, sizeof(network.bytes));
    } else {
        return FB_E_NOT_FOUND;
    }
    network.bits = (uint8_t)(fb_network_is_v4(&network) ? NETWORK_V4_BITS + FB_MIN(bits_v4, 32U)
                                                        : FB_MIN(bits_v6, 128U));
    (void)network_mask(&network); /* that is what was asked for */
    *ret_network = network;
    return FB_OK;
}

int fb_network_parse(struct fb_str text, struct fb_network *ret_network, struct fb_diag *diag)
{
    struct fb_str rest = text;
    struct fb_str host = FB_STR_NONE;
    struct fb_address address;
    struct fb_network network;
    uint64_t bits = 0;

    bool has_length = fb_str_find(text, '/') < text.len;
    if (!fb_str_cut(&rest, '/', &host) || fb_address_from_ip(host, 0, &address) < 0 ||
        fb_network_of(&address, 32, NETWORK_ALL_BITS, &network) < 0 ||
        (has_length && fb_str_to_u64(rest, &bits) < 0)) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "\"%.*s\" is no network, such as 192.0.2.0/24 or 2001:db8::/32",
                           FB_STR_ARG(text));
    }
    uint64_t base = address.storage.ss_family == AF_INET ? NETWORK_V4_BITS : 0;
    if (has_length && bits + base > NETWORK_ALL_BITS) {
        return fb_diag_set(diag, FB_E_MALFORMED, "\"%.*s\" has more bits than an address",
                           FB_STR_ARG(text));
    }
    if (has_length) {
        network.bits = (uint8_t)(base + bits);
    }
    if (network_mask(&network)) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "\"%.*s\" has bits set behind its length: which network is meant?",
                           FB_STR_ARG(text));
    }
    *ret_network = network;
    return FB_OK;
}

int fb_network_check(struct fb_str text, struct fb_diag *diag)
{
    struct fb_network network;
    return fb_network_parse(text, &network, diag);
}

bool fb_network_has(const struct fb_network *outer, const struct fb_network *inner)
{
    struct fb_network masked = *inner;

    if (inner->bits < outer->bits) {
        return false;
    }
    masked.bits = outer->bits;
    (void)network_mask(&masked); /* that is what is compared */
    return memcmp(masked.bytes, outer->bytes, sizeof(masked.bytes)) == 0;
}

char *fb_network_text(const struct fb_network *network, char text[FB_NETWORK_TEXT_MAX])
{
    char ip[INET6_ADDRSTRLEN] = "";

    if (fb_network_is_v4(network)) {
        (void)inet_ntop(AF_INET, network->bytes + sizeof(v4_prefix), ip, sizeof(ip));
    } else {
        (void)inet_ntop(AF_INET6, network->bytes, ip, sizeof(ip));
    }
    (void)snprintf(text, FB_NETWORK_TEXT_MAX, "%s", ip);
    return text;
}
