#define FIXTURE_PERCENT 50
#define FIXTURE_MISSING (2 * 1024 * 1024)

#include "parts_fixture.h"

/* A client of all of a body, of which `n` bytes come before it leaves. */
static struct fake_body *leave_after(struct fixture *f, int64_t length, uint64_t n)
{
    struct joiner *joiner = join_range(f, 0, NULL);
    struct fake_body *body = fake_answer(&f->upstream, 0, 200, STRONG, length);
    struct client client;

    turn(f);
    struct edge_object *object = take_object(joiner);
    client_open(f, &client, object, 0, FB_LENGTH_UNKNOWN);
    edge_object_unref(object);
    push_span(body, 0, n);
    turn(f);
    client_close(f, &client);
    return body;
}

/* More comes, at once and after a while. */
static bool goes_on(struct fixture *f, struct fake_body *body, uint64_t n)
{
    bool is_closed = false;

    body->closed_flag = &is_closed;
    for (unsigned i = 0; i < 2 && !is_closed; i++) {
        push_span(body, n + 10 * i, n + 10 * (i + 1));
        turn(f);
        assert_false(i == 0 && is_closed); /* a player may be back */
        expire(f, EDGE_FILL_GRACE_MS);
    }
    if (!is_closed) {
        body->closed_flag = NULL;
    }
    return !is_closed;
}

static uint64_t n_abandoned(struct fixture *f)
{
    return fb_metrics_sum(f->metrics, "edge_fill_abandoned_total");
}

static void a_body_of_which_little_is_here_is_given_up(void **state)
{
    struct fixture *f = *state;

    struct fake_body *body = leave_after(f, (int64_t)LENGTH, MIB + 100);
    assert_false(goes_on(f, body, MIB + 100));
    assert_int_equal(n_abandoned(f), 1);
    struct edge_object *object = find(f, "a/k");
    assert_true(edge_object_holds(object, 0, (int64_t)MIB)); /* what is whole stays */
    assert_false(edge_object_holds(object, MIB, 1));
    edge_object_unref(object);
}

static void one_of_which_enough_is_here_goes_on(void **state)
{
    struct fixture *f = *state;

    struct fake_body *body = leave_after(f, (int64_t)LENGTH, LENGTH / 2 + 1);
    assert_true(goes_on(f, body, LENGTH / 2 + 1));
    finish_body(f, body, LENGTH / 2 + 21, LENGTH);
    assert_int_equal(n_abandoned(f), 0);
}

static void one_of_which_little_is_missing_goes_on(void **state)
{
    struct fixture *f = *state;

    struct fake_body *body = leave_after(f, 2 * (int64_t)MIB, 1);
    assert_true(goes_on(f, body, 1));
    finish_body(f, body, 21, 2 * MIB);
    assert_int_equal(n_abandoned(f), 0);
}

static void one_of_unknown_length_goes_on_until_it_is_long(void **state)
{
    struct fixture *f = *state;

    struct fake_body *body = leave_after(f, FB_LENGTH_UNKNOWN, MIB);
    assert_true(goes_on(f, body, MIB));
    push_span(body, MIB + 20, 2 * MIB + 1);
    turn(f);
    assert_false(goes_on(f, body, 2 * MIB + 1));
    assert_false(is_stored(f, "a/k"));
}

static void it_goes_on_for_the_last_of_many_and_for_who_comes_back(void **state)
{
    struct fixture *f = *state;
    struct client client;

    struct fake_body *body = leave_after(f, (int64_t)LENGTH, 100);
    push_span(body, 100, 200);
    turn(f);
    struct edge_object *object = find(f, "a/k");
    client_open(f, &client, object, 0, FB_LENGTH_UNKNOWN);
    edge_object_unref(object);
    assert_true(goes_on(f, body, 200));
    finish_body(f, body, 220, LENGTH);
    client_close_whole(f, &client);
    assert_int_equal(f->upstream.n_fetches, 1);
    assert_int_equal(n_abandoned(f), 0);
}

static void a_refresh_is_the_stores_own(void **state)
{
    struct fixture *f = *state;
    struct fb_request_head request = {.method = FB_METHOD_GET};
    struct edge_fill_ask ask = {
        .key = FB_STR("a/k"), .request = &request, .upstream = &f->upstream};

    edge_fill_refresh(f->table, f->loop, &ask);
    turn(f);
    struct fake_body *body = fake_answer(&f->upstream, 0, 200, STRONG, (int64_t)LENGTH);
    turn(f);
    assert_true(goes_on(f, body, 0));
    assert_int_equal(n_abandoned(f), 0);
    fake_body_end(body, FB_E_TIMEOUT);
    drain(f);
    turn(f);
}

/* ---- blocking playlist reloads ------------------------------------------ */

#define BLOCKING "a/p.m3u8?_HLS_msn=7&_HLS_part=2"

