#include "base/compress/compress.h"
#include "base/core/err.h"
#include "base/sketch/hyperloglog.h"
#include "base/wire/view_internal.h"
#include "base/wire/view_report.h"
#include "tests/support/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { ENTRIES = 40, HEAD = 5 };

struct fixture {
    struct test_random random;
    struct fb_view_entry entries[ENTRIES];
    char names[ENTRIES][16];
    struct fb_view_merged merged[2];
    struct fb_view_report report;
    struct fb_buf bytes;
};

/* Anything from nothing to all bits set. */
static uint64_t number(struct test_random *random)
{
    uint64_t bits = test_random_below(random, 65);
    return bits == 0 ? 0 : test_random_next(random) >> (64 - bits);
}

static struct fb_hyperloglog *some(struct test_random *random, unsigned precision)
{
    static const uint64_t sizes[] = {1, 3, 50, 3000};
    uint64_t n = sizes[test_random_below(random, FB_ARRAY_LEN(sizes))];
    struct fb_hyperloglog *sketch = fb_hyperloglog_new(precision);

    for (uint64_t i = 0; i < n; i++) {
        fb_hyperloglog_add(sketch, test_random_next(random));
    }
    return sketch;
}

static void fill_entry(struct fixture *f, size_t i)
{
    struct fb_view_entry *entry = &f->entries[i];

    snprintf(f->names[i], sizeof(f->names[i]), "video-%zu", i / 4);
    entry->video = fb_str_from(f->names[i]);
    entry->rendition = i % 2 == 0 ? FB_STR("720p") : FB_STR_NONE;
    entry->minute = 29000000 - (int64_t)(i % 4);
    entry->span = i % 3 == 0 ? 60 : 1;
    for (size_t column = 0; column < FB_VIEW_NUMBERS_N; column++) {
        *fb_view_entry_number(entry, column) = number(&f->random);
    }
    entry->viewers = i % 5 == 0 ? NULL : some(&f->random, FB_VIEW_VIEWERS_PRECISION);
    entry->networks = i % 7 == 0 ? NULL : some(&f->random, FB_VIEW_NETWORKS_PRECISION);
}

static int set_up(void **state)
{
    static struct fixture fixture;
    struct fixture *f = &fixture;

    *f = (struct fixture){.random = {7}};
    for (size_t i = 0; i < ENTRIES; i++) {
        fill_entry(f, ENTRIES - 1 - i);
    }
    f->merged[0] = (struct fb_view_merged){FB_STR("edge-1"), UINT64_MAX, 1, 9};
    f->merged[1] = (struct fb_view_merged){FB_STR("edge-2"), 5, 7, 7};
    f->report = (struct fb_view_report){
        .node = FB_STR("regional-1"),
        .region = FB_STR("de-south"),
        .epoch = UINT64_C(0x8123456789abcdef),
        .sequence = 77,
        .previous = {1, 2, 3},
        .made_ms = 1740000000000,
        .totals = {.bytes_served = 5, .folded_entries = UINT64_MAX},
        .merged = f->merged,
        .n_merged = 2,
        .entries = f->entries,
        .n_entries = ENTRIES,
    };
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < ENTRIES; i++) {
        fb_view_entry_done(&f->entries[i]);
    }
    fb_buf_done(&f->bytes);
    return 0;
}

static void encode(struct fixture *f)
{
    assert_int_equal(fb_view_report_encode(&f->report, &f->bytes), FB_OK);
}

static void assert_refused(struct fixture *f, int err)
{
    struct fb_buf none = {0};

    assert_int_equal(fb_view_report_encode(&f->report, &none), err);
    assert_null(none.ptr);
}

