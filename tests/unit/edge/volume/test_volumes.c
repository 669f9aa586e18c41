#include "base/metrics/metrics.h"
#include "volumes_fixture.h"

static const uint64_t two[] = {UINT64_C(64) * MIB, UINT64_C(64) * MIB};

/* ---- spreading --------------------------------------------------------------------- */

static void extents_are_spread_by_size_and_come_back(void **state)
{
    static const uint64_t sizes[] = {UINT64_C(64) * MIB, UINT64_C(192) * MIB};
    enum { N = 400 };
    struct bank *bank = bank_new(2, sizes);

    (void)state;
    bank_serve(bank, 2);
    give_many(bank, N);
    for (unsigned key = 0; key < N; key += 7) {
        assert_int_equal(get(bank, key % N_LOOPS, key), FB_OK);
    }
    assert_int_equal(count_found(bank, N, -1), N);
    /* A quarter of 400, five standard deviations around it. */
    assert_in_range(count_found(bank, N, 0), 100 - 44, 100 + 44);
    assert_int_equal(status_of(bank, 0).n_extents + status_of(bank, 1).n_extents, N);
    bank_free(bank);
}

static void a_volume_that_joins_takes_its_share_and_loses_nothing(void **state)
{
    static const uint64_t sizes[] = {UINT64_C(64) * MIB, UINT64_C(64) * MIB, UINT64_C(64) * MIB};
    enum { N = 300 };
    struct bank *bank = bank_new(3, sizes);
    unsigned n_moved = 0;

    (void)state;
    bank_serve(bank, 2);
    give_many(bank, N);
    unsigned n_on_first = count_found(bank, N, 0);
    bank_stop(bank);

    bank_serve(bank, 3);
    assert_int_equal(count_found(bank, N, -1), N);
    assert_int_equal(count_found(bank, N, 0), n_on_first);
    for (unsigned key = 0; key < N; key++) {
        assert_int_equal(give(bank, key), FB_OK);
    }
    assert_int_equal(flush(bank), FB_OK);
    n_moved = count_found(bank, N, 2);
    assert_in_range(n_moved, 100 - 41, 100 + 41);
    /* Only what went to the new one was written: the others have theirs. */
    assert_int_equal(status_of(bank, 2).n_extents, n_moved);
    assert_int_equal(status_of(bank, 0).n_extents + status_of(bank, 1).n_extents, N);
    bank_free(bank);
}

static void older_copies_on_other_volumes_are_found_after_the_first(void **state)
{
    enum { N = 40 };
    struct bank *bank = bank_new(2, two);
    struct edge_volume_place place;
    unsigned n_twice = 0;

    (void)state;
    bank_serve(bank, 1);
    give_many(bank, N);
    bank_stop(bank);
    bank_serve(bank, 2);
    give_many(bank, N); /* those that rank there go to the second */
    for (unsigned key = 0; key < N; key++) {
        struct edge_extent_id id = id_of(key);
        n_twice += edge_volumes_find(bank->volumes, &id, 0, 1, &place);
        assert_false(edge_volumes_find(bank->volumes, &id, 0, 2, &place));
        assert_false(edge_volumes_find(bank->volumes, &id, 1, 0, &place));
    }
    assert_int_equal(n_twice, status_of(bank, 1).n_extents);
    assert_in_range(n_twice, 1, N - 1);
    bank_free(bank);
}

static void touching_heats_what_is_there(void **state)
{
    struct bank *bank = bank_new(2, two);
    struct edge_volume_place place;
    struct edge_extent_id id = id_of(1);

    (void)state;
    bank_serve(bank, 2);
    edge_volumes_touch(bank->volumes, &id, 3);
    assert_int_equal(give(bank, 1), FB_OK);
    assert_int_equal(flush(bank), FB_OK);
    edge_volumes_touch(bank->volumes, &id, 3);
    assert_true(find(bank, 1, &place));
    assert_int_equal(place.place.heat, 3);
    bank_free(bank);
}

/* ---- asking all ----------------------------------------------------------------------- */

