#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/jose/jose.h"
#include "origin/plan/choose.h"
#include "tests/support/test_random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const uint8_t digest[FB_SHA256_SIZE] = {1, 2, 3};

static void must(int result)
{
    assert_int_equal(result, FB_OK);
}

static struct origin_plan_file file_of(const char *path, uint64_t size)
{
    return (struct origin_plan_file){
        .video = {.text = "abcdefghijklmnopqrstuvwxyz"},
        .version = FB_STR("0123456789abcdef"),
        .path = fb_str_from(path),
        .size = size,
        .sha256 = digest,
    };
}

static struct origin_plan_video video_of(double views)
{
    return (struct origin_plan_video){
        .views = views, .average_s = 30, .segment_s = 4, .reason = "demand"};
}

static struct origin_chooser *chooser_of(size_t max_entries, uint64_t max_bytes)
{
    return origin_chooser_new(&(struct origin_chooser_options){
        .max_entries = max_entries, .max_bytes = max_bytes, .least = 0.05});
}

static void add(struct origin_chooser *chooser, const struct origin_plan_video *video,
                const char *path, uint64_t size)
{
    struct origin_plan_file file = file_of(path, size);
    origin_chooser_add(chooser, video, &file);
}

/* What was chosen, as an edge reads it. */
static struct fb_plan *finish(struct origin_chooser *chooser)
{
    FB_AUTO(fb_plan_draft_done) struct fb_plan_draft draft = {.n_entries = 0};
    FB_AUTO(fb_buf_done) struct fb_buf token = {0};
    struct fb_plan_head head = {.region = "de-south", .serial = 1, .made_ms = 1, .until_ms = 2};
    struct fb_jose_key *key = NULL;
    struct fb_plan *plan = NULL;

    must(origin_chooser_finish(chooser, &draft));
    origin_chooser_free(chooser);
    must(fb_jose_key_draw(&key));
    must(fb_plan_seal(&draft, key, FB_STR("k"), &head, &token));
    fb_jose_key_free(key);
    struct fb_plan_reader *reader = fb_plan_reader_new(&head);
    must(fb_plan_reader_feed(reader, fb_buf_str(&draft.body), NULL));
    must(fb_plan_reader_finish(reader, &plan, NULL));
    fb_plan_reader_free(reader);
    return plan;
}

static bool ends(const struct fb_plan *plan, size_t i, const char *path)
{
    return i < plan->n && fb_str_ends_with(plan->entries[i].path, fb_str_from(path));
}

static void what_most_ask_for_comes_first_whatever_its_size(void **state)
{
    (void)state;
    struct origin_chooser *chooser = chooser_of(100, 1000000);
    struct origin_plan_video hot = video_of(100);
    struct origin_plan_video mild = video_of(2);

    add(chooser, &mild, "v/720p/seg-00001.m4s", 90000);
    add(chooser, &hot, "v/720p/seg-00009.m4s", 100);
    add(chooser, &hot, "v/720p/seg-00001.m4s", 500);
    add(chooser, &hot, "v/720p/init.mp4", 10);
    FB_AUTO(fb_plan_freep) struct fb_plan *plan = finish(chooser);

    assert_int_equal(plan->n, 4);
    assert_true(ends(plan, 0, "/v/720p/init.mp4"));
    assert_true(ends(plan, 1, "/v/720p/seg-00001.m4s"));
    assert_true(ends(plan, 2, "/v/720p/seg-00009.m4s"));
    assert_int_equal(plan->entries[3].size, 90000);
    assert_in_range(plan->entries[3].value, 77000, 79000); /* (1 - exp(-2)) of its bytes */
    assert_true(
        fb_str_equal(plan->entries[0].path,
                     FB_STR("/media/abcdefghijklmnopqrstuvwxyz/0123456789abcdef/v/720p/init.mp4")));
}

static void the_storage_holds_and_smaller_ones_fill_it(void **state)
{
    (void)state;
    struct origin_chooser *chooser = chooser_of(100, 1000);
    struct origin_plan_video video = video_of(10);

    add(chooser, &video, "v/720p/seg-00001.m4s", 700);
    add(chooser, &video, "v/720p/seg-00002.m4s", 700);
    add(chooser, &video, "v/720p/seg-00003.m4s", 300);
    FB_AUTO(fb_plan_freep) struct fb_plan *plan = finish(chooser);

    assert_int_equal(plan->n, 2);
    assert_int_equal(plan->n_bytes, 1000);
    assert_true(ends(plan, 1, "seg-00003.m4s"));
}

