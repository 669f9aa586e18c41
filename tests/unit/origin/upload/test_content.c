#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "origin/upload/content.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define SECRET FB_STR("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
#define SCOPE  FB_STR("20130524/us-east-1/s3/aws4_request")

enum { EXAMPLE_BYTES = 66560, EXAMPLE_CHUNK = 65536 };

struct fixture {
    struct fb_arena arena;
    struct fb_request_head request;
    struct origin_sigv4 sigv4;
    struct origin_sigv4_chain chain;
    struct origin_content content;
    struct origin_fault fault;
    struct fb_buf taken;
};

static int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){
        .sigv4 = {.moment = FB_STR("20130524T000000Z"),
                  .scope = SCOPE,
                  .payload = ORIGIN_PAYLOAD_UNSIGNED},
    };
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    origin_content_done(&f->content);
    fb_buf_done(&f->taken);
    fb_arena_done(&f->arena);
    return 0;
}

static void add(struct fixture *f, const char *name, const char *value)
{
    fb_headers_add(&f->request.headers, &f->arena, fb_str_from(name), fb_str_from(value));
}

static int take(void *ctx, const struct fb_str *pieces, size_t n, struct origin_fault *fault)
{
    struct fixture *f = ctx;

    (void)fault;
    for (size_t i = 0; i < n; i++) {
        fb_buf_append(&f->taken, pieces[i]);
    }
    return FB_OK;
}

/* All of `text`, `step` bytes at a time. */
static int read_all(struct fixture *f, struct fb_str text, int64_t length, size_t step)
{
    f->fault = (struct origin_fault){.kind = ORIGIN_FAULT_NONE};
    fb_buf_clear(&f->taken);
    int err =
        origin_content_init(&f->content, &f->request, length, &f->sigv4, &f->chain, &f->fault);
    while (err == FB_OK && text.len > 0) {
        err = origin_content_add(&f->content, fb_str_first(text, step), take, f, &f->fault);
        text = fb_str_skip(text, step);
    }
    err = err < 0 ? err : origin_content_finish(&f->content, &f->fault);
    origin_content_done(&f->content);
    return err;
}

static void assert_refused(struct fixture *f, const char *text, int64_t length,
                           enum origin_fault_kind kind)
{
    assert_true(read_all(f, fb_str_from(text), length, SIZE_MAX) < 0);
    assert_int_equal(f->fault.kind, kind);
}

static void content_passes_with_its_md5(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf hex = {0};

    assert_int_equal(read_all(f, FB_STR("hello"), 5, 2), FB_OK);
    assert_true(fb_str_equal(fb_buf_str(&f->taken), FB_STR("hello")));
    fb_text_hex(&hex, (struct fb_str){(const char *)f->content.md5, FB_MD5_SIZE});
    assert_string_equal(hex.ptr, "5d41402abc4b2a76b9719d911017c592");
}

static void content_of_another_length_is_refused(void **state)
{
    struct fixture *f = *state;

    assert_refused(f, "hell", 5, ORIGIN_FAULT_CUT);
    assert_refused(f, "hello!", 5, ORIGIN_FAULT_CUT);
    assert_refused(f, "", FB_LENGTH_UNKNOWN, ORIGIN_FAULT_NO_LENGTH);
}

