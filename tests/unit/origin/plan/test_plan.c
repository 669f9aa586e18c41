#include "../catalog/publishing.h"
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/jose/jose.h"
#include "base/metrics/metrics.h"
#include "base/sys/file.h"
#include "origin/catalog/follows.h"
#include "origin/catalog/users.h"
#include "origin/catalog/videos.h"
#include "origin/catalog/view_reports.h"
#include "origin/plan/plan.h"
#include "origin/views/views.h"
#include "tests/support/test_clock.h"
#include "tests/support/test_folder.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define SOUTH FB_STR("de-south")

enum { SEGMENTS = 3 };

struct fixture {
    struct test_folder folder;
    struct test_clock clock;
    struct fb_metrics *metrics;
    struct origin_catalog *catalog;
    struct origin_views *views;
    struct origin_plan *plan;
    struct origin_id user;
    struct fb_arena arena;
    uint64_t n_reports;
    const struct origin_video *trend; /* trends everywhere; may be NULL */
    const struct origin_video *local; /* in the south; may be NULL */
    double score;
    char keys[TEST_PATH_MAX + 32];
};

static void must(int result)
{
    assert_int_equal(result, FB_OK);
}

static void tell_trends(void *ctx, struct fb_str region, origin_plan_tell_fn *tell, void *to)
{
    const struct fixture *f = ctx;
    struct origin_id gone = origin_id_new();

    if (region.len == 0 && f->trend != NULL) {
        tell(to, &gone, 2 * f->score);
        tell(to, &f->trend->id, f->score);
    }
    if (fb_str_equal(region, SOUTH) && f->local != NULL) {
        tell(to, &f->local->id, f->score);
    }
}

static void open_plan(struct fixture *f)
{
    must(origin_plan_open(
        &(struct origin_plan_options){
            .catalog = f->catalog,
            .views = f->views,
            .clock = &f->clock.clock,
            .metrics = f->metrics,
            .folder = f->keys,
            .max_bytes = 1000000,
            .max_entries = 1000,
            .every_ms = 600000,
            .large = 2,
            .trends = {tell_trends, f},
        },
        &f->plan, NULL));
}

static int set_up(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);
    char url[TEST_PATH_MAX + 32];

    f->folder = test_folder_new();
    f->clock = test_clock_at_start();
    test_clock_advance_ms(&f->clock, 12 * ORIGIN_MS_PER_HOUR);
    f->metrics = fb_metrics_new();
    (void)snprintf(url, sizeof(url), "sqlite:%s/origin.db", f->folder.path);
    (void)snprintf(f->keys, sizeof(f->keys), "%s/keys", f->folder.path);
    must(origin_catalog_open(fb_str_from(url), 4, &f->clock.clock, &f->catalog, NULL));
    must(origin_catalog_user_add(f->catalog, FB_STR("a@example.org"), FB_STR("hash"), &f->user));
    f->views = origin_views_new(&(struct origin_views_options){
        .catalog = f->catalog, .clock = &f->clock.clock, .metrics = f->metrics});
    open_plan(f);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    fb_arena_done(&f->arena);
    origin_plan_close(f->plan);
    origin_views_free(f->views);
    origin_catalog_close(f->catalog);
    fb_metrics_free(f->metrics);
    test_folder_done(&f->folder);
    fb_free(f);
    return 0;
}

/* ---- videos, and who watches them -------------------------------------------------------- */

static void result_add(struct origin_result *result, const char *path, uint64_t size)
{
    struct origin_result_file *file = &result->files[result->n_files++];

    (void)snprintf(file->path, sizeof(file->path), "%s", path);
    (void)snprintf(file->type, sizeof(file->type), "video/mp4");
    file->size = size;
    file->sha256[0] = (uint8_t)size;
}

static struct origin_video publish(struct fixture *f)
{
    FB_AUTO(origin_result_done) struct origin_result result = {.duration_ms = 12000};
    struct origin_video video = {.id = origin_id_new(),
                                 .owner = f->user,
                                 .title = FB_STR("A title"),
                                 .description = FB_STR(""),
                                 .tags = FB_STR("[]"),
                                 .filename = FB_STR("clip.mp4"),
                                 .source_bytes = 1000};
    char path[64];

