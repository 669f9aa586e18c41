#include "tests/support/test_folder.h"
#include "volumes_fixture.h"

#include <unistd.h>

static const uint64_t two[] = {UINT64_C(64) * MIB, UINT64_C(64) * MIB};

enum { N = 40 };

static struct bank *serving(size_t n)
{
    struct bank *bank = bank_new(2, two);

    bank_serve(bank, n);
    give_many(bank, N);
    return bank;
}

static unsigned openings(struct bank *bank, size_t i)
{
    return __atomic_load_n(&bank->drives[i].n_openings, __ATOMIC_SEQ_CST);
}

struct openings_wanted {
    struct bank *bank;
    size_t i;
    unsigned n;
};

static bool has_openings(void *ctx)
{
    const struct openings_wanted *wanted = ctx;

    return openings(wanted->bank, wanted->i) >= wanted->n;
}

/* Until volume `i` was looked for `n` times more. Returns how long that took. */
static uint64_t await_openings(struct bank *bank, size_t i, unsigned n)
{
    struct openings_wanted wanted = {bank, i, openings(bank, i) + n};
    uint64_t began_ns = bank->clock.mono_now_ns;

    await(bank, has_openings, &wanted, true);
    return (bank->clock.mono_now_ns - began_ns) / FB_NS_PER_MS;
}

static void assert_offline(struct bank *bank, size_t i, const char *sentence)
{
    struct edge_volume_status status = status_of(bank, i);

    assert_int_equal(status.state, EDGE_VOLUME_OFFLINE);
    if (strstr(status.reason, sentence) == NULL) {
        fail_msg("the reason is: %s", status.reason);
    }
}

/* ---- failing ------------------------------------------------------------------------ */

static void a_volume_whose_reads_fail_leaves_alone_and_comes_back(void **state)
{
    struct bank *bank = serving(2);
    unsigned n_before = count_found(bank, N, 1);
    unsigned n_failed = 0;

    (void)state;
    test_disk_fail(bank->drives[1].disk,
                   (struct test_disk_fault){.verb = FB_DISK_READ, .err = -EIO, .for_ever = true});
    for (unsigned key = 0; key < N; key++) {
        n_failed += get(bank, 0, key) == -EIO;
    }
    assert_in_range(n_failed, 1, n_before);
    await_state(bank, 1, EDGE_VOLUME_OFFLINE);
    assert_offline(bank, 1, "failed");
    assert_int_equal(count_found(bank, N, 1), 0);
    assert_int_equal(count_found(bank, N, 0), N - n_before);
    for (unsigned key = 0; key < N; key++) {
        assert_int_equal(give(bank, N + key), FB_OK); /* all to the other one */
    }
    assert_int_equal(flush(bank), FB_OK);
    assert_int_equal(status_of(bank, 0).state, EDGE_VOLUME_ONLINE);

    test_disk_heal(bank->drives[1].disk);
    await_state(bank, 1, EDGE_VOLUME_ONLINE);
    assert_string_equal(status_of(bank, 1).reason, "");
    for (unsigned key = 0; key < 2 * N; key++) {
        assert_int_equal(get(bank, 1, key), FB_OK);
    }
    bank_free(bank);
}

static void a_volume_whose_writes_fail_gives_all_back_and_comes_back(void **state)
{
    struct bank *bank = serving(1);

    (void)state;
    test_disk_fail(bank->drives[0].disk,
                   (struct test_disk_fault){.verb = FB_DISK_WRITE, .err = -EIO, .for_ever = true});
    assert_int_equal(give(bank, N), FB_OK);
    assert_true(flush(bank) < 0);
    await_state(bank, 0, EDGE_VOLUME_OFFLINE);
    assert_int_equal(bank->n_given, 0);
    assert_int_equal(give(bank, N + 1), FB_E_UNAVAILABLE);
    assert_false(edge_volumes_room(bank->volumes, 1).is_in_service);
    test_disk_heal(bank->drives[0].disk);
    await_state(bank, 0, EDGE_VOLUME_ONLINE);
    assert_int_equal(count_found(bank, N, 0), N);
    assert_int_equal(give(bank, N + 1), FB_OK);
    assert_int_equal(flush(bank), FB_OK);
    bank_free(bank);
}

