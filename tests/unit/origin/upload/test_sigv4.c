#include "base/core/err.h"
#include "origin/upload/presign.h"
#include "origin/upload/sigv4.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* 2013-05-24T00:00:00Z, of AWS' own examples, as the rest of these. */
#define EXAMPLE_MS 1369353600000
#define SECRET     FB_STR("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
#define HOST       FB_STR("127.0.0.1:7000")
#define PATH       FB_STR("/upload/x/clip.mp4")

static const struct origin_presigner example = {
    .access_key = {"AKIAIOSFODNN7EXAMPLE", 20},
    .secret = {"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", 40},
    .region = {"us-east-1", 9},
};

struct fixture {
    struct fb_arena arena;
    struct fb_buf query;
    struct fb_request_head request;
    struct origin_fault fault;
};

/* An upload of 1234 bytes by a URL, as a server would see it. */
static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){.query = {0}};
    origin_presign(&example,
                   &(struct origin_presign_options){
                       .method = FB_STR("PUT"),
                       .host = HOST,
                       .path = PATH,
                       .more = {{FB_STR("uploadId"), FB_STR("a b")}},
                       .content_length = 1234,
                       .now_ms = EXAMPLE_MS,
                       .expires_s = 600,
                   },
                   &f.query);
    f.request = (struct fb_request_head){
        .method = FB_METHOD_PUT,
        .method_text = FB_STR("PUT"),
        .path = PATH,
        .query = fb_buf_str(&f.query),
        .host = HOST,
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
    struct origin_params params;
    struct origin_sigv4 sigv4;

    f->fault = (struct origin_fault){.kind = ORIGIN_FAULT_NONE};
    if (origin_params_read(f->request.query, &f->arena, &params) < 0) {
        return origin_fault_set(&f->fault, ORIGIN_FAULT_ARGUMENT, "bad query");
    }
    int err = origin_sigv4_read(&f->request, &params, &f->arena, &sigv4, &f->fault);
    if (err < 0) {
        return err;
    }
    struct origin_sigv4_proof proof = {
        .secret = SECRET, .request = &f->request, .params = &params, .now_ms = now_ms};
    return origin_sigv4_check(&sigv4, &proof, &f->arena, NULL, &f->fault);
}

static void assert_fault(struct fixture *f, int64_t now_ms, enum origin_fault_kind kind)
{
    assert_true(check_at(f, now_ms) < 0);
    assert_int_equal(f->fault.kind, kind);
    assert_string_not_equal(f->fault.diag.text, "");
}

static void the_published_url_comes_out(void **state)
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

static void the_path_may_be_escaped_otherwise(void **state)
{
    struct fixture *f = *state;

    f->request.path = FB_STR("/upload/%78/clip%2Emp4");
    assert_int_equal(check_at(f, EXAMPLE_MS), FB_OK);
    f->request.path = FB_STR("/upload/x%2Fclip.mp4");
    assert_int_equal(check_at(f, EXAMPLE_MS), FB_OK); /* the same key */
    f->request.path = FB_STR("/upload/x/clip.mp4%");
    assert_fault(f, EXAMPLE_MS, ORIGIN_FAULT_SIGNATURE);
}

static void a_url_ends_at_its_end(void **state)
{
    struct fixture *f = *state;

    assert_fault(f, EXAMPLE_MS + 600000, ORIGIN_FAULT_EXPIRED);
    assert_fault(f, EXAMPLE_MS - 3600000, ORIGIN_FAULT_SKEWED); /* not begun */
    f->query.ptr[f->query.len - 1] = 'x';
    assert_fault(f, EXAMPLE_MS + 600000, ORIGIN_FAULT_SIGNATURE); /* told to its owner alone */
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

    f->request.path = FB_STR("/upload/y/clip.mp4");
    assert_fault(f, EXAMPLE_MS, ORIGIN_FAULT_SIGNATURE);
    f->request = good;
    f->request.host = FB_STR("127.0.0.1:7001");
    assert_fault(f, EXAMPLE_MS, ORIGIN_FAULT_SIGNATURE);
    f->request = good;
    f->request.method_text = FB_STR("GET");
    assert_fault(f, EXAMPLE_MS, ORIGIN_FAULT_SIGNATURE);
    f->request = good;
    f->request.headers = (struct fb_headers){.n = 0};
    assert_fault(f, EXAMPLE_MS, ORIGIN_FAULT_SIGNATURE); /* chunked: no length */
    fb_headers_add(&f->request.headers, &f->arena, FB_STR("Content-Length"), FB_STR("1235"));
    assert_fault(f, EXAMPLE_MS, ORIGIN_FAULT_SIGNATURE);
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
                                      "X-Amz-Algorithm=AWS4-HMAC-SHA256",
                                      "X-Amz-Date=20130524T000000Z&X-Amz-Date=20130524T000000Z"};

    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        f->request.query = fb_str_from(bad[i]);
        assert_true(check_at(f, EXAMPLE_MS) < 0);
        assert_int_not_equal(f->fault.kind, ORIGIN_FAULT_NONE);
    }
}

