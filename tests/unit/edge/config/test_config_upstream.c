#include "base/core/clock.h"
#include "base/core/err.h"
#include "edge/config/config.h"
#include "edge/upstream/upstream.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char head[] = "node: box-1\n"
                           "listen: [{address: '127.0.0.1:0'}]\n";

static const char tiers[] =
    "upstreams:\n"
    "  - { url: 'http://region-1:7100', tier: regional, check: 'http://region-1:9110/readyz' }\n"
    "  - { url: 'http://region-2:7100', tier: regional, weight: 2 }\n"
    "  - { url: 'http://origin:7000' }\n"
    "failover: { slow_start: 0, share: 0, retries: 10, requests: 500,\n"
    "            hedge: { after: p95, least: 80ms, share: 3 } }\n"
    "health: { path: /healthz, interval: 3s, timeout: 1s, healthy: 1, unhealthy: 4 }\n"
    "keepalive: { idle: 8, timeout: 30s, requests: 1000, age: 1h, queue: 10 }\n"
    "timeouts: { connect: 1s }\n";

static int parse(const char *text, struct edge_conf *conf, struct fb_diag *diag)
{
    FB_AUTO(fb_buf_done) struct fb_buf all = {0};

    fb_buf_printf(&all, "%s%s", head, text);
    return fb_conf_parse(&edge_conf_section, fb_buf_str(&all), "e", conf, diag);
}

static void what_is_said_of_upstreams_gets_there(void **state)
{
    struct edge_conf conf;
    const struct edge_pool *pool = NULL;
    struct edge_upstream_status status;

    (void)state;
    assert_int_equal(parse(tiers, &conf, NULL), FB_OK);
    struct edge_upstreams_options options = edge_conf_upstream_options(&conf);
    assert_int_equal(options.connect_timeout_ms, 1000);
    assert_int_equal(options.failure_share, 0);
    assert_int_equal(options.slow_start_ms, 0);
    assert_int_equal(options.max_requests, 500);
    assert_int_equal(options.retry_share, 10);
    assert_int_equal(options.headroom, 25);
    assert_int_equal(options.hedge_after, EDGE_HEDGE_P95);
    assert_int_equal(options.hedge_least_ms, 80);
    assert_int_equal(options.hedge_share, 3);
    assert_true(fb_str_equal(options.check_path, FB_STR("/healthz")));
    assert_int_equal(options.check_interval_ms, 3000);
    assert_int_equal(options.check_healthy, 1);
    assert_int_equal(options.check_unhealthy, 4);
    assert_int_equal(options.max_idle, 8);
    assert_int_equal(options.idle_ms, 30000);
    assert_int_equal(options.max_reuses, 1000);
    assert_int_equal(options.max_age_ms, 3600000);
    assert_int_equal(options.max_queue, 10);

    struct edge_upstreams *upstreams = edge_upstreams_new(&options, fb_clock_system(), NULL);
    assert_int_equal(edge_conf_pool(&conf.upstreams, upstreams, NULL, &pool, NULL), FB_OK);
    edge_upstreams_use(upstreams, NULL, &pool, 1);
    assert_int_equal(edge_upstreams_count(upstreams), 3);
    assert_true(edge_upstreams_status(upstreams, 1, &status));
    assert_int_equal(status.tier, EDGE_TIER_REGIONAL);
    assert_int_equal(status.weight, 2);
    assert_true(edge_upstreams_status(upstreams, 2, &status));
    assert_int_equal(status.tier, EDGE_TIER_ORIGIN);
    edge_upstreams_free(upstreams);
    fb_conf_done(&edge_conf_section, &conf);
}

static void an_upstream_is_an_origin_unless_said_otherwise(void **state)
{
    struct edge_conf conf;

    (void)state;
    assert_int_equal(parse("upstreams: [{url: 'http://a'}]\n", &conf, NULL), FB_OK);
    struct edge_upstreams_options options = edge_conf_upstream_options(&conf);
    assert_int_equal(FB_CONF_AT(struct edge_conf_upstream, conf.upstreams, 0)->tier,
                     EDGE_TIER_ORIGIN);
    assert_int_equal(options.hedge_after, EDGE_HEDGE_OFF);
    assert_int_equal(options.check_path.len, 0);
    assert_int_equal(options.max_requests, 0);
    fb_conf_done(&edge_conf_section, &conf);
}

static void mistakes_are_answered_with_a_sentence(void **state)
{
    static const struct {
        const char *text;
        const char *sentence;
    } wrong[] = {
        {"upstreams: []\n", "upstreams"},
        {"upstreams: [{url: 'http://a', tier: edge}]\n", "edge"},
        {"upstreams: [{url: 'http://a', weight: 0}]\n", "weight"},
        {"upstreams: [{url: 'http://a', check: 'a/readyz'}]\n", "a/readyz"},
        {"upstreams: [{url: 'http://a', check: 'https://a/'}]\n", "needs an upstream by https://"},
        {"upstreams: [{url: 'http://a', tls: b}]\n", "'tls' and 'tls_name' are for https://"},
        {"upstreams: [{url: 'http://a', host: 'b c'}]\n", "e:3:37: 'host': 'b c' is no host"},
        {"upstreams: [{url: 'http://a', forwarded: x}]\n", "one of off, x-forwarded, rfc7239"},
        {"upstreams: [{url: 'http://a', tls_name: b}]\n", "'tls' and 'tls_name' are for https://"},
        {"upstreams: [{url: 'http://a'}, {url: 'http://a', tier: regional}]\n", "twice"},
        {"upstreams: [{url: 'http://a'}]\nhealth: {path: healthz}\n", "/healthz"},
        {"upstreams: [{url: 'http://a'}]\nhealth: {path: '/a b'}\n", "spaces"},
        {"upstreams: [{url: 'http://a'}]\nfailover: {hedge: {after: p99}}\n", "p99"},
        {"upstreams: [{url: 'http://a'}]\nfailover: {retries: 101}\n", "retries"},
        {"upstreams: [{url: 'http://a'}]\nfailover: {min: 1m}\n", "longer"},
        {"upstreams: [{url: 'http://a'}]\nkeepalive: {idle: 0}\n", "idle"},
    };

    (void)state;
    for (size_t i = 0; i < FB_ARRAY_LEN(wrong); i++) {
        struct edge_conf conf;
        struct fb_diag diag = {0};
        assert_true(parse(wrong[i].text, &conf, &diag) < 0);
        if (strstr(diag.text, wrong[i].sentence) == NULL) {
            fail_msg("'%s' does not say '%s'", diag.text, wrong[i].sentence);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_said_of_upstreams_gets_there),
        cmocka_unit_test(an_upstream_is_an_origin_unless_said_otherwise),
        cmocka_unit_test(mistakes_are_answered_with_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
