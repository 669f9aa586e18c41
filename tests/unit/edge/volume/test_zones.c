#include "edge/volume/zones.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

static uint32_t open_zone(struct edge_zones *zones, uint64_t generation)
{
    uint32_t zone = UINT32_MAX;
    uint64_t got = 0;

    assert_true(edge_zones_open(zones, &zone, &got));
    assert_int_equal(got, generation);
    assert_int_equal(edge_zones_generation(zones, zone), generation);
    assert_int_equal(edge_zones_state(zones, zone), EDGE_ZONE_OPEN);
    return zone;
}

static void reclaim(struct edge_zones *zones, uint32_t zone)
{
    edge_zones_reclaim(zones, zone);
    edge_zones_release(zones, zone);
}

static void zones_are_opened_in_turn_with_growing_generations(void **state)
{
    struct edge_zones *zones = edge_zones_new(3, 1);
    uint32_t zone = 0;
    uint64_t generation = 0;

    (void)state;
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(edge_zones_n_free(zones), 3 - i);
        assert_int_equal(open_zone(zones, i + 1), i);
        edge_zones_seal(zones, i);
    }
    assert_false(edge_zones_open(zones, &zone, &generation));
    edge_zones_free(zones);
}

static void the_oldest_sealed_zone_has_the_least_generation(void **state)
{
    struct edge_zones *zones = edge_zones_new(4, 1);
    uint32_t oldest = 0;

    (void)state;
    assert_false(edge_zones_oldest_sealed(zones, &oldest));
    edge_zones_adopt(zones, 0, EDGE_ZONE_SEALED, 9);
    edge_zones_adopt(zones, 3, EDGE_ZONE_SEALED, 7);
    edge_zones_adopt(zones, 1, EDGE_ZONE_OPEN, 5);
    assert_true(edge_zones_oldest_sealed(zones, &oldest));
    assert_int_equal(oldest, 3);
    edge_zones_seal(zones, 1);
    assert_true(edge_zones_oldest_sealed(zones, &oldest));
    assert_int_equal(oldest, 1);
    edge_zones_reclaim(zones, 1);
    assert_true(edge_zones_oldest_sealed(zones, &oldest));
    assert_int_equal(oldest, 3);
    edge_zones_keep(zones, 1);
    assert_true(edge_zones_oldest_sealed(zones, &oldest));
    assert_int_equal(oldest, 1);
    edge_zones_free(zones);
}

static void a_zone_that_is_passed_over_is_the_youngest(void **state)
{
    struct edge_zones *zones = edge_zones_new(4, 1);
    uint32_t oldest = 0;
    uint32_t opened = 0;
    uint64_t generation = 0;

    (void)state;
    edge_zones_adopt(zones, 0, EDGE_ZONE_SEALED, 9);
    edge_zones_adopt(zones, 3, EDGE_ZONE_SEALED, 7);
    edge_zones_pass(zones, 3);
    assert_int_equal(edge_zones_generation(zones, 3), 7);
    assert_true(edge_zones_open(zones, &opened, &generation));
    edge_zones_seal(zones, opened);
    assert_true(edge_zones_oldest_sealed(zones, &oldest));
    assert_int_equal(oldest, 0);
    edge_zones_reclaim(zones, 0);
    assert_true(edge_zones_oldest_sealed(zones, &oldest));
    assert_int_equal(oldest, 3);
    edge_zones_reclaim(zones, 3);
    assert_true(edge_zones_oldest_sealed(zones, &oldest));
    assert_int_equal(oldest, opened);
    edge_zones_free(zones);
}

static void a_pass_can_be_taken_back(void **state)
{
    struct edge_zones *zones = edge_zones_new(4, 1);
    uint32_t oldest = 0;

    (void)state;
    edge_zones_adopt(zones, 0, EDGE_ZONE_SEALED, 9);
    edge_zones_adopt(zones, 3, EDGE_ZONE_SEALED, 7);
    edge_zones_pass(zones, 3);
    edge_zones_unpass(zones, 3);
    edge_zones_unpass(zones, 0);
    assert_true(edge_zones_oldest_sealed(zones, &oldest));
    assert_int_equal(oldest, 3);
    edge_zones_free(zones);
}

static void what_is_opened_after_recovery_is_newer_than_all_that_was_seen(void **state)
{
    struct edge_zones *zones = edge_zones_new(4, 1);

    (void)state;
    edge_zones_adopt(zones, 0, EDGE_ZONE_SEALED, 9);
    edge_zones_saw(zones, 12);
    edge_zones_saw(zones, 3);
    assert_int_equal(edge_zones_last_generation(zones), 12);
    assert_int_equal(open_zone(zones, 13), 1);
    edge_zones_free(zones);
}

static void a_reclaimed_zone_loses_its_generation_and_is_used_last(void **state)
{
    struct edge_zones *zones = edge_zones_new(3, 1);

    (void)state;
    assert_int_equal(open_zone(zones, 1), 0);
    edge_zones_set_used(zones, 0, 17);
    edge_zones_seal(zones, 0);
    assert_int_equal(edge_zones_used(zones, 0), 17);
    reclaim(zones, 0);
    assert_int_equal(edge_zones_generation(zones, 0), 0);
    assert_int_equal(edge_zones_used(zones, 0), 0);
    assert_int_equal(edge_zones_n_free(zones), 3);
    assert_int_equal(open_zone(zones, 2), 1);
    assert_int_equal(open_zone(zones, 3), 2);
    assert_false(edge_zones_was_full(zones));
    assert_int_equal(open_zone(zones, 4), 0);
    assert_true(edge_zones_was_full(zones));
    edge_zones_free(zones);
}

static void generations_go_on_from_where_the_volume_began(void **state)
{
    struct edge_zones *zones = edge_zones_new(1, 1000);

    (void)state;
    assert_int_equal(edge_zones_last_generation(zones), 999);
    assert_int_equal(open_zone(zones, 1000), 0);
    edge_zones_seal(zones, 0);
    assert_false(edge_zones_was_full(zones));
    reclaim(zones, 0);
    assert_int_equal(open_zone(zones, 1001), 0);
    assert_true(edge_zones_was_full(zones));
    edge_zones_free(zones);
}

static void an_unknown_zone_has_no_generation(void **state)
{
    struct edge_zones *zones = edge_zones_new(1, 1);

    (void)state;
    assert_int_equal(edge_zones_generation(zones, 1), 0);
    assert_int_equal(edge_zones_generation(zones, UINT32_MAX), 0);
    edge_zones_free(zones);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(zones_are_opened_in_turn_with_growing_generations),
        cmocka_unit_test(the_oldest_sealed_zone_has_the_least_generation),
        cmocka_unit_test(a_zone_that_is_passed_over_is_the_youngest),
        cmocka_unit_test(a_pass_can_be_taken_back),
        cmocka_unit_test(what_is_opened_after_recovery_is_newer_than_all_that_was_seen),
        cmocka_unit_test(a_reclaimed_zone_loses_its_generation_and_is_used_last),
        cmocka_unit_test(generations_go_on_from_where_the_volume_began),
        cmocka_unit_test(an_unknown_zone_has_no_generation),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
