#include "fill_fixture.h"

/* Stores "old" with `fields` at `key` and returns a reference, when it is stale. */
static struct edge_object *make_stale(struct fixture *f, const char *key, const char *fields)
{
    struct joiner *joiner = join(f, 0, key, NULL, NULL);
    unsigned i = f->upstream.n_fetches - 1;
    struct fake_body *body = fake_answer(&f->upstream, i, 200, fields, 3);

    fake_body_push(body, FB_STR("old"));
    fake_body_end(body, FB_E_END);
    turn(f);
    test_clock_advance_ms(&f->clock, 61000);
    return take_object(joiner);
}

static void a_304_renews_the_stale_object(void **state)
{
    struct fixture *f = *state;
    struct edge_object *stale =
        make_stale(f, "a/k", KEEP "ETag: \"1\"\nLast-Modified: Thu, 01 Jan 2026 00:00:00 GMT\n");
    struct joiner *first = join(f, 0, "a/k", NULL, stale);
    struct joiner *second = join(f, 1, "a/k", NULL, NULL);

    assert_true(fb_str_equal(sent(f, 1, "If-None-Match"), FB_STR("\"1\"")));
    assert_true(
        fb_str_equal(sent(f, 1, "If-Modified-Since"), FB_STR("Thu, 01 Jan 2026 00:00:00 GMT")));
    (void)fake_answer(&f->upstream, 1, 304, "Cache-Control: max-age=9\nAge: 2\n", 0);
    turn(f);
    assert_true(first->join.was_validated);
    struct edge_object *fresh = take_object(first);
    assert_ptr_equal(take_object(second), fresh);
    assert_ptr_not_equal(fresh, stale);
    assert_int_equal(edge_object_head(fresh)->terms.lifetime_ms, 9000);
    assert_int_equal(edge_object_head(fresh)->terms.initial_age_ms, 2000);
    assert_null(fb_headers_find(&edge_object_head(fresh)->headers, FB_STR("age")).ptr);
    assert_body(f, fresh, "old", FB_E_END);
    struct edge_object *found = find(f, "a/k");
    assert_ptr_equal(found, fresh);
    edge_object_unref(found);
    edge_object_unref(fresh);
    edge_object_unref(fresh);
    edge_object_unref(stale);
}

static void a_304_that_forbids_keeping_serves_and_forgets(void **state)
{
    struct fixture *f = *state;
    struct edge_object *stale = make_stale(f, "a/k", KEEP "ETag: \"1\"\n");
    struct joiner *joiner = join(f, 0, "a/k", NULL, stale);

    (void)fake_answer(&f->upstream, 1, 304, "Cache-Control: no-store\n", 0);
    turn(f);
    struct edge_object *object = take_object(joiner);
    assert_body(f, object, "old", FB_E_END);
    assert_false(is_stored(f, "a/k"));
    edge_object_unref(object);
    edge_object_unref(stale);
}

static void assert_alone(const struct joiner *joiner)
{
    assert_outcome(joiner, EDGE_FILL_ALONE);
    assert_null(joiner->join.object);
    assert_int_equal(joiner->join.own.n, 0);
    assert_false(joiner->join.was_validated);
}

static void a_304_that_forbids_keeping_is_for_who_asked_alone(void **state)
{
    static const char *const forbidding[] = {
        "Cache-Control: no-store\n",
        "Cache-Control: private\n",
        "Cache-Control: private, max-age=60\n",
        KEEP "Set-Cookie: session=1\n",
        KEEP "Vary: *\n",
    };
    struct fixture *f = *state;

    for (unsigned i = 0; i < FB_ARRAY_LEN(forbidding); i++) {
        struct edge_object *stale = make_stale(f, "a/k", KEEP "ETag: \"1\"\n");
        unsigned n = f->upstream.n_fetches;
        struct joiner *first = join(f, 0, "a/k", NULL, stale);
        struct joiner *second = join(f, 1, "a/k", NULL, stale);
        struct joiner *third = join(f, 2, "a/k", NULL, NULL);
        (void)fake_answer(&f->upstream, n, 304, forbidding[i], 0);
        turn(f);
        assert_true(first->join.was_validated);
        drop_object(first);
        assert_alone(second);
        assert_alone(third);
        assert_int_equal(f->upstream.n_fetches, n + 1);
        assert_false(is_stored(f, "a/k"));
        edge_object_unref(stale);
    }
}

static void a_304_that_forbids_keeping_is_for_nobody_if_who_asked_left(void **state)
{
    struct fixture *f = *state;
    struct edge_object *stale = make_stale(f, "a/k", KEEP "ETag: \"1\"\n");
    struct joiner *first = join(f, 0, "a/k", NULL, stale);
    struct joiner *second = join(f, 1, "a/k", NULL, stale);

    fb_op_cancel(&first->join.op);
    (void)fake_answer(&f->upstream, 1, 304, "Cache-Control: private\n", 0);
    turn(f);
    assert_failed(first, FB_E_CANCELED);
    assert_alone(second);
    edge_object_unref(stale);
}

