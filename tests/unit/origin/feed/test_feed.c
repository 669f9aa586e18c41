#include "../catalog/publishing.h"
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "origin/catalog/follows.h"
#include "origin/catalog/users.h"
#include "origin/catalog/videos.h"
#include "origin/catalog/watch_events.h"
#include "origin/feed/feed.h"
#include "tests/support/test_clock.h"
#include "tests/support/test_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { CREATORS = 8, VIDEOS = 24 };

struct fixture {
    struct test_folder folder;
    struct test_clock clock;
    struct origin_catalog *catalog;
    struct origin_feed *feed;
    struct fb_arena arena;
    struct origin_id ada;
    struct origin_id creators[CREATORS];
    struct origin_id videos[VIDEOS]; /* the first is the oldest; seq is place + 1 */
    char url[TEST_PATH_MAX + 32];
};

static void must(int result)
{
    assert_int_equal(result, FB_OK);
}

static void publish(struct fixture *f, int i)
{
    struct origin_video video = {
        .id = origin_id_new(),
        .owner = f->creators[i % CREATORS],
        .title = FB_STR("A title"),
        .description = FB_STR(""),
        .tags = FB_STR("[]"),
        .filename = FB_STR("clip.mp4"),
        .source_bytes = 4,
    };
    struct origin_result result = {.version = "0123456789abcdef", .duration_ms = 10000};

    must(origin_catalog_video_add(f->catalog, &video));
    must(publishing_queue(f->catalog, &video.id));
    must(publishing_work(f->catalog, &result));
    f->videos[i] = video.id;
}

static void open_feed(struct fixture *f, uint32_t budget_ms)
{
    f->feed = origin_feed_open(&(struct origin_feed_options){
        .catalog = f->catalog, .clock = &f->clock.clock, .budget_ms = budget_ms});
}

static int set_up(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);
    char email[32];

    f->folder = test_folder_new();
    f->clock = test_clock_at_start();
    (void)snprintf(f->url, sizeof(f->url), "sqlite:%s/origin.db", f->folder.path);
    must(origin_catalog_open(fb_str_from(f->url), 4, &f->clock.clock, &f->catalog, NULL));
    must(origin_catalog_user_add(f->catalog, FB_STR("ada@example.org"), FB_STR("h"), &f->ada));
    for (int i = 0; i < CREATORS; i++) {
        (void)snprintf(email, sizeof(email), "c%d@example.org", i);
        must(origin_catalog_user_add(f->catalog, fb_str_from(email), FB_STR("h"), &f->creators[i]));
    }
    for (int i = 0; i < VIDEOS; i++) {
        publish(f, i);
    }
    open_feed(f, 0);
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    origin_feed_close(f->feed);
    origin_catalog_close(f->catalog);
    fb_arena_done(&f->arena);
    test_folder_done(&f->folder);
    fb_free(f);
    return 0;
}

static struct origin_feed_page home(struct fixture *f, const struct origin_id *user,
                                    struct fb_str cursor, size_t limit)
{
    struct origin_feed_page page;
    must(origin_feed_home(
        f->feed, &f->arena,
        &(struct origin_feed_query){.user = user, .cursor = cursor, .limit = limit}, &page));
    return page;
}

static void watch(struct fixture *f, int64_t seq, bool completed)
{
    static uint32_t n_events;
    char name[16];
    bool is_new = false;

    (void)snprintf(name, sizeof(name), "e%u", n_events++);
    must(origin_catalog_watch_add(f->catalog,
                                  &(struct origin_watch_event){.user = f->ada,
                                                               .event = fb_str_from(name),
                                                               .video = seq,
                                                               .at_ms = f->clock.wall_now_ms,
                                                               .watch_ms = 1000,
                                                               .completed = completed,
                                                               .source = FB_STR("feed")},
                                  &is_new));
}

static bool holds(const struct origin_feed_page *page, const struct origin_id *video)
{
    for (size_t i = 0; i < page->n; i++) {
        if (origin_id_equal(&page->items[i].video, video)) {
            return true;
        }
    }
    return false;
}

static void before_the_first_round_a_page_is_empty(void **state)
{
    struct fixture *f = *state;

    struct origin_feed_page page = home(f, NULL, FB_STR_NONE, 20);
    assert_int_equal(page.n, 0);
    assert_null(page.next_cursor.ptr);
}

