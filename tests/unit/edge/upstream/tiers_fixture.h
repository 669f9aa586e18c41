/*
 * What the tests of tiers and of hedging share.
 */
#pragma once

#include "uplink_fixture.h"

/* Two regional nodes, and an origin. */
static const struct edge_upstream_spec tiers[N_SERVERS] = {
    {.url = FB_STR("http://a:1"), .tier = EDGE_TIER_REGIONAL},
    {.url = FB_STR("http://b:2"), .tier = EDGE_TIER_REGIONAL},
    {.url = FB_STR("http://o:3")}};

/* A key whose first choice is the regional node `server`. */
static inline void take_key_of(struct fixture *f, unsigned server)
{
    static const char *const keys[] = {"k0", "k1", "k2", "k3", "k4", "k5", "k6", "k7"};

    plan(200, 200, 200);
    for (size_t i = 0; i < FB_ARRAY_LEN(keys); i++) {
        f->key = fb_str_from(keys[i]);
        assert_int_equal(fetch(f), 200);
        if (f->fetch.upstream == server) {
            return;
        }
    }
    fail();
}
