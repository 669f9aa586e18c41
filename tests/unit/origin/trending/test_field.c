/* The core without a catalog: what is done with videos, and what comes of it. */
#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/err.h"
#include "origin/trending/caps.h"
#include "origin/trending/field.h"
#include "origin/trending/snapshot_internal.h"

#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MINUTE_MS INT64_C(60000)
#define HOUR_MS   INT64_C(3600000)
#define DAY_MS    INT64_C(86400000)
#define NOW       (INT64_C(20000) * DAY_MS + 20 * HOUR_MS)

enum { GENUINE = 40 };

struct fixture {
    struct origin_field *field;
    struct origin_score_rules rules;
    int64_t now_ms;
    struct origin_snapshot *snapshot;
    uint64_t round;
    const char *hidden; /* a video that is not public, or NULL */
};

static struct origin_id id_of(uint64_t number)
{
    uint8_t bytes[ORIGIN_ID_BYTES] = {0};

    memcpy(bytes, &number, sizeof(number));
    return origin_id_of(bytes);
}

static int set_up(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);

    f->field = origin_field_new(10000, 1);
    f->rules = origin_score_rules(6 * HOUR_MS);
    f->now_ms = NOW;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    origin_snapshot_unref(f->snapshot);
    origin_field_free(f->field);
    fb_free(f);
    return 0;
}

/* Views of a video that begin so long ago, of so many networks on that day. */
static void watch(struct fixture *f, uint64_t video, int64_t age_ms, double views,
                  uint32_t networks)
{
    struct origin_id id = id_of(video);
    struct origin_field_video *entered = origin_field_enter(f->field, &id);
    struct origin_series *series = origin_field_series(f->field, entered, FB_STR("de"));
    int64_t at_ms = f->now_ms - age_ms;

    origin_series_add(series, f->now_ms, at_ms, 5 * MINUTE_MS, views, views / 2);
    origin_series_networks(series, f->now_ms, (int32_t)(at_ms / DAY_MS), networks);
}

/* The same number of views each hour, for so many hours. */
static void watch_steadily(struct fixture *f, uint64_t video, int64_t hours, double views)
{
    for (int64_t i = 1; i <= hours; i++) {
        watch(f, video, i * HOUR_MS - 30 * MINUTE_MS, views, 1000000);
    }
}

static void read_video(void *ctx, struct origin_field_video *video, struct fb_buf *json)
{
    struct fixture *f = ctx;

    video->read_round = f->round;
    video->is_shown = f->hidden == NULL || strcmp(video->id.text, f->hidden) != 0;
    video->category = origin_names_number(
        &f->field->categories, video->id.text[0] % 2 == 0 ? FB_STR("music") : FB_STR("news"));
    if (json != NULL) {
        fb_buf_append(json, FB_STR("{}"));
    }
}

static void run(struct fixture *f)
{
    struct origin_ranking ranking;

    f->round++;
    origin_field_age(f->field, f->now_ms);
    origin_field_score(f->field, &f->rules, f->now_ms);
    origin_ranking_take(f->field, &ranking);
    origin_snapshot_unref(f->snapshot);
    f->snapshot = origin_rank(&ranking, &(struct origin_rank_options){
                                            .now_ms = f->now_ms,
                                            .max_list = 10,
                                            .round = f->round,
                                            .categories = &f->field->categories,
                                            .read = read_video,
                                            .ctx = f,
                                        });
    origin_ranking_done(&ranking);
}

static uint32_t rank_of(struct fixture *f, uint64_t video, enum origin_trending_window window)
{
    struct origin_id id = id_of(video);
    const struct origin_snapshot_video *found = origin_snapshot_find(f->snapshot, &id);

    return found != NULL ? found->ranks[window] : 0;
}

static double score_of(struct fixture *f, uint64_t video, enum origin_trending_window window)
{
    struct origin_id id = id_of(video);
    const struct origin_snapshot_video *found = origin_snapshot_find(f->snapshot, &id);

    return found != NULL ? found->scores[window].total : 0;
}

/* A small platform: the first video has ten views an hour, the last four hundred. */
static void make_genuine(struct fixture *f)
{
    for (uint64_t i = 0; i < GENUINE; i++) {
        watch_steadily(f, 100 + i, 6 * 24, 10.0 * (double)(i + 1));
    }
}

static void what_is_watched_more_stands_higher(void **state)
{
    struct fixture *f = *state;

    make_genuine(f);
    run(f);
    for (uint64_t i = 0; i < GENUINE; i++) {
        assert_int_equal(rank_of(f, 100 + i, ORIGIN_TRENDING_DAY), GENUINE - i);
    }
    assert_int_equal(origin_snapshot_count(f->snapshot), GENUINE);
}

static void an_old_video_that_spikes_is_first_within_two_minutes(void **state)
{
    struct fixture *f = *state;

    make_genuine(f);
    watch_steadily(f, 1, 6 * 24, 2);
    run(f);
    assert_int_equal(rank_of(f, 1, ORIGIN_TRENDING_DAY), GENUINE + 1);

    for (int minute = 0; minute < 2; minute++) {
        f->now_ms += MINUTE_MS;
        watch(f, 1, 0, 200, 200);
    }
    run(f);
    assert_int_equal(rank_of(f, 1, ORIGIN_TRENDING_HOUR), 1);
    assert_int_equal(rank_of(f, 1, ORIGIN_TRENDING_DAY), 1);
}