static void a_volume_that_keeps_failing_is_looked_for_less_often(void **state)
{
    struct bank *bank = serving(1);
    uint64_t began_ns = 0;
    unsigned n_before = 0;

    (void)state;
    test_disk_fail(bank->drives[0].disk,
                   (struct test_disk_fault){.verb = FB_DISK_WRITE, .err = -EIO, .for_ever = true});
    began_ns = bank->clock.mono_now_ns;
    n_before = openings(bank, 0);
    while (openings(bank, 0) < n_before + 6) {
        FB_IGNORE(give(bank, N)); /* fails it as soon as it serves */
        turn(bank);
        test_clock_advance_ms(&bank->clock, 10);
    }
    /* After 1, 2, 4, 8, 16 and 32 seconds. */
    assert_true((bank->clock.mono_now_ns - began_ns) / FB_NS_PER_MS >= 63000);
    bank_free(bank);
}

/* ---- gone ---------------------------------------------------------------------------- */

static void a_volume_that_is_pulled_and_put_back_serves_what_it_holds(void **state)
{
    struct bank *bank = serving(2);
    unsigned n_before = count_found(bank, N, 1);

    (void)state;
    pull(bank, 1);
    await_state(bank, 1, EDGE_VOLUME_OFFLINE);
    assert_int_equal(count_found(bank, N, -1), N - n_before);
    await_openings(bank, 1, 3);
    assert_offline(bank, 1, "No such file");
    assert_int_equal(__atomic_load_n(&bank->drives[1].size, __ATOMIC_SEQ_CST),
                     0); /* it is not to be made a second time */
    put_back(bank, 1);
    await_state(bank, 1, EDGE_VOLUME_ONLINE);
    assert_int_equal(count_found(bank, N, 1), n_before);
    for (unsigned key = 0; key < N; key++) {
        assert_int_equal(get(bank, 0, key), FB_OK);
    }
    bank_free(bank);
}

static void what_was_purged_meanwhile_does_not_come_back(void **state)
{
    struct bank *bank = serving(1);
    size_t n = 0;

    (void)state;
    pull(bank, 0);
    await_state(bank, 0, EDGE_VOLUME_OFFLINE);
    for (unsigned key = 0; key < N - 1; key++) {
        assert_int_equal(purge(bank, key, &n), FB_E_UNAVAILABLE);
    }
    put_back(bank, 0);
    await_state(bank, 0, EDGE_VOLUME_ONLINE);
    assert_int_equal(count_found(bank, N, -1), 1);
    bank_stop(bank);
    bank_serve(bank, 1);
    assert_int_equal(count_found(bank, N, -1), 1);
    bank_free(bank);
}

static void after_too_many_purges_a_volume_comes_back_empty(void **state)
{
    enum { TOO_MANY = 65537 };
    struct bank *bank = serving(1);
    struct purging *purgings = fb_alloc_array(TOO_MANY, sizeof(*purgings));

    (void)state;
    pull(bank, 0);
    await_state(bank, 0, EDGE_VOLUME_OFFLINE);
    for (unsigned i = 0; i < TOO_MANY; i++) {
        start_purge(bank, &purgings[i], 0, 1000 + i);
    }
    await_flag(bank, &purgings[TOO_MANY - 1].is_done);
    put_back(bank, 0);
    await_state(bank, 0, EDGE_VOLUME_ONLINE);
    assert_int_equal(status_of(bank, 0).n_extents, 0);
    assert_int_equal(give(bank, 1), FB_OK);
    assert_int_equal(flush(bank), FB_OK);
    assert_int_equal(get(bank, 0, 1), FB_OK);
    fb_free(purgings);
    bank_free(bank);
}

static void a_blank_drive_in_its_place_is_taken_as_a_new_volume(void **state)
{
    struct bank *bank = serving(1);
    struct test_disk *old = bank->drives[0].disk;

    (void)state;
    pull(bank, 0);
    await_state(bank, 0, EDGE_VOLUME_OFFLINE);
    __atomic_store_n(&bank->drives[0].disk, test_disk_new(two[0]), __ATOMIC_SEQ_CST);
    put_back(bank, 0);
    await_state(bank, 0, EDGE_VOLUME_ONLINE);
    assert_int_equal(count_found(bank, N, -1), 0);
    assert_int_equal(status_of(bank, 0).n_extents, 0);
    assert_int_equal(give(bank, 1), FB_OK);
    assert_int_equal(flush(bank), FB_OK);
    assert_int_equal(get(bank, 0, 1), FB_OK);
    bank_free(bank);
    test_disk_free(old);
}

static void a_set_stops_while_a_volume_is_gone(void **state)
{
    struct bank *bank = serving(2);

    (void)state;
    pull(bank, 1);
    await_state(bank, 1, EDGE_VOLUME_OFFLINE);
    bank_stop(bank);
    put_back(bank, 1);
    bank_serve(bank, 2);
    assert_int_equal(count_found(bank, N, -1), N);
    bank_free(bank);
}