static void what_a_304_says_to_credentials_is_not_said_to_who_waits(void **state)
{
    struct fixture *f = *state;
    struct edge_object *stale = make_stale(f, "a/k", KEEP "ETag: \"1\"\n");
    struct joiner *first = join(f, 0, "a/k", "Authorization: Basic YTph", stale);
    struct joiner *second = join(f, 1, "a/k", NULL, stale);

    (void)fake_answer(&f->upstream, 1, 304, "X-User: a\n", 0);
    turn(f);
    drop_object(first);
    assert_int_equal(second->n_done, 0); /* it asks again, and may share what comes */
    assert_int_equal(f->upstream.n_fetches, 3);
    struct joiner *third = join(f, 2, "a/k", NULL, stale);
    (void)fake_answer(&f->upstream, 2, 304, KEEP, 0);
    turn(f);
    struct edge_object *object = take_object(second);
    assert_null(fb_headers_find(&edge_object_head(object)->headers, FB_STR("x-user")).ptr);
    assert_ptr_equal(take_object(third), object);
    edge_object_unref(object);
    edge_object_unref(object);
    edge_object_unref(stale);
}

static void what_is_under_way_when_the_resource_changes_is_given_but_not_kept(void **state)
{
    struct fixture *f = *state;
    struct edge_object *stale = make_stale(f, "a/k", KEEP "ETag: \"1\"\n");
    struct joiner *before = join(f, 0, "a/k", NULL, stale);

    edge_fill_outdate(f->table, FB_STR("a/k"));
    edge_store_invalidate(f->store, f->loop, FB_STR("a/k"));
    struct joiner *after = join(f, 1, "a/k", NULL, NULL);
    (void)fake_answer(&f->upstream, 1, 304, KEEP "ETag: \"1\"\n", 0);
    turn(f);
    struct edge_object *object = take_object(before);
    assert_body(f, object, "old", FB_E_END);
    assert_false(is_stored(f, "a/k"));
    edge_object_unref(object);
    edge_object_unref(stale);

    struct fake_body *body = fake_answer(&f->upstream, 2, 200, KEEP, 3);
    fake_body_push(body, FB_STR("new"));
    fake_body_end(body, FB_E_END);
    turn(f);
    object = take_object(after);
    assert_body(f, object, "new", FB_E_END);
    assert_true(is_stored(f, "a/k"));
    edge_object_unref(object);
}

static void a_304_that_nobody_asked_for_is_an_error(void **state)
{
    struct fixture *f = *state;
    struct joiner *joiner = join(f, 0, "a/k", "If-None-Match: \"1\"", NULL);

    (void)fake_answer(&f->upstream, 0, 304, "", 0);
    turn(f);
    assert_failed(joiner, FB_E_MALFORMED);
}

static void a_304_to_no_condition_is_an_error(void **state)
{
    struct fixture *f = *state;
    struct edge_object *stale = make_stale(f, "a/k", KEEP);
    struct joiner *joiner = join(f, 0, "a/k", NULL, stale);

    (void)fake_answer(&f->upstream, 1, 304, "", 0);
    turn(f);
    assert_failed(joiner, FB_E_MALFORMED);
    edge_object_unref(stale);
}

static void a_304_of_another_version_is_of_no_use(void **state)
{
    struct fixture *f = *state;
    struct edge_object *stale = make_stale(f, "a/k", KEEP "ETag: \"1\"\n");
    struct joiner *joiner = join(f, 0, "a/k", NULL, stale);

    (void)fake_answer(&f->upstream, 1, 304, "ETag: \"2\"\n", 0);
    turn(f);
    assert_int_equal(sent(f, 2, "If-None-Match").len, 0);
    struct fake_body *body = fake_answer(&f->upstream, 2, 200, KEEP "ETag: \"2\"\n", 3);
    fake_body_push(body, FB_STR("new"));
    fake_body_end(body, FB_E_END);
    turn(f);
    struct edge_object *object = take_object(joiner);
    assert_body(f, object, "new", FB_E_END);
    edge_object_unref(object);
    edge_object_unref(stale);
}

static void a_new_response_replaces_the_stale_one(void **state)
{
    struct fixture *f = *state;
    struct edge_object *stale = make_stale(f, "a/k", KEEP "ETag: \"1\"\n");
    struct joiner *joiner = join(f, 0, "a/k", NULL, stale);
    struct fake_body *body = fake_answer(&f->upstream, 1, 200, KEEP, 3);

    fake_body_push(body, FB_STR("new"));
    fake_body_end(body, FB_E_END);
    turn(f);
    assert_false(joiner->join.was_validated);
    struct edge_object *object = take_object(joiner);
    assert_body(f, object, "new", FB_E_END);
    assert_int_equal(edge_store_stats(f->store).n_objects, 1);
    edge_object_unref(object);
    edge_object_unref(stale);
}

