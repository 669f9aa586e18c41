#include "base/core/attr.h"
#include "base/core/err.h"
#include "edge/replay/trace.h"
#include "tests/support/test_folder.h"
#include "trace_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* Where the columns of the sample begin. */
enum { AT_REQUESTS = 76, AT_RENDITIONS = 108, AT_KINDS = 110 };

static const uint32_t sample_steps[] = {5, 0, 7};
static const uint32_t sample_requests[] = {0, 1, 0};
static const struct sample_object sample_objects[] = {
    {.size = 1000, .title = 42, .segment = 7, .rendition = 3, .kind = EDGE_TRACE_MEDIA},
    {.size = 0, .title = 42, .segment = 0, .rendition = 1, .kind = EDGE_TRACE_PLAYLIST},
};

static void encode_sample(struct fb_buf *buf)
{
    sample_encode(&(struct sample_trace){.unit_ms = 100,
                                         .steps = sample_steps,
                                         .requests = sample_requests,
                                         .n_requests = 3,
                                         .objects = sample_objects,
                                         .n_objects = 2},
                  buf);
}

/* Asserts that the sample with `bytes` put at `offset` is refused in these words. */
static void refused(size_t offset, struct fb_str bytes, int want, const char *words)
{
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
    FB_AUTO(edge_trace_freep) struct edge_trace *trace = NULL;
    struct fb_diag diag = {0};

    encode_sample(&buf);
    memcpy(buf.ptr + offset, bytes.ptr, bytes.len);
    assert_int_equal(edge_trace_parse(fb_buf_str(&buf), "t.fbt", &trace, &diag), want);
    assert_string_equal(diag.text, words);
    assert_null(trace);
}

static void a_trace_is_read_column_by_column(void **state)
{
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
    FB_AUTO(edge_trace_freep) struct edge_trace *trace = NULL;

    (void)state;
    encode_sample(&buf);
    assert_int_equal(edge_trace_parse(fb_buf_str(&buf), "t.fbt", &trace, NULL), FB_OK);
    assert_int_equal(trace->n_requests, 3);
    assert_int_equal(trace->n_objects, 2);
    assert_int_equal(trace->unit_ms, 100);
    assert_int_equal(trace->footprint, 1000);
    assert_memory_equal(trace->steps, sample_steps, sizeof(sample_steps));
    assert_memory_equal(trace->requests, sample_requests, sizeof(sample_requests));
    assert_int_equal(trace->objects[0].size, 1000);
    assert_int_equal(trace->objects[0].segment, 7);
    assert_int_equal(trace->objects[0].rendition, 3);
    assert_int_equal(trace->objects[1].kind, EDGE_TRACE_PLAYLIST);
}

static void objects_are_known_by_their_urls(void **state)
{
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
    FB_AUTO(edge_trace_freep) struct edge_trace *trace = NULL;

    (void)state;
    encode_sample(&buf);
    assert_int_equal(edge_trace_parse(fb_buf_str(&buf), "t.fbt", &trace, NULL), FB_OK);
    assert_int_equal(trace->objects[0].id, fb_str_hash(FB_STR("/42/0-3/7"), 0));
    assert_int_equal(trace->objects[1].id, fb_str_hash(FB_STR("/42/2-1/0"), 0));
    assert_int_equal(trace->objects[0].title, (uint32_t)fb_str_hash(FB_STR("/42"), 0));
    assert_int_equal(trace->objects[1].title, trace->objects[0].title);
}

static void what_is_wrong_is_said_with_its_place(void **state)
{
    (void)state;
    refused(0, FB_STR("FBTRACE2"), FB_E_MALFORMED,
            "t.fbt: not a trace: 'FBTRACE1' is expected at byte 0");
    refused(8, FB_STR("\0\0\0\0"), FB_E_MALFORMED, "t.fbt: no requests (byte 8)");
    refused(12, FB_STR("\0\0\0\0"), FB_E_MALFORMED, "t.fbt: no objects (byte 12)");
    refused(16, FB_STR("\0\0\0\0"), FB_E_MALFORMED, "t.fbt: the time unit is 0 ms (byte 16)");
    refused(AT_REQUESTS + 4, FB_STR("\2\0\0\0"), FB_E_MALFORMED,
            "t.fbt: request 1 is for object 2 of 2 (byte 80)");
    refused(AT_RENDITIONS + 1, FB_STR("\4"), FB_E_MALFORMED,
            "t.fbt: object 1 has rendition 4 (byte 109)");
    refused(AT_KINDS, FB_STR("\4"), FB_E_MALFORMED, "t.fbt: object 0 has kind 4 (byte 110)");
}