static void a_spike_fades(void **state)
{
    struct fixture *f = *state;

    make_genuine(f);
    watch(f, 1, 0, 400, 400);
    run(f);
    assert_int_equal(rank_of(f, 1, ORIGIN_TRENDING_DAY), 1);
    f->now_ms += HOUR_MS;
    run(f);
    assert_true(rank_of(f, 1, ORIGIN_TRENDING_DAY) > 10);
}

static void what_is_watched_every_evening_is_no_spike(void **state)
{
    struct fixture *f = *state;

    watch_steadily(f, 1, 6 * 24, 100);
    watch(f, 1, 0, 60, 60); /* 240 an hour */
    run(f);
    struct origin_id id = id_of(1);
    assert_float_equal(origin_snapshot_find(f->snapshot, &id)->scores[ORIGIN_TRENDING_DAY].spike, 0,
                       1e-9);
}

static void one_network_with_ten_thousand_sessions_stays_below(void **state)
{
    struct fixture *f = *state;

    make_genuine(f);
    for (int slot = 0; slot < 12; slot++) {
        watch(f, 1, slot * 5 * MINUTE_MS, 10000.0 / 12, 1); /* even if no edge caps it */
    }
    run(f);
    assert_true(rank_of(f, 1, ORIGIN_TRENDING_HOUR) > GENUINE - 10);
    assert_true(rank_of(f, 1, ORIGIN_TRENDING_DAY) > GENUINE - 10);
    assert_true(rank_of(f, 1, ORIGIN_TRENDING_WEEK) > GENUINE - 10);
    assert_true(score_of(f, 1, ORIGIN_TRENDING_DAY) <= 2 * f->rules.network);
}

static void on_hour(void *ctx, const struct origin_caps_hour *hour)
{
    struct fixture *f = ctx;
    struct origin_id id = id_of(hour->video);

    origin_field_add_hour(origin_field_enter(f->field, &id),
                          &(struct origin_field_hour){.hour = hour->hour,
                                                      .likes = (float)hour->likes,
                                                      .shares = (float)hour->shares});
}

/* Likes and shares of `n` accounts, each of a network of its own. */
static void engage(struct fixture *f, uint32_t video, size_t n, int64_t age_ms)
{
    struct origin_caps_event *events = fb_alloc_array(2 * n, sizeof(*events));

    for (size_t i = 0; i < 2 * n; i++) {
        events[i] = (struct origin_caps_event){
            .video = video,
            .kind = i < n ? ORIGIN_CAPS_LIKE : ORIGIN_CAPS_SHARE,
            .at_ms = f->now_ms,
            .account_ms = f->now_ms - age_ms,
            .user = i % n,
            .network = i % n,
        };
    }
    origin_caps_fold(events, 2 * n, on_hour, f);
    fb_free(events);
}

static void a_thousand_fresh_accounts_with_likes_stay_below(void **state)
{
    struct fixture *f = *state;

    make_genuine(f);
    engage(f, 1, 1000, HOUR_MS);
    run(f);
    assert_true(rank_of(f, 1, ORIGIN_TRENDING_DAY) > 10);
    assert_true(score_of(f, 1, ORIGIN_TRENDING_DAY) <= f->rules.free);

    watch(f, 1, 0, 1000, 1); /* who all watch from where they come from */
    run(f);
    assert_true(rank_of(f, 1, ORIGIN_TRENDING_DAY) > 10);
}

static void one_viewer_who_repeats_counts_once(void **state)
{
    struct fixture *f = *state;

    make_genuine(f);
    watch(f, 1, 0, 1, 1); /* the edge's `capped` of any number of views of one viewer a day */
    run(f);
    assert_int_equal(rank_of(f, 1, ORIGIN_TRENDING_DAY), GENUINE + 1);
}

static void accounts_of_age_with_likes_lift_what_is_watched(void **state)
{
    struct fixture *f = *state;

    watch(f, 1, 0, 100, 100);
    watch(f, 2, 0, 100, 100);
    engage(f, 2, 10, 30 * DAY_MS);
    run(f);
    assert_int_equal(rank_of(f, 2, ORIGIN_TRENDING_DAY), 1);
    /* ten likes and ten shares, but not more than is plausible, and their share in quality */
    assert_true(score_of(f, 2, ORIGIN_TRENDING_DAY) - score_of(f, 1, ORIGIN_TRENDING_DAY) > 400);
}

