/* Requests of two loops, through the thread, to what is delivered when it closes. */
#include "base/core/err.h"
#include "base/net/address.h"
#include "base/wire/view_entry.h"
#include "edge/views/views.h"
#include "tests/support/test_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct test_clock clock;
    struct edge_views *views;
    struct edge_views_writer *writers[2];
    struct fb_view_entry sum;
};

static void fixture_deliver(void *ctx, const struct fb_view_entry *entries, size_t n)
{
    struct fixture *f = ctx;

    for (size_t i = 0; i < n; i++) {
        fb_view_entry_merge(&f->sum, &entries[i]);
    }
}

static int set_up(void **state)
{
    static const struct fb_str media[] = {FB_STR("/m/{video}/{rendition}/{number}.m4s")};
    static const struct fb_str bots[] = {FB_STR("(?i)bot")};
    static struct fixture f;

    f = (struct fixture){.clock = test_clock_at_start()};
    assert_int_equal(edge_views_open(&(struct edge_views_options){.is_on = true,
                                                                  .media = media,
                                                                  .n_media = 1,
                                                                  .bots = bots,
                                                                  .n_bots = 1,
                                                                  .beacon = FB_STR("/beacon"),
                                                                  .segment_ms = 4000,
                                                                  .least_ms = 10000,
                                                                  .share_percent = 50,
                                                                  .again_ms = 1800000,
                                                                  .idle_ms = 60000,
                                                                  .max_sessions = 1000,
                                                                  .clock = &f.clock.clock,
                                                                  .deliver = fixture_deliver,
                                                                  .ctx = &f},
                                     &f.views, NULL),
                     FB_OK);
    for (size_t i = 0; i < 2; i++) {
        f.writers[i] = edge_views_writer_new(f.views);
    }
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;

    edge_views_close(f->views);
    fb_view_entry_done(&f->sum);
    return 0;
}

static void request(struct fixture *f, unsigned loop, const char *path, const char *query,
                    const char *agent)
{
    struct fb_header header = {.name = FB_STR("User-Agent"), .value = fb_str_from(agent)};
    struct fb_request_head head = {.method = FB_METHOD_GET,
                                   .path = fb_str_from(path),
                                   .query = fb_str_from(query),
                                   .headers = {.items = &header, .n = 1}};
    struct edge_views_request about = {
        .head = &head, .path = head.path, .status = 200, .bytes = 100, .is_whole = true};

    assert_int_equal(fb_address_parse(FB_STR("192.0.2.7:1234"), &about.client, NULL), FB_OK);
    edge_views_writer_add(f->writers[loop], &about);
}

static void sessions_of_both_loops_are_delivered_when_it_closes(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 100; i++) {
        char path[64];
        (void)snprintf(path, sizeof(path), "/m/vid%u/720p/%u.m4s", i % 20, i / 20);
        request(f, (i + i / 20) % 2, path, "CMCD=sid%3D%22s%22%2Cd%3D5000", "player");
        request(f, i % 2, "/m/bot/720p/1.m4s", NULL, "a Bot");
        request(f, i % 2, "/other/vid1/720p/1.m4s", NULL, "player");
    }
    edge_views_close(f->views);
    f->views = NULL;
    assert_int_equal(f->sum.sessions, 21);
    assert_int_equal(f->sum.views, 20);
    assert_int_equal(f->sum.uncounted[FB_VIEW_BOT], 1);
    assert_int_equal(f->sum.watch_ms, 20 * 25000);
    assert_int_equal(f->sum.bytes, 20000);
}

static void beacons_go_the_same_way(void **state)
{
    struct fixture *f = *state;
    struct fb_request_head head = {.method = FB_METHOD_POST, .path = FB_STR("/beacon")};
    struct fb_address client = {.len = 0};
    struct fb_diag diag = {0};

    assert_true(edge_views_is_beacon(f->writers[0], head.path));
    assert_false(edge_views_is_beacon(f->writers[0], FB_STR("/beacons")));
    assert_int_equal(
        edge_views_writer_beacon(f->writers[0], &head, &client,
                                 FB_STR("{\"v\":1,\"sid\":\"s\",\"video\":\"vid\",\"event\":"
                                        "\"start\"}"),
                                 &diag),
        FB_OK);
    assert_int_equal(edge_views_writer_beacon(f->writers[0], &head, &client, FB_STR("{"), &diag),
                     FB_E_MALFORMED);
    request(f, 1, "/m/vid/720p/1.m4s", "CMCD=sid%3D%22s%22", "player");
    edge_views_close(f->views);
    f->views = NULL;
    assert_int_equal(f->sum.sessions, 1);
    assert_int_equal(f->sum.uncounted[FB_VIEW_TOO_SHORT], 1);
}

static void what_finds_no_room_is_counted(void **state)
{
    struct fixture *f = *state;
    enum { REQUESTS = 40000 };

    for (unsigned i = 0; i < REQUESTS; i++) {
        request(f, 0, "/m/vid/720p/1.m4s", NULL, "player");
    }
    uint64_t dropped = edge_views_dropped(f->views);
    edge_views_close(f->views);
    f->views = NULL;
    assert_int_equal(f->sum.bytes, 100 * (REQUESTS - dropped));
}

static void an_expression_that_is_none_is_refused(void **state)
{
    static const struct fb_str bots[] = {FB_STR("a"), FB_STR("(")};
    struct edge_views *views = NULL;
    struct fixture *f = *state;

    assert_int_equal(edge_views_open(&(struct edge_views_options){.is_on = true,
                                                                  .bots = bots,
                                                                  .n_bots = 2,
                                                                  .clock = &f->clock.clock,
                                                                  .max_sessions = 1},
                                     &views, NULL),
                     FB_E_MALFORMED);
    assert_null(views);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(sessions_of_both_loops_are_delivered_when_it_closes),
        T(beacons_go_the_same_way),
        T(what_finds_no_room_is_counted),
        T(an_expression_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