static void a_purge_forgets_on_all_volumes_for_good(void **state)
{
    struct bank *bank = bank_new(2, two);
    size_t n = 0;

    (void)state;
    bank_serve(bank, 1);
    assert_int_equal(give(bank, 1), FB_OK);
    assert_int_equal(give(bank, 2), FB_OK);
    bank_stop(bank);
    bank_serve(bank, 2);
    for (unsigned key = 1; key <= 20; key++) { /* some rank first on the second volume */
        assert_int_equal(give(bank, key), FB_OK);
    }
    assert_int_equal(flush(bank), FB_OK);
    for (unsigned key = 1; key <= 20; key++) {
        assert_int_equal(purge(bank, key, &n), FB_OK);
        assert_in_range(n, 1, 2);
        assert_int_equal(get(bank, 0, key), FB_E_NOT_FOUND);
    }
    bank_stop(bank);
    bank_serve(bank, 2);
    assert_int_equal(count_found(bank, 21, -1), 0);
    bank_free(bank);
}

static void without_volumes_all_is_answered_at_once(void **state)
{
    struct bank *bank = bank_new(0, NULL);
    struct edge_volume_place place;
    size_t n = 7;

    (void)state;
    bank_start(bank, 0);
    assert_int_equal(edge_volumes_count(bank->volumes), 0);
    assert_false(find(bank, 1, &place));
    assert_int_equal(give(bank, 1), FB_E_UNAVAILABLE);
    assert_false(edge_volumes_room(bank->volumes, 1).is_in_service);
    assert_int_equal(purge(bank, 1, &n), FB_OK);
    assert_int_equal(n, 0);
    assert_int_equal(flush(bank), FB_OK);
    bank_free(bank);
}

static void a_loop_that_is_not_attached_may_purge(void **state)
{
    struct bank *bank = bank_new(1, two);
    struct purging purging = {.purge.fingerprint = id_of(1).fingerprint};
    struct fb_loop *main_loop = NULL;

    (void)state;
    bank_serve(bank, 1);
    assert_int_equal(give(bank, 1), FB_OK);
    assert_int_equal(flush(bank), FB_OK);
    assert_int_equal(fb_loop_new(&bank->clock.clock, &main_loop), FB_OK);
    fb_op_init(&purging.purge.op, main_loop, on_purged);
    edge_volumes_purge(bank->volumes, &purging.purge);
    for (int i = 0; i < 100000 && !purging.is_done; i++) {
        fb_loop_turn(main_loop);
        turn(bank);
        test_clock_advance_ms(&bank->clock, 1);
    }
    assert_true(purging.is_done);
    assert_int_equal(purging.purge.op.result, FB_OK);
    assert_int_equal(purging.purge.n_extents, 1);
    fb_loop_free(main_loop);
    bank_free(bank);
}

/* ---- looking --------------------------------------------------------------------------- */

static void the_day_of_a_volume_may_be_a_share_of_its_size(void **state)
{
    struct bank *bank = bank_new(2, two);

    (void)state;
    bank->specs[0].daily_share = 800;
    bank->specs[1].daily_bytes = 12345678;
    bank_serve(bank, 2);
    assert_int_equal(status_of(bank, 0).daily_bytes, two[0] / 1000 * 800);
    assert_int_equal(status_of(bank, 1).daily_bytes, 12345678);
    bank_free(bank);
}

static void a_volume_whose_day_is_spent_takes_no_more(void **state)
{
    struct bank *bank = bank_new(1, two);
    int err = FB_OK;
    unsigned n = 0;

    (void)state;
    bank->specs[0].daily_bytes = UINT64_C(2) * MIB;
    bank_serve(bank, 1);
    for (; n < 2000 && err == FB_OK; n++) {
        err = give(bank, n);
        if (n % 20 == 0) {
            FB_IGNORE(flush(bank)); /* as far as it may */
        }
    }
    assert_int_equal(err, FB_E_LIMIT);
    assert_in_range(status_of(bank, 0).written_today, 1, 2 * MIB);
    bank_free(bank);
}