/* ---- refused --------------------------------------------------------------------------- */

static void another_nodes_volume_is_refused_until_it_is_formatted(void **state)
{
    struct bank *bank = bank_new(2, two);
    struct edge_opening opening = {
        .path = "1", .node = FB_STR("box-2"), .open = bank_open, .ctx = bank};
    size_t n_before = 0;

    (void)state;
    assert_int_equal(edge_opening_run(&opening, NULL), FB_OK);
    fb_disk_close(opening.disk);
    n_before = test_disk_n_events(bank->drives[1].disk);
    bank_start(bank, 2);
    await_state(bank, 0, EDGE_VOLUME_ONLINE);
    await_state(bank, 1, EDGE_VOLUME_REFUSED);
    assert_non_null(strstr(status_of(bank, 1).reason, "of node 'box-2', not of 'box-1'"));
    give_many(bank, N);
    await_openings(bank, 1, 3);
    assert_int_equal(test_disk_n_events(bank->drives[1].disk), n_before);
    assert_int_equal(status_of(bank, 0).n_extents, N);

    struct test_disk *old = bank->drives[1].disk;
    pull(bank, 1);
    __atomic_store_n(&bank->drives[1].disk, test_disk_new(two[1]), __ATOMIC_SEQ_CST);
    put_back(bank, 1);
    await_state(bank, 1, EDGE_VOLUME_ONLINE);
    bank_free(bank);
    test_disk_free(old);
}

static void a_purge_does_not_wait_for_what_was_refused(void **state)
{
    struct bank *bank = bank_new(2, two);
    size_t n = 0;

    (void)state;
    __atomic_store_n(&bank->drives[1].open_err, FB_E_MALFORMED, __ATOMIC_SEQ_CST);
    bank_start(bank, 2);
    await_state(bank, 0, EDGE_VOLUME_ONLINE);
    await_state(bank, 1, EDGE_VOLUME_REFUSED);
    give_many(bank, 1);
    assert_int_equal(purge(bank, 0, &n), FB_OK);
    assert_int_equal(n, 1);
    bank_free(bank);
}

/* ---- the first time --------------------------------------------------------------------- */

static void a_file_that_found_no_room_is_tried_again(void **state)
{
    struct bank *bank = bank_new(1, two);

    (void)state;
    __atomic_store_n(&bank->drives[0].open_err, -ENOSPC, __ATOMIC_SEQ_CST);
    bank_start(bank, 1);
    await_state(bank, 0, EDGE_VOLUME_OFFLINE);
    assert_offline(bank, 0, "No space left");
    assert_true(await_openings(bank, 0, 3) >= 10000);
    assert_int_equal(__atomic_load_n(&bank->drives[0].size, __ATOMIC_SEQ_CST), two[0]);
    __atomic_store_n(&bank->drives[0].open_err, FB_OK, __ATOMIC_SEQ_CST);
    await_state(bank, 0, EDGE_VOLUME_ONLINE);
    bank_free(bank);
}

static void every_read_that_fails_while_it_starts_is_survived(void **state)
{
    uint64_t n = 0;
    uint64_t n_faults = 1;

    (void)state;
    for (; n_faults > 0; n++) {
        struct bank *bank = bank_new(1, two);

        test_disk_fail(bank->drives[0].disk,
                       (struct test_disk_fault){.verb = FB_DISK_READ, .n_good = n, .err = -EIO});
        bank_serve(bank, 1);
        n_faults = test_disk_counts(bank->drives[0].disk).n_faults;
        test_disk_heal(bank->drives[0].disk);
        give_many(bank, 3);
        assert_int_equal(get(bank, 0, 1), FB_OK);
        bank_free(bank);
    }
    assert_in_range(n, 3, 1000);
}

/* ---- real files ---------------------------------------------------------------------------- */

struct files {
    struct test_folder folder;
    char path[TEST_PATH_MAX + 8];
    char away[TEST_PATH_MAX + 8];
};

static struct files files_new(void)
{
    struct files files = {.folder = test_folder_new()};

    (void)snprintf(files.path, sizeof(files.path), "%s/v", files.folder.path);
    (void)snprintf(files.away, sizeof(files.away), "%s/away", files.folder.path);
    return files;
}

