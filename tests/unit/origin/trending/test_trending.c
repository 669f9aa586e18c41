/* The keeper over a real catalog. */
#include "../catalog/publishing.h"
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/metrics/metrics.h"
#include "base/sketch/hyperloglog.h"
#include "origin/catalog/catalog.h"
#include "origin/catalog/reactions.h"
#include "origin/catalog/users.h"
#include "origin/catalog/videos.h"
#include "origin/catalog/view_reports.h"
#include "origin/trending/page.h"
#include "origin/trending/trending.h"
#include "origin/trending/trending_internal.h"
#include "origin/views/views.h"
#include "tests/support/test_clock.h"
#include "tests/support/test_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { VIDEOS = 6, MAX_VIDEOS = 4 };

struct fixture {
    struct test_folder folder;
    struct test_clock clock;
    struct fb_metrics *metrics;
    struct origin_catalog *catalog;
    struct origin_views *views;
    struct origin_trending *trending;
    struct origin_id user;
    struct origin_id videos[VIDEOS];
    struct fb_view_stream stream;
    unsigned n_changed;
    char url[TEST_PATH_MAX + 32];
};

static void must(int result)
{
    assert_int_equal(result, FB_OK);
}

static void describe(void *ctx, const struct origin_video *video, struct fb_buf *json)
{
    (void)ctx;
    fb_buf_printf(json, "{\"id\":\"%s\"}", video->id.text);
}

static void on_changed(void *ctx)
{
    ((struct fixture *)ctx)->n_changed++;
}

static void open_trending(struct fixture *f)
{
    f->metrics = fb_metrics_new();
    f->views = origin_views_new(&(struct origin_views_options){
        .catalog = f->catalog, .clock = &f->clock.clock, .metrics = f->metrics});
    f->trending = origin_trending_new(&(struct origin_trending_options){
        .catalog = f->catalog,
        .views = f->views,
        .clock = &f->clock.clock,
        .metrics = f->metrics,
        .max_videos = MAX_VIDEOS,
        .describe = describe,
    });
    origin_trending_on_changed(f->trending, on_changed, f);
}

static void close_trending(struct fixture *f)
{
    origin_trending_free(f->trending);
    origin_views_free(f->views);
    fb_metrics_free(f->metrics);
}

static struct origin_id publish(struct fixture *f, struct fb_str category)
{
    struct origin_result result = {.version = "0123456789abcdef"};
    struct origin_video video = {
        .id = origin_id_new(),
        .owner = f->user,
        .title = FB_STR("A title"),
        .description = FB_STR(""),
        .tags = FB_STR("[]"),
        .filename = FB_STR("clip.mp4"),
        .category = category,
        .source_bytes = 1000,
    };

    must(origin_catalog_video_add(f->catalog, &video));
    must(publishing_queue(f->catalog, &video.id));
    must(publishing_work(f->catalog, &result));
    return video.id;
}

static int set_up(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);

    f->folder = test_folder_new();
    f->clock = test_clock_at_start();
    test_clock_advance_ms(&f->clock, 12 * ORIGIN_MS_PER_HOUR); /* noon */
    (void)snprintf(f->url, sizeof(f->url), "sqlite:%s/origin.db", f->folder.path);
    must(origin_catalog_open(fb_str_from(f->url), 4, &f->clock.clock, &f->catalog, NULL));
    must(origin_catalog_user_add(f->catalog, FB_STR("a@example.org"), FB_STR("hash"), &f->user));
    for (int i = 0; i < VIDEOS; i++) {
        f->videos[i] = publish(f, i == 0 ? FB_STR("music") : FB_STR(""));
    }
    open_trending(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    close_trending(f);
    origin_catalog_close(f->catalog);
    test_folder_done(&f->folder);
    fb_free(f);
    return 0;
}

/* What a report of views of this minute does: rows in the catalog, and whoever listens is told. */
static void watch(struct fixture *f, int video, uint64_t views, uint64_t networks)
{
    int64_t now_ms = f->clock.wall_now_ms;
    struct origin_view_sums sums = {.views = views, .capped = views, .ends = views / 2};
    struct origin_view_part slot = {.when = now_ms / ORIGIN_MS_PER_SLOT, .sums = sums};
    struct origin_view_part hour = {.when = now_ms / ORIGIN_MS_PER_HOUR, .sums = sums};
    struct origin_view_day day = {.day = now_ms / ORIGIN_MS_PER_DAY,
                                  .networks = fb_hyperloglog_new(FB_VIEW_NETWORKS_PRECISION)};
    struct origin_view_video seen = {
        .name = origin_id_str(&f->videos[video]),
        .sum = sums,
        .slots = &slot,
        .hours = &hour,
        .days = &day,
        .n_slots = 1,
        .n_hours = 1,
        .n_days = 1,
    };
    struct origin_view_apply apply = {
        .node = FB_STR("box"),
        .region = FB_STR("de"),
        .epoch = 1,
        .from = f->stream,
        .to = {.sequence = f->stream.sequence + 1},
        .n_reports = 1,
        .videos = &seen,
        .n_videos = 1,
    };

    for (uint64_t i = 0; i < networks; i++) {
        fb_hyperloglog_add(day.networks,
                           fb_str_hash((struct fb_str){(const char *)&i, sizeof(i)}, 7));
    }
    must(origin_catalog_views_apply(f->catalog, &apply));
    f->stream = apply.to;
    fb_hyperloglog_free(day.networks);
    struct origin_view_row row = {
        .seq = seen.seq,
        .video = f->videos[video],
        .region = FB_STR("de"),
        .start_ms = slot.when * ORIGIN_MS_PER_SLOT,
        .span_ms = ORIGIN_MS_PER_SLOT,
        .sums = sums,
    };
    origin_trending_rows(f->trending, &row, 1);
}

