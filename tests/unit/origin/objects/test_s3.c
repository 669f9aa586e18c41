/*
 * What of S3 needs no server; tests/support/objects has the rest.
 */
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/sys/file.h"
#include "origin/objects/s3_internal.h"
#include "tests/support/test_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct test_folder folder;
    struct s3_credentials credentials;
    struct fb_diag diag;
    char path[TEST_PATH_MAX + 16];
};

static int set_up(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);

    f->folder = test_folder_new();
    (void)snprintf(f->path, sizeof(f->path), "%s/credentials", f->folder.path);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    origin_bucket_credentials_done(&f->credentials);
    test_folder_done(&f->folder);
    fb_free(f);
    return 0;
}

static int load(struct fixture *f, const char *text)
{
    assert_int_equal(fb_file_write(AT_FDCWD, f->path, fb_str_from(text), 0600, NULL), FB_OK);
    return origin_bucket_credentials_load(f->path, &f->credentials, &f->diag);
}

static void credentials_are_read_in_either_form(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(load(f, "# ours\naccess_key: A\r\nsecret_key:  b/c+d==\n"), FB_OK);
    assert_string_equal(f->credentials.access_key.ptr, "A");
    assert_string_equal(f->credentials.secret_key.ptr, "b/c+d==");
    assert_int_equal(f->credentials.session_token.len, 0);
    assert_int_equal(load(f, "[default]\naws_access_key_id = B\naws_secret_access_key = e\n"
                             "aws_session_token=t:1\n\n[other]\naws_access_key_id = C\n"),
                     FB_OK);
    assert_string_equal(f->credentials.access_key.ptr, "B");
    assert_string_equal(f->credentials.session_token.ptr, "t:1");
}

static void bad_credentials_are_told_by_line_and_never_shown(void **state)
{
    struct fixture *f = *state;
    static const char *const bad[] = {
        "access_key = TOPSECRET\n",
        "access_key = A\nsecret_key = TOP SECRET\n",
        "access_key = A\naccess_key = TOPSECRET\nsecret_key = s\n",
        "acces_key = TOPSECRET\nsecret_key = s\n",
        "TOPSECRET\n",
        "",
    };

    assert_int_equal(load(f, "access_key=A\nsecret_key=s\n"), FB_OK);
    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        assert_int_equal(load(f, bad[i]), FB_E_MALFORMED);
        assert_null(strstr(f->diag.text, "SECRET"));
        assert_non_null(strstr(f->diag.text, f->path));
        assert_string_equal(f->credentials.secret_key.ptr, "s"); /* those that were good */
    }
    (void)snprintf(f->path, sizeof(f->path), "%s/none", f->folder.path);
    assert_int_equal(origin_bucket_credentials_load(f->path, &f->credentials, &f->diag), -ENOENT);
}

static int err_of(unsigned status, const char *body)
{
    struct s3_answer answer = {.status = status};

    origin_bucket_answer_read_error(fb_str_from(body), &answer);
    return origin_bucket_answer_err(&answer);
}

static void answers_are_translated(void **state)
{
    (void)state;

    assert_int_equal(err_of(200, ""), FB_OK);
    assert_int_equal(err_of(204, ""), FB_OK);
    assert_int_equal(err_of(404, ""), FB_E_NOT_FOUND);
    assert_int_equal(err_of(404, "<Error><Code>NoSuchBucket</Code></Error>"), FB_E_UNSUPPORTED);
    assert_int_equal(err_of(403, "<html>no</html>"), FB_E_DENIED);
    assert_int_equal(err_of(400, "<Error><Code>InvalidPart</Code></Error>"), FB_E_CONFLICT);
    assert_int_equal(err_of(412, ""), FB_E_CONFLICT);
    assert_int_equal(err_of(503, "<Error><Code>SlowDown</Code></Error>"), FB_E_UNAVAILABLE);
    assert_int_equal(err_of(500, "<Error"), FB_E_UNAVAILABLE);
    assert_int_equal(err_of(301, "<Error><Code>PermanentRedirect</Code></Error>"), FB_E_FOREIGN);
    /* A completion can fail after its 200 was sent. */
    assert_int_equal(
        err_of(200, "<?xml version=\"1.0\"?>\n<Error><Code>InternalError</Code></Error>"),
        FB_E_UNAVAILABLE);
    assert_int_equal(err_of(200, "<ListBucketResult><Name>Error</Name></ListBucketResult>"), FB_OK);
}

static void times_and_etags_are_read(void **state)
{
    (void)state;
    char etag[ORIGIN_ETAG_MAX + 1];
    char longer[200];

    assert_int_equal(origin_bucket_time(FB_STR("1970-01-02T00:00:01.500Z")), 86401000);
    assert_int_equal(origin_bucket_time(FB_STR("2024-02-29T12:00:00Z")), 1709208000000);
    assert_int_equal(origin_bucket_time(FB_STR("yesterday")), 0);
    origin_bucket_etag_copy(etag, FB_STR("\"abc-2\""));
    assert_string_equal(etag, "abc-2");
    origin_bucket_etag_copy(etag, FB_STR("\""));
    assert_string_equal(etag, "\"");
    memset(longer, 'x', sizeof(longer));
    origin_bucket_etag_copy(etag, (struct fb_str){longer, sizeof(longer)});
    assert_int_equal(strlen(etag), ORIGIN_ETAG_MAX);
}

static void what_is_wrong_with_a_url_or_endpoint_is_told(void **state)
{
    struct fixture *f = *state;
    static const char *const urls[] = {"s3://", "s3://B", "s3://bucket/../x", "s3://bucket/a b"};
    struct origin_objects *objects = NULL;

    assert_int_equal(load(f, "access_key=A\nsecret_key=s\n"), FB_OK);
    for (size_t i = 0; i < FB_ARRAY_LEN(urls); i++) {
        struct origin_objects_options options = {
            .url = fb_str_from(urls[i]),
            .s3 = {.endpoint = FB_STR("http://127.0.0.1:1"), .credentials = fb_str_from(f->path)}};
        assert_int_equal(origin_objects_open(&options, &objects, &f->diag), FB_E_MALFORMED);
        assert_non_null(strstr(f->diag.text, urls[i]));
    }
    struct origin_objects_options options = {
        .url = FB_STR("s3://bucket"),
        .s3 = {.endpoint = FB_STR("127.0.0.1"), .credentials = fb_str_from(f->path)}};
    assert_int_equal(origin_objects_open(&options, &objects, &f->diag), FB_E_MALFORMED);
    assert_non_null(strstr(f->diag.text, "endpoint"));
    /* Nobody answers there. */
    options.s3.endpoint = FB_STR("http://127.0.0.1:1");
    options.s3.max_attempts = 1;
    assert_int_equal(origin_objects_open(&options, &objects, &f->diag), FB_E_UNAVAILABLE);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(credentials_are_read_in_either_form),
        CASE(bad_credentials_are_told_by_line_and_never_shown),
        CASE(answers_are_translated),
        CASE(times_and_etags_are_read),
        CASE(what_is_wrong_with_a_url_or_endpoint_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
