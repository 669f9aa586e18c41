#include "sessions_fixture.h"

static void a_session_that_watches_enough_is_one_view(void **state)
{
    struct fixture *f = *state;

    play(f, 1, "s1", 10);
    finish(f);
    assert_int_equal(f->sum.views, 1);
    assert_int_equal(f->sum.capped, 1);
    assert_int_equal(f->sum.sessions, 1);
    assert_int_equal(f->sum.watch_ms, 40000);
    assert_int_equal(f->sum.bytes, 10000);
    assert_int_equal(fb_hyperloglog_estimate(f->viewers), 1);
}

static void a_session_that_ends_soon_is_too_short(void **state)
{
    struct fixture *f = *state;

    play(f, 1, "s1", 2);
    finish(f);
    assert_int_equal(f->sum.uncounted[FB_VIEW_TOO_SHORT], 1);
    assert_int_equal(f->sum.watch_ms, 0);
    assert_int_equal(f->sum.bytes, 2000);
    assert_true(fb_hyperloglog_is_empty(f->viewers));
}

static void a_segment_that_comes_twice_counts_once(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 10; i++) {
        add(f, segment_of(f, 1, "s1", 7));
        pass(f, 4000);
    }
    finish(f);
    assert_int_equal(f->sum.uncounted[FB_VIEW_TOO_SHORT], 1);
    assert_int_equal(f->sum.bytes, 10000);
}

static void a_segment_that_was_cut_or_failed_was_not_watched(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 10; i++) {
        struct edge_view_fact fact = segment_of(f, 1, "s1", i);
        fact.is_whole = false;
        add(f, fact);
        fact = segment_of(f, 2, "s2", i);
        fact.is_ok = false;
        fact.bytes = 0;
        add(f, fact);
        pass(f, 4000);
    }
    finish(f);
    assert_int_equal(f->sum.sessions, 1);
    assert_int_equal(f->sum.uncounted[FB_VIEW_NO_MEDIA], 1);
}

static void the_player_says_how_long_a_segment_is(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 3; i++) {
        struct edge_view_fact fact = segment_of(f, 1, "s1", i);
        fact.media_ms = 6000;
        add(f, fact);
        pass(f, 6000);
    }
    finish(f);
    assert_int_equal(f->sum.watch_ms, 18000);
}

static void a_viewer_is_not_counted_again_so_soon(void **state)
{
    struct fixture *f = *state;

    play(f, 1, "s1", 5);
    pass(f, 120000);
    play(f, 1, "s2", 5);
    play(f, 2, "s3", 5);
    pass(f, 1800000);
    play(f, 1, "s4", 5);
    finish(f);
    assert_int_equal(f->sum.views, 3);
    assert_int_equal(f->sum.uncounted[FB_VIEW_DUPLICATE], 1);
    assert_int_equal(f->sum.capped, 2);
    assert_int_equal(fb_hyperloglog_estimate(f->viewers), 2);
}

static void bots_are_told_by_their_agent_by_head_and_by_haste(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 10; i++) {
        struct edge_view_fact fact = segment_of(f, 1, NULL, i);
        fact.agent = FB_STR("a bot");
        add(f, fact);
        fact = segment_of(f, 2, NULL, i);
        fact.is_head = true;
        add(f, fact);
        pass(f, 4000);
    }
    for (unsigned i = 0; i < 1000; i++) {
        add(f, segment_of(f, 3, NULL, i));
        pass(f, 20);
    }
    finish(f);
    assert_int_equal(f->sum.views, 0);
    assert_int_equal(f->sum.uncounted[FB_VIEW_BOT], 3);
}

static void a_player_that_fetches_minutes_ahead_is_no_bot(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 150; i++) {
        add(f, segment_of(f, 1, "s1", i));
        pass(f, 20);
    }
    pass(f, 590000);
    add(f, segment_of(f, 1, "s1", 150));
    finish(f);
    assert_int_equal(f->sum.views, 1);
    assert_int_equal(f->sum.sessions, 1);
    assert_int_equal(f->sum.watch_ms, 604000);
}