    must(origin_catalog_video_add(f->catalog, &video));
    must(publishing_queue(f->catalog, &video.id));
    (void)snprintf(result.version, sizeof(result.version), "0123456789abcdef");
    result.files = fb_alloc((SEGMENTS + 2) * sizeof(*result.files));
    memset(result.files, 0, (SEGMENTS + 2) * sizeof(*result.files));
    result_add(&result, "master.m3u8", 77);
    result_add(&result, "v/360p/init.mp4", 10);
    for (unsigned i = 1; i <= SEGMENTS; i++) {
        (void)snprintf(path, sizeof(path), "v/360p/seg-%05u.m4s", i);
        result_add(&result, path, 100 * i);
    }
    must(publishing_work(f->catalog, &result));
    must(origin_catalog_video_get(f->catalog, &f->arena, &video.id, &video));
    return video;
}

static void watch(struct fixture *f, const struct origin_video *video, struct fb_str region,
                  uint64_t views, int64_t ago_ms)
{
    int64_t at_ms = f->clock.wall_now_ms - ago_ms;
    struct origin_view_sums sums = {
        .views = views, .capped = views, .watch_ms = views * 30000, .bytes = views * 1000};
    struct origin_view_part slot = {.when = at_ms / ORIGIN_MS_PER_SLOT, .sums = sums};
    struct origin_view_part hour = {.when = at_ms / ORIGIN_MS_PER_HOUR, .sums = sums};
    struct origin_view_part day = {
        .when = at_ms / ORIGIN_MS_PER_DAY, .rendition = FB_STR("360p"), .sums = sums};
    struct origin_view_video added = {
        .name = origin_id_str(&video->id),
        .sum = sums,
        .slots = &slot,
        .hours = &hour,
        .renditions = &day,
        .n_slots = ago_ms < ORIGIN_SLOTS_KEPT_MS,
        .n_hours = 1,
        .n_renditions = 1,
    };
    must(
        origin_catalog_views_apply(f->catalog, &(struct origin_view_apply){.node = FB_STR("edge-1"),
                                                                           .region = region,
                                                                           .epoch = ++f->n_reports,
                                                                           .to = {.sequence = 1},
                                                                           .n_reports = 1,
                                                                           .videos = &added,
                                                                           .n_videos = 1}));
}

/* ---- the plan as an edge has it -------------------------------------------------------------- */

static struct fb_jose_key *public_key(struct fixture *f)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    char path[TEST_PATH_MAX + 64];
    struct fb_jose_key *key = NULL;

    (void)snprintf(path, sizeof(path), "%s/plan.pub.jwk", f->keys);
    must(fb_file_read_path(path, 4096, &text, NULL));
    must(fb_jose_key_parse(fb_buf_str(&text), &key, NULL));
    assert_false(fb_jose_key_is_private(key));
    return key;
}

static struct fb_plan *pull(struct fixture *f, struct fb_str region,
                            const struct fb_jose_key *const *keys, size_t n_keys)
{
    FB_AUTO(fb_buf_done) struct fb_buf token = {0};
    FB_AUTO(fb_buf_done) struct fb_buf body = {0};
    struct origin_plan_head stored;
    struct fb_plan_head head;
    struct fb_plan *plan = NULL;

    must(origin_catalog_plan_get(f->catalog, region, &stored, &token));
    must(fb_plan_head_open(fb_buf_str(&token), keys, n_keys, &head, NULL));
    assert_int_equal(head.serial, stored.head.serial);
    assert_true(fb_str_equal(fb_str_from(head.region), region));
    must(origin_catalog_plan_body(f->catalog, region, head.digest, &body));
    struct fb_plan_reader *reader = fb_plan_reader_new(&head);
    must(fb_plan_reader_feed(reader, fb_buf_str(&body), NULL));
    must(fb_plan_reader_finish(reader, &plan, NULL));
    fb_plan_reader_free(reader);
    return plan;
}

static struct fb_plan *pull_own(struct fixture *f, struct fb_str region)
{
    struct fb_jose_key *key = public_key(f);
    struct fb_plan *plan = pull(f, region, (const struct fb_jose_key *const[]){key}, 1);
    fb_jose_key_free(key);
    return plan;
}

static bool names(const struct fb_plan *plan, size_t i, const struct origin_video *video,
                  const char *file)
{
    char path[FB_PLAN_PATH_MAX];

    (void)snprintf(path, sizeof(path), "/media/%s/0123456789abcdef/%s", video->id.text, file);
    return i < plan->n && fb_str_equal(plan->entries[i].path, fb_str_from(path));
}

