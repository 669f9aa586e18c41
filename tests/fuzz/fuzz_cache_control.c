/*
 * Cache-Control, targeted fields, entity-tags and structured text out of hostile bytes.
 */
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/http/cache_control.h"
#include "base/http/cache_status.h"
#include "base/http/conditional.h"
#include "base/http/head.h"
#include "base/http/structured.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_delta(int64_t delta)
{
    return delta >= FB_DELTA_NONE && delta <= FB_DELTA_MAX;
}

/* Lists of fields are lists of names, and not beside what means the whole. */
static void check_directives(const struct fb_cache_control *cc)
{
    struct fb_str lists[] = {cc->no_cache_fields, cc->private_fields};
    struct fb_str name;

    FB_REQUIRE(is_delta(cc->max_age) && is_delta(cc->s_maxage) && is_delta(cc->max_stale));
    FB_REQUIRE(is_delta(cc->stale_if_error) && is_delta(cc->stale_while_revalidate));
    FB_REQUIRE(is_delta(cc->min_fresh));
    FB_REQUIRE(!cc->no_cache || cc->no_cache_fields.len == 0);
    FB_REQUIRE(!cc->is_private || cc->private_fields.len == 0);
    for (size_t i = 0; i < FB_ARRAY_LEN(lists); i++) {
        while (fb_list_member(&lists[i], &name)) {
            FB_REQUIRE(fb_is_token(name));
        }
    }
}

/* What is read of a dictionary, read again as a dictionary of its own, is the same. */
static void check_dictionary(struct fb_str value)
{
    struct fb_sf_member member;
    struct fb_sf_member again;
    struct fb_str rest = value;

    for (;;) {
        struct fb_str before = rest;
        if (fb_sf_next_member(&rest, &member) != FB_OK) {
            return;
        }
        FB_REQUIRE(member.key.len > 0 && rest.len < before.len);
        struct fb_str alone = fb_str_first(before, (size_t)(rest.ptr - before.ptr));
        alone = fb_str_trim(alone);
        if (fb_str_ends_with(alone, FB_STR(","))) {
            alone = fb_str_first(alone, alone.len - 1);
        }
        FB_REQUIRE(fb_sf_next_member(&alone, &again) == FB_OK);
        FB_REQUIRE(fb_str_equal(again.key, member.key) && again.kind == member.kind);
        FB_REQUIRE(again.integer == member.integer && fb_str_equal(again.text, member.text));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fb_str value = {(const char *)data, size};
    struct fb_cache_control cc = fb_cache_control_parse(value);
    struct fb_cache_status status = {.cache = value, .detail = value};
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};

    check_directives(&cc);
    check_dictionary(value);
    if (fb_cache_control_parse_targeted(value, &cc) == FB_OK) {
        check_directives(&cc);
    }
    (void)fb_etag_list_has(value, FB_STR("\"a\""), (size & 1U) != 0);
    fb_cache_status_append(&buf, &status);
    for (size_t i = 0; i < buf.len; i++) {
        FB_REQUIRE(buf.ptr[i] >= ' ' && buf.ptr[i] <= '~');
    }
    return 0;
}