static void renditions_count_as_the_region_plays_them(void **state)
{
    (void)state;
    struct origin_chooser *chooser = chooser_of(100, 1000000);
    const struct origin_plan_share shares[] = {{"720p", 0.9}, {"360p", 0.1}};
    struct origin_plan_video video = video_of(10);
    video.shares = shares;
    video.n_shares = 2;

    add(chooser, &video, "v/360p/seg-00001.m4s", 10);
    add(chooser, &video, "v/1080p/seg-00001.m4s", 10); /* nobody plays it */
    add(chooser, &video, "v/720p/seg-00001.m4s", 10);
    add(chooser, &video, "a/0/seg-00001.m4s", 10);
    add(chooser, &video, "a/1/seg-00001.m4s", 10);
    FB_AUTO(fb_plan_freep) struct fb_plan *plan = finish(chooser);

    assert_int_equal(plan->n, 4);
    assert_true(ends(plan, 0, "a/0/seg-00001.m4s"));
    assert_true(ends(plan, 1, "v/720p/seg-00001.m4s"));
    assert_true(ends(plan, 2, "a/1/seg-00001.m4s"));
}

static void what_changes_or_is_not_known_is_not_kept_ahead(void **state)
{
    (void)state;
    struct origin_chooser *chooser = chooser_of(100, 1000000);
    struct origin_plan_video video = video_of(1000);
    static const char *const paths[] = {"master.m3u8",
                                        "manifest.mpd",
                                        "v/720p/index.m3u8",
                                        "v/720p",
                                        "v/",
                                        "v/720p/seg-.m4s",
                                        "v/720p/seg-0.m4s",
                                        "v/720p/seg-1x.m4s",
                                        "a/",
                                        "v/720p/seg-1.m4s/x",
                                        "v/720p/seg-99999999999999999999.m4s"};

    for (size_t i = 0; i < FB_ARRAY_LEN(paths); i++) {
        add(chooser, &video, paths[i], 10);
    }
    add(chooser, &video, "v/720p/seg-00001.m4s", 0);
    add(chooser, &video, "v/720p/seg-99999.m4s", 10); /* nobody is still there */
    add(chooser, &video, "poster.jpg", 10);
    FB_AUTO(fb_plan_freep) struct fb_plan *plan = finish(chooser);

    assert_int_equal(plan->n, 1);
    assert_true(ends(plan, 0, "poster.jpg"));
}

static void a_release_is_first_and_its_beginning_waits_for_no_window(void **state)
{
    (void)state;
    struct origin_chooser *chooser = chooser_of(100, 1000000);
    struct origin_plan_video hot = video_of(1000);
    struct origin_plan_video release = video_of(5);
    release.is_now = true;
    release.reason = "release";

    add(chooser, &hot, "v/720p/seg-00001.m4s", 10);
    add(chooser, &release, "v/360p/seg-00001.m4s", 20);
    add(chooser, &release, "v/360p/seg-00016.m4s", 20); /* begins at 60 s */
    FB_AUTO(fb_plan_freep) struct fb_plan *plan = finish(chooser);

    assert_int_equal(plan->n, 3);
    assert_true(plan->entries[0].is_now);
    assert_true(fb_str_equal(plan->entries[0].reason, FB_STR("release")));
    assert_true(ends(plan, 1, "v/720p/seg-00001.m4s"));
    assert_false(plan->entries[2].is_now);
}

/* More than there is room for, in any order: the best are what a sort of all would give. */
static void many_candidates_in_any_order_give_the_same_plan(void **state)
{
    (void)state;
    struct test_random random = test_random_new();
    enum { FILES = 500, MOST = 40 };
    unsigned order[FILES];
    struct fb_plan *plans[2];

    for (unsigned i = 0; i < FILES; i++) {
        order[i] = i;
    }
    for (size_t round = 0; round < 2; round++) {
        struct origin_chooser *chooser = chooser_of(MOST, UINT64_MAX);
        for (unsigned i = 0; i < FILES; i++) {
            char path[64];
            struct origin_plan_video video = video_of(1 + order[i] / 10.0);
            (void)snprintf(path, sizeof(path), "v/%up/init.mp4", order[i]);
            add(chooser, &video, path, 10);
        }
        plans[round] = finish(chooser);
        for (unsigned i = FILES - 1; i > 0; i--) {
            unsigned k = (unsigned)test_random_below(&random, i + 1);
            unsigned kept = order[i];
            order[i] = order[k];
            order[k] = kept;
        }
    }
    assert_int_equal(plans[0]->n, MOST);
    assert_true(ends(plans[0], 0, "v/499p/init.mp4"));
    assert_true(ends(plans[0], MOST - 1, "v/460p/init.mp4"));
    for (size_t i = 0; i < MOST; i++) {
        assert_true(fb_str_equal(plans[0]->entries[i].path, plans[1]->entries[i].path));
    }
    fb_plan_free(plans[0]);
    fb_plan_free(plans[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_most_ask_for_comes_first_whatever_its_size),
        cmocka_unit_test(the_storage_holds_and_smaller_ones_fill_it),
        cmocka_unit_test(renditions_count_as_the_region_plays_them),
        cmocka_unit_test(what_changes_or_is_not_known_is_not_kept_ahead),
        cmocka_unit_test(a_release_is_first_and_its_beginning_waits_for_no_window),
        cmocka_unit_test(many_candidates_in_any_order_give_the_same_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
