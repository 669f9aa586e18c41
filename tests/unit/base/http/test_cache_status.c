#include "base/http/cache_status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>

#include <cmocka.h>

static void each_cache_adds_a_member(void **state)
{
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
    (void)state;

    fb_cache_status_append(&buf, &(struct fb_cache_status){.cache = FB_STR("region-1"),
                                                           .fwd = FB_STR("uri-miss"),
                                                           .fwd_status = 200,
                                                           .is_stored = true,
                                                           .is_collapsed = true});
    fb_cache_status_append(
        &buf, &(struct fb_cache_status){
                  .cache = FB_STR("box-1"), .is_hit = true, .has_ttl = true, .ttl = -3});
    assert_string_equal(buf.ptr, "region-1; fwd=uri-miss; fwd-status=200; stored; collapsed, "
                                 "box-1; hit; ttl=-3");
}

static void text_that_is_no_token_is_quoted(void **state)
{
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
    (void)state;

    fb_cache_status_append(&buf, &(struct fb_cache_status){.cache = FB_STR("1st box"),
                                                           .fwd = FB_STR("stale"),
                                                           .detail = FB_STR("a\"b\\c\r\n\xc3")});
    assert_string_equal(buf.ptr, "\"1st box\"; fwd=stale; detail=\"a\\\"b\\\\c???\"");
}

static void a_key_is_a_string_even_if_it_could_be_a_token(void **state)
{
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
    (void)state;

    fb_cache_status_append(&buf, &(struct fb_cache_status){.cache = FB_STR("box-1"),
                                                           .is_hit = true,
                                                           .key = FB_STR("film.example/a"),
                                                           .detail = FB_STR("memory")});
    assert_string_equal(buf.ptr, "box-1; hit; key=\"film.example/a\"; detail=memory");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_cache_adds_a_member),
        cmocka_unit_test(text_that_is_no_token_is_quoted),
        cmocka_unit_test(a_key_is_a_string_even_if_it_could_be_a_token),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