static void pages_of_a_list_hold_every_video_once(void **state)
{
    struct fixture *f = *state;
    struct fb_str cursor = FB_STR_NONE;
    size_t n = 0;
    size_t seen[VIDEOS] = {0};

    must(origin_feed_round(f->feed));
    do {
        struct origin_feed_page page = home(f, &f->ada, cursor, 10);
        for (size_t i = 0; i < page.n; i++) {
            seen[page.items[i].seq - 1]++;
            n++;
        }
        cursor = page.next_cursor;
        must(origin_feed_round(f->feed)); /* a new model does not disturb the list */
        test_clock_advance_ms(&f->clock, 60000);
    } while (cursor.ptr != NULL);
    assert_true(n > VIDEOS / 2);
    for (size_t i = 0; i < VIDEOS; i++) {
        assert_true(seen[i] <= 1);
    }
}

static void what_was_watched_goes_when_the_list_is_made_anew(void **state)
{
    struct fixture *f = *state;

    must(origin_feed_round(f->feed));
    struct origin_feed_page page = home(f, &f->ada, FB_STR_NONE, 20);
    struct origin_id watched = page.items[0].video;
    watch(f, page.items[0].seq, true);
    must(origin_feed_round(f->feed));
    page = home(f, &f->ada, FB_STR_NONE, 20);
    assert_true(holds(&page, &watched)); /* still the same list */
    test_clock_advance_ms(&f->clock, ORIGIN_LISTS_FRESH_MS);
    page = home(f, &f->ada, FB_STR_NONE, 20);
    assert_false(holds(&page, &watched));
}

static void whom_one_follows_comes_from_that_source(void **state)
{
    struct fixture *f = *state;
    struct origin_user_counters counters;
    size_t n_followed = 0;

    must(origin_catalog_follow_put(f->catalog, &(struct origin_actor){.user = f->ada},
                                   &f->creators[3], &counters));
    must(origin_feed_round(f->feed));
    struct origin_feed_page page = home(f, &f->ada, FB_STR_NONE, ORIGIN_FEED_PAGE_MAX);
    for (size_t i = 0; i < page.n; i++) {
        n_followed += page.items[i].source == ORIGIN_FEED_FOLLOWED;
    }
    assert_int_equal(n_followed, 3);
    assert_true(page.is_ranked);
}

/* A clock that goes a second further each time somebody looks. */
static uint64_t hasty_ns(const struct fb_clock *clock)
{
    static uint64_t n_looks;

    (void)clock;
    return ++n_looks * 1000 * FB_NS_PER_MS;
}

static void when_ranking_takes_too_long_what_one_follows_comes_first(void **state)
{
    struct fixture *f = *state;
    struct origin_user_counters counters;

    must(origin_catalog_follow_put(f->catalog, &(struct origin_actor){.user = f->ada},
                                   &f->creators[3], &counters));
    must(origin_feed_round(f->feed));
    f->clock.clock.mono_ns = hasty_ns;
    struct origin_feed_page page = home(f, &f->ada, FB_STR_NONE, 10);
    assert_false(page.is_ranked);
    assert_true(page.n > 1);
    assert_int_equal(page.items[0].source, ORIGIN_FEED_FOLLOWED);
}

static void a_cursor_that_is_not_ours_is_refused(void **state)
{
    struct fixture *f = *state;
    static const char *const cursors[] = {
        "x", "====", "ZmVlZDo", "ZmVlZDoxMjM", "ZmVlZDowOjA", "ZmVlZDoxOjEwMDAw", "c2VxOjEyOjE",
    };
    struct origin_feed_page page;

    must(origin_feed_round(f->feed));
    for (size_t i = 0; i < FB_ARRAY_LEN(cursors); i++) {
        struct origin_feed_query query = {.cursor = fb_str_from(cursors[i]), .limit = 10};
        assert_int_equal(origin_feed_home(f->feed, &f->arena, &query, &page), FB_E_MALFORMED);
    }
}

static void what_was_learned_outlives_the_process(void **state)
{
    struct fixture *f = *state;

    must(origin_feed_round(f->feed));
    struct origin_feed_page page = home(f, &f->ada, FB_STR_NONE, 20);
    for (size_t i = 0; i < page.n; i++) {
        watch(f, page.items[i].seq, i % 2 == 0);
    }
    must(origin_feed_round(f->feed));
    origin_feed_close(f->feed);
    open_feed(f, 0);
    must(origin_feed_round(f->feed));
    assert_int_equal(origin_feed_lessons(f->feed), page.n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(before_the_first_round_a_page_is_empty, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pages_of_a_list_hold_every_video_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_watched_goes_when_the_list_is_made_anew, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(whom_one_follows_comes_from_that_source, set_up, tear_down),
        cmocka_unit_test_setup_teardown(when_ranking_takes_too_long_what_one_follows_comes_first,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cursor_that_is_not_ours_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_was_learned_outlives_the_process, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
