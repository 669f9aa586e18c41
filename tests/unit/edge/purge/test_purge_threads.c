#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "edge/purge/purge.h"
#include "tests/support/test_clock.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { N_PURGES = 600, N_JUDGES = 3, MAX_RULES = 100 };

struct judges {
    struct edge_purges *purges;
    uint64_t birth; /* before all */
    _Atomic unsigned n_done;
    _Atomic uint64_t receipts[N_PURGES];
    _Atomic bool is_over;
    _Atomic unsigned n_wrong;
};

static struct fb_str text_of(unsigned i, char text[32])
{
    int n = snprintf(text, 32, "h/%u/", i);

    return (struct fb_str){text, (size_t)n};
}

/* What has a receipt counts; what was born after it does not. */
static void *judge(void *ctx)
{
    struct judges *judges = ctx;
    char text[32];

    for (unsigned n = 0; !atomic_load(&judges->is_over); n++) {
        unsigned n_done = atomic_load(&judges->n_done);
        if (n_done == 0) {
            continue;
        }
        unsigned i = n % n_done;
        uint64_t receipt = atomic_load(&judges->receipts[i]);
        struct edge_purge_subject subject = {.key = text_of(i, text), .birth = judges->birth};
        if (edge_purges_epoch(judges->purges) < receipt ||
            edge_purges_judge(judges->purges, &subject, NULL) == EDGE_PURGE_KEEP) {
            atomic_fetch_add(&judges->n_wrong, 1);
        }
        subject.birth = edge_purges_epoch(judges->purges);
        subject.key = FB_STR("other");
        if (edge_purges_judge(judges->purges, &subject, NULL) == EDGE_PURGE_GONE) {
            atomic_fetch_add(&judges->n_wrong, 1);
        }
    }
    return NULL;
}

static void on_added(struct fb_op *op)
{
    (void)op;
}

static uint64_t add(struct fb_loop *loop, struct edge_purges *purges, unsigned i)
{
    char text[32];
    struct edge_purge purge = {.kind = i % 2 == 0 ? EDGE_PURGE_URL : EDGE_PURGE_PREFIX,
                               .text = text_of(i, text)};
    struct edge_purges_add call = {.purges = &purge, .n = 1};

    fb_op_init(&call.op, loop, on_added);
    edge_purges_add(purges, &call);
    while (!fb_op_is_idle(&call.op)) {
        fb_loop_turn_waiting(loop);
    }
    assert_int_equal(call.op.result, FB_OK);
    return call.epoch;
}

static void a_purge_counts_on_all_threads_before_its_receipt(void **state)
{
    static struct judges judges;
    struct test_clock clock = test_clock_at_start();
    struct fb_loop *loop = NULL;
    pthread_t threads[N_JUDGES];
    (void)state;

    assert_int_equal(fb_loop_new(&clock.clock, &loop), FB_OK);
    assert_int_equal(edge_purges_open(&(struct edge_purges_options){.clock = &clock.clock,
                                                                    .max_rules = MAX_RULES},
                                      &judges.purges, NULL),
                     FB_OK);
    judges.birth = edge_purges_epoch(judges.purges);
    for (unsigned i = 0; i < N_JUDGES; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, judge, &judges), 0);
    }
    for (unsigned i = 0; i < N_PURGES; i++) {
        atomic_store(&judges.receipts[i], add(loop, judges.purges, i));
        atomic_store(&judges.n_done, i + 1);
    }
    atomic_store(&judges.is_over, true);
    for (unsigned i = 0; i < N_JUDGES; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
    assert_int_equal(atomic_load(&judges.n_wrong), 0);
    edge_purges_close(judges.purges);
    fb_loop_free(loop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_purge_counts_on_all_threads_before_its_receipt),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
