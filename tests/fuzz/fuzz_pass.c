/*
 * Passes that players bring, and lists of countries that creators send.
 */
#include "base/core/attr.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/json/json.h"
#include "origin/access/countries.h"
#include "origin/access/pass.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_pass(struct fb_str text)
{
    static const struct origin_pass_key key = {{"k", 1}, {"a secret of sixteen bytes", 25}};
    static const struct origin_pass_keys keys = {&key, 1};
    FB_AUTO(fb_buf_done) struct fb_buf again = {0};
    int64_t expires_s = 0;

    if (origin_pass_verify(&keys, text, FB_STR("/media/a/"), 1000, &expires_s) == FB_OK) {
        FB_REQUIRE(expires_s > 1000);
    }
    /* What is signed for any path opens it, if it ends with a slash and has no field in it. */
    if (fb_str_ends_with(text, FB_STR("/")) && fb_str_find(text, '~') == text.len &&
        text.len < ORIGIN_PASS_MAX / 2) {
        origin_pass_sign(&keys, text, 2000, &again);
        FB_REQUIRE(origin_pass_verify(&keys, fb_buf_str(&again), text, 1000, &expires_s) == FB_OK);
        FB_REQUIRE(expires_s == 2000);
    }
}

static void check_countries(struct fb_str text)
{
    FB_AUTO(fb_json_freep) struct fb_json *json = NULL;
    FB_AUTO(fb_json_freep) struct fb_json *told = fb_json_new_object();
    FB_AUTO(fb_buf_done) struct fb_buf list = {0};
    FB_AUTO(fb_buf_done) struct fb_buf again = {0};

    (void)origin_countries_judge(text, FB_STR("DE"));
    if (fb_json_parse(text, 1 << 16, &json, NULL) < 0 ||
        origin_countries_load(json, &list, NULL) < 0) {
        FB_REQUIRE(list.len == 0);
        return;
    }
    origin_countries_store(told, "countries", fb_buf_str(&list));
    FB_REQUIRE(origin_countries_load(fb_json_find(told, "countries"), &again, NULL) == FB_OK);
    FB_REQUIRE(fb_str_equal(fb_buf_str(&list), fb_buf_str(&again)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fb_str text = {(const char *)data, size};

    check_pass(text);
    check_countries(text);
    return 0;
}
