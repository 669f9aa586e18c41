/*
 * What the tests of eviction share.
 */
#pragma once

#include "base/core/attr.h"
#include "edge/policy/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { CAPACITY = 1000 };

static inline void empty_out(struct edge_policy *policy)
{
    while (edge_policy_evict(policy) != NULL) {
    }
    assert_int_equal(edge_policy_bytes(policy), 0);
    assert_int_equal(edge_policy_count(policy), 0);
    edge_policy_free(policy);
}