static void a_count_that_the_file_does_not_bear_out_is_refused(void **state)
{
    (void)state;
    refused(8, FB_STR("\4\0\0\0"), FB_E_MALFORMED,
            "t.fbt: is 112 bytes, but 4 requests and 2 objects take 120");
    refused(8, FB_STR("\xff\xff\xff\xff"), FB_E_MALFORMED,
            "t.fbt: is 112 bytes, but 4294967295 requests and 2 objects take 34359738448");
    refused(12, FB_STR("\xff\xff\xff\xff"), FB_E_MALFORMED,
            "t.fbt: is 112 bytes, but 3 requests and 4294967295 objects take 51539607628");
}

static void time_beyond_a_century_is_refused(void **state)
{
    static const uint32_t steps[] = {5, 0, UINT32_MAX};
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
    FB_AUTO(edge_trace_freep) struct edge_trace *trace = NULL;
    struct fb_diag diag = {0};

    (void)state;
    sample_encode(&(struct sample_trace){.unit_ms = 1000,
                                         .steps = steps,
                                         .requests = sample_requests,
                                         .n_requests = 3,
                                         .objects = sample_objects,
                                         .n_objects = 2},
                  &buf);
    assert_int_equal(edge_trace_parse(fb_buf_str(&buf), "t.fbt", &trace, &diag), FB_E_LIMIT);
    assert_string_equal(diag.text, "t.fbt: request 2 is more than a century late (byte 72)");
}

static void more_than_could_be_replayed_is_refused(void **state)
{
    enum { N_LARGE = 20000 }; /* of 4 GiB */
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
    FB_AUTO(edge_trace_freep) struct edge_trace *trace = NULL;
    static struct sample_object large[N_LARGE];
    struct fb_diag diag = {0};

    (void)state;
    for (size_t i = 0; i < N_LARGE; i++) {
        large[i].size = UINT32_MAX;
    }
    sample_encode(&(struct sample_trace){.unit_ms = 100,
                                         .requests = sample_requests,
                                         .n_requests = 3,
                                         .objects = large,
                                         .n_objects = N_LARGE},
                  &buf);
    assert_int_equal(edge_trace_parse(fb_buf_str(&buf), "t.fbt", &trace, &diag), FB_E_LIMIT);
    assert_string_equal(diag.text, "t.fbt: objects up to 16384 are more than 64 TiB (byte 65624)");
}

static void a_file_cut_anywhere_is_refused(void **state)
{
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};

    (void)state;
    encode_sample(&buf);
    for (size_t n = 0; n < buf.len; n++) {
        FB_AUTO(edge_trace_freep) struct edge_trace *trace = NULL;
        /* A copy of just that length, so that a reader beyond it is seen. */
        FB_AUTO(fb_buf_done) struct fb_buf cut = {0};
        fb_buf_append(&cut, (struct fb_str){buf.ptr, n});
        assert_int_equal(edge_trace_parse(fb_buf_str(&cut), "t.fbt", &trace, NULL), FB_E_MALFORMED);
    }
}

static void a_trace_is_loaded_from_a_file(void **state)
{
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
    FB_AUTO(edge_trace_freep) struct edge_trace *trace = NULL;
    struct fb_diag diag = {0};

    (void)state;
    encode_sample(&buf);
    struct test_folder folder = test_folder_new();
    char path[TEST_PATH_MAX + 16];
    (void)snprintf(path, sizeof(path), "%s/t.fbt", folder.path);
    assert_true(edge_trace_load(path, &trace, &diag) < 0);
    assert_non_null(strstr(diag.text, "t.fbt"));
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(buf.ptr, 1, buf.len, file), buf.len);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(edge_trace_load(path, &trace, &diag), FB_OK);
    assert_int_equal(trace->n_requests, 3);
    test_folder_done(&folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_trace_is_read_column_by_column),
        cmocka_unit_test(objects_are_known_by_their_urls),
        cmocka_unit_test(what_is_wrong_is_said_with_its_place),
        cmocka_unit_test(a_count_that_the_file_does_not_bear_out_is_refused),
        cmocka_unit_test(time_beyond_a_century_is_refused),
        cmocka_unit_test(more_than_could_be_replayed_is_refused),
        cmocka_unit_test(a_file_cut_anywhere_is_refused),
        cmocka_unit_test(a_trace_is_loaded_from_a_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