static void a_plan_names_what_its_region_watches_most_first(void **state)
{
    struct fixture *f = *state;
    struct origin_video mild = publish(f);
    struct origin_video hot = publish(f);
    struct origin_video elsewhere = publish(f);

    watch(f, &mild, SOUTH, 4, ORIGIN_MS_PER_DAY);
    watch(f, &hot, SOUTH, 400, ORIGIN_MS_PER_DAY);
    watch(f, &elsewhere, FB_STR("fr-west"), 4000, ORIGIN_MS_PER_DAY);
    must(origin_plan_run(f->plan));
    FB_AUTO(fb_plan_freep) struct fb_plan *plan = pull_own(f, SOUTH);

    assert_int_equal(plan->n, 2 * (SEGMENTS + 1));
    assert_true(names(plan, 0, &hot, "v/360p/init.mp4"));
    assert_true(names(plan, 1, &hot, "v/360p/seg-00001.m4s"));
    assert_true(names(plan, 2, &hot, "v/360p/seg-00002.m4s"));
    assert_true(names(plan, SEGMENTS + 1, &mild, "v/360p/init.mp4"));
    assert_int_equal(plan->entries[2].size, 200);
    assert_int_equal(plan->entries[2].sha256[0], 200);
    assert_true(fb_str_equal(plan->entries[0].reason, FB_STR("demand")));
}

static void what_rises_now_outweighs_days_of_something_else(void **state)
{
    struct fixture *f = *state;
    struct origin_video steady = publish(f);
    struct origin_video spike = publish(f);

    for (int64_t day = 1; day < 6; day++) {
        watch(f, &steady, SOUTH, 100, day * ORIGIN_MS_PER_DAY);
    }
    watch(f, &spike, SOUTH, 90, 10 * 60 * 1000);
    must(origin_plan_run(f->plan));
    FB_AUTO(fb_plan_freep) struct fb_plan *plan = pull_own(f, SOUTH);

    assert_true(names(plan, 0, &spike, "v/360p/init.mp4"));
    assert_true(fb_str_equal(plan->entries[0].reason, FB_STR("trending")));
}

/* How many requests for its last segment the plan expects. */
static double expected(const struct fb_plan *plan, const struct origin_video *video)
{
    for (size_t i = 0; i < plan->n; i++) {
        if (names(plan, i, video, "v/360p/seg-00003.m4s")) {
            return -log1p(-(double)plan->entries[i].value / (double)plan->entries[i].size);
        }
    }
    return 0;
}

static void what_trends_elsewhere_has_a_place_by_the_share_of_the_region(void **state)
{
    struct fixture *f = *state;
    struct origin_video own = publish(f);
    struct origin_video spike = publish(f);

    watch(f, &own, SOUTH, 100, ORIGIN_MS_PER_DAY);
    watch(f, &spike, FB_STR("fr-west"), 300, ORIGIN_MS_PER_HOUR);
    f->trend = &spike;
    f->score = 20; /* a quarter of it, half of that: 2.5, rounded down 2 */
    must(origin_plan_run(f->plan));
    FB_AUTO(fb_plan_freep) struct fb_plan *plan = pull_own(f, SOUTH);

    assert_int_equal(plan->n, 2 * (SEGMENTS + 1));
    assert_true(names(plan, 0, &own, "v/360p/init.mp4")); /* what is watched here comes first */
    assert_true(names(plan, SEGMENTS + 1, &spike, "v/360p/init.mp4"));
    assert_true(fb_str_equal(plan->entries[SEGMENTS + 1].reason, FB_STR("trending")));
    double requests = expected(plan, &spike); /* 8 s from the beginning, of 30 s on the average */
    assert_true(requests > 2 * exp(-8.0 / 30) - 0.05 && requests < 2 * exp(-8.0 / 30) + 0.05);
}

static void what_trends_here_outweighs_what_was_watched(void **state)
{
    struct fixture *f = *state;
    struct origin_video steady = publish(f);
    struct origin_video trend = publish(f);

    watch(f, &steady, SOUTH, 100, ORIGIN_MS_PER_DAY);
    watch(f, &trend, SOUTH, 1, ORIGIN_MS_PER_DAY);
    f->local = &trend;
    f->score = 500;
    must(origin_plan_run(f->plan));
    FB_AUTO(fb_plan_freep) struct fb_plan *plan = pull_own(f, SOUTH);

    assert_true(names(plan, 0, &trend, "v/360p/init.mp4"));
    assert_true(fb_str_equal(plan->entries[0].reason, FB_STR("trending")));
    assert_true(fb_str_equal(plan->entries[SEGMENTS + 1].reason, FB_STR("demand")));
}