static void metrics_tell_each_volume_apart(void **state)
{
    struct fb_metrics *metrics = fb_metrics_new();
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    struct bank *bank = bank_new(2, two);

    (void)state;
    bank->volumes = edge_volumes_new(&(struct edge_volumes_options){
        .volumes = bank->specs,
        .n = 2,
        .node = FB_STR("box-1"),
        .clock = &bank->clock.clock,
        .metrics = metrics,
        .open = bank_open,
        .open_ctx = bank,
    });
    for (size_t i = 0; i < N_LOOPS; i++) {
        assert_int_equal(edge_volumes_attach(bank->volumes, bank->loops[i]), FB_OK);
    }
    pull(bank, 1);
    edge_volumes_start(bank->volumes);
    await_state(bank, 0, EDGE_VOLUME_ONLINE);
    await_state(bank, 1, EDGE_VOLUME_OFFLINE);
    give_many(bank, 5);
    fb_metrics_render(metrics, &text);
    assert_non_null(strstr(text.ptr, "edge_volume_online{volume=\"0\"} 1\n"));
    assert_non_null(strstr(text.ptr, "edge_volume_online{volume=\"1\"} 0\n"));
    assert_non_null(strstr(text.ptr, "edge_volume_extents{volume=\"0\"} 5\n"));
    assert_non_null(
        strstr(text.ptr, "edge_volume_lost_reads_total{cause=\"torn\",volume=\"0\"} 0\n"));
    bank_free(bank);
    fb_metrics_free(metrics);
}

/* ---- stopping --------------------------------------------------------------------------- */

static void a_set_that_was_never_started_is_detached(void **state)
{
    struct bank *bank = bank_new(2, two);

    (void)state;
    bank_make(bank, 2);
    for (size_t i = 0; i < N_LOOPS; i++) {
        edge_volumes_detach(bank->volumes, bank->loops[i]);
    }
    edge_volumes_free(bank->volumes);
    bank->volumes = NULL;
    bank_free(bank);
}

static void a_drain_at_any_time_ends(void **state)
{
    (void)state;
    for (int turns = 0; turns < 60; turns++) {
        struct bank *bank = bank_new(2, two);

        bank_start(bank, 2);
        for (int i = 0; i < turns; i++) {
            turn(bank);
            test_clock_advance_ms(&bank->clock, 5);
        }
        bank_free(bank);
    }
}

static void what_is_under_way_is_answered_by_a_drain(void **state)
{
    enum { N = 30 };
    struct bank *bank = bank_new(2, two);
    struct edge_volume_place place;
    FB_AUTO(fb_freep) struct reading *readings = fb_alloc_array(N, sizeof(*readings));
    FB_AUTO(fb_freep) struct purging *purgings = fb_alloc_array(N, sizeof(*purgings));
    struct waiting flushing = {0};

    (void)state;
    bank_serve(bank, 2);
    give_many(bank, N);
    for (unsigned key = 0; key < N; key++) {
        assert_true(find(bank, key, &place));
        start_read(bank, &readings[key], key % N_LOOPS, key, &place);
    }
    for (unsigned key = 0; key < N; key++) {
        start_purge(bank, &purgings[key], key % N_LOOPS, key);
        assert_int_equal(give(bank, N + key), FB_OK);
    }
    fb_op_init(&flushing.op, bank->loops[1], on_waited);
    edge_volumes_flush(bank->volumes, &flushing.op);
    bank_stop(bank);
    assert_true(flushing.is_done);
    for (unsigned key = 0; key < N; key++) {
        assert_true(readings[key].is_done && purgings[key].is_done);
        assert_int_equal(purgings[key].purge.op.result, FB_OK);
        assert_int_equal(purgings[key].purge.n_extents, 1);
        fb_free(readings[key].read.memory);
    }
    bank_serve(bank, 2);
    assert_int_equal(count_found(bank, 2 * N, -1), N);
    bank_free(bank);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extents_are_spread_by_size_and_come_back),
        cmocka_unit_test(a_volume_that_joins_takes_its_share_and_loses_nothing),
        cmocka_unit_test(older_copies_on_other_volumes_are_found_after_the_first),
        cmocka_unit_test(touching_heats_what_is_there),
        cmocka_unit_test(a_purge_forgets_on_all_volumes_for_good),
        cmocka_unit_test(without_volumes_all_is_answered_at_once),
        cmocka_unit_test(a_loop_that_is_not_attached_may_purge),
        cmocka_unit_test(the_day_of_a_volume_may_be_a_share_of_its_size),
        cmocka_unit_test(a_volume_whose_day_is_spent_takes_no_more),
        cmocka_unit_test(metrics_tell_each_volume_apart),
        cmocka_unit_test(a_set_that_was_never_started_is_detached),
        cmocka_unit_test(a_drain_at_any_time_ends),
        cmocka_unit_test(what_is_under_way_is_answered_by_a_drain),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