static void a_network_begins_so_many_sessions_a_minute(void **state)
{
    struct fixture *f = *state;

    edge_sessions_free(f->sessions);
    f->options.starts = 5;
    fixture_open(f);
    for (unsigned i = 0; i < 8; i++) {
        add(f, segment_of(f, i, NULL, 0));
    }
    add(f, segment_of(f, 256, NULL, 0));
    for (unsigned n = 1; n < 5; n++) {
        pass(f, 4000);
        for (unsigned i = 0; i < 8; i++) {
            add(f, segment_of(f, i, NULL, n));
        }
        add(f, segment_of(f, 256, NULL, n));
    }
    finish(f);
    assert_int_equal(f->sum.views, 6);
    assert_int_equal(f->sum.uncounted[FB_VIEW_RATE], 3);
}

static void who_fetches_a_manifest_alone_has_seen_nothing(void **state)
{
    struct fixture *f = *state;
    struct edge_view_fact fact = segment_of(f, 1, "s1", 0);

    fact.kind = EDGE_VIEW_MANIFEST;
    add(f, fact);
    fact.kind = EDGE_VIEW_AUDIO;
    add(f, fact);
    fact = segment_of(f, 2, "s2", 0);
    fact.kind = EDGE_VIEW_AUDIO;
    add(f, fact);
    finish(f);
    assert_int_equal(f->sum.uncounted[FB_VIEW_NO_MEDIA], 1);
    assert_int_equal(f->sum.sessions, 1);
    assert_int_equal(f->sum.bytes, 3000);
}

static void a_beacon_knows_better_than_what_was_fetched(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 10; i++) {
        add(f, segment_of(f, 1, "s1", i));
        add(f, segment_of(f, 2, "s2", i));
    }
    pass(f, 6000);
    add(f, segment_of(f, 1, "s1", 10));
    add(f, beacon_of(f, 1, "s1", 5500));
    pass(f, 7000);
    add(f, beacon_of(f, 1, "s1", 6000));
    add(f, beacon_of(f, 2, "s2", 12000));
    pass(f, 10000);
    add(f, beacon_of(f, 2, "s2", 22000));
    finish(f);
    assert_int_equal(f->sum.uncounted[FB_VIEW_TOO_SHORT], 1);
    assert_int_equal(f->sum.views, 1);
    assert_int_equal(f->sum.watch_ms, 22000);
}

static void a_beacon_cannot_have_watched_longer_than_it_took(void **state)
{
    struct fixture *f = *state;

    add(f, segment_of(f, 1, "s1", 0));
    pass(f, 15000);
    add(f, beacon_of(f, 1, "s1", 3600000));
    finish(f);
    assert_int_equal(f->sum.views, 1);
    assert_int_equal(f->sum.watch_ms, 25000);
}

static void beacons_tell_of_start_stalls_source_and_end(void **state)
{
    struct fixture *f = *state;
    struct edge_view_fact fact = beacon_of(f, 1, "s1", 0);

    fact.beacon.has_startup = true;
    fact.beacon.startup_ms = 350;
    fact.beacon.has_source = true;
    fact.beacon.source = FB_VIEW_SEARCH;
    fact.beacon.duration_ms = 20000;
    add(f, fact);
    play(f, 1, "s1", 5);
    fact = beacon_of(f, 1, "s1", 19000);
    fact.beacon.stalls = 2;
    fact.beacon.stall_ms = 900;
    add(f, fact);
    add(f, fact);
    finish(f);
    assert_int_equal(f->sum.views, 1);
    assert_int_equal(f->sum.startups, 1);
    assert_int_equal(f->sum.startup[fb_view_startup_bucket(350)], 1);
    assert_int_equal(f->sum.sources[FB_VIEW_SEARCH], 1);
    assert_int_equal(f->sum.stalls, 2);
    assert_int_equal(f->sum.stall_ms, 900);
    assert_int_equal(f->sum.ends, 1);
}