static uint64_t serial_of(struct fixture *f, struct fb_str region)
{
    FB_AUTO(fb_buf_done) struct fb_buf token = {0};
    struct origin_plan_head head = {.n_bytes = 0};

    int err = origin_catalog_plan_get(f->catalog, region, &head, &token);
    return err == FB_E_NOT_FOUND ? 0 : head.head.serial;
}

static void the_same_demand_gives_the_same_plan_and_no_new_number(void **state)
{
    struct fixture *f = *state;
    struct origin_video video = publish(f);
    bool is_new = false;

    must(origin_plan_make(f->plan, SOUTH, &is_new));
    assert_false(is_new); /* there is nothing to say */
    watch(f, &video, SOUTH, 10, ORIGIN_MS_PER_DAY);
    must(origin_plan_make(f->plan, SOUTH, &is_new));
    assert_true(is_new);
    must(origin_plan_make(f->plan, SOUTH, &is_new));
    assert_false(is_new);
    assert_int_equal(serial_of(f, SOUTH), 1);

    test_clock_advance_ms(&f->clock, ORIGIN_PLAN_LASTS_MS / 2 + 1); /* it would end soon */
    must(origin_plan_make(f->plan, SOUTH, &is_new));
    assert_true(is_new);
    for (int i = 0; i < 5; i++) {
        struct origin_video more = publish(f);
        watch(f, &more, SOUTH, 1000, 0);
        must(origin_plan_make(f->plan, SOUTH, &is_new));
    }
    assert_int_equal(serial_of(f, SOUTH), 7);
    FB_AUTO(fb_plan_freep) struct fb_plan *plan = pull_own(f, SOUTH);
    assert_int_equal(plan->n, 6 * (SEGMENTS + 1));
}

static void trends_that_say_less_and_small_changes_of_them_change_no_plan(void **state)
{
    struct fixture *f = *state;
    struct origin_video own = publish(f);
    struct origin_video other = publish(f);
    bool is_new = false;

    watch(f, &own, SOUTH, 100, ORIGIN_MS_PER_DAY);
    must(origin_plan_make(f->plan, SOUTH, &is_new)); /* nothing trends */
    f->trend = f->local = &own;
    for (f->score = 0; f->score < 20; f->score += 5) { /* a day of 25 views says more */
        must(origin_plan_make(f->plan, SOUTH, &is_new));
        assert_false(is_new);
    }
    f->local = &other;
    for (f->score = 64; f->score < 128; f->score += 9) {
        must(origin_plan_make(f->plan, SOUTH, &is_new));
        assert_int_equal(is_new, f->score < 65); /* the first time */
    }
    must(origin_plan_make(f->plan, FB_STR("it-north"), &is_new));
    assert_false(is_new); /* a region that watches nothing has no share in what trends */
    assert_int_equal(serial_of(f, SOUTH), 2);
}

static void rounds_make_plans_when_they_are_due(void **state)
{
    struct fixture *f = *state;
    struct origin_video video = publish(f);

    watch(f, &video, SOUTH, 10, ORIGIN_MS_PER_DAY);
    must(origin_plan_run(f->plan));
    assert_int_equal(serial_of(f, SOUTH), 1);
    watch(f, &video, SOUTH, 1000, 0);
    must(origin_plan_run(f->plan));
    assert_int_equal(serial_of(f, SOUTH), 1);
    test_clock_advance_ms(&f->clock, 600000);
    must(origin_plan_run(f->plan));
    assert_int_equal(serial_of(f, SOUTH), 2);
}

static void a_release_is_planned_at_once(void **state)
{
    struct fixture *f = *state;
    struct origin_video old = publish(f);

    test_clock_advance_ms(&f->clock, 2 * ORIGIN_MS_PER_DAY);
    watch(f, &old, SOUTH, 1000, ORIGIN_MS_PER_HOUR);
    must(origin_plan_run(f->plan));
    struct origin_video asked = publish(f);
    must(origin_plan_release(f->plan, asked.seq, FB_STR_NONE));
    FB_AUTO(fb_plan_freep) struct fb_plan *plan = pull_own(f, SOUTH);
    assert_true(names(plan, 0, &asked, "v/360p/init.mp4"));
    assert_true(plan->entries[0].is_now);
    assert_true(fb_str_equal(plan->entries[0].reason, FB_STR("release")));
    assert_int_equal(origin_plan_release(f->plan, 12345, SOUTH), FB_E_CONFLICT);
    must(origin_plan_release(f->plan, old.seq, FB_STR("it-north")));
    assert_int_equal(serial_of(f, FB_STR("it-north")), 1);
}

