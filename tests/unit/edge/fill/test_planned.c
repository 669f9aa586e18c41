#include "base/crypto/hash.h"
#include "fill_fixture.h"

#define BODY "what the plan says"

/* Pools are told apart by where they are. */
static const char wide_pool;
static const char narrow_pool;

/* Joiner `i` is a plan, which says that "a/k" is BODY, or a client. */
static struct joiner *join_as(struct fixture *f, unsigned i, bool is_plan)
{
    static uint8_t digest[FB_SHA256_SIZE];
    struct joiner *joiner = &f->joiners[i];

    fb_sha256(FB_STR(BODY), digest);
    joiner->request = (struct fb_request_head){.method = FB_METHOD_GET};
    joiner->n_done = 0;
    fb_op_init(&joiner->join.op, f->loop, on_joined);
    joiner->join.ask = (struct edge_fill_ask){
        .key = FB_STR("a/k"),
        .request = &joiner->request,
        .is_planned = is_plan,
        .sha256 = is_plan ? digest : NULL,
        .pool = (const struct edge_pool *)(const void *)(is_plan ? &narrow_pool : &wide_pool),
        .upstream = &f->upstream};
    edge_fill_join(f->table, &joiner->join);
    turn(f);
    return joiner;
}

/* Answers fetch `i` with `text`, and returns the object that came of it. */
static struct edge_object *answer(struct fixture *f, unsigned i, struct joiner *joiner,
                                  struct fb_str text)
{
    struct fake_body *body =
        fake_answer(&f->upstream, i, 200, KEEP "ETag: \"1\"\n", (int64_t)text.len);

    turn(f);
    fake_body_push(body, text);
    fake_body_end(body, FB_E_END);
    turn(f);
    return take_object(joiner);
}

static void what_a_plan_names_is_kept_and_marked(void **state)
{
    struct fixture *f = *state;
    struct joiner *plan = join_as(f, 0, true);

    struct edge_object *object = answer(f, 0, plan, FB_STR(BODY));
    assert_true(edge_object_head(object)->is_planned);
    assert_true(edge_object_holds(object, 0, FB_LENGTH_UNKNOWN));
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_fill_proven_total"), 1);
    edge_object_unref(object);
}

static void what_a_client_brought_is_not_marked(void **state)
{
    struct fixture *f = *state;
    struct joiner *client = join_as(f, 0, false);

    struct edge_object *object = answer(f, 0, client, FB_STR(BODY));
    assert_false(edge_object_head(object)->is_planned);
    edge_object_unref(object);
}

static void other_bytes_than_the_plan_says_are_not_kept_and_nobody_is_blamed(void **state)
{
    struct fixture *f = *state;
    struct joiner *plan = join_as(f, 0, true);
    struct edge_object *object = answer(f, 0, plan, FB_STR("something else ..."));

    /* Another upstream is asked once. */
    struct fake_body *body = fake_answer(&f->upstream, 1, 200, KEEP "ETag: \"1\"\n", 18);
    turn(f);
    fake_body_push(body, FB_STR("something else ..."));
    fake_body_end(body, FB_E_END);
    turn(f);
    assert_int_equal(edge_object_state(object), EDGE_OBJECT_BROKEN);
    assert_null(edge_store_find(f->store, FB_STR("a/k"), &plan->request.headers));
    assert_int_equal(f->upstream.n_blamed, 0);
    edge_object_unref(object);
}

static void a_client_that_joined_a_plan_in_vain_asks_its_own_upstreams(void **state)
{
    struct fixture *f = *state;
    struct joiner *plan = join_as(f, 0, true);
    struct joiner *client = join_as(f, 1, false);

    assert_int_equal(f->upstream.n_fetches, 1);
    fake_fail(&f->upstream, 0, FB_E_UNAVAILABLE);
    turn(f);
    assert_failed(plan, FB_E_UNAVAILABLE);
    assert_int_equal(client->n_done, 0);
    assert_int_equal(f->upstream.n_fetches, 2);
    assert_ptr_equal(f->upstream.fetches[1]->pool, &wide_pool);
    edge_object_unref(answer(f, 1, client, FB_STR(BODY)));
}

static void nor_does_the_regional_nodes_own_error_reach_it(void **state)
{
    struct fixture *f = *state;
    struct joiner *plan = join_as(f, 0, true);
    struct joiner *client = join_as(f, 1, false);

    fake_body_end(fake_answer(&f->upstream, 0, 503, "", 0), FB_E_END);
    turn(f);
    drop_pass(plan);
    assert_int_equal(client->n_done, 0);
    edge_object_unref(answer(f, 1, client, FB_STR(BODY)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(what_a_plan_names_is_kept_and_marked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_client_brought_is_not_marked, set_up, tear_down),
        cmocka_unit_test_setup_teardown(
            other_bytes_than_the_plan_says_are_not_kept_and_nobody_is_blamed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_client_that_joined_a_plan_in_vain_asks_its_own_upstreams,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(nor_does_the_regional_nodes_own_error_reach_it, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
