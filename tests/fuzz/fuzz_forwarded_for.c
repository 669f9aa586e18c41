/*
 * Hostile X-Forwarded-For. From whom nobody trusts it changes nothing, and from
 * whom everybody is trusted it ends with an address.
 */
#include "base/core/check.h"
#include "base/core/err.h"
#include "origin/api/peer.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct fb_network everybody = {.bits = 0};
    FB_AUTO(fb_arena_done) struct fb_arena arena = {.n_bytes = 0};
    struct fb_headers headers = {.n = 0};
    struct fb_network network;
    struct fb_address peer;

    FB_REQUIRE(fb_address_from_ip(FB_STR("192.0.2.1"), 0, &peer) == FB_OK);
    fb_headers_add(&headers, &arena, FB_STR("X-Forwarded-For"),
                   (struct fb_str){(const char *)data, size});
    struct fb_address found = origin_api_peer_of(
        &peer, &headers, &(struct origin_api_trusted){.networks = &everybody, .n = 1});
    FB_REQUIRE(fb_network_of(&found, 32, 128, &network) == FB_OK);
    found = origin_api_peer_of(&peer, &headers, &(struct origin_api_trusted){.n = 0});
    FB_REQUIRE(memcmp(&found, &peer, sizeof(peer)) == 0);
    return 0;
}