static void whom_many_follow_releases_without_being_asked(void **state)
{
    struct fixture *f = *state;
    struct origin_video old = publish(f);

    watch(f, &old, SOUTH, 1000, ORIGIN_MS_PER_HOUR);
    must(origin_plan_run(f->plan));
    for (int i = 0; i < 2; i++) {
        struct origin_actor fan = {.network = 0};
        struct origin_user_counters counters;
        char email[32];
        (void)snprintf(email, sizeof(email), "fan%d@example.org", i);
        must(origin_catalog_user_add(f->catalog, fb_str_from(email), FB_STR("hash"), &fan.user));
        must(origin_catalog_follow_put(f->catalog, &fan, &f->user, &counters));
    }
    test_clock_advance_ms(&f->clock, 60000);
    struct origin_video next = publish(f);
    must(origin_plan_run(f->plan)); /* before the period has passed */
    FB_AUTO(fb_plan_freep) struct fb_plan *plan = pull_own(f, SOUTH);
    bool is_named = false;
    for (size_t i = 0; i < plan->n; i++) {
        is_named |= names(plan, i, &next, "v/360p/init.mp4") && plan->entries[i].is_now;
    }
    assert_true(is_named);
}

/* ---- the key ------------------------------------------------------------------------------------
 */

static void the_key_stays_and_may_be_changed_while_edges_trust_two(void **state)
{
    struct fixture *f = *state;
    struct origin_video video = publish(f);
    char path[TEST_PATH_MAX + 64];
    bool is_new = false;

    watch(f, &video, SOUTH, 10, ORIGIN_MS_PER_DAY);
    must(origin_plan_make(f->plan, SOUTH, &is_new));
    struct fb_jose_key *old = public_key(f);
    origin_plan_close(f->plan);
    open_plan(f);
    fb_plan_free(pull(f, SOUTH, (const struct fb_jose_key *const[]){old}, 1));

    (void)snprintf(path, sizeof(path), "%s/plan.jwk", f->keys);
    assert_int_equal(unlink(path), 0);
    origin_plan_close(f->plan);
    open_plan(f);
    struct fb_jose_key *next = public_key(f);
    const struct fb_jose_key *const both[] = {old, next};
    fb_plan_free(pull(f, SOUTH, both, 2)); /* the last plan of the old key */
    watch(f, &video, SOUTH, 1000, 0);
    must(origin_plan_make(f->plan, SOUTH, &is_new));
    assert_true(is_new);
    fb_plan_free(pull(f, SOUTH, both, 2));

    FB_AUTO(fb_buf_done) struct fb_buf token = {0};
    struct origin_plan_head stored;
    struct fb_plan_head head;
    must(origin_catalog_plan_get(f->catalog, SOUTH, &stored, &token));
    assert_int_equal(fb_plan_head_open(fb_buf_str(&token), both, 1, &head, NULL), FB_E_DENIED);
    fb_jose_key_free(old);
    fb_jose_key_free(next);
}

static void a_key_that_is_none_is_refused(void **state)
{
    struct fixture *f = *state;
    struct fb_diag diag = {.err = FB_OK};
    char path[TEST_PATH_MAX + 64];
    struct origin_plan *plan = NULL;

    (void)snprintf(path, sizeof(path), "%s/plan.jwk", f->keys);
    must(fb_file_write(AT_FDCWD, path, FB_STR("{\"kty\":\"oct\",\"k\":\"AAAA\"}"), 0600, NULL));
    struct origin_plan_options options = {
        .catalog = f->catalog, .clock = &f->clock.clock, .metrics = f->metrics, .folder = f->keys};
    assert_int_equal(origin_plan_open(&options, &plan, &diag), FB_E_UNSUPPORTED);
    assert_non_null(strstr(diag.text, "plan.jwk"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_plan_names_what_its_region_watches_most_first),
        TEST(what_rises_now_outweighs_days_of_something_else),
        TEST(the_same_demand_gives_the_same_plan_and_no_new_number),
        TEST(what_trends_elsewhere_has_a_place_by_the_share_of_the_region),
        TEST(what_trends_here_outweighs_what_was_watched),
        TEST(trends_that_say_less_and_small_changes_of_them_change_no_plan),
        TEST(rounds_make_plans_when_they_are_due),
        TEST(a_release_is_planned_at_once),
        TEST(whom_many_follow_releases_without_being_asked),
        TEST(the_key_stays_and_may_be_changed_while_edges_trust_two),
        TEST(a_key_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
