#include "edge/fresh/demands.h"
#include "serve_fixture.h"

/* ---- helpers ----------------------------------------------------------- */

static int set_up_obedient(void **state)
{
    struct edge_sites *sites = NULL;
    struct edge_sites_spec spec = {.rest = {.site = {.demands = EDGE_DEMANDS_ALL}}};

    int err = set_up(state);
    struct fixture *f = *state;
    assert_int_equal(edge_sites_new(&spec, &sites, NULL), FB_OK);
    edge_serve_reload(f->serve, sites);
    edge_sites_unref(sites);
    return err;
}

/* Puts "kept" at /x, with this Cache-Control. */
static void put(struct fixture *f, const char *cache_control)
{
    struct fb_exchange exchange;

    ask(f, &exchange, FB_METHOD_GET, "/x", NULL, NULL);
    answer(f, 200, "Cache-Control", cache_control, "kept");
    assert_string_equal(finish(f, &exchange), "kept");
}

static void wait_s(struct fixture *f, unsigned seconds)
{
    test_clock_advance_ms(&f->clock, seconds * 1000);
    turn(f);
}

static void demand(struct fixture *f, struct fb_exchange *exchange, const char *directives)
{
    ask(f, exchange, FB_METHOD_GET, "/x", "Cache-Control", directives);
}

/* With another field too. */
static void ask_with(struct fixture *f, struct fb_exchange *exchange, const char *name,
                     const char *value, const char *directives)
{
    *exchange = (struct fb_exchange){.loop = f->loop};
    exchange->request = (struct fb_request_head){
        .method = FB_METHOD_GET,
        .method_text = FB_STR("GET"),
        .target = FB_STR("/x"),
        .path = FB_STR("/x"),
        .host = FB_STR("h"),
    };
    fb_headers_add(&exchange->request.headers, &exchange->arena, fb_str_from(name),
                   fb_str_from(value));
    fb_headers_add(&exchange->request.headers, &exchange->arena, FB_STR("Cache-Control"),
                   fb_str_from(directives));
    edge_serve_handle(f->serve, exchange);
}

/* ---- demands of clients ------------------------------------------------- */

static void only_if_cached_asks_no_upstream(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    demand(f, &exchange, "only-if-cached");
    assert_int_equal(exchange.response.status, 504);
    assert_field(&exchange, "Cache-Status", "box-1; detail=only-if-cached");
    (void)finish(f, &exchange);
    assert_int_equal(n_fetches, 0);

    put(f, "max-age=60");
    demand(f, &exchange, "only-if-cached");
    assert_string_equal(finish(f, &exchange), "kept");
    wait_s(f, 61);
    demand(f, &exchange, "only-if-cached");
    assert_int_equal(exchange.response.status, 504);
    (void)finish(f, &exchange);
    assert_int_equal(n_fetches, 0);
}

static void what_the_client_will_not_have_is_asked_for(void **state)
{
    static const char *const cases[] = {"no-cache", "max-age=5", "min-fresh=55"};
    struct fixture *f = *state;
    struct fb_exchange exchange;

    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        put(f, "max-age=60");
        wait_s(f, 10);
        demand(f, &exchange, cases[i]);
        answer(f, 200, "Cache-Control", "max-age=60", "new");
        assert_field(&exchange, "Cache-Status", "box-1; fwd=request; fwd-status=200; stored");
        assert_string_equal(finish(f, &exchange), "new");
        edge_store_invalidate(f->store, f->loop, FB_STR("h/x"));
    }
}

static void max_stale_takes_what_is_stale(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    put(f, "max-age=60");
    wait_s(f, 65);
    demand(f, &exchange, "max-stale=10");
    assert_int_equal(n_fetches, 0);
    assert_string_equal(finish(f, &exchange), "kept");
    demand(f, &exchange, "max-stale=3");
    answer(f, FB_E_UNAVAILABLE, NULL, NULL, NULL);
    assert_int_equal(exchange.response.status, 502);
    (void)finish(f, &exchange);
}

static void no_store_keeps_nothing_of_the_answer(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    demand(f, &exchange, "no-store");
    answer(f, 200, "Cache-Control", "max-age=60", "mine");
    assert_field(&exchange, "Cache-Status", "box-1; fwd=request; fwd-status=200; detail=no-store");
    assert_string_equal(finish(f, &exchange), "mine");
    assert_false(edge_store_has(f->store, FB_STR("h/x")));
    put(f, "max-age=60");
    demand(f, &exchange, "no-store");
    assert_string_equal(finish(f, &exchange), "kept"); /* it may be used */
}

