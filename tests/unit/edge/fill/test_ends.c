#include "fill_fixture.h"

/* ---- errors ------------------------------------------------------------ */

static void a_failed_fetch_reaches_all_joiners(void **state)
{
    struct fixture *f = *state;
    struct joiner *first = join(f, 0, "a/k", NULL, NULL);
    struct joiner *second = join(f, 1, "a/k", NULL, NULL);

    fake_fail(&f->upstream, 0, FB_E_UNAVAILABLE);
    turn(f);
    assert_failed(first, FB_E_UNAVAILABLE);
    assert_failed(second, FB_E_UNAVAILABLE);
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_fill_failed_total"), 1);
}

static void an_upstreams_error_is_shown_to_one_and_told_to_the_rest(void **state)
{
    struct fixture *f = *state;
    struct joiner *first = join(f, 0, "a/k", NULL, NULL);
    struct joiner *second = join(f, 1, "a/k", NULL, NULL);

    (void)fake_answer(&f->upstream, 0, 503, KEEP, 0);
    turn(f);
    assert_int_equal(first->join.pass->response.status, 503);
    drop_pass(first);
    assert_failed(second, FB_E_UNAVAILABLE);
    assert_int_equal(second->join.upstream_status, 503);

    struct joiner *third = join(f, 2, "a/k", NULL, NULL); /* not remembered */
    assert_int_equal(f->upstream.n_fetches, 2);
    fake_fail(&f->upstream, 1, FB_E_TIMEOUT);
    turn(f);
    assert_failed(third, FB_E_TIMEOUT);
}

static void a_cut_body_breaks_its_readers_and_leaves_the_index(void **state)
{
    static const int causes[] = {FB_E_CLOSED, FB_E_TIMEOUT, FB_E_END};
    struct fixture *f = *state;

    for (unsigned i = 0; i < FB_ARRAY_LEN(causes); i++) {
        struct joiner *joiner = join(f, 0, "a/k", NULL, NULL);
        struct fake_body *body = fake_answer(&f->upstream, i, 200, KEEP, 6);
        fake_body_push(body, FB_STR("abc"));
        turn(f);
        struct edge_object *object = take_object(joiner);
        struct fb_reader *reader = edge_object_reader(object, f->loop, 0, FB_LENGTH_UNKNOWN, NULL);
        assert_text(reader, "abc", FB_E_LATER);
        fake_body_end(body, causes[i]);
        turn(f);
        /* Ending early, though in good order, is cut as well. */
        assert_text(reader, "", causes[i] == FB_E_END ? FB_E_CLOSED : causes[i]);
        assert_false(is_stored(f, "a/k"));
        fb_reader_close(reader);
        edge_object_unref(object);
        assert_int_equal(fb_metrics_sum(f->metrics, "edge_fill_failed_total"), i + 1);
    }
}

static void more_bytes_than_announced_break_the_body(void **state)
{
    struct fixture *f = *state;
    struct joiner *joiner = join(f, 0, "a/k", NULL, NULL);
    struct fake_body *body = fake_answer(&f->upstream, 0, 200, KEEP, 2);

    fake_body_push(body, FB_STR("abc"));
    turn(f);
    struct edge_object *object = take_object(joiner);
    assert_body(f, object, "", FB_E_CLOSED);
    edge_object_unref(object);
}

static void too_many_fills_are_refused(void **state)
{
    struct fixture *f = *state;
    char key[16];

    for (unsigned i = 0; i < MAX_FILLS; i++) {
        (void)snprintf(key, sizeof(key), "a/%u", i);
        (void)join(f, i, key, NULL, NULL);
    }
    struct joiner *refused = join(f, MAX_FILLS, "a/x", NULL, NULL);
    struct joiner *shared = join(f, MAX_FILLS + 1, "a/0", NULL, NULL);
    turn(f);
    assert_failed(refused, FB_E_BUSY);
    assert_int_equal(shared->n_done, 0);
    for (unsigned i = 0; i < MAX_FILLS; i++) {
        fake_fail(&f->upstream, i, FB_E_CLOSED);
    }
    turn(f);
    assert_failed(shared, FB_E_CLOSED);
}

/* ---- leaving ----------------------------------------------------------- */

static void a_fill_whose_joiners_left_goes_on_if_it_may_be_kept(void **state)
{
    struct fixture *f = *state;
    struct joiner *joiner = join(f, 0, "a/k", NULL, NULL);

    fb_op_cancel(&joiner->join.op);
    turn(f);
    assert_failed(joiner, FB_E_CANCELED);
    assert_int_equal(f->upstream.n_canceled, 0);
    struct fake_body *body = fake_answer(&f->upstream, 0, 200, KEEP, 3);
    turn(f);
    fake_body_push(body, FB_STR("abc"));
    fake_body_end(body, FB_E_END);
    turn(f);
    struct edge_object *object = find(f, "a/k");
    assert_body(f, object, "abc", FB_E_END);
    edge_object_unref(object);
}

