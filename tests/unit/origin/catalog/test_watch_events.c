#include "catalog_fixture.h"
#include "origin/catalog/watch_events.h"

static struct origin_watch_event event_of(struct fixture *f, const struct origin_id *video,
                                          const char *event)
{
    return (struct origin_watch_event){
        .user = f->user,
        .event = fb_str_from(event),
        .video = get_video(f, video).seq,
        .at_ms = f->clock.wall_now_ms,
        .watch_ms = 12000,
        .position_ms = 13000,
        .completed = true,
        .source = FB_STR("feed"),
    };
}

struct seen {
    size_t n;
    int64_t last_seq;
    uint64_t watch_ms;
};

static int see(void *ctx, const struct origin_watch_event *event)
{
    struct seen *seen = ctx;

    seen->n++;
    seen->last_seq = event->seq;
    seen->watch_ms += event->watch_ms;
    assert_true(event->completed);
    assert_true(fb_str_equal(event->source, FB_STR("feed")));
    return FB_OK;
}

static void an_event_told_twice_is_one(void **state)
{
    struct fixture *f = *state;
    struct origin_id id = add_video(f, &f->user);
    struct origin_watch_event event = event_of(f, &id, "e1");
    struct seen seen = {0};
    bool is_new = false;

    must(origin_catalog_watch_add(f->catalog, &event, &is_new));
    assert_true(is_new);
    event.watch_ms = 99;
    must(origin_catalog_watch_add(f->catalog, &event, &is_new));
    assert_false(is_new);
    must(origin_catalog_watch_of(f->catalog, &f->user, 10, see, &seen));
    assert_int_equal(seen.n, 1);
    assert_int_equal(seen.watch_ms, 12000);
}

static void events_are_read_on_from_where_one_was(void **state)
{
    struct fixture *f = *state;
    struct origin_id id = add_video(f, &f->user);
    struct seen seen = {0};
    bool is_new = false;

    for (int i = 0; i < 5; i++) {
        char name[] = {'e', (char)('0' + i), '\0'};
        struct origin_watch_event event = event_of(f, &id, name);
        must(origin_catalog_watch_add(f->catalog, &event, &is_new));
    }
    must(origin_catalog_watch_after(f->catalog, 0, 3, see, &seen));
    assert_int_equal(seen.n, 3);
    must(origin_catalog_watch_after(f->catalog, seen.last_seq, 3, see, &seen));
    assert_int_equal(seen.n, 5);
    must(origin_catalog_video_remove(f->catalog, &id));
    must(origin_catalog_watch_after(f->catalog, 0, 9, see, &seen));
    assert_int_equal(seen.n, 5);
}

static void old_events_go(void **state)
{
    struct fixture *f = *state;
    struct origin_id id = add_video(f, &f->user);
    struct origin_watch_event event = event_of(f, &id, "old");
    bool is_new = false;
    size_t n = 0;

    must(origin_catalog_watch_add(f->catalog, &event, &is_new));
    event.event = FB_STR("new");
    event.at_ms += 10;
    must(origin_catalog_watch_add(f->catalog, &event, &is_new));
    must(origin_catalog_watch_prune(f->catalog, event.at_ms, 10, &n));
    assert_int_equal(n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_event_told_twice_is_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(events_are_read_on_from_where_one_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(old_events_go, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