static void a_report_comes_back_as_it_was(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_view_report_done) struct fb_view_report back = {0};
    FB_AUTO(fb_buf_done) struct fb_buf again = {0};

    encode(f);
    assert_int_equal(fb_view_report_decode(fb_buf_str(&f->bytes), &back), FB_OK);
    assert_true(fb_str_equal(back.node, f->report.node));
    assert_true(fb_str_equal(back.region, f->report.region));
    assert_true(back.epoch == f->report.epoch && back.sequence == 77);
    assert_memory_equal(&back.totals, &f->report.totals, sizeof(back.totals));
    assert_int_equal(back.n_merged, 2);
    assert_true(back.merged[0].epoch == UINT64_MAX && back.merged[0].last == 9);
    assert_int_equal(back.n_entries, ENTRIES);
    for (size_t i = 0; i < ENTRIES; i++) {
        const struct fb_view_entry *was = &f->entries[i]; /* sorted by encoding */
        assert_true(fb_str_equal(back.entries[i].video, was->video));
        assert_true(fb_str_equal(back.entries[i].rendition, was->rendition));
        assert_true(back.entries[i].minute == was->minute && back.entries[i].span == was->span);
        assert_true(back.entries[i].sources[FB_VIEW_OTHER] == was->sources[FB_VIEW_OTHER]);
        assert_int_equal(fb_hyperloglog_estimate(back.entries[i].viewers),
                         fb_hyperloglog_estimate(was->viewers));
    }
    assert_int_equal(fb_view_report_encode(&back, &again), FB_OK);
    assert_true(fb_str_equal(fb_buf_str(&again), fb_buf_str(&f->bytes)));
}

static void a_report_may_have_no_entries(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_view_report_done) struct fb_view_report back = {0};

    f->report.n_entries = 0;
    f->report.n_merged = 0;
    f->report.region = FB_STR_NONE;
    encode(f);
    assert_int_equal(fb_view_report_decode(fb_buf_str(&f->bytes), &back), FB_OK);
    assert_true(back.n_entries == 0 && back.n_merged == 0 && back.region.len == 0);
    assert_int_equal(back.totals.bytes_served, 5);
}

static void what_is_beyond_a_limit_is_not_encoded(void **state)
{
    struct fixture *f = *state;
    char long_name[FB_VIEW_NODE_MAX + 1];
    struct fb_view_entry *first = NULL;

    memset(long_name, 'x', sizeof(long_name));
    f->report.sequence = 0;
    assert_refused(f, FB_E_MALFORMED);
    f->report.sequence = 1;
    f->report.node = (struct fb_str){long_name, sizeof(long_name)};
    assert_refused(f, FB_E_MALFORMED);
    f->report.node = FB_STR("n");
    f->report.n_entries = FB_VIEW_ENTRIES_MAX + 1;
    assert_refused(f, FB_E_LIMIT);
    f->report.n_entries = ENTRIES;
    encode(f);
    first = &f->entries[0];
    first->video = (struct fb_str){long_name, FB_VIEW_VIDEO_MAX + 1};
    assert_refused(f, FB_E_MALFORMED);
    f->entries[ENTRIES - 1].video = f->entries[1].video;
    first->video = FB_STR_NONE;
    assert_refused(f, FB_E_MALFORMED);
}

static void two_entries_of_the_same_are_not_encoded(void **state)
{
    struct fixture *f = *state;

    encode(f);
    f->entries[5].video = f->entries[4].video;
    f->entries[5].rendition = f->entries[4].rendition;
    f->entries[5].minute = f->entries[4].minute;
    f->entries[5].span = f->entries[4].span;
    assert_refused(f, FB_E_MALFORMED);
}

static void every_cut_and_every_flipped_bit_that_matters_is_refused(void **state)
{
    struct fixture *f = *state;
    struct fb_view_report none = {0};

    f->report.n_entries = 3; /* the longer, the more sketches to flip bits of */
    encode(f);
    for (size_t len = 0; len < f->bytes.len; len++) {
        assert_true(fb_view_report_decode((struct fb_str){f->bytes.ptr, len}, &none) < 0);
    }
    size_t step = 1 + f->bytes.len / 2000;
    for (size_t bit = 0; bit < 8 * f->bytes.len; bit += bit < 400 ? 1 : step) {
        FB_AUTO(fb_view_report_done) struct fb_view_report same = {0};
        FB_AUTO(fb_buf_done) struct fb_buf again = {0};

        f->bytes.ptr[bit / 8] = (char)(f->bytes.ptr[bit / 8] ^ (1 << bit % 8));
        int err = fb_view_report_decode(fb_buf_str(&f->bytes), &same);
        f->bytes.ptr[bit / 8] = (char)(f->bytes.ptr[bit / 8] ^ (1 << bit % 8));
        if (err == FB_OK) { /* a bit that Zstandard has no use for */
            assert_int_equal(fb_view_report_encode(&same, &again), FB_OK);
            assert_true(fb_str_equal(fb_buf_str(&again), fb_buf_str(&f->bytes)));
        }
    }
}

