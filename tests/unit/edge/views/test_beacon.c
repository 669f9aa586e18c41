#include "base/core/err.h"
#include "edge/views/beacon.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void a_beacon_says_what_it_says(void **state)
{
    struct edge_beacon beacon;

    (void)state;
    assert_int_equal(
        edge_beacon_parse(
            FB_STR("{\"v\":1,\"sid\":\"6e2f\",\"video\":\"vid7\",\"event\":\"progress\","
                   "\"watch_ms\":15000.7,\"duration_ms\":180000,\"position_ms\":1,"
                   "\"startup_ms\":350,\"stalls\":2,\"stall_ms\":400,\"source\":\"search\","
                   "\"what\":[\"else\"]}"),
            &beacon, NULL),
        FB_OK);
    assert_int_equal(beacon.event, EDGE_BEACON_PROGRESS);
    assert_memory_equal(beacon.sid, "6e2f", beacon.sid_len);
    assert_memory_equal(beacon.video, "vid7", beacon.video_len);
    assert_int_equal(beacon.watch_ms, 15000);
    assert_int_equal(beacon.duration_ms, 180000);
    assert_int_equal(beacon.startup_ms, 350);
    assert_int_equal(beacon.stalls, 2);
    assert_int_equal(beacon.stall_ms, 400);
    assert_int_equal(beacon.source, FB_VIEW_SEARCH);
    assert_true(beacon.has_startup && beacon.has_source && beacon.has_watch);
}

static void most_of_a_beacon_may_be_left_out(void **state)
{
    struct edge_beacon beacon;

    (void)state;
    assert_int_equal(edge_beacon_parse(FB_STR("{\"v\":1,\"sid\":\"a\",\"video\":\"b\","
                                              "\"event\":\"share\",\"watch_ms\":null}"),
                                       &beacon, NULL),
                     FB_OK);
    assert_int_equal(beacon.event, EDGE_BEACON_OTHER);
    assert_int_equal(beacon.source, FB_VIEW_OTHER);
    assert_false(beacon.has_startup || beacon.has_source);
    assert_false(beacon.has_watch);
}

static void what_is_no_beacon_is_refused_with_a_sentence(void **state)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{",
        "{\"v\":2,\"sid\":\"a\",\"video\":\"b\",\"event\":\"end\"}",
        "{\"v\":1,\"video\":\"b\",\"event\":\"end\"}",
        "{\"v\":1,\"sid\":\"\",\"video\":\"b\",\"event\":\"end\"}",
        "{\"v\":1,\"sid\":\"a b\",\"video\":\"b\",\"event\":\"end\"}",
        "{\"v\":1,\"sid\":\"a\",\"video\":\"\\u00e9\",\"event\":\"end\"}",
        "{\"v\":1,\"sid\":\"a\",\"video\":\"b\"}",
        "{\"v\":1,\"sid\":\"a\",\"video\":\"b\",\"event\":7}",
        "{\"v\":1,\"sid\":\"a\",\"video\":\"b\",\"event\":\"end\",\"watch_ms\":-1}",
        "{\"v\":1,\"sid\":\"a\",\"video\":\"b\",\"event\":\"end\",\"watch_ms\":\"1\"}",
        "{\"v\":1,\"sid\":\"a\",\"video\":\"b\",\"event\":\"end\",\"stalls\":86400001}",
    };
    struct edge_beacon beacon;

    (void)state;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct fb_diag diag = {0};
        assert_true(edge_beacon_parse(fb_str_from(bad[i]), &beacon, &diag) < 0);
        assert_true(diag.text[0] != '\0');
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_beacon_says_what_it_says),
        cmocka_unit_test(most_of_a_beacon_may_be_left_out),
        cmocka_unit_test(what_is_no_beacon_is_refused_with_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
