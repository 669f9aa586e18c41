#include "base/loop/grace.h"

#include "base/core/alloc.h"
#include "base/core/check.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What tells others of one thread's sections. Never freed: others may look at it at any time. */
struct grace_reader {
    _Atomic uint64_t n_steps; /* enters and leaves: odd in a section */
    atomic_bool is_taken;     /* by a thread that lives */
    struct grace_reader *next;
};

/* A section is some tens of nanoseconds: longer than this, and its thread has lost its CPU. */
enum { GRACE_SPINS = 256 };

/* Threads are the process', and so are these. */
static struct grace_reader *_Atomic readers; /* grows at the front */
static _Thread_local struct grace_reader *own;
static pthread_key_t own_key; /* its destructor runs when a thread ends */
static pthread_once_t once = PTHREAD_ONCE_INIT;

/* ---- who reads --------------------------------------------------------- */

static void reader_give_back(void *ctx)
{
    struct grace_reader *reader = ctx;

    own = NULL;
    atomic_store_explicit(&reader->is_taken, false, memory_order_release);
}

static void make_key(void)
{
    FB_REQUIRE(pthread_key_create(&own_key, reader_give_back) == 0);
}

/* One that an earlier thread left. */
static struct grace_reader *reader_find_free(void)
{
    for (struct grace_reader *at = atomic_load_explicit(&readers, memory_order_acquire); at != NULL;
         at = at->next) {
        bool is_taken = false;
        if (atomic_compare_exchange_strong_explicit(&at->is_taken, &is_taken, true,
                                                    memory_order_acquire, memory_order_relaxed)) {
            return at;
        }
    }
    return NULL;
}

static struct grace_reader *reader_new(void)
{
    struct grace_reader *reader = fb_alloc_apart(sizeof(*reader));

    atomic_init(&reader->is_taken, true);
    reader->next = atomic_load_explicit(&readers, memory_order_relaxed);
    while (!atomic_compare_exchange_weak_explicit(&readers, &reader->next, reader,
                                                  memory_order_release, memory_order_relaxed)) {
    }
    return reader;
}

static void take_own(void)
{
    (void)pthread_once(&once, make_key);
    struct grace_reader *reader = reader_find_free();
    own = reader != NULL ? reader : reader_new();
    FB_REQUIRE(pthread_setspecific(own_key, own) == 0);
}

/* ---- sections ---------------------------------------------------------- */

/*
 * Either the one who waits sees that a section is open, or the section sees what was unlinked: of
 * the two fences one is first. If it is the reader's, its odd number is seen; if it is the
 * other's, the unlinked is not found by what follows the reader's.
 *
 * All stores of the number are releases, so that whoever waits and loads a later one has all that
 * the section did behind it, also if the thread has meanwhile begun another.
 */
void fb_grace_enter(void)
{
    if (own == NULL) {
        take_own();
    }
    uint64_t n_steps = atomic_load_explicit(&own->n_steps, memory_order_relaxed);
    FB_REQUIRE(n_steps % 2 == 0);
    atomic_store_explicit(&own->n_steps, n_steps + 1, memory_order_release);
    atomic_thread_fence(memory_order_seq_cst);
}

void fb_grace_leave(void)
{
    uint64_t n_steps = atomic_load_explicit(&own->n_steps, memory_order_relaxed);

    FB_REQUIRE(n_steps % 2 == 1);
    atomic_store_explicit(&own->n_steps, n_steps + 1, memory_order_release);
}

static void reader_await(const struct grace_reader *reader)
{
    uint64_t n_steps = atomic_load_explicit(&reader->n_steps, memory_order_acquire);
    unsigned n_looks = 0;

    while (n_steps % 2 == 1 &&
           atomic_load_explicit(&reader->n_steps, memory_order_acquire) == n_steps) {
        if (++n_looks > GRACE_SPINS) {
            (void)sched_yield();
        }
    }
}

void fb_grace_wait(void)
{
    FB_REQUIRE(own == NULL || atomic_load_explicit(&own->n_steps, memory_order_relaxed) % 2 == 0);
    atomic_thread_fence(memory_order_seq_cst);
    for (const struct grace_reader *at = atomic_load_explicit(&readers, memory_order_acquire);
         at != NULL; at = at->next) {
        reader_await(at);
    }
}