static void a_client_may_take_what_is_stale_for_an_error(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    put(f, "max-age=60");
    wait_s(f, 65);
    for (int is_answer = 0; is_answer < 2; is_answer++) {
        demand(f, &exchange, "stale-if-error=100");
        answer(f, is_answer ? 503 : FB_E_UNAVAILABLE, NULL, NULL, "no");
        assert_int_equal(exchange.response.status, 200);
        assert_string_equal(finish(f, &exchange), "kept");
    }
}

static void assert_gone(struct fixture *f)
{
    struct fb_exchange exchange;

    ask(f, &exchange, FB_METHOD_GET, "/x", NULL, NULL);
    assert_int_equal(n_fetches, 1);
    answer(f, 200, "Cache-Control", "max-age=60", "news");
    assert_string_equal(finish(f, &exchange), "news");
}

static void who_wants_it_validated_is_not_given_it_unvalidated(void **state)
{
    static const char *const failures[] = {NULL, "broken"}; /* unreachable, and a 503 */

    for (size_t i = 0; i < FB_ARRAY_LEN(failures); i++) {
        struct fixture *f = *state;
        struct fb_exchange exchange;
        put(f, "max-age=60, stale-if-error=60");
        demand(f, &exchange, "no-cache");
        answer(f, failures[i] == NULL ? FB_E_CLOSED : 503, NULL, NULL, failures[i]);
        assert_int_equal(exchange.response.status, 502);
        (void)finish(f, &exchange);
        edge_store_invalidate(f->store, f->loop, FB_STR("h/x"));
    }
}

static void what_is_fresh_stands_in_although_a_newer_one_was_wanted(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    put(f, "max-age=60, must-revalidate");
    wait_s(f, 10);
    demand(f, &exchange, "max-age=5");
    answer(f, FB_E_CLOSED, NULL, NULL, NULL);
    assert_string_equal(finish(f, &exchange), "kept");
    wait_s(f, 60);
    demand(f, &exchange, "max-age=5");
    answer(f, FB_E_CLOSED, NULL, NULL, NULL);
    assert_int_equal(exchange.response.status, 504);
    (void)finish(f, &exchange);
}

static void only_if_cached_holds_beside_a_precondition(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    ask_with(f, &exchange, "If-Match", "\"a\"", "only-if-cached");
    assert_int_equal(n_fetches, 0);
    assert_int_equal(exchange.response.status, 504);
    (void)finish(f, &exchange);
}

static void no_store_refreshes_nothing(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    put(f, "max-age=10, stale-while-revalidate=60");
    wait_s(f, 20);
    demand(f, &exchange, "no-store");
    assert_string_equal(finish(f, &exchange), "kept");
    turn(f);
    assert_int_equal(n_fetches, 0);
    ask(f, &exchange, FB_METHOD_HEAD, "/x", "Cache-Control", "no-store, no-cache");
    answer(f, 200, "Cache-Control", "max-age=60", "");
    (void)finish(f, &exchange);
    demand(f, &exchange, "no-store");
    assert_field(&exchange, "Age", "20");
    assert_string_equal(finish(f, &exchange), "kept");
}

static void a_head_that_tells_of_another_version_ends_what_was_fresh(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    ask(f, &exchange, FB_METHOD_GET, "/x", NULL, NULL);
    answer(f, 200, "Cache-Control", "max-age=60", "kept");
    (void)finish(f, &exchange);
    ask(f, &exchange, FB_METHOD_HEAD, "/x", "Cache-Control", "no-cache");
    turn(f);
    answer(f, 200, "ETag", "\"other\"", "");
    (void)finish(f, &exchange);
    assert_gone(f);
}

static void by_preset_clients_do_not_steer_the_traffic(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    put(f, "max-age=60");
    demand(f, &exchange, "no-cache, no-store, max-age=0");
    assert_int_equal(n_fetches, 0);
    assert_string_equal(finish(f, &exchange), "kept");
}

/* ---- what is stale ----------------------------------------------------- */