/* Asks for `key` again, with the upstream failing: by its own word, or silent. */
static struct joiner *join_failing(struct fixture *f, const char *key, struct edge_object *stale,
                                   bool by_silence)
{
    struct joiner *joiner = join(f, 1, key, NULL, stale);
    unsigned i = f->upstream.n_fetches - 1;

    if (by_silence) {
        fake_fail(&f->upstream, i, FB_E_TIMEOUT);
    } else {
        (void)fake_answer(&f->upstream, i, 503, "", 0);
    }
    turn(f);
    return joiner;
}

static void what_is_unshareable_for_a_moment_does_not_hide_what_follows(void **state)
{
    struct fixture *f = *state;
    struct edge_object *stale = make_stale(f, "a/k", KEEP "ETag: \"1\"\n");
    struct fb_request_head request = {.method = FB_METHOD_GET};
    struct edge_fill_ask ask = {
        .key = FB_STR("a/k"), .request = &request, .stale = stale, .upstream = &f->upstream};
    struct joiner *joiner = join(f, 0, "a/k", NULL, stale);

    (void)fake_answer(&f->upstream, 1, 200, "Cache-Control: no-store\n", 0);
    turn(f);
    drop_pass(joiner);
    edge_fill_refresh(f->table, f->loop, &ask);
    assert_int_equal(f->upstream.n_fetches, 2);
    test_clock_advance_ms(&f->clock, EDGE_FILL_DOUBT_MS);
    edge_fill_refresh(f->table, f->loop, &ask);
    assert_int_equal(f->upstream.n_fetches, 3);
    fake_body_end(fake_answer(&f->upstream, 2, 200, KEEP, 0), FB_E_END);
    turn(f);
    struct edge_object *found = find(f, "a/k");
    assert_non_null(found);
    assert_ptr_not_equal(found, stale);
    edge_object_unref(found);
    edge_object_unref(stale);
}

static void a_stale_object_stands_in_where_that_is_allowed(void **state)
{
    struct fixture *f = *state;
    struct edge_object *stale =
        make_stale(f, "a/k", "Cache-Control: max-age=60, stale-if-error=60\n");

    for (unsigned n = 0; n < 2; n++) {
        struct joiner *joiner = join_failing(f, "a/k", stale, n == 0);
        assert_true(joiner->join.is_stand_in);
        struct edge_object *object = take_object(joiner);
        assert_ptr_equal(object, stale);
        edge_object_unref(object);
    }
    edge_object_unref(stale);
}

static void a_stale_object_does_not_stand_in_elsewhere(void **state)
{
    struct fixture *f = *state;
    struct edge_object *stale = make_stale(f, "a/k", KEEP);

    assert_failed(join_failing(f, "a/k", stale, true), FB_E_TIMEOUT);
    struct joiner *joiner = join_failing(f, "a/k", stale, false);
    assert_int_equal(joiner->join.pass->response.status, 503);
    drop_pass(joiner);
    edge_object_unref(stale);
}

static void a_refresh_runs_once_and_behind_the_clients_back(void **state)
{
    struct fixture *f = *state;
    struct edge_object *stale = make_stale(f, "a/k", KEEP "ETag: \"1\"\n");
    struct fb_request_head request = {.method = FB_METHOD_GET};
    struct edge_fill_ask ask = {
        .key = FB_STR("a/k"), .request = &request, .stale = stale, .upstream = &f->upstream};

    edge_fill_refresh(f->table, f->loop, &ask);
    edge_fill_refresh(f->table, f->loop, &ask);
    edge_object_unref(stale);
    assert_int_equal(f->upstream.n_fetches, 2);
    (void)fake_answer(&f->upstream, 1, 304, KEEP, 0);
    turn(f);
    struct edge_object *found = find(f, "a/k");
    assert_ptr_not_equal(found, NULL);
    assert_true(edge_terms_left_ms(&edge_object_head(found)->terms,
                                   (int64_t)fb_clock_mono_ms(&f->clock.clock)) > 0);
    edge_object_unref(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FILL_TEST(a_304_renews_the_stale_object),
        FILL_TEST(a_304_that_forbids_keeping_serves_and_forgets),
        FILL_TEST(a_304_that_forbids_keeping_is_for_who_asked_alone),
        FILL_TEST(a_304_that_forbids_keeping_is_for_nobody_if_who_asked_left),
        FILL_TEST(what_a_304_says_to_credentials_is_not_said_to_who_waits),
        FILL_TEST(what_is_under_way_when_the_resource_changes_is_given_but_not_kept),
        FILL_TEST(a_304_that_nobody_asked_for_is_an_error),
        FILL_TEST(a_304_to_no_condition_is_an_error),
        FILL_TEST(a_304_of_another_version_is_of_no_use),
        FILL_TEST(a_new_response_replaces_the_stale_one),
        FILL_TEST(what_is_unshareable_for_a_moment_does_not_hide_what_follows),
        FILL_TEST(a_stale_object_stands_in_where_that_is_allowed),
        FILL_TEST(a_stale_object_does_not_stand_in_elsewhere),
        FILL_TEST(a_refresh_runs_once_and_behind_the_clients_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