/* The checksum of the frame hides what damage does to the plain form: here it is met. */
static void damage_before_compression_never_passes_for_more_than_another_report(void **state)
{
    struct fixture *f = *state;
    FB_AUTO(fb_buf_done) struct fb_buf plain = {0};

    f->report.n_entries = 2;
    encode(f);
    struct fb_str frame = fb_str_skip(fb_buf_str(&f->bytes), HEAD);
    assert_int_equal(fb_decompress(frame, FB_VIEW_PLAIN_MAX, &plain), FB_OK);
    size_t step = 1 + plain.len / 500;
    for (size_t at = 0; at < 8 * plain.len; at += at < 1500 ? 1 : step) {
        FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};
        FB_AUTO(fb_buf_done) struct fb_buf again = {0};
        FB_AUTO(fb_buf_done) struct fb_buf other = {0};
        FB_AUTO(fb_view_report_done) struct fb_view_report report = {0};

        plain.ptr[at / 8] = (char)(plain.ptr[at / 8] ^ (1 << at % 8));
        fb_buf_append(&bytes, fb_str_first(fb_buf_str(&f->bytes), HEAD));
        assert_int_equal(fb_compress(fb_buf_str(&plain), &bytes), FB_OK);
        if (fb_view_report_decode(fb_buf_str(&bytes), &report) == FB_OK) {
            assert_int_equal(fb_view_report_encode(&report, &again), FB_OK);
            frame = fb_str_skip(fb_buf_str(&again), HEAD);
            assert_int_equal(fb_decompress(frame, FB_VIEW_PLAIN_MAX, &other), FB_OK);
            assert_true(fb_str_equal(fb_buf_str(&plain), fb_buf_str(&other)));
        }
        plain.ptr[at / 8] = (char)(plain.ptr[at / 8] ^ (1 << at % 8));
    }
}

static void another_version_is_told_from_damage(void **state)
{
    struct fixture *f = *state;
    struct fb_view_report none = {0};

    encode(f);
    f->bytes.ptr[HEAD - 1] = 2;
    assert_int_equal(fb_view_report_decode(fb_buf_str(&f->bytes), &none), FB_E_UNSUPPORTED);
}

/* ---- entries ---------------------------------------------------------------- */

static void assert_same(const struct fb_view_entry *a, const struct fb_view_entry *b)
{
    FB_AUTO(fb_buf_done) struct fb_buf x = {0};
    FB_AUTO(fb_buf_done) struct fb_buf y = {0};

    fb_view_counts_encode(a, &x);
    fb_view_counts_encode(b, &y);
    assert_true(fb_str_equal(fb_buf_str(&x), fb_buf_str(&y)));
}

static void merges_of_entries_have_no_order_and_no_grouping(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i + 2 < ENTRIES; i++) {
        FB_AUTO(fb_view_entry_done) struct fb_view_entry left = {0};
        FB_AUTO(fb_view_entry_done) struct fb_view_entry right = {0};
        FB_AUTO(fb_view_entry_done) struct fb_view_entry tail = {0};

        fb_view_entry_merge(&left, &f->entries[i]);
        fb_view_entry_merge(&left, &f->entries[i + 1]);
        fb_view_entry_merge(&left, &f->entries[i + 2]);
        fb_view_entry_merge(&tail, &f->entries[i + 2]);
        fb_view_entry_merge(&tail, &f->entries[i + 1]);
        fb_view_entry_merge(&right, &tail);
        fb_view_entry_merge(&right, &f->entries[i]);
        assert_same(&left, &right);
    }
}

static void counts_come_back_and_damaged_ones_add_nothing(void **state)
{
    struct fixture *f = *state;

    for (size_t i = 0; i < ENTRIES; i++) {
        FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};
        FB_AUTO(fb_view_entry_done) struct fb_view_entry back = {0};

        fb_view_counts_encode(&f->entries[i], &bytes);
        for (size_t len = 0; len < bytes.len; len += 1 + len / 50) {
            assert_true(fb_view_counts_merge(&back, (struct fb_str){bytes.ptr, len}) < 0);
        }
        assert_true(fb_view_entry_is_empty(&back));
        assert_int_equal(fb_view_counts_merge(&back, fb_buf_str(&bytes)), FB_OK);
        assert_same(&back, &f->entries[i]);
    }
}