static void half_of_a_short_video_is_a_view(void **state)
{
    struct fixture *f = *state;
    struct edge_view_fact fact;

    play(f, 1, "s1", 2);
    fact = beacon_of(f, 1, "s1", 5000);
    fact.beacon.duration_ms = 8000;
    add(f, fact);
    play(f, 2, "s2", 2);
    fact = beacon_of(f, 2, "s2", 3000);
    fact.beacon.duration_ms = 8000;
    add(f, fact);
    finish(f);
    assert_int_equal(f->sum.views, 1);
    assert_int_equal(f->sum.uncounted[FB_VIEW_TOO_SHORT], 1);
}

static void a_duration_that_is_less_than_was_fetched_is_not_believed(void **state)
{
    struct fixture *f = *state;
    struct edge_view_fact fact;

    for (unsigned i = 0; i < 10; i++) {
        add(f, segment_of(f, 1, "s1", i));
    }
    fact = beacon_of(f, 1, "s1", 3000);
    fact.beacon.duration_ms = 2000;
    add(f, fact);
    finish(f);
    assert_int_equal(f->sum.uncounted[FB_VIEW_TOO_SHORT], 1);
    assert_int_equal(f->sum.ends, 0);
}

static void beacons_join_what_was_fetched_without_an_id(void **state)
{
    struct fixture *f = *state;

    add(f, segment_of(f, 1, NULL, 0));
    pass(f, 1000);
    add(f, beacon_of(f, 1, "s1", 0));
    play(f, 1, NULL, 4);
    add(f, beacon_of(f, 2, "s2", 0));
    play(f, 2, NULL, 4);
    finish(f);
    assert_int_equal(f->sum.sessions, 2);
}

static void viewers_behind_one_address_are_told_apart_by_id_and_token(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 5; i++) {
        struct edge_view_fact fact = segment_of(f, 1, NULL, i);
        fact.subject = FB_STR("anna");
        add(f, fact);
        fact.subject = FB_STR("ben");
        add(f, fact);
        fact.sid = FB_STR("tv");
        add(f, fact);
        pass(f, 4000);
    }
    finish(f);
    assert_int_equal(f->sum.sessions, 3);
    assert_int_equal(f->sum.views, 2);
    assert_int_equal(f->sum.uncounted[FB_VIEW_DUPLICATE], 1);
    assert_int_equal(fb_hyperloglog_estimate(f->viewers), 2);
}

static void a_network_that_is_too_busy_counts_in_part_for_the_caps(void **state)
{
    struct fixture *f = *state;

    for (unsigned n = 0; n < 5; n++) {
        for (unsigned i = 0; i < 60; i++) {
            add(f, segment_of(f, i, NULL, n));
        }
        pass(f, 4000);
    }
    finish(f);
    assert_int_equal(f->sum.views, 60);
    assert_int_equal(f->sum.capped, 20 + 4);
}

static void sessions_beyond_the_bound_end_the_oldest(void **state)
{
    struct fixture *f = *state;

    edge_sessions_free(f->sessions);
    f->options.max_sessions = 10;
    fixture_open(f);
    for (unsigned i = 0; i < 200; i++) {
        char sid[16];
        (void)snprintf(sid, sizeof(sid), "s%u", i);
        add(f, segment_of(f, i, sid, 0));
        assert_true(edge_sessions_count(f->sessions).open <= 10);
    }
    finish(f);
    assert_int_equal(edge_sessions_count(f->sessions).evicted, 190);
    assert_int_equal(f->sum.uncounted[FB_VIEW_TOO_SHORT], 200);
}

static void entries_beyond_the_bound_are_delivered_at_once(void **state)
{
    struct fixture *f = *state;

    edge_sessions_free(f->sessions);
    f->options.max_entries = 4;
    fixture_open(f);
    for (unsigned i = 0; i < 100; i++) {
        struct edge_view_fact fact = segment_of(f, 1, "s1", i);
        char rendition[16];
        (void)snprintf(rendition, sizeof(rendition), "r%u", i % 10);
        fact.rendition = fb_str_from(rendition);
        add(f, fact);
        pass(f, 100);
    }
    finish(f);
    assert_true(f->n_deliveries > 10);
    assert_int_equal(f->sum.bytes, 100000);
    assert_int_equal(f->sum.views, 1);
}

