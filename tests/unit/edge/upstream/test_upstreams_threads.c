/*
 * Loops tell of servers while somebody configures them anew and somebody else looks. Run
 * under TSan, too.
 */
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/log/log.h"
#include "base/metrics/metrics.h"
#include "edge/upstream/upstream_internal.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { N_LOOPS = 3, N_ROUNDS = 20000 };

static const struct edge_upstream_spec specs[3] = {
    {.url = FB_STR("http://a:1"), .tier = EDGE_TIER_REGIONAL},
    {.url = FB_STR("http://b:2"), .tier = EDGE_TIER_REGIONAL, .weight = 3},
    {.url = FB_STR("http://c:3"), .check = FB_STR("http://c:4/ready")}};

static const struct edge_upstreams_options options = {.node = FB_STR("box-1"),
                                                      .eject_min_ms = 1,
                                                      .eject_max_ms = 2,
                                                      .failure_share = 50,
                                                      .slow_start_ms = 5};

static atomic_bool is_over;

/* What a fetch tells of a server, in one of all ways. */
static void tell(struct edge_upstreams *upstreams, const struct pool_member *member, unsigned how)
{
    struct edge_server *server = member->server;
    struct edge_candidate candidate = edge_server_candidate(upstreams, member);
    bool is_probe = candidate.fitness == EDGE_FIT_TO_PROBE && edge_server_claim(upstreams, server);

    edge_server_enter(server);
    edge_server_took(server, how * 100);
    if (how % 3 == 0) {
        edge_server_failed(upstreams, server, is_probe);
    } else if (how % 7 == 0 && is_probe) {
        edge_server_unprobed(server);
    } else {
        edge_server_answered(upstreams, server, how % 5 == 0, is_probe);
        if (how % 11 == 0) {
            edge_server_broke(upstreams, server);
        } else {
            edge_server_ended(server);
        }
    }
    edge_server_leave(server);
}

static void *loop_run(void *ctx)
{
    struct edge_upstreams *upstreams = ctx;
    unsigned dice = (unsigned)(uintptr_t)&dice;

    for (unsigned i = 0; i < N_ROUNDS; i++) {
        const struct edge_pool *pool = atomic_load(&upstreams->own_pool);
        dice = dice * 1664525 + 1013904223;
        tell(upstreams, &pool->members[(dice >> 16) % pool->n], dice >> 20);
    }
    return NULL;
}

static void *watcher_run(void *ctx)
{
    struct edge_upstreams *upstreams = ctx;
    struct edge_upstream_status status;

    while (!atomic_load(&is_over)) {
        for (size_t i = 0; edge_upstreams_status(upstreams, i, &status); i++) {
            FB_REQUIRE(status.n_requests <= N_LOOPS);
        }
    }
    return NULL;
}

static void whoever_reloads_disturbs_nobody(void **state)
{
    struct fb_metrics *metrics = fb_metrics_new();
    struct edge_upstreams *upstreams = edge_upstreams_new(&options, fb_clock_system(), metrics);
    const struct edge_pool *pools[2];
    pthread_t loops[N_LOOPS];
    pthread_t watcher;

    (void)state;
    fb_log_open(2, FB_LOG_FORMAT_TEXT, FB_LOG_NEVER); /* servers come and go by the hundred */
    assert_int_equal(edge_upstreams_pool(upstreams, specs, 3, &pools[0], NULL), FB_OK);
    edge_upstreams_use(upstreams, NULL, pools, 1);
    for (int i = 0; i < N_LOOPS; i++) {
        assert_int_equal(pthread_create(&loops[i], NULL, loop_run, upstreams), 0);
    }
    assert_int_equal(pthread_create(&watcher, NULL, watcher_run, upstreams), 0);
    for (size_t i = 0; i < 200; i++) {
        assert_int_equal(edge_upstreams_pool(upstreams, &specs[i % 3], 1, &pools[0], NULL), FB_OK);
        assert_int_equal(edge_upstreams_pool(upstreams, specs, 2 + i % 2, &pools[1], NULL), FB_OK);
        edge_upstreams_use(upstreams, i % 5 == 0 ? &options : NULL, pools, 1 + i % 2);
    }
    for (int i = 0; i < N_LOOPS; i++) {
        assert_int_equal(pthread_join(loops[i], NULL), 0);
    }
    atomic_store(&is_over, true);
    assert_int_equal(pthread_join(watcher, NULL), 0);

    for (struct edge_server *server = upstreams->servers; server != NULL; server = server->next) {
        assert_int_equal(atomic_load(&server->n_under_way), 0);
    }
    edge_upstreams_free(upstreams);
    fb_metrics_free(metrics);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_reloads_disturbs_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