/* ---- in the header -------------------------------------------------------------- */

static void add(struct fixture *f, const char *name, const char *value)
{
    fb_headers_add(&f->request.headers, &f->arena, fb_str_from(name), fb_str_from(value));
}

/* AWS' example of a PUT: "Welcome to Amazon S3." */
static void be_published_put(struct fixture *f)
{
    f->request = (struct fb_request_head){
        .method = FB_METHOD_PUT,
        .method_text = FB_STR("PUT"),
        .path = FB_STR("/test%24file.text"),
        .host = FB_STR("examplebucket.s3.amazonaws.com"),
    };
    add(f, "Date", "Fri, 24 May 2013 00:00:00 GMT");
    add(f, "x-amz-date", "20130524T000000Z");
    add(f, "x-amz-storage-class", "REDUCED_REDUNDANCY");
    add(f, "x-amz-content-sha256",
        "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072");
    add(f, "Authorization",
        "AWS4-HMAC-SHA256 "
        "Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        "SignedHeaders=date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class,"
        "Signature=98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd");
}

static void the_published_put_is_accepted(void **state)
{
    struct fixture *f = *state;

    be_published_put(f);
    assert_int_equal(check_at(f, EXAMPLE_MS), FB_OK);
    f->request.path = FB_STR("/test$file.text"); /* as some clients send it */
    assert_int_equal(check_at(f, EXAMPLE_MS), FB_OK);
    assert_int_equal(check_at(f, EXAMPLE_MS + 15 * 60 * 1000), FB_OK);
    assert_fault(f, EXAMPLE_MS + 15 * 60 * 1000 + 1000, ORIGIN_FAULT_SKEWED);
    assert_fault(f, EXAMPLE_MS - 15 * 60 * 1000 - 1000, ORIGIN_FAULT_SKEWED);
}

static void space_within_values_counts_once(void **state)
{
    struct fixture *f = *state;

    be_published_put(f);
    f->request.headers.items[0].value = FB_STR("Fri,   24 May \t 2013 00:00:00 GMT");
    assert_int_equal(check_at(f, EXAMPLE_MS), FB_OK);
}

static void what_s3_acts_on_must_be_signed(void **state)
{
    struct fixture *f = *state;

    be_published_put(f);
    add(f, "x-amz-meta-a", "1");
    assert_fault(f, EXAMPLE_MS, ORIGIN_FAULT_ACCESS_DENIED);
    be_published_put(f);
    add(f, "Content-MD5", "1B2M2Y8AsgTpgAmY7PhCfg==");
    assert_fault(f, EXAMPLE_MS, ORIGIN_FAULT_ACCESS_DENIED);
    be_published_put(f);
    add(f, "User-Agent", "any");
    assert_int_equal(check_at(f, EXAMPLE_MS), FB_OK);
    add(f, "x-amz-storage-class", "STANDARD"); /* a second one of the same name */
    assert_fault(f, EXAMPLE_MS, ORIGIN_FAULT_SIGNATURE);
}

static void a_request_is_signed_in_one_way(void **state)
{
    struct fixture *f = *state;

    add(f, "Authorization", "AWS4-HMAC-SHA256 Credential=a/b/c/s3/aws4_request");
    assert_fault(f, EXAMPLE_MS, ORIGIN_FAULT_ARGUMENT);
    be_published_put(f);
    f->request.headers.items[4].value = FB_STR("Bearer abc");
    assert_fault(f, EXAMPLE_MS, ORIGIN_FAULT_HEADER);
    f->request.headers.n = 4;
    assert_fault(f, EXAMPLE_MS, ORIGIN_FAULT_ACCESS_DENIED);
}

static void a_content_hash_that_is_none_is_refused(void **state)
{
    struct fixture *f = *state;

    be_published_put(f);
    f->request.headers.items[3].value = FB_STR("STREAMING-SOMETHING-ELSE");
    assert_fault(f, EXAMPLE_MS, ORIGIN_FAULT_ARGUMENT);
}

int main(void)
{
#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_url_comes_out),
        WITH_FIXTURE(what_was_signed_is_accepted),
        WITH_FIXTURE(parameters_may_come_in_any_order),
        WITH_FIXTURE(the_path_may_be_escaped_otherwise),
        WITH_FIXTURE(a_url_ends_at_its_end),
        WITH_FIXTURE(any_changed_byte_of_the_query_is_noticed),
        WITH_FIXTURE(another_request_is_not_what_was_signed),
        WITH_FIXTURE(queries_without_sense_are_refused),
        WITH_FIXTURE(the_published_put_is_accepted),
        WITH_FIXTURE(space_within_values_counts_once),
        WITH_FIXTURE(what_s3_acts_on_must_be_signed),
        WITH_FIXTURE(a_request_is_signed_in_one_way),
        WITH_FIXTURE(a_content_hash_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
