#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/err.h"
#include "base/loop/grace.h"
#include "base/loop/thread.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#include <cmocka.h>

enum { N_READERS = 3, N_CHANGES = 2000, N_LOOKS = 200, N_THREADS = 40 };

static struct fb_thread *start(void (*body)(void *ctx), void *ctx)
{
    struct fb_thread *thread = NULL;

    assert_int_equal(fb_thread_start_body("test", body, ctx, &thread), FB_OK);
    return thread;
}

static void await(const atomic_bool *flag)
{
    while (!atomic_load(flag)) {
        (void)sched_yield();
    }
}

static void waiting_for_nobody_returns(void **state)
{
    (void)state;
    fb_grace_wait();
    fb_grace_enter();
    fb_grace_leave();
    fb_grace_wait();
}

/* ---- one section ------------------------------------------------------- */

struct section {
    atomic_bool is_open;
    atomic_bool may_end;
    atomic_bool is_waiting;
    atomic_bool has_waited;
    bool was_kept; /* to its end nobody had waited */
    atomic_bool is_left;
    atomic_bool may_exit;
};

static void hold_a_section(void *ctx)
{
    struct section *section = ctx;

    fb_grace_enter();
    atomic_store(&section->is_open, true);
    await(&section->may_end);
    section->was_kept = !atomic_load(&section->has_waited);
    fb_grace_leave();
    atomic_store(&section->is_left, true);
    await(&section->may_exit);
}

static void wait_for_a_section(void *ctx)
{
    struct section *section = ctx;

    await(&section->is_open);
    atomic_store(&section->is_waiting, true);
    fb_grace_wait();
    atomic_store(&section->has_waited, true);
}

static void waiting_lasts_until_an_open_section_ends(void **state)
{
    struct section section = {0};
    struct fb_thread *reader = start(hold_a_section, &section);
    struct fb_thread *writer = start(wait_for_a_section, &section);

    (void)state;
    await(&section.is_waiting);
    for (unsigned i = 0; i < N_LOOKS; i++) {
        (void)sched_yield(); /* time in which a wait that is too short would end */
    }
    atomic_store(&section.may_end, true);
    fb_thread_join(writer);
    atomic_store(&section.may_exit, true);
    fb_thread_join(reader);
    assert_true(section.was_kept);
    assert_true(atomic_load(&section.has_waited));
}

static void a_thread_outside_of_sections_holds_nobody_up(void **state)
{
    struct section section = {.may_end = true};
    struct fb_thread *reader = start(hold_a_section, &section);

    (void)state;
    await(&section.is_left);
    fb_grace_wait(); /* it lives, and does something else */
    atomic_store(&section.may_exit, true);
    fb_thread_join(reader);
}

static void threads_that_ended_hold_nobody_up(void **state)
{
    (void)state;
    for (unsigned i = 0; i < N_THREADS; i++) {
        struct section section = {.may_end = true, .may_exit = true};
        fb_thread_join(start(hold_a_section, &section));
        fb_grace_wait();
    }
}

/* ---- all at once --------------------------------------------------------- */

/* Counted; the link to it is one reference. */
struct thing {
    atomic_uint refs;
    unsigned number;
    unsigned same;
};

struct shared {
    struct thing *_Atomic link;
    atomic_bool is_over;
    atomic_uint n_wrong;
    atomic_uint n_alive;
};

static void thing_unref(struct shared *shared, struct thing *thing)
{
    if (atomic_fetch_sub(&thing->refs, 1) == 1) {
        thing->number = 1;
        thing->same = 2; /* whoever comes to it now is wrong, and the sanitizer says so too */
        fb_free(thing);
        atomic_fetch_sub(&shared->n_alive, 1);
    }
}

static struct thing *thing_new(struct shared *shared, unsigned number)
{
    struct thing *thing = FB_NEW(struct thing);

    atomic_init(&thing->refs, 1);
    thing->number = number;
    thing->same = number;
    atomic_fetch_add(&shared->n_alive, 1);
    return thing;
}

static void read_things(void *ctx)
{
    struct shared *shared = ctx;
    unsigned last = 0;

    while (!atomic_load(&shared->is_over)) {
        fb_grace_enter();
        struct thing *thing = atomic_load_explicit(&shared->link, memory_order_acquire);
        if (thing != NULL) {
            atomic_fetch_add_explicit(&thing->refs, 1, memory_order_relaxed);
        }
        fb_grace_leave();
        if (thing == NULL) {
            continue;
        }
        if (thing->number != thing->same || thing->number < last) {
            atomic_fetch_add(&shared->n_wrong, 1);
        }
        last = thing->number;
        thing_unref(shared, thing);
    }
}

static void nothing_is_freed_that_a_section_can_reach(void **state)
{
    struct shared shared = {.link = NULL};
    struct fb_thread *threads[N_READERS];

    (void)state;
    for (unsigned i = 0; i < N_READERS; i++) {
        threads[i] = start(read_things, &shared);
    }
    for (unsigned i = 1; i <= N_CHANGES; i++) {
        struct thing *fresh = i < N_CHANGES && i % 8 != 0 ? thing_new(&shared, i) : NULL;
        struct thing *old = atomic_load(&shared.link);
        atomic_store_explicit(&shared.link, fresh, memory_order_release);
        fb_grace_wait();
        if (old != NULL) {
            thing_unref(&shared, old);
        }
    }
    atomic_store(&shared.is_over, true);
    for (unsigned i = 0; i < N_READERS; i++) {
        fb_thread_join(threads[i]);
    }
    assert_int_equal(atomic_load(&shared.n_wrong), 0);
    assert_int_equal(atomic_load(&shared.n_alive), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waiting_for_nobody_returns),
        cmocka_unit_test(waiting_lasts_until_an_open_section_ends),
        cmocka_unit_test(a_thread_outside_of_sections_holds_nobody_up),
        cmocka_unit_test(threads_that_ended_hold_nobody_up),
        cmocka_unit_test(nothing_is_freed_that_a_section_can_reach),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