static void a_blocking_reload_waits_as_long_as_it_takes(void **state)
{
    struct fixture *f = *state;

    struct joiner *plain = join(f, 0, "a/p.m3u8?x_HLS_msn=7", NULL, NULL);
    struct joiner *blocking = join(f, 1, BLOCKING, NULL, NULL);
    turn(f);
    assert_int_equal(f->upstream.fetches[0]->patience_ms, 0);
    assert_int_equal(f->upstream.fetches[1]->patience_ms, EDGE_FILL_BLOCKING_MS);
    fake_fail(&f->upstream, 0, FB_E_UNAVAILABLE);
    fake_fail(&f->upstream, 1, FB_E_TIMEOUT);
    turn(f);
    assert_failed(plain, FB_E_UNAVAILABLE);
    assert_failed(blocking, FB_E_TIMEOUT);
}

static void it_is_canceled_when_all_have_left(void **state)
{
    struct fixture *f = *state;

    for (unsigned i = 0; i < 3; i++) {
        (void)join(f, i, BLOCKING, NULL, NULL);
    }
    turn(f);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(f->upstream.n_canceled, 0);
        fb_op_cancel(&f->joiners[i].join.op);
        turn(f);
        assert_failed(&f->joiners[i], FB_E_CANCELED);
    }
    assert_int_equal(f->upstream.n_fetches, 1);
    assert_int_equal(f->upstream.n_canceled, 1);
    assert_int_equal(n_abandoned(f), 1);
}

static void who_comes_at_once_keeps_it(void **state)
{
    struct fixture *f = *state;

    (void)join(f, 0, BLOCKING, NULL, NULL);
    turn(f);
    fb_op_cancel(&f->joiners[0].join.op);
    struct joiner *late = join(f, 1, BLOCKING, NULL, NULL);
    turn(f);
    struct fake_body *body = fake_answer(&f->upstream, 0, 200, KEEP, 2);
    turn(f);
    fake_body_push(body, FB_STR("ok"));
    fake_body_end(body, FB_E_END);
    turn(f);
    drop_object(late);
    assert_int_equal(f->upstream.n_fetches, 1);
    assert_int_equal(n_abandoned(f), 0);
}

static void one_that_ends_as_the_last_one_leaves_is_freed_once(void **state)
{
    struct fixture *f = *state;

    (void)join(f, 0, BLOCKING, NULL, NULL);
    turn(f);
    fb_op_cancel(&f->joiners[0].join.op);
    drain(f);
    turn(f);
    assert_int_equal(f->n_drained, 1);
}

static void what_is_fetched_plainly_is_not_canceled(void **state)
{
    struct fixture *f = *state;

    (void)join(f, 0, "a/p.m3u8", NULL, NULL);
    turn(f);
    fb_op_cancel(&f->joiners[0].join.op);
    turn(f);
    assert_int_equal(f->upstream.n_canceled, 0);
    fake_body_end(fake_answer(&f->upstream, 0, 200, KEEP, 0), FB_E_END);
    turn(f);
    assert_true(is_stored(f, "a/p.m3u8"));
}

static void an_error_of_it_is_kept_a_second_at_most(void **state)
{
    static const unsigned statuses[] = {404, 410};
    struct fixture *f = *state;

    for (unsigned i = 0; i < FB_ARRAY_LEN(statuses); i++) {
        f->upstream.n_fetches = 0;
        struct joiner *joiner = join(f, 0, BLOCKING, NULL, NULL);
        turn(f);
        fake_body_end(fake_answer(&f->upstream, 0, statuses[i], KEEP, 0), FB_E_END);
        turn(f);
        struct edge_object *object = take_object(joiner);
        int64_t now = (int64_t)fb_clock_mono_ms(&f->clock.clock);
        int64_t left = edge_terms_left_ms(&edge_object_head(object)->terms, now);
        assert_in_range(left, 1, EDGE_FILL_BLOCKING_ERROR_MS);
        edge_object_unref(object);
        edge_store_invalidate(f->store, f->loop, FB_STR(BLOCKING));
        turn(f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILL_TEST(a_body_of_which_little_is_here_is_given_up),
        FILL_TEST(one_of_which_enough_is_here_goes_on),
        FILL_TEST(one_of_which_little_is_missing_goes_on),
        FILL_TEST(one_of_unknown_length_goes_on_until_it_is_long),
        FILL_TEST(it_goes_on_for_the_last_of_many_and_for_who_comes_back),
        FILL_TEST(a_refresh_is_the_stores_own),
        FILL_TEST(a_blocking_reload_waits_as_long_as_it_takes),
        FILL_TEST(it_is_canceled_when_all_have_left),
        FILL_TEST(who_comes_at_once_keeps_it),
        FILL_TEST(one_that_ends_as_the_last_one_leaves_is_freed_once),
        FILL_TEST(what_is_fetched_plainly_is_not_canceled),
        FILL_TEST(an_error_of_it_is_kept_a_second_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