static uint32_t rank_of(struct fixture *f, int video)
{
    struct origin_snapshot *snapshot = origin_trending_hold(f->trending);
    const struct origin_snapshot_video *found = origin_snapshot_find(snapshot, &f->videos[video]);
    uint32_t rank = found != NULL ? found->ranks[ORIGIN_TRENDING_DAY] : 0;

    origin_snapshot_unref(snapshot);
    return rank;
}

static double score_of(struct fixture *f, int video)
{
    struct origin_snapshot *snapshot = origin_trending_hold(f->trending);
    const struct origin_snapshot_video *found = origin_snapshot_find(snapshot, &f->videos[video]);
    double score = found != NULL ? found->scores[ORIGIN_TRENDING_DAY].total : 0;

    origin_snapshot_unref(snapshot);
    return score;
}

static void like(struct fixture *f, int video, const char *email)
{
    struct origin_actor actor = {.network = 1};
    struct origin_video_counters counters;

    must(origin_catalog_user_add(f->catalog, fb_str_from(email), FB_STR("hash"), &actor.user));
    must(origin_catalog_reaction_put(f->catalog, ORIGIN_REACTION_LIKE, &actor, &f->videos[video],
                                     &counters));
}

static void there_is_an_empty_snapshot_before_the_first_round(void **state)
{
    struct fixture *f = *state;
    struct origin_snapshot *snapshot = origin_trending_hold(f->trending);
    struct origin_snapshot_query query = {.window = ORIGIN_TRENDING_DAY};

    assert_int_equal(origin_snapshot_count(snapshot), 0);
    assert_int_equal(origin_snapshot_list(snapshot, &query).n, 0);
    assert_null(origin_snapshot_find(snapshot, &f->videos[0]));
    origin_snapshot_unref(snapshot);
}

static void what_is_told_trends_with_the_next_round(void **state)
{
    struct fixture *f = *state;

    watch(f, 0, 5, 5);
    watch(f, 1, 9, 9);
    assert_int_equal(rank_of(f, 0), 0);
    must(origin_trending_run(f->trending));
    assert_int_equal(rank_of(f, 1), 1);
    assert_int_equal(rank_of(f, 0), 2);
    assert_int_equal(f->n_changed, 1);
    watch(f, 0, 20, 20);
    must(origin_trending_run(f->trending));
    assert_int_equal(rank_of(f, 0), 1);
    assert_int_equal(f->n_changed, 2);
}

static void a_network_counts_twenty_views_of_a_day(void **state)
{
    struct fixture *f = *state;

    watch(f, 0, 10000, 1);
    watch(f, 1, 100, 60);
    must(origin_trending_run(f->trending));
    assert_int_equal(rank_of(f, 1), 1);
    assert_true(score_of(f, 0) <= 40);
    double before = score_of(f, 0);
    watch(f, 0, 10000, 1); /* the same network again */
    must(origin_trending_run(f->trending));
    assert_float_equal(score_of(f, 0), before, 3);
}

static void a_load_finds_what_was_told_before(void **state)
{
    struct fixture *f = *state;
    double before[3];

    watch(f, 0, 8, 8);
    watch(f, 1, 300, 30);
    like(f, 2, "b@example.org");
    must(origin_trending_run(f->trending));
    for (int i = 0; i < 3; i++) {
        before[i] = score_of(f, i);
        assert_true(before[i] > 0);
    }
    close_trending(f);
    open_trending(f);
    must(origin_trending_load(f->trending));
    for (int i = 0; i < 3; i++) {
        assert_float_equal(score_of(f, i), before[i], 1e-3);
    }
    must(origin_trending_load(f->trending)); /* and again: nothing counts twice */
    for (int i = 0; i < 3; i++) {
        assert_float_equal(score_of(f, i), before[i], 1e-3);
    }
}

static void a_like_that_is_taken_back_is_forgotten(void **state)
{
    struct fixture *f = *state;
    struct origin_actor actor = {.network = 1, .user = f->user};
    struct origin_video_counters counters;

    must(origin_catalog_reaction_put(f->catalog, ORIGIN_REACTION_LIKE, &actor, &f->videos[0],
                                     &counters));
    must(origin_trending_run(f->trending));
    assert_true(score_of(f, 0) > 0);
    must(origin_catalog_reaction_remove(f->catalog, ORIGIN_REACTION_LIKE, &actor, &f->videos[0],
                                        &counters));
    test_clock_advance_ms(&f->clock, 10 * 60 * 1000);
    must(origin_trending_run(f->trending));
    assert_true(score_of(f, 0) <= 0);
}