static void each_checksum_is_compared(void **state)
{
    static const char *const good[][2] = {
        {"Content-MD5", "XUFAKrxLKna5cZ2REBfFkg=="},
        {"x-amz-checksum-crc32", "NhCmhg=="},
        {"X-Amz-Checksum-Crc32c", "mnG7TA=="},
        {"x-amz-checksum-sha256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < FB_ARRAY_LEN(good); i++) {
        f->request.headers.n = 0;
        add(f, good[i][0], good[i][1]);
        assert_int_equal(read_all(f, FB_STR("hello"), 5, 3), FB_OK);
        assert_refused(f, "hellx", 5, ORIGIN_FAULT_DIGEST);
    }
    f->request.headers.n = 0;
    f->sigv4.payload = ORIGIN_PAYLOAD_HASHED;
    fb_sha256(FB_STR("hello"), f->sigv4.payload_hash);
    assert_int_equal(read_all(f, FB_STR("hello"), 5, 3), FB_OK);
    assert_refused(f, "hellx", 5, ORIGIN_FAULT_SHA256);
}

static void checksums_that_cannot_be_compared_are_refused(void **state)
{
    struct fixture *f = *state;

    add(f, "x-amz-checksum-sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00=");
    assert_refused(f, "hello", 5, ORIGIN_FAULT_REQUEST);
    f->request.headers.n = 0;
    add(f, "x-amz-checksum-crc32", "NhCmhg==");
    add(f, "x-amz-checksum-crc32c", "mnG7TA==");
    assert_refused(f, "hello", 5, ORIGIN_FAULT_REQUEST);
    f->request.headers.n = 0;
    add(f, "x-amz-checksum-algorithm", "SHA1"); /* of an upload in parts, not of this */
    assert_int_equal(read_all(f, FB_STR("hello"), 5, 3), FB_OK);
}

/* ---- chunks ------------------------------------------------------------------------ */

/* AWS' example: 66560 letters in a chunk of 64 KiB, one of 1 KiB, and the last. */
static void be_published(struct fixture *f, struct fb_buf *text)
{
    static const char *const signatures[] = {
        "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9"};
    static const size_t sizes[] = {EXAMPLE_CHUNK, EXAMPLE_BYTES - EXAMPLE_CHUNK, 0};

    f->sigv4.payload = ORIGIN_PAYLOAD_CHUNKS;
    origin_sigv4_key(SECRET, SCOPE, f->chain.key);
    (void)snprintf(f->chain.signature, sizeof(f->chain.signature), "%s",
                   "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9");
    add(f, "x-amz-decoded-content-length", "66560");
    for (size_t i = 0; i < FB_ARRAY_LEN(sizes); i++) {
        fb_buf_printf(text, "%zx;chunk-signature=%s\r\n", sizes[i], signatures[i]);
        for (size_t k = 0; k < sizes[i]; k++) {
            fb_buf_append_byte(text, 'a');
        }
        fb_buf_append(text, FB_STR("\r\n"));
    }
}

static void the_published_chunks_are_taken(void **state)
{
    static const size_t steps[] = {1, 7, 1000, 65536, SIZE_MAX};
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    be_published(f, &text);
    for (size_t i = 0; i < FB_ARRAY_LEN(steps); i++) {
        assert_int_equal(read_all(f, fb_buf_str(&text), (int64_t)text.len, steps[i]), FB_OK);
        assert_int_equal(f->taken.len, EXAMPLE_BYTES);
    }
}

static void a_changed_chunk_is_noticed(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    static const size_t places[] = {20, 200, 65636, 66000, 66800};

    be_published(f, &text);
    for (size_t i = 0; i < FB_ARRAY_LEN(places); i++) {
        char kept = text.ptr[places[i]];
        text.ptr[places[i]] = kept == 'x' ? 'y' : 'x';
        assert_true(read_all(f, fb_buf_str(&text), (int64_t)text.len, 4096) < 0);
        text.ptr[places[i]] = kept;
    }
}

static void chunks_must_come_to_their_end(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    be_published(f, &text);
    struct fb_str whole = fb_buf_str(&text);
    for (size_t missing = 1; missing < 100; missing++) {
        struct fb_str cut = fb_str_first(whole, whole.len - missing);
        assert_true(read_all(f, cut, (int64_t)cut.len, SIZE_MAX) < 0);
        assert_int_equal(f->fault.kind, ORIGIN_FAULT_CUT);
    }
    fb_buf_append(&text, FB_STR("0"));
    assert_refused(f, text.ptr, (int64_t)text.len, ORIGIN_FAULT_CUT);
}

static void a_checksum_may_come_behind_the_content(void **state)
{
    struct fixture *f = *state;
    const char *good = "3\r\nhel\r\n2\r\nlo\r\n0\r\nx-amz-checksum-crc32c:mnG7TA==\r\n\r\n";

    f->sigv4.payload = ORIGIN_PAYLOAD_TRAILER;
    add(f, "x-amz-decoded-content-length", "5");
    add(f, "x-amz-trailer", "x-amz-checksum-crc32c");
    for (size_t step = 1; step < 20; step++) {
        assert_int_equal(read_all(f, fb_str_from(good), 60, step), FB_OK);
        assert_true(fb_str_equal(fb_buf_str(&f->taken), FB_STR("hello")));
    }
    assert_int_equal(f->content.sum.kind, ORIGIN_SUM_CRC32C);
    assert_refused(f, "5\r\nhellx\r\n0\r\nx-amz-checksum-crc32c:mnG7TA==\r\n\r\n", 60,
                   ORIGIN_FAULT_DIGEST);
    assert_refused(f, "5\r\nhello\r\n0\r\nx-amz-checksum-crc32:NhCmhg==\r\n\r\n", 60,
                   ORIGIN_FAULT_DIGEST);
    assert_refused(f, "5\r\nhello\r\n0\r\n\r\n", 60, ORIGIN_FAULT_DIGEST); /* promised, not there */
}

/* AWS' example of a trailer that is signed. */
static void a_signed_trailer_is_checked(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    f->sigv4.payload = ORIGIN_PAYLOAD_CHUNKS_TRAILER;
    origin_sigv4_key(SECRET, SCOPE, f->chain.key);
    (void)snprintf(f->chain.signature, sizeof(f->chain.signature), "%s",
                   "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e");
    add(f, "x-amz-decoded-content-length", "66560");
    add(f, "x-amz-trailer", "x-amz-checksum-crc32c");
    fb_buf_append(&text, FB_STR("10000;chunk-signature="
                                "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2"
                                "\r\n"));
    for (size_t i = 0; i < EXAMPLE_CHUNK; i++) {
        fb_buf_append_byte(&text, 'a');
    }
    fb_buf_append(&text, FB_STR("\r\n400;chunk-signature="
                                "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7"
                                "\r\n"));
    for (size_t i = EXAMPLE_CHUNK; i < EXAMPLE_BYTES; i++) {
        fb_buf_append_byte(&text, 'a');
    }
    fb_buf_append(&text, FB_STR("\r\n0;chunk-signature="
                                "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992"
                                "\r\nx-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:"));
    size_t at = text.len;
    fb_buf_append(&text, FB_STR("d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"
                                "\r\n\r\n"));
    assert_int_equal(read_all(f, fb_buf_str(&text), (int64_t)text.len, 1000), FB_OK);
    text.ptr[at] = 'e';
    assert_true(read_all(f, fb_buf_str(&text), (int64_t)text.len, 1000) < 0);
    assert_int_equal(f->fault.kind, ORIGIN_FAULT_SIGNATURE);
}

static void chunked_content_needs_its_length(void **state)
{
    struct fixture *f = *state;

    f->sigv4.payload = ORIGIN_PAYLOAD_TRAILER;
    assert_refused(f, "0\r\n\r\n", 5, ORIGIN_FAULT_NO_LENGTH);
    add(f, "x-amz-decoded-content-length", "4");
    assert_refused(f, "5\r\nhello\r\n0\r\n\r\n", 15, ORIGIN_FAULT_CUT);
}

static void chunks_without_sense_are_refused(void **state)
{
    static const char *const bad[] = {
        "x\r\n",           "\r\n",
        "-1\r\n",          "fffffffffffff\r\n",
        "5\r\nhellox\r\n", "5\r\nhello0\r\n",
        "0\r\nnoline\r\n", "0x5\r\nhello\r\n",
        "5 \r\nhello\r\n",
    };
    struct fixture *f = *state;

    f->sigv4.payload = ORIGIN_PAYLOAD_TRAILER;
    add(f, "x-amz-decoded-content-length", "5");
    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        assert_refused(f, bad[i], 100, ORIGIN_FAULT_CUT);
    }
}

int main(void)
{
#define WITH_FIXTURE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(content_passes_with_its_md5),
        WITH_FIXTURE(content_of_another_length_is_refused),
        WITH_FIXTURE(each_checksum_is_compared),
        WITH_FIXTURE(checksums_that_cannot_be_compared_are_refused),
        WITH_FIXTURE(the_published_chunks_are_taken),
        WITH_FIXTURE(a_changed_chunk_is_noticed),
        WITH_FIXTURE(chunks_must_come_to_their_end),
        WITH_FIXTURE(a_checksum_may_come_behind_the_content),
        WITH_FIXTURE(a_signed_trailer_is_checked),
        WITH_FIXTURE(chunked_content_needs_its_length),
        WITH_FIXTURE(chunks_without_sense_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
