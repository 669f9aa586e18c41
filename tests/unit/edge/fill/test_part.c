#include "base/core/err.h"
#include "edge/fill/part.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MIB ((uint64_t)EDGE_CHUNK_BYTES)

static void assert_asks(const char *range, const char *want)
{
    struct fb_arena arena = {0};
    struct fb_range_specs specs;
    struct fb_range_spec part;

    assert_int_equal(fb_range_parse(fb_str_from(range), &specs), FB_OK);
    bool is_part = edge_part_of(specs.items[0], &part);
    assert_int_equal(is_part, want != NULL);
    if (is_part) {
        struct fb_str text = edge_part_text(part, &arena);
        assert_true(fb_str_equal(text, fb_str_from(want)));
        /* It must be what it looks like. */
        assert_int_equal(fb_range_parse(text, &specs), FB_OK);
        assert_memory_equal(&specs.items[0].first, &part.first, sizeof(part.first));
        assert_memory_equal(&specs.items[0].last, &part.last, sizeof(part.last));
    }
    fb_arena_done(&arena);
}

static void ranges_are_rounded_outward(void **state)
{
    (void)state;
    assert_asks("bytes=0-0", "bytes=0-1048575");
    assert_asks("bytes=0-1048575", "bytes=0-1048575");
    assert_asks("bytes=0-1048576", "bytes=0-2097151");
    assert_asks("bytes=1048575-1048576", "bytes=0-2097151");
    assert_asks("bytes=1048576-1048576", "bytes=1048576-2097151");
    assert_asks("bytes=5000000-", "bytes=4194304-");
    assert_asks("bytes=-1", "bytes=-1048577");
    assert_asks("bytes=-1048576", "bytes=-2097152");
    assert_asks("bytes=1048576-18446744073709551615", "bytes=1048576-");
    assert_asks("bytes=1048576-18446744073709551614", "bytes=1048576-");
    assert_asks("bytes=18446744073709551614-18446744073709551614", "bytes=18446744073708503040-");
}

static void what_is_the_whole_or_nothing_is_no_part(void **state)
{
    (void)state;
    assert_asks("bytes=0-", NULL);
    assert_asks("bytes=1048575-", NULL);
    assert_asks("bytes=-0", NULL);
    assert_asks("bytes=-18446744073709551615", NULL);
}

static void a_suffix_always_has_its_first_whole_chunk(void **state)
{
    static const uint64_t lengths[] = {1, MIB - 1, MIB, MIB + 1, 5 * MIB, 5 * MIB + 7};
    static const uint64_t wanted[] = {1, 6, 7, 8, MIB - 1, MIB, MIB + 1, 2 * MIB, 9 * MIB};
    (void)state;

    for (size_t i = 0; i < FB_ARRAY_LEN(lengths); i++) {
        for (size_t j = 0; j < FB_ARRAY_LEN(wanted); j++) {
            struct fb_range_spec part;
            assert_true(
                edge_part_of((struct fb_range_spec){.is_suffix = true, .last = wanted[j]}, &part));
            uint64_t first = lengths[i] - FB_MIN(part.last, lengths[i]);
            uint64_t wants = lengths[i] - FB_MIN(wanted[j], lengths[i]);
            assert_true(edge_chunk_ceil(first) <= edge_chunk_floor(wants));
        }
    }
}

static int read_answer(struct fb_range_spec part, const char *content_range, int64_t n_bytes,
                       struct edge_part_answer *answer)
{
    struct fb_header field = {FB_STR("Content-Range"), fb_str_from(content_range)};
    struct fb_response_head head = {.status = 206, .headers = {.items = &field, .n = 1}};

    return edge_part_read(part, &head, n_bytes, answer);
}

static void answers_that_fit_are_read(void **state)
{
    struct fb_range_spec part = {.first = 100, .last = 199};
    struct fb_range_spec suffix = {.is_suffix = true, .last = 100};
    struct edge_part_answer answer;
    (void)state;

    assert_int_equal(read_answer(part, "bytes 100-199/1000", 100, &answer), FB_OK);
    assert_int_equal(answer.first, 100);
    assert_int_equal(answer.end, 200);
    assert_int_equal(answer.length, 1000);
    assert_int_equal(read_answer(part, "bytes 100-149/150", FB_LENGTH_UNKNOWN, &answer), FB_OK);
    assert_int_equal(read_answer(part, "bytes 100-120/1000", 21, &answer), FB_OK); /* less */
    assert_int_equal(read_answer(suffix, "bytes 900-999/1000", 100, &answer), FB_OK);
    assert_int_equal(read_answer(suffix, "bytes 0-49/50", 50, &answer), FB_OK);
}

static void any_other_answer_is_refused(void **state)
{
    static const struct {
        bool is_suffix;
        const char *text;
        int64_t n_bytes;
    } bad[] = {{false, "bytes 100-199/*", 100},
               {false, "bytes 0-99/1000", 100},
               {false, "bytes 99-199/1000", 101},
               {false, "bytes 101-199/1000", 99},
               {false, "bytes 100-200/1000", 101},
               {false, "bytes 100-199/1000", 99},
               {false, "bytes 100-199/1000", 101},
               {false, "bytes 100-199/18446744073709551614", 100},
               {false, "bytes */1000", 0},
               {false, "100-199/1000", 100},
               {false, "", 100},
               {true, "bytes 900-998/1000", 99},
               {true, "bytes 0-99/1000", 100},
               {true, "bytes 899-999/1000", 101},
               {true, "bytes 1-49/50", 49}};
    struct edge_part_answer answer;
    (void)state;

    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        struct fb_range_spec part = {.first = 100, .last = 199};
        if (bad[i].is_suffix) {
            part = (struct fb_range_spec){.is_suffix = true, .last = 100};
        }
        assert_int_equal(read_answer(part, bad[i].text, bad[i].n_bytes, &answer), FB_E_MALFORMED);
    }

    struct fb_header twice[] = {{FB_STR("Content-Range"), FB_STR("bytes 100-199/1000")},
                                {FB_STR("content-range"), FB_STR("bytes 100-199/1000")}};
    struct fb_response_head head = {.status = 206, .headers = {.items = twice, .n = 2}};
    assert_int_equal(
        edge_part_read((struct fb_range_spec){.first = 100, .last = 199}, &head, 100, &answer),
        FB_E_MALFORMED);
    head.headers.n = 0; /* multipart/byteranges has none */
    assert_int_equal(
        edge_part_read((struct fb_range_spec){.first = 100, .last = 199}, &head, 100, &answer),
        FB_E_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ranges_are_rounded_outward),
        cmocka_unit_test(what_is_the_whole_or_nothing_is_no_part),
        cmocka_unit_test(a_suffix_always_has_its_first_whole_chunk),
        cmocka_unit_test(answers_that_fit_are_read),
        cmocka_unit_test(any_other_answer_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
