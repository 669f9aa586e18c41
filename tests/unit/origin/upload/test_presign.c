#include "base/core/err.h"
#include "origin/upload/presign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* 2013-05-24T00:00:00Z, of AWS' own example. */
#define EXAMPLE_MS 1369353600000

static const struct origin_presigner example = {
    .access_key = {"AKIAIOSFODNN7EXAMPLE", 20},
    .secret = {"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", 40},
    .region = {"us-east-1", 9},
};

struct fixture {
    struct fb_arena arena;
    struct fb_buf query;
    struct fb_request_head request;
    struct fb_diag diag;
};

/* An upload of 1234 bytes, signed, as a server would see it. */
static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){.query = {0}};
    origin_presign(&example,
                   &(struct origin_presign_options){
                       .method = FB_STR("PUT"),
                       .host = FB_STR("127.0.0.1:7000"),
                       .path = FB_STR("/upload/uploads/x/source"),
                       .content_length = 1234,
                       .now_ms = EXAMPLE_MS,
                       .expires_s = 600,
                   },
                   &f.query);
    f.request = (struct fb_request_head){
        .method = FB_METHOD_PUT,
        .method_text = FB_STR("PUT"),
        .path = FB_STR("/upload/uploads/x/source"),
        .query = fb_buf_str(&f.query),
        .host = FB_STR("127.0.0.1:7000"),
    };
    fb_headers_add(&f.request.headers, &f.arena, FB_STR("Content-Length"), FB_STR("1234"));
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    fb_buf_done(&f->query);
    fb_arena_done(&f->arena);
    return 0;
}

static int check_at(struct fixture *f, int64_t now_ms)
{
    return origin_presign_check(&example, &f->request, now_ms, &f->arena, &f->diag);
}

static void the_published_example_comes_out(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf query = {0};

    origin_presign(&example,
                   &(struct origin_presign_options){
                       .method = FB_STR("GET"),
                       .host = FB_STR("examplebucket.s3.amazonaws.com"),
                       .path = FB_STR("/test.txt"),
                       .content_length = -1,
                       .now_ms = EXAMPLE_MS,
                       .expires_s = 86400,
                   },
                   &query);
    assert_string_equal(
        query.ptr,
        "X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        "&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404");
}

static void what_was_signed_is_accepted(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(check_at(f, EXAMPLE_MS), FB_OK);
    assert_int_equal(check_at(f, EXAMPLE_MS + 599999), FB_OK);
}

static void parameters_may_come_in_any_order(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf turned = {0};
    struct fb_str rest = f->request.query;
    struct fb_str part;

    while (fb_str_cut(&rest, '&', &part)) {
        FB_AUTO(fb_buf_done) struct fb_buf longer = {0};
        fb_buf_append(&longer, part);
        fb_buf_append_byte(&longer, '&');
        fb_buf_append(&longer, fb_buf_str(&turned));
        fb_buf_clear(&turned);
        fb_buf_append(&turned, fb_buf_str(&longer));
    }
    f->request.query = fb_buf_str(&turned);
    assert_int_equal(check_at(f, EXAMPLE_MS), FB_OK);
}

static void it_ends_at_its_end(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(check_at(f, EXAMPLE_MS + 600000), FB_E_EXPIRED);
    assert_int_equal(check_at(f, EXAMPLE_MS - 3600000), FB_E_DENIED); /* not begun */
}

static void any_changed_byte_of_the_query_is_noticed(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < f->query.len; i++) {
        char kept = f->query.ptr[i];
        f->query.ptr[i] = kept == 'x' ? 'y' : 'x';
        assert_true(check_at(f, EXAMPLE_MS) < 0);
        f->query.ptr[i] = kept;
    }
    assert_int_equal(check_at(f, EXAMPLE_MS), FB_OK);
}

static void another_request_is_not_what_was_signed(void **state)
{
    struct fixture *f = *state;
    struct fb_request_head good = f->request;

    f->request.path = FB_STR("/upload/uploads/y/source");
    assert_int_equal(check_at(f, EXAMPLE_MS), FB_E_DENIED);
    f->request = good;
    f->request.host = FB_STR("127.0.0.1:7001");
    assert_int_equal(check_at(f, EXAMPLE_MS), FB_E_DENIED);
    f->request = good;
    f->request.method = FB_METHOD_GET;
    f->request.method_text = FB_STR("GET");
    assert_int_equal(check_at(f, EXAMPLE_MS), FB_E_DENIED);
    f->request = good;
    f->request.headers = (struct fb_headers){.n = 0};
    assert_int_equal(check_at(f, EXAMPLE_MS), FB_E_DENIED); /* chunked: no length */
    fb_headers_add(&f->request.headers, &f->arena, FB_STR("Content-Length"), FB_STR("1235"));
    assert_int_equal(check_at(f, EXAMPLE_MS), FB_E_DENIED);
}

static void an_upload_without_its_length_bound_is_refused(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf query = {0};

    origin_presign(&example,
                   &(struct origin_presign_options){
                       .method = FB_STR("PUT"),
                       .host = FB_STR("127.0.0.1:7000"),
                       .path = FB_STR("/upload/uploads/x/source"),
                       .content_length = -1,
                       .now_ms = EXAMPLE_MS,
                       .expires_s = 600,
                   },
                   &query);
    f->request.query = fb_buf_str(&query);
    assert_int_equal(check_at(f, EXAMPLE_MS), FB_E_DENIED);
}

static void queries_without_sense_are_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {"",
                                      "a",
                                      "%",
                                      "X-Amz-Signature=%zz",
                                      "&&&&",
                                      "=&=&=",
                                      "X-Amz-Date=20130524T000000Z&X-Amz-Date=20130524T000000Z"};

    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        f->request.query = fb_str_from(bad[i]);
        assert_int_equal(check_at(f, EXAMPLE_MS), FB_E_DENIED);
        assert_string_not_equal(f->diag.text, "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_example_comes_out),
        cmocka_unit_test_setup_teardown(what_was_signed_is_accepted, set_up, tear_down),
        cmocka_unit_test_setup_teardown(parameters_may_come_in_any_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_ends_at_its_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_changed_byte_of_the_query_is_noticed, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(another_request_is_not_what_was_signed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_upload_without_its_length_bound_is_refused, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(queries_without_sense_are_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