static void what_is_purged_and_unread_is_not_fetched_to_the_end(void **state)
{
    struct fixture *f = *state;
    struct joiner *joiner = join(f, 0, "a/k", NULL, NULL);
    struct fake_body *body = fake_answer(&f->upstream, 0, 200, KEEP, 6);

    turn(f);
    drop_object(joiner);
    edge_store_invalidate(f->store, f->loop, FB_STR("a/k"));
    fake_body_push(body, FB_STR("abc"));
    turn(f);
    assert_int_equal(f->upstream.n_bodies_open, 0);
    assert_store_is_empty(f->store);
}

static void draining_ends_all_fills(void **state)
{
    struct fixture *f = *state;
    struct joiner *fetching = join(f, 0, "a/1", NULL, NULL);
    struct joiner *pumping = join(f, 1, "a/2", NULL, NULL);
    struct fake_body *body = fake_answer(&f->upstream, 1, 200, KEEP, 6);

    fake_body_push(body, FB_STR("abc"));
    turn(f);
    struct edge_object *object = take_object(pumping);
    struct fb_reader *reader = edge_object_reader(object, f->loop, 0, FB_LENGTH_UNKNOWN, NULL);
    assert_text(reader, "abc", FB_E_LATER);
    drain(f);
    turn(f);
    assert_int_equal(f->n_drained, 1);
    assert_failed(fetching, FB_E_CANCELED);
    assert_text(reader, "", FB_E_CANCELED);
    fb_reader_close(reader);
    edge_object_unref(object);
    struct joiner *late = join(f, 2, "a/3", NULL, NULL);
    turn(f);
    assert_failed(late, FB_E_CANCELED);
}

static void draining_an_idle_loop_is_done_at_once(void **state)
{
    struct fixture *f = *state;

    drain(f);
    turn(f);
    assert_int_equal(f->n_drained, 1);
}

/* ---- faults ------------------------------------------------------------ */

enum { SWEEP_PIECES = 4, SWEEP_BYTES = 2 * SWEEP_PIECES, SWEEP_JOINERS = 3 };

/* Makes the n-th chance fail; false once no chance was left. */
static bool sweep_run(struct fixture *f, unsigned fault)
{
    unsigned i = f->upstream.n_fetches;

    for (unsigned n = 0; n < SWEEP_JOINERS; n++) {
        (void)join(f, n, "a/k", NULL, NULL);
    }
    if (fault == 0) {
        fake_fail(&f->upstream, i, FB_E_TIMEOUT);
        turn(f);
        return true;
    }
    struct fake_body *body = fake_answer(&f->upstream, i, 200, KEEP, SWEEP_BYTES);
    for (unsigned piece = 0; piece < SWEEP_PIECES; piece++) {
        if (fault == 1 + piece) {
            fake_body_end(body, FB_E_CLOSED);
            turn(f);
            return true;
        }
        fake_body_push(body, FB_STR("ab"));
        turn(f);
    }
    fake_body_end(body, FB_E_END);
    turn(f);
    return false;
}

static void sweep_check(struct fixture *f, bool had_fault)
{
    for (unsigned n = 0; n < SWEEP_JOINERS; n++) {
        struct joiner *joiner = &f->joiners[n];
        assert_int_equal(joiner->n_done, 1);
        if (joiner->result < 0) {
            continue;
        }
        edge_pass_free(joiner->join.pass);
        if (joiner->join.object != NULL) {
            assert_int_equal(edge_object_holds(joiner->join.object, 0, FB_LENGTH_UNKNOWN),
                             !had_fault);
        }
        edge_object_unref(joiner->join.object);
        joiner->join.object = NULL;
    }
    assert_int_equal(is_stored(f, "a/k"), !had_fault);
    assert_int_equal(edge_fill_count(f->table), 0);
    assert_int_equal(f->upstream.n_bodies_open, 0);
    edge_store_invalidate(f->store, f->loop, FB_STR("a/k"));
    assert_store_is_empty(f->store);
    test_clock_advance_ms(&f->clock, EDGE_FILL_MEMORY_MS);
}

static void any_single_fault_leaves_nothing_behind(void **state)
{
    struct fixture *f = *state;
    unsigned fault = 0;

    while (sweep_run(f, fault)) {
        sweep_check(f, true);
        fault++;
    }
    sweep_check(f, false);
    assert_int_equal(fault, 1 + SWEEP_PIECES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILL_TEST(a_failed_fetch_reaches_all_joiners),
        FILL_TEST(an_upstreams_error_is_shown_to_one_and_told_to_the_rest),
        FILL_TEST(a_cut_body_breaks_its_readers_and_leaves_the_index),
        FILL_TEST(more_bytes_than_announced_break_the_body),
        FILL_TEST(too_many_fills_are_refused),
        FILL_TEST(a_fill_whose_joiners_left_goes_on_if_it_may_be_kept),
        FILL_TEST(what_is_purged_and_unread_is_not_fetched_to_the_end),
        FILL_TEST(draining_ends_all_fills),
        FILL_TEST(draining_an_idle_loop_is_done_at_once),
        FILL_TEST(any_single_fault_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
