#include "catalog_fixture.h"
#include "origin/catalog/events.h"

struct seen {
    size_t n;
};

static int count_event(void *ctx, const struct origin_event *event)
{
    struct seen *seen = ctx;

    (void)event;
    seen->n++;
    return FB_OK;
}

static void there_are_no_events_in_a_new_catalog(void **state)
{
    struct fixture *f = *state;
    struct seen seen = {.n = 0};

    must(origin_catalog_events(f->catalog, 0,
                               &(struct origin_event_visitor){.visit = count_event, .ctx = &seen}));
    assert_int_equal(seen.n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(there_are_no_events_in_a_new_catalog, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
