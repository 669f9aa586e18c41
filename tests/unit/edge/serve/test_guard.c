#include "base/jose/jose.h"
#include "base/loop/work.h"
#include "edge/access/access.h"
#include "serve_fixture.h"

#include <pthread.h>

/* Of RFC 7515 appendix A.3. */
#define POINT                                                                                 \
    "\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU\"," \
    "\"y\":\"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0\""
#define PRIVATE "{" POINT ",\"d\":\"jpsQnnGQmL-YBIffH1136cspYG6-0iY7X1fCE9-E9LI\"}"

enum { MAX_QUEUED = 1 };

/* A pool of one thread, which the test can keep busy; and a token that has to be verified on it. */
static struct fb_pool *pool;
static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static struct fb_work blocker;
static bool is_blocked;
static struct fb_buf token;

static int blocker_run(struct fb_work *work)
{
    (void)work;
    (void)pthread_mutex_lock(&gate);
    (void)pthread_mutex_unlock(&gate);
    return FB_OK;
}

static void blocker_done(struct fb_op *op)
{
    (void)op;
    is_blocked = false;
}

static void block(struct fixture *f)
{
    (void)pthread_mutex_lock(&gate);
    is_blocked = true;
    fb_op_init(&blocker.op, f->loop, blocker_done);
    blocker.run = blocker_run;
    fb_work_start(pool, &blocker);
    while (fb_pool_queued(pool) > 0) {
        turn(f); /* until the thread has it */
    }
}

static void unblock(struct fixture *f)
{
    (void)pthread_mutex_unlock(&gate);
    while (is_blocked) {
        turn(f);
    }
}

static struct edge_sites *guarded_sites(void)
{
    static const struct edge_access_key key = {
        .id = FB_STR("e1"), .algorithm = EDGE_ACCESS_ES256, .text = FB_STR("{" POINT "}")};
    struct edge_access *access = NULL;
    struct edge_sites *sites = NULL;

    assert_int_equal(
        edge_access_new(&(struct edge_access_spec){.keys = &key, .n_keys = 1}, &access, NULL),
        FB_OK);
    assert_int_equal(edge_sites_new(&(struct edge_sites_spec){.rest = {.site = {.access = access}}},
                                    &sites, NULL),
                     FB_OK);
    edge_access_unref(access);
    return sites;
}

static int set_up_guard(void **state)
{
    int err = set_up(state);
    struct fixture *f = *state;
    struct fb_jose_key *key = NULL;
    struct edge_sites *sites = guarded_sites();

    assert_int_equal(fb_pool_new("tokens", 1, MAX_QUEUED, &pool), FB_OK);
    edge_serve_free(f->serve);
    f->serve = edge_serve_new(f->loop, NULL,
                              &(struct edge_serve_options){.node = FB_STR("box-1"),
                                                           .sites = sites,
                                                           .store = f->store,
                                                           .fills = f->fills,
                                                           .metrics = f->metrics,
                                                           .pool = pool});
    edge_sites_unref(sites);
    fb_buf_append(&token, FB_STR("Bearer "));
    assert_int_equal(fb_jose_key_parse(FB_STR(PRIVATE), &key, NULL), FB_OK);
    assert_int_equal(fb_jose_sign(key, FB_STR("e1"), FB_STR("{\"exp\":99999999999}"), &token),
                     FB_OK);
    fb_jose_key_free(key);
    return err;
}

static int tear_down_guard(void **state)
{
    int err = tear_down(state);

    fb_pool_free(pool);
    fb_buf_done(&token);
    return err;
}

static void ask_with_token(struct fixture *f, struct fb_exchange *exchange)
{
    ask(f, exchange, FB_METHOD_GET, "/a", "Authorization", token.ptr);
}

static void wait_for_fetch(struct fixture *f)
{
    while (n_fetches == 0) {
        turn(f);
    }
}

static void a_token_is_verified_off_the_loop_and_once(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange a;
    struct fb_exchange b;

    ask_with_token(f, &a);
    assert_int_equal(n_fetches, 0);
    wait_for_fetch(f);
    assert_null(fb_headers_find(&fetches[0]->request->headers, FB_STR("authorization")).ptr);
    answer(f, 200, "Cache-Control", "max-age=60", "text");
    assert_string_equal(finish(f, &a), "text");
    block(f);
    ask_with_token(f, &b); /* needs no thread: it is known */
    assert_string_equal(finish(f, &b), "text");
    assert_int_equal(fb_metrics_sum(f->metrics, "edge_access_verified_total"), 1);
    unblock(f);
}

static void a_client_may_leave_while_its_token_waits(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    block(f);
    ask_with_token(f, &exchange);
    exchange.hooks.aborted(exchange.hooks.ctx);
    turn(f);
    (void)finish(f, &exchange);
    unblock(f);
    assert_int_equal(n_fetches, 0);
}

static void a_client_may_leave_while_its_token_is_verified(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    ask_with_token(f, &exchange);
    while (fb_pool_queued(pool) > 0) {
        turn(f);
    }
    if (exchange.n_responses == 0 && n_fetches == 0) {
        exchange.hooks.aborted(exchange.hooks.ctx);
    }
    while (exchange.n_responses == 0 && n_fetches == 0) {
        turn(f);
    }
    if (n_fetches > 0) {
        answer(f, 200, NULL, NULL, "text"); /* it was faster than the client */
    }
    (void)finish(f, &exchange);
}

static void more_tokens_than_can_wait_are_told_to_come_back(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange waits;
    struct fb_exchange refused;

    block(f);
    ask_with_token(f, &waits);
    ask_with_token(f, &refused);
    turn(f);
    assert_int_equal(refused.response.status, 503);
    assert_field(&refused, "Retry-After", "1");
    (void)finish(f, &refused);
    unblock(f);
    wait_for_fetch(f);
    answer(f, 200, NULL, NULL, "text");
    assert_string_equal(finish(f, &waits), "text");
}

static void whoever_is_refused_learns_why_and_asks_nobody(void **state)
{
    struct fixture *f = *state;
    struct fb_exchange exchange;

    ask(f, &exchange, FB_METHOD_GET, "/a", NULL, NULL);
    assert_int_equal(exchange.response.status, 401);
    assert_field(&exchange, "Cache-Control", "no-store");
    assert_non_null(strstr(finish(f, &exchange), "/problems/token-missing"));
    assert_int_equal(n_fetches, 0);
}

#define GUARD_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_guard, tear_down_guard)

int main(void)
{
    const struct CMUnitTest tests[] = {
        GUARD_TEST(a_token_is_verified_off_the_loop_and_once),
        GUARD_TEST(a_client_may_leave_while_its_token_waits),
        GUARD_TEST(a_client_may_leave_while_its_token_is_verified),
        GUARD_TEST(more_tokens_than_can_wait_are_told_to_come_back),
        GUARD_TEST(whoever_is_refused_learns_why_and_asks_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