static void names_and_buckets_are_what_they_say(void **state)
{
    (void)state;
    for (unsigned i = 0; i < FB_VIEW_SOURCES_N; i++) {
        struct fb_str name = fb_str_from(fb_view_source_name((enum fb_view_source)i));
        assert_int_equal(fb_view_source_from(name), i);
    }
    assert_int_equal(fb_view_source_from(FB_STR("nonsense")), FB_VIEW_OTHER);
    assert_string_equal(fb_view_reason_name(FB_VIEW_NO_MEDIA), "no-media");
    assert_int_equal(fb_view_startup_bucket(0), 0);
    assert_int_equal(fb_view_startup_bucket(99), 0);
    assert_int_equal(fb_view_startup_bucket(100), 1);
    assert_int_equal(fb_view_startup_bucket(6399), 6);
    assert_int_equal(fb_view_startup_bucket(UINT64_MAX), 7);
    assert_int_equal(fb_view_startup_bound_ms(6), 6400);
}

/* ---- streams and batches ------------------------------------------------------ */

static void a_stream_takes_each_report_once_and_in_order(void **state)
{
    (void)state;
    struct fb_view_stream last = {0};
    struct fb_view_report report = {.sequence = 1};
    uint8_t digest[FB_VIEW_DIGEST_SIZE] = {9};
    uint8_t other[FB_VIEW_DIGEST_SIZE] = {8};

    assert_int_equal(fb_view_report_judge(&last, &report, digest), FB_VIEW_APPLY);
    report.sequence = 2;
    assert_int_equal(fb_view_report_judge(&last, &report, digest), FB_VIEW_GAP);
    last = (struct fb_view_stream){.sequence = 1, .digest = {9}};
    report.sequence = 1;
    assert_int_equal(fb_view_report_judge(&last, &report, digest), FB_VIEW_REPEATED);
    assert_int_equal(fb_view_report_judge(&last, &report, other), FB_VIEW_CHANGED);
    report = (struct fb_view_report){.sequence = 2, .previous = {9}};
    assert_int_equal(fb_view_report_judge(&last, &report, other), FB_VIEW_APPLY);
    report.previous[0] = 1;
    assert_int_equal(fb_view_report_judge(&last, &report, other), FB_VIEW_CHANGED);
    report.sequence = UINT64_MAX;
    assert_int_equal(fb_view_report_judge(&last, &report, other), FB_VIEW_GAP);
    last.sequence = UINT64_MAX; /* nothing comes behind it, and nothing wraps around */
    report.sequence = 1;
    assert_int_equal(fb_view_report_judge(&last, &report, other), FB_VIEW_REPEATED);
}

static void a_batch_gives_its_reports_in_order(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf body = {0};
    struct fb_str report = FB_STR_NONE;

    fb_view_batch_add(&body, FB_STR("one"));
    fb_view_batch_add(&body, FB_STR("two!"));
    struct fb_str rest = fb_buf_str(&body);
    assert_int_equal(fb_view_batch_next(&rest, &report), FB_OK);
    assert_true(fb_str_equal(report, FB_STR("one")));
    assert_int_equal(fb_view_batch_next(&rest, &report), FB_OK);
    assert_true(fb_str_equal(report, FB_STR("two!")));
    assert_int_equal(fb_view_batch_next(&rest, &report), FB_E_END);

    rest = fb_str_first(fb_buf_str(&body), 3);
    assert_int_equal(fb_view_batch_next(&rest, &report), FB_E_MALFORMED);
    rest = (struct fb_str){"\0", 1};
    assert_int_equal(fb_view_batch_next(&rest, &report), FB_E_MALFORMED);
    rest = FB_STR("\xff\xff\xff\xff\x0f");
    assert_int_equal(fb_view_batch_next(&rest, &report), FB_E_LIMIT);
}

#define WITH_REPORT(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_REPORT(a_report_comes_back_as_it_was),
        WITH_REPORT(a_report_may_have_no_entries),
        WITH_REPORT(what_is_beyond_a_limit_is_not_encoded),
        WITH_REPORT(two_entries_of_the_same_are_not_encoded),
        WITH_REPORT(every_cut_and_every_flipped_bit_that_matters_is_refused),
        WITH_REPORT(damage_before_compression_never_passes_for_more_than_another_report),
        WITH_REPORT(another_version_is_told_from_damage),
        WITH_REPORT(merges_of_entries_have_no_order_and_no_grouping),
        WITH_REPORT(counts_come_back_and_damaged_ones_add_nothing),
        cmocka_unit_test(names_and_buckets_are_what_they_say),
        cmocka_unit_test(a_stream_takes_each_report_once_and_in_order),
        cmocka_unit_test(a_batch_gives_its_reports_in_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