static void a_like_counts_once_however_often_it_is_read(void **state)
{
    struct fixture *f = *state;

    like(f, 0, "b@example.org");
    must(origin_trending_run(f->trending));
    double before = score_of(f, 0);
    for (int i = 0; i < 5; i++) {
        test_clock_advance_ms(&f->clock, 1000);
        must(origin_trending_run(f->trending));
    }
    assert_float_equal(score_of(f, 0), before, 0.1);
}

static void likes_of_yesterday_stay_and_fade(void **state)
{
    struct fixture *f = *state;

    like(f, 0, "b@example.org");
    must(origin_trending_run(f->trending));
    double before = score_of(f, 0);
    test_clock_advance_ms(&f->clock, 18 * ORIGIN_MS_PER_HOUR); /* the next morning */
    must(origin_trending_run(f->trending));
    assert_float_equal((score_of(f, 0) / before), 0.125, 0.02);
}

static void what_is_removed_leaves_the_list(void **state)
{
    struct fixture *f = *state;

    watch(f, 0, 9, 9);
    watch(f, 1, 5, 5);
    must(origin_trending_run(f->trending));
    assert_int_equal(rank_of(f, 0), 1);
    must(origin_catalog_video_remove(f->catalog, &f->videos[0]));
    must(origin_trending_run(f->trending));
    assert_int_equal(rank_of(f, 0), 0);
    assert_int_equal(rank_of(f, 1), 1);
}

static void one_of_the_crowd_takes_the_place_of_the_least(void **state)
{
    struct fixture *f = *state;

    for (int i = 0; i < MAX_VIDEOS; i++) {
        watch(f, i, 10 + 10 * (uint64_t)i, 100);
    }
    must(origin_trending_run(f->trending));
    watch(f, 4, 5, 100); /* less than the least */
    must(origin_trending_run(f->trending));
    assert_int_equal(rank_of(f, 4), 0);
    assert_int_equal(fb_metrics_sum(f->metrics, "origin_trending_crowded_rows_total"), 1);

    watch(f, 5, 1000, 100); /* its hour is read: what came in it is no spike yet */
    must(origin_trending_run(f->trending));
    assert_int_equal(rank_of(f, 5), 1);
    assert_int_equal(rank_of(f, 0), 0);
    assert_int_equal(fb_metrics_sum(f->metrics, "origin_trending_admitted_total"), 1);
    assert_int_equal(fb_metrics_sum(f->metrics, "origin_trending_videos"), MAX_VIDEOS);
}

static void pages_are_json_with_cursors(void **state)
{
    struct fixture *f = *state;
    struct origin_snapshot_query query = {.window = ORIGIN_TRENDING_DAY,
                                          .category = FB_STR("music")};
    struct origin_snapshot_query all = {.window = ORIGIN_TRENDING_DAY};
    FB_AUTO(fb_buf_done) struct fb_buf json = {0};
    char wanted[256];
    size_t first = 0;

    watch(f, 0, 9, 9);
    watch(f, 1, 5, 5);
    must(origin_trending_run(f->trending));
    struct origin_snapshot *snapshot = origin_trending_hold(f->trending);
    origin_page_write(snapshot, &query, &(struct origin_page_part){.n = 5}, &json);
    (void)snprintf(wanted, sizeof(wanted), "\"video\":{\"id\":\"%s\"}}],\"next_cursor\":null}",
                   f->videos[0].text);
    assert_non_null(
        strstr(json.ptr, "{\"window\":\"24h\",\"region\":null,\"category\":\"music\","));
    assert_non_null(strstr(json.ptr, wanted));
    fb_buf_clear(&json);
    origin_page_write(snapshot, &all, &(struct origin_page_part){.n = 1}, &json);
    char *cursor = strstr(json.ptr, "\"next_cursor\":\"");
    assert_non_null(cursor);
    struct fb_str text = fb_str_from(cursor + strlen("\"next_cursor\":\""));
    text.len -= 2;
    must(origin_page_parse_cursor(&all, text, &first));
    assert_int_equal(first, 1);
    assert_int_equal(origin_page_parse_cursor(&query, text, &first), FB_E_MALFORMED);
    origin_snapshot_unref(snapshot);
}

#define TRENDING_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TRENDING_TEST(there_is_an_empty_snapshot_before_the_first_round),
        TRENDING_TEST(what_is_told_trends_with_the_next_round),
        TRENDING_TEST(a_network_counts_twenty_views_of_a_day),
        TRENDING_TEST(a_load_finds_what_was_told_before),
        TRENDING_TEST(a_like_that_is_taken_back_is_forgotten),
        TRENDING_TEST(a_like_counts_once_however_often_it_is_read),
        TRENDING_TEST(likes_of_yesterday_stay_and_fade),
        TRENDING_TEST(what_is_removed_leaves_the_list),
        TRENDING_TEST(one_of_the_crowd_takes_the_place_of_the_least),
        TRENDING_TEST(pages_are_json_with_cursors),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