static void more_views_in_the_window_never_lower_a_score(void **state)
{
    struct fixture *f = *state;
    unsigned seed = 4711;

    for (int history = 0; history < 60; history++) {
        uint64_t video = 1000 + (uint64_t)history;
        for (int i = 0; i < 30; i++) {
            watch(f, video, rand_r(&seed) % (7 * DAY_MS), rand_r(&seed) % 40,
                  (uint32_t)rand_r(&seed) % 4);
        }
        for (int i = 0; i < 10; i++) {
            run(f);
            double before[ORIGIN_TRENDING_N_WINDOWS];
            for (size_t w = 0; w < ORIGIN_TRENDING_N_WINDOWS; w++) {
                before[w] = score_of(f, video, (enum origin_trending_window)w);
            }
            int64_t age_ms = rand_r(&seed) % (i < 5 ? HOUR_MS : 7 * DAY_MS);
            watch(f, video, age_ms, 1 + rand_r(&seed) % 50, 1);
            run(f);
            for (size_t w = 0; w < ORIGIN_TRENDING_N_WINDOWS; w++) {
                enum origin_trending_window window = (enum origin_trending_window)w;
                if (age_ms < origin_trending_window_ms(window) &&
                    score_of(f, video, window) < before[w] - 1e-6) {
                    fail_msg("history %d: window %zu, age %" PRId64, history, w, age_ms);
                }
            }
        }
    }
}

static void lists_are_by_region_and_category(void **state)
{
    struct fixture *f = *state;
    struct origin_id id = id_of(1);

    make_genuine(f);
    watch(f, 1, 0, 5, 5);
    origin_series_add(origin_field_series(f->field, origin_field_find(f->field, &id), FB_STR("fr")),
                      f->now_ms, f->now_ms, 5 * MINUTE_MS, 3, 0);
    run(f);
    struct origin_snapshot_query query = {.window = ORIGIN_TRENDING_DAY, .region = FB_STR("fr")};
    struct origin_snapshot_list list = origin_snapshot_list(f->snapshot, &query);
    assert_int_equal(list.n, 1);
    assert_true(origin_id_equal(&list.items[0].video->id, &id));

    query = (struct origin_snapshot_query){.window = ORIGIN_TRENDING_DAY};
    assert_int_equal(origin_snapshot_list(f->snapshot, &query).n, 10);
    query.category = FB_STR("music");
    list = origin_snapshot_list(f->snapshot, &query);
    for (size_t i = 0; i < list.n; i++) {
        assert_int_equal(list.items[i].video->id.text[0] % 2, 0);
        assert_true(i == 0 || list.items[i - 1].score >= list.items[i].score);
    }
    query.region = FB_STR("nowhere");
    assert_int_equal(origin_snapshot_list(f->snapshot, &query).n, 0);
}

static void what_is_hidden_is_in_no_list_and_has_no_rank(void **state)
{
    struct fixture *f = *state;
    struct origin_id id = id_of(100 + GENUINE - 1);
    struct origin_snapshot_query query = {.window = ORIGIN_TRENDING_DAY};

    make_genuine(f);
    run(f);
    uint64_t order = origin_snapshot_list(f->snapshot, &query).order;
    assert_int_equal(rank_of(f, 100 + GENUINE - 1, ORIGIN_TRENDING_DAY), 1);
    f->hidden = id.text;
    run(f);
    assert_null(origin_snapshot_find(f->snapshot, &id));
    assert_int_equal(rank_of(f, 100 + GENUINE - 2, ORIGIN_TRENDING_DAY), 1);
    assert_int_not_equal(origin_snapshot_list(f->snapshot, &query).order, order);
    assert_int_equal(origin_snapshot_list(f->snapshot, &query).n, 10);
}

static void what_nobody_watched_for_a_week_is_forgotten(void **state)
{
    struct fixture *f = *state;

    make_genuine(f);
    engage(f, 100, 3, 30 * DAY_MS);
    f->now_ms += 8 * DAY_MS;
    run(f);
    assert_int_equal(f->field->n, 0);
    assert_int_equal(origin_snapshot_count(f->snapshot), 0);
}

static void slots_of_hours_gone_by_are_joined_and_weigh_about_the_same(void **state)
{
    struct fixture *f = *state;
    struct origin_id id = id_of(1);

    for (int i = 0; i < 24 * 12; i++) {
        watch(f, 1, i * 5 * MINUTE_MS, 1, 1000);
    }
    run(f);
    double before = score_of(f, 1, ORIGIN_TRENDING_DAY);
    f->now_ms += 6 * HOUR_MS;
    run(f);
    struct origin_series *series = &origin_field_find(f->field, &id)->regions[0].series;
    assert_true(series->n <= 26);
    /* Six hours are one half-life; what fell out of the window was next to nothing. */
    assert_float_equal((score_of(f, 1, ORIGIN_TRENDING_DAY) / before), 0.5, 0.08);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_is_watched_more_stands_higher, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_old_video_that_spikes_is_first_within_two_minutes,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_spike_fades, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_watched_every_evening_is_no_spike, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(one_network_with_ten_thousand_sessions_stays_below, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(a_thousand_fresh_accounts_with_likes_stay_below, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(one_viewer_who_repeats_counts_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(accounts_of_age_with_likes_lift_what_is_watched, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(more_views_in_the_window_never_lower_a_score, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(lists_are_by_region_and_category, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_hidden_is_in_no_list_and_has_no_rank, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(what_nobody_watched_for_a_week_is_forgotten, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(slots_of_hours_gone_by_are_joined_and_weigh_about_the_same,
                                        set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