static int open_file(void *ctx, const char *path, const struct fb_disk_options *options,
                     struct fb_disk **ret_disk, struct fb_diag *diag)
{
    (void)ctx;
    return fb_disk_open(path, options, ret_disk, diag);
}

static void start_on_file(struct bank *bank, const struct files *files)
{
    bank->specs[0] = (struct edge_volume_spec){.path = files->path, .size = UINT64_C(48) * MIB};
    bank->volumes = edge_volumes_new(&(struct edge_volumes_options){
        .volumes = bank->specs,
        .n = 1,
        .node = FB_STR("box-1"),
        .clock = &bank->clock.clock,
        .open = open_file,
    });
    for (size_t i = 0; i < N_LOOPS; i++) {
        assert_int_equal(edge_volumes_attach(bank->volumes, bank->loops[i]), FB_OK);
    }
    edge_volumes_start(bank->volumes);
}

static void a_file_that_is_moved_away_and_back_serves_again(void **state)
{
    struct files files = files_new();
    struct bank *bank = bank_new(0, NULL);

    (void)state;
    start_on_file(bank, &files);
    await_state(bank, 0, EDGE_VOLUME_ONLINE);
    give_many(bank, N);
    assert_int_equal(rename(files.path, files.away), 0);
    await_state(bank, 0, EDGE_VOLUME_OFFLINE);
    test_clock_advance_ms(&bank->clock, 5000);
    for (int i = 0; i < 1000; i++) {
        turn(bank);
    }
    assert_int_not_equal(access(files.path, F_OK), 0);
    assert_int_equal(rename(files.away, files.path), 0);
    await_state(bank, 0, EDGE_VOLUME_ONLINE);
    for (unsigned key = 0; key < N; key++) {
        assert_int_equal(get(bank, 0, key), FB_OK);
    }
    bank_free(bank);
    test_folder_done(&files.folder);
}

static void a_file_that_is_let_go_of_soon_after_the_start_is_no_failure(void **state)
{
    struct files files = files_new();
    struct bank *first = bank_new(0, NULL);
    struct bank *second = bank_new(0, NULL);

    (void)state;
    start_on_file(first, &files);
    await_state(first, 0, EDGE_VOLUME_ONLINE);
    start_on_file(second, &files);
    for (int i = 0; i < 1000; i++) {
        turn(second);
    }
    assert_int_equal(status_of(second, 0).state, EDGE_VOLUME_STARTING);
    bank_free(first);
    await_state(second, 0, EDGE_VOLUME_ONLINE);
    bank_free(second);
    test_folder_done(&files.folder);
}

static void a_file_that_another_set_uses_is_waited_for(void **state)
{
    struct files files = files_new();
    struct bank *first = bank_new(0, NULL);
    struct bank *second = bank_new(0, NULL);

    (void)state;
    start_on_file(first, &files);
    await_state(first, 0, EDGE_VOLUME_ONLINE);
    give_many(first, N);
    start_on_file(second, &files);
    await_state(second, 0, EDGE_VOLUME_OFFLINE);
    assert_offline(second, 0, "in use already");
    bank_free(first);
    await_state(second, 0, EDGE_VOLUME_ONLINE);
    assert_int_equal(count_found(second, N, -1), N);
    bank_free(second);
    test_folder_done(&files.folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_volume_whose_reads_fail_leaves_alone_and_comes_back),
        cmocka_unit_test(a_volume_whose_writes_fail_gives_all_back_and_comes_back),
        cmocka_unit_test(a_volume_that_keeps_failing_is_looked_for_less_often),
        cmocka_unit_test(a_volume_that_is_pulled_and_put_back_serves_what_it_holds),
        cmocka_unit_test(what_was_purged_meanwhile_does_not_come_back),
        cmocka_unit_test(after_too_many_purges_a_volume_comes_back_empty),
        cmocka_unit_test(a_blank_drive_in_its_place_is_taken_as_a_new_volume),
        cmocka_unit_test(a_set_stops_while_a_volume_is_gone),
        cmocka_unit_test(another_nodes_volume_is_refused_until_it_is_formatted),
        cmocka_unit_test(a_purge_does_not_wait_for_what_was_refused),
        cmocka_unit_test(a_file_that_found_no_room_is_tried_again),
        cmocka_unit_test(every_read_that_fails_while_it_starts_is_survived),
        cmocka_unit_test(a_file_that_is_moved_away_and_back_serves_again),
        cmocka_unit_test(a_file_that_is_let_go_of_soon_after_the_start_is_no_failure),
        cmocka_unit_test(a_file_that_another_set_uses_is_waited_for),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
