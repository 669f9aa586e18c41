/*
 * Cache-Control, entity-tags and structured text out of hostile bytes.
 */
#include "base/core/check.h"
#include "base/http/cache_control.h"
#include "base/http/cache_status.h"
#include "base/http/conditional.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_delta(int64_t delta)
{
    return delta >= FB_DELTA_NONE && delta <= FB_DELTA_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fb_str value = {(const char *)data, size};
    struct fb_cache_control cc = fb_cache_control_parse(value);
    struct fb_cache_status status = {.cache = value, .detail = value};
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};

    FB_REQUIRE(is_delta(cc.max_age) && is_delta(cc.s_maxage) && is_delta(cc.max_stale));
    FB_REQUIRE(is_delta(cc.stale_if_error) && is_delta(cc.stale_while_revalidate));
    FB_REQUIRE(is_delta(cc.min_fresh));
    (void)fb_etag_list_has(value, FB_STR("\"a\""), (size & 1U) != 0);
    fb_cache_status_append(&buf, &status);
    for (size_t i = 0; i < buf.len; i++) {
        FB_REQUIRE(buf.ptr[i] >= ' ' && buf.ptr[i] <= '~');
    }
    return 0;
}
