/* The log of purges on its way from one process to the next. */
#include "purge_fixture.h"

struct holding {
    struct edge_purges_hold hold;
    bool is_done;
};

static void on_held(struct fb_op *op)
{
    FB_CONTAINER_OF(op, struct holding, hold.op)->is_done = true;
}

static void hold(struct fixture *f)
{
    struct holding holding = {0};

    fb_op_init(&holding.hold.op, f->loop, on_held);
    edge_purges_hold(f->purges, &holding.hold);
    while (!holding.is_done) {
        fb_loop_turn_waiting(f->loop);
    }
    assert_int_equal(holding.hold.op.result, FB_OK);
}

static void who_holds_takes_no_purge_until_released(void **state)
{
    struct fixture *f = *state;
    const struct edge_purge purge = {.kind = EDGE_PURGE_URL, .text = FB_STR("h/a")};
    uint64_t epoch = edge_purges_epoch(f->purges);
    uint64_t ignored = 0;

    hold(f);
    assert_int_equal(add_all(f, &purge, 1, &ignored), FB_E_UNAVAILABLE);
    assert_int_equal(edge_purges_epoch(f->purges), epoch);
    assert_int_equal(judge(f, "h/a", "", epoch), EDGE_PURGE_KEEP);
    edge_purges_release(f->purges);
    assert_true(add(f, EDGE_PURGE_URL, false, "h/a") > epoch);
}

static void what_another_wrote_since_the_log_was_opened_is_caught_up_with(void **state)
{
    struct fixture *f = *state;
    struct edge_purges *old = f->purges;
    uint64_t first = add(f, EDGE_PURGE_URL, false, "h/a");

    open_purges(f, true);
    struct edge_purges *new = f->purges;
    f->purges = old;
    test_clock_advance_ms(&f->clock, 10);
    uint64_t second = add(f, EDGE_PURGE_URL, false, "h/b");

    f->purges = new;
    assert_int_equal(judge(f, "h/b", "", first), EDGE_PURGE_KEEP);
    assert_int_equal(edge_purges_catch_up(new, NULL), FB_OK);
    assert_int_equal(edge_purges_epoch(new), second);
    assert_int_equal(judge(f, "h/a", "", first - 1), EDGE_PURGE_GONE);
    assert_int_equal(judge(f, "h/b", "", first), EDGE_PURGE_GONE);
    assert_int_equal(judge(f, "h/b", "", second), EDGE_PURGE_KEEP);
    assert_int_equal(edge_purges_status(new).n_rules, 2);
    assert_true(add(f, EDGE_PURGE_URL, false, "h/b") > second);
    edge_purges_close(old);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_holds_takes_no_purge_until_released, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            what_another_wrote_since_the_log_was_opened_is_caught_up_with, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