static void a_minute_is_delivered_when_it_is_over(void **state)
{
    struct fixture *f = *state;

    add(f, segment_of(f, 1, "s1", 0));
    pass(f, 59000);
    assert_int_equal(f->n_deliveries, 0);
    pass(f, 1000);
    assert_int_equal(f->n_deliveries, 1);
    assert_int_equal(f->last_minute, FIXTURE_WALL_MS / 60000);
    finish(f);
}

static void what_is_counted_waits_no_longer_than_it_may(void **state)
{
    struct fixture *f = *state;

    edge_sessions_free(f->sessions);
    f->options.every_ms = 2000;
    fixture_open(f);
    for (unsigned n = 0; n < 4; n++) {
        add(f, segment_of(f, 1, "s1", n));
        pass(f, 4000);
    }
    assert_true(f->n_deliveries >= 2);
    assert_int_equal(f->last_minute, FIXTURE_WALL_MS / 60000);
    assert_int_equal(f->sum.views, 1);
    finish(f);
    assert_int_equal(f->sum.views, 1);
    assert_int_equal(f->sum.sessions, 1);
}

static void a_session_goes_on_past_midnight(void **state)
{
    struct fixture *f = *state;

    pass(f, 12 * 3600 * 1000 - 10000);
    for (unsigned i = 0; i < 10; i++) {
        add(f, segment_of(f, 1, NULL, i));
        add(f, segment_of(f, 2, "s2", i));
        pass(f, 4000);
    }
    pass(f, 300000);
    for (unsigned i = 0; i < 10; i++) {
        add(f, segment_of(f, 1, NULL, i));
        pass(f, 4000);
    }
    finish(f);
    assert_int_equal(f->sum.views, 2);
    assert_int_equal(f->sum.uncounted[FB_VIEW_DUPLICATE], 1);
    assert_int_equal(f->sum.sessions, 3);
}

static void days_may_pass_at_once_and_clocks_may_run_back(void **state)
{
    struct fixture *f = *state;

    play(f, 1, "s1", 5);
    for (unsigned day = 0; day < 30; day++) {
        pass(f, 86400000);
        play(f, 1, "s1", 5);
    }
    assert_int_equal(edge_sessions_count(f->sessions).open, 1);
    f->wall_ms = FIXTURE_WALL_MS - 5 * INT64_C(86400000);
    play(f, 2, "s2", 5);
    finish(f);
    assert_int_equal(f->sum.views, 32);
    assert_int_equal(f->sum.capped, 32);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(a_session_that_watches_enough_is_one_view),
        T(a_session_that_ends_soon_is_too_short),
        T(a_segment_that_comes_twice_counts_once),
        T(a_segment_that_was_cut_or_failed_was_not_watched),
        T(the_player_says_how_long_a_segment_is),
        T(a_viewer_is_not_counted_again_so_soon),
        T(bots_are_told_by_their_agent_by_head_and_by_haste),
        T(a_player_that_fetches_minutes_ahead_is_no_bot),
        T(a_network_begins_so_many_sessions_a_minute),
        T(who_fetches_a_manifest_alone_has_seen_nothing),
        T(a_beacon_knows_better_than_what_was_fetched),
        T(a_beacon_cannot_have_watched_longer_than_it_took),
        T(beacons_tell_of_start_stalls_source_and_end),
        T(half_of_a_short_video_is_a_view),
        T(a_duration_that_is_less_than_was_fetched_is_not_believed),
        T(beacons_join_what_was_fetched_without_an_id),
        T(viewers_behind_one_address_are_told_apart_by_id_and_token),
        T(a_network_that_is_too_busy_counts_in_part_for_the_caps),
        T(sessions_beyond_the_bound_end_the_oldest),
        T(entries_beyond_the_bound_are_delivered_at_once),
        T(a_minute_is_delivered_when_it_is_over),
        T(what_is_counted_waits_no_longer_than_it_may),
        T(a_session_goes_on_past_midnight),
        T(days_may_pass_at_once_and_clocks_may_run_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
