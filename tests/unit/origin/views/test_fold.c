#include "origin/views/fold.h"
#include "views_fixture.h"

#define MINUTE INT64_C(60000)

static const int64_t noon_ms = INT64_C(1767268800000); /* 2026-01-01T12:00:00Z */

static struct fb_view_entry entry_of(const char *video, int64_t at_ms, const char *rendition)
{
    return (struct fb_view_entry){
        .video = fb_str_from(video),
        .rendition = fb_str_from(rendition),
        .minute = at_ms / MINUTE,
        .span = 1,
        .views = 1,
        .bytes = 100,
    };
}

static struct origin_fold fold_of(struct fb_arena *arena, struct fb_view_entry *entries, size_t n)
{
    struct fb_view_report report = {.entries = entries, .n_entries = n};
    return origin_fold_reports(arena, &report, 1, noon_ms);
}

static void entries_go_to_the_rows_of_their_time(void **state)
{
    (void)state;
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct fb_view_entry entries[] = {
        entry_of("b", noon_ms - 1 * MINUTE, "720p"),
        entry_of("a", noon_ms - 2 * MINUTE, "720p"),
        entry_of("b", noon_ms - 3 * MINUTE, "360p"),
        entry_of("b", noon_ms - 8 * MINUTE, "720p"),
        entry_of("b", noon_ms - 13 * ORIGIN_MS_PER_HOUR, "720p"), /* the day before */
    };
    FB_AUTO(origin_fold_done)
    struct origin_fold fold = fold_of(&arena, entries, FB_ARRAY_LEN(entries));

    assert_int_equal(fold.n_videos, 2);
    const struct origin_view_video *b = &fold.videos[1];
    assert_true(fb_str_equal(b->name, FB_STR("b")));
    assert_int_equal(b->sum.views, 4);
    assert_int_equal(b->n_hours, 2);
    assert_int_equal(b->hours[1].sums.views, 3);
    assert_int_equal(b->n_slots, 2); /* the old one has none */
    assert_int_equal(b->slots[0].sums.views, 1);
    assert_int_equal(b->slots[1].sums.views, 2);
    assert_int_equal(b->n_days, 2);
    assert_int_equal(b->n_renditions, 3);
    assert_true(fb_str_equal(b->renditions[1].rendition, FB_STR("360p")));
    assert_int_equal(b->renditions[2].sums.bytes, 200);
}

static void the_order_of_entries_does_not_matter(void **state)
{
    (void)state;
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct fb_view_entry entries[8];
    struct fb_view_entry back[8];

    for (size_t i = 0; i < 8; i++) {
        entries[i] = entry_of(i % 2 == 0 ? "a" : "b", noon_ms - (int64_t)(i * 7) * MINUTE,
                              i % 3 == 0 ? "720p" : "360p");
        back[7 - i] = entries[i];
    }
    FB_AUTO(origin_fold_done) struct origin_fold one = fold_of(&arena, entries, 8);
    FB_AUTO(origin_fold_done) struct origin_fold two = fold_of(&arena, back, 8);
    assert_int_equal(one.n_videos, two.n_videos);
    for (size_t i = 0; i < one.n_videos; i++) {
        assert_int_equal(one.videos[i].n_slots, two.videos[i].n_slots);
        for (size_t k = 0; k < one.videos[i].n_slots; k++) {
            assert_int_equal(one.videos[i].slots[k].when, two.videos[i].slots[k].when);
            assert_memory_equal(&one.videos[i].slots[k].sums, &two.videos[i].slots[k].sums,
                                sizeof(struct origin_view_sums));
        }
    }
}

static void minutes_that_cannot_be_are_clamped(void **state)
{
    (void)state;
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct fb_view_entry entries[] = {
        entry_of("a", noon_ms + 3 * MINUTE, "720p"), /* a clock that is a little fast */
        entry_of("a", noon_ms + 30 * ORIGIN_MS_PER_DAY, "720p"),
        entry_of("a", 0, "720p"), /* a clock that was never set */
    };
    entries[1].minute = INT64_MAX;
    entries[2].minute = INT64_MIN;
    FB_AUTO(origin_fold_done)
    struct origin_fold fold = fold_of(&arena, entries, FB_ARRAY_LEN(entries));

    assert_int_equal(fold.n_ahead, 1);
    assert_int_equal(fold.n_behind, 1);
    assert_int_equal(fold.videos[0].sum.views, 3);
    assert_int_equal(fold.videos[0].n_hours, 2);
    assert_int_equal(fold.videos[0].hours[0].when,
                     (noon_ms - ORIGIN_VIEWS_OLDEST_MS) / ORIGIN_MS_PER_HOUR);
    assert_int_equal(fold.videos[0].hours[1].when, noon_ms / ORIGIN_MS_PER_HOUR);
    assert_int_equal(fold.videos[0].hours[1].sums.views, 2);
}

static void sums_stop_at_the_top(void **state)
{
    (void)state;
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct fb_view_entry entries[] = {entry_of("a", noon_ms, "720p"),
                                      entry_of("a", noon_ms, "720p")};
    entries[0].bytes = UINT64_MAX;
    FB_AUTO(origin_fold_done) struct origin_fold fold = fold_of(&arena, entries, 2);

    assert_true(fold.videos[0].sum.bytes == UINT64_MAX);
}

static void an_hour_has_slots_or_it_has_none(void **state)
{
    (void)state;
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    int64_t from_ms = origin_fold_slots_from(noon_ms + 17 * MINUTE);
    struct fb_view_entry entries[] = {entry_of("a", from_ms, "720p"),
                                      entry_of("a", from_ms - MINUTE, "720p")};
    struct fb_view_report report = {.entries = entries, .n_entries = 2};
    FB_AUTO(origin_fold_done)
    struct origin_fold fold = origin_fold_reports(&arena, &report, 1, noon_ms + 17 * MINUTE);

    assert_int_equal(from_ms % ORIGIN_MS_PER_HOUR, 0);
    assert_int_equal(fold.videos[0].n_slots, 1);
    assert_int_equal(fold.videos[0].n_hours, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_go_to_the_rows_of_their_time),
        cmocka_unit_test(the_order_of_entries_does_not_matter),
        cmocka_unit_test(minutes_that_cannot_be_are_clamped),
        cmocka_unit_test(sums_stop_at_the_top),
        cmocka_unit_test(an_hour_has_slots_or_it_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
