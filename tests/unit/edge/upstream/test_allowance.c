#include "edge/upstream/allowance.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static unsigned spend_all(struct edge_allowance *allowance)
{
    unsigned n = 0;

    while (edge_allowance_spend(allowance)) {
        n++;
    }
    return n;
}

static void what_was_saved_is_all_there_is_at_once(void **state)
{
    struct edge_allowance allowance;

    (void)state;
    edge_allowance_init(&allowance, 7, 1000);
    assert_int_equal(spend_all(&allowance), 7);
    assert_false(edge_allowance_spend(&allowance));
}

static void requests_earn_their_share(void **state)
{
    struct edge_allowance allowance;

    (void)state;
    edge_allowance_init(&allowance, 100, 1000);
    (void)spend_all(&allowance);
    for (int i = 0; i < 200; i++) {
        edge_allowance_earn(&allowance, 20, 0, 1000);
    }
    assert_int_equal(spend_all(&allowance), 40);
}

static void time_earns_too_and_nobody_saves_for_ever(void **state)
{
    struct edge_allowance allowance;

    (void)state;
    edge_allowance_init(&allowance, 15, 1000);
    (void)spend_all(&allowance);
    edge_allowance_earn(&allowance, 0, 10, 1500);
    assert_int_equal(spend_all(&allowance), 5);
    edge_allowance_earn(&allowance, 0, 10, 1400); /* a clock that runs back earns nothing */
    assert_int_equal(spend_all(&allowance), 0);
    edge_allowance_earn(&allowance, 0, 10, UINT64_MAX);
    assert_int_equal(spend_all(&allowance), 15);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_saved_is_all_there_is_at_once),
        cmocka_unit_test(requests_earn_their_share),
        cmocka_unit_test(time_earns_too_and_nobody_saves_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