static void one_request_refreshes_behind_everybodys_back(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    put(f, "max-age=60, stale-while-revalidate=60");
    wait_s(f, 65);
    for (int i = 0; i < 5; i++) {
        ask(f, &exchange, FB_METHOD_GET, "/x", NULL, NULL);
        assert_non_null(strstr(field(&exchange, "Cache-Status").ptr, "stale-while-revalidate"));
        assert_string_equal(finish(f, &exchange), "kept");
        assert_int_equal(n_fetches, 1);
    }
    answer(f, 200, "Cache-Control", "max-age=60", "new");
    ask(f, &exchange, FB_METHOD_GET, "/x", NULL, NULL);
    assert_string_equal(finish(f, &exchange), "new");
}

static void a_refresh_that_fails_is_tried_by_the_next(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    put(f, "max-age=60, stale-while-revalidate=60");
    wait_s(f, 65);
    for (int i = 0; i < 2; i++) {
        ask(f, &exchange, FB_METHOD_GET, "/x", NULL, NULL);
        assert_string_equal(finish(f, &exchange), "kept");
        answer(f, i == 0 ? FB_E_UNAVAILABLE : 500, NULL, NULL, "no");
    }
    assert_true(edge_store_has(f->store, FB_STR("h/x")));
}

static void what_must_be_validated_is_504_when_that_cannot_be(void **state)
{
    static const char *const cases[] = {"max-age=60, must-revalidate, stale-if-error=100",
                                        "max-age=60, proxy-revalidate, stale-if-error=100"};
    struct fixture *f = *state;
    struct fb_exchange exchange;

    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        put(f, cases[i]);
        wait_s(f, 65);
        ask(f, &exchange, FB_METHOD_GET, "/x", NULL, NULL);
        answer(f, FB_E_UNAVAILABLE, NULL, NULL, NULL);
        assert_int_equal(exchange.response.status, 504);
        (void)finish(f, &exchange);
        edge_store_invalidate(f->store, f->loop, FB_STR("h/x"));
    }
}

static void assert_guarded_by(struct fixture *f, const char *name)
{
    struct fb_exchange exchange;

    edge_store_invalidate(f->store, f->loop, FB_STR("h/x"));
    ask(f, &exchange, FB_METHOD_GET, "/x", NULL, NULL);
    struct edge_fetch *fetch = take_fetch();
    fetch->response = (struct fb_response_head){.status = 200};
    fb_headers_add(&fetch->response.headers, fetch->arena, fb_str_from(name),
                   FB_STR("max-age=60, no-cache=\"X-Mine\""));
    fb_headers_add(&fetch->response.headers, fetch->arena, FB_STR("X-Mine"), FB_STR("1"));
    fetch->length = 4;
    fetch->body = fb_reader_of_slice((struct fb_slice){.bytes = FB_STR("kept")});
    fb_op_finish(&fetch->op, FB_OK);
    turn(f);
    assert_field(&exchange, "X-Mine", "1");
    (void)finish(f, &exchange);

    ask(f, &exchange, FB_METHOD_GET, "/x", NULL, NULL);
    assert_int_equal(n_fetches, 0);
    assert_null(field(&exchange, "X-Mine").ptr);
    (void)finish(f, &exchange);
}

static void guarded_fields_are_for_who_brought_them(void **state)
{
    assert_guarded_by(*state, "Cache-Control");
    assert_guarded_by(*state, "Forebay-Cache-Control"); /* which no client gets to see */
}

#define OBEDIENT(name) cmocka_unit_test_setup_teardown(name, set_up_obedient, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        OBEDIENT(only_if_cached_asks_no_upstream),
        OBEDIENT(what_the_client_will_not_have_is_asked_for),
        OBEDIENT(max_stale_takes_what_is_stale),
        OBEDIENT(no_store_keeps_nothing_of_the_answer),
        OBEDIENT(a_client_may_take_what_is_stale_for_an_error),
        OBEDIENT(who_wants_it_validated_is_not_given_it_unvalidated),
        OBEDIENT(what_is_fresh_stands_in_although_a_newer_one_was_wanted),
        OBEDIENT(only_if_cached_holds_beside_a_precondition),
        OBEDIENT(no_store_refreshes_nothing),
        OBEDIENT(a_head_that_tells_of_another_version_ends_what_was_fresh),
        TEST(by_preset_clients_do_not_steer_the_traffic),
        TEST(one_request_refreshes_behind_everybodys_back),
        TEST(a_refresh_that_fails_is_tried_by_the_next),
        TEST(what_must_be_validated_is_504_when_that_cannot_be),
        TEST(guarded_fields_are_for_who_brought_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
