/*
 * What players say of themselves. The first byte chooses whether the rest is a query or the values
 * of the four fields; whatever it is, the keys are tokens, each once, and a rate is none or
 * bounded.
 */
#include "base/core/check.h"
#include "edge/cmcd/cmcd.h"
#include "edge/serve/player.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct edge_pace pace = {.bitrate = 150, .obeys_rtp = true, .least = 1000};

static void check(const struct fb_request_head *request)
{
    FB_AUTO(edge_cmcd_done) struct edge_cmcd cmcd = {.n = 0};
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    edge_cmcd_read(request, &cmcd);
    FB_REQUIRE(cmcd.n <= EDGE_CMCD_KEYS_MAX);
    for (size_t i = 0; i < cmcd.n; i++) {
        FB_REQUIRE(cmcd.keys[i].name.len > 0 && cmcd.keys[i].field < EDGE_CMCD_N_FIELDS);
        for (size_t k = 0; k < i; k++) {
            FB_REQUIRE(!fb_str_equal(cmcd.keys[i].name, cmcd.keys[k].name));
        }
    }
    for (int field = 0; field < EDGE_CMCD_N_FIELDS; field++) {
        edge_cmcd_append(&text, &cmcd, (enum edge_cmcd_field)field);
    }
    uint64_t rate = edge_player_rate(&pace, request);
    FB_REQUIRE(rate == 0 || (rate >= pace.least && rate < UINT64_C(1) << 40));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct fb_str names[] = {
        {"CMCD-Object", 11}, {"CMCD-Request", 12}, {"CMCD-Session", 12}, {"CMCD-Status", 11}};
    struct fb_header items[FB_ARRAY_LEN(names)];
    struct fb_request_head request = {.method = FB_METHOD_GET};

    if (size < 1) {
        return 0;
    }
    struct fb_str rest = {(const char *)data + 1, size - 1};
    if (data[0] % 2 == 0) {
        request.query = rest;
    } else {
        request.headers = (struct fb_headers){.items = items};
        for (size_t i = 0; i < FB_ARRAY_LEN(names); i++) {
            struct fb_str value = fb_str_first(rest, fb_str_find(rest, '\n'));
            rest = fb_str_skip(rest, FB_MIN(value.len + 1, rest.len));
            items[request.headers.n++] = (struct fb_header){names[i], value};
        }
    }
    check(&request);
    return 0;
}
