#include "edge/serve/player.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { KBIT = 125 };

static const struct edge_pace pace = {.bitrate = 150, .obeys_rtp = true, .least = 500 * KBIT};

static uint64_t rate_of(const struct edge_pace *by, const char *query)
{
    const struct fb_request_head request = {.query = fb_str_from(query)};

    return edge_player_rate(by, &request);
}

static void a_player_gets_a_multiple_of_the_bitrate_that_it_fetches(void **state)
{
    (void)state;
    assert_int_equal(rate_of(&pace, "CMCD=br%3D4000%2Cot%3Dv"), 6000 * KBIT);
    assert_int_equal(rate_of(&pace, "CMCD=br%3D128%2Cot%3Da"), 500 * KBIT);
}

static void what_it_asks_for_itself_goes_before(void **state)
{
    const struct edge_pace by_bitrate = {.bitrate = 150};
    const struct edge_pace by_rtp = {.obeys_rtp = true};

    (void)state;
    assert_int_equal(rate_of(&pace, "CMCD=br%3D4000%2Crtp%3D12000"), 12000 * KBIT);
    assert_int_equal(rate_of(&by_bitrate, "CMCD=br%3D4000%2Crtp%3D12000"), 6000 * KBIT);
    assert_int_equal(rate_of(&by_rtp, "CMCD=br%3D4000%2Crtp%3D12000"), 12000 * KBIT);
    assert_int_equal(rate_of(&by_rtp, "CMCD=br%3D4000"), 0);
}

static void one_that_begins_or_has_run_dry_gets_all_there_is(void **state)
{
    (void)state;
    assert_int_equal(rate_of(&pace, "CMCD=br%3D4000%2Csu"), 0);
    assert_int_equal(rate_of(&pace, "CMCD=bs%2Crtp%3D4000"), 0);
    assert_int_equal(rate_of(&pace, "CMCD=br%3D4000%2Csu%3Dfalse"), 6000 * KBIT);
}

static void what_says_nothing_that_makes_sense_is_no_bound(void **state)
{
    const struct edge_pace none = {.bitrate = 0};

    (void)state;
    assert_int_equal(rate_of(&pace, ""), 0);
    assert_int_equal(rate_of(&pace, "CMCD=br%3Dfast"), 0);
    assert_int_equal(rate_of(&pace, "CMCD=br%3D-4000"), 0);
    assert_int_equal(rate_of(&pace, "CMCD=br%3D99999999999999999999"), 0);
    assert_int_equal(rate_of(&pace, "CMCD=rtp%3D0"), 0);
    assert_int_equal(rate_of(&none, "CMCD=br%3D4000%2Crtp%3D12000"), 0);
}

static void it_may_say_so_by_fields(void **state)
{
    struct fb_header items[] = {{FB_STR("CMCD-Object"), FB_STR("br=4000")},
                                {FB_STR("CMCD-Status"), FB_STR("rtp=9000")}};
    const struct fb_request_head request = {.headers = {.items = items, .n = 2}};

    (void)state;
    assert_int_equal(edge_player_rate(&pace, &request), 9000 * KBIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_player_gets_a_multiple_of_the_bitrate_that_it_fetches),
        cmocka_unit_test(what_it_asks_for_itself_goes_before),
        cmocka_unit_test(one_that_begins_or_has_run_dry_gets_all_there_is),
        cmocka_unit_test(what_says_nothing_that_makes_sense_is_no_bound),
        cmocka_unit_test(it_may_say_so_by_fields),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
