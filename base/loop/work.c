#include "base/loop/work.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/loop/thread.h"

#include <pthread.h>
#include <stdio.h>
#include <sys/resource.h>

enum { POOL_MAX_THREADS = 256, POOL_N_CLIENTS = 1024, POOL_SHARE = 2 };

struct fb_pool {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct fb_list first; /* of struct fb_work, under lock: nobody's, and the first of a client */
    struct fb_list rest;  /* what clients have waiting besides; under lock */
    bool is_rests_turn;   /* under lock */
    unsigned n_queued;    /* under lock */
    unsigned max_queued;
    unsigned n_of[POOL_N_CLIENTS]; /* of these, a client's; under lock */
    bool is_closing;               /* under lock */
    bool gives_way;                /* under lock */
    unsigned n_threads;
    struct fb_thread *threads[POOL_MAX_THREADS]; /* owned */
};

static void on_loop(struct fb_post *post)
{
    struct fb_work *work = FB_CONTAINER_OF(post, struct fb_work, post);
    fb_op_finish(&work->op, work->outcome);
}

/* ---- the queue, under lock ----------------------------------------------- */

static unsigned *count_of(struct fb_pool *pool, const struct fb_work *work)
{
    return &pool->n_of[work->client % POOL_N_CLIENTS];
}

static bool queue_add(struct fb_pool *pool, struct fb_work *work)
{
    unsigned n_before = work->client != 0 ? *count_of(pool, work) : 0;

    if (pool->n_queued >= pool->max_queued ||
        (n_before > 0 && n_before >= pool->max_queued / POOL_SHARE)) {
        return false;
    }
    fb_list_append(n_before == 0 ? &pool->first : &pool->rest, &work->link);
    work->is_queued = true;
    pool->n_queued++;
    *count_of(pool, work) += work->client != 0 ? 1 : 0;
    return true;
}

static void queue_remove(struct fb_pool *pool, struct fb_work *work)
{
    fb_list_remove(&work->link);
    work->is_queued = false;
    pool->n_queued--;
    *count_of(pool, work) -= work->client != 0 ? 1 : 0;
}

/* Takes from both lists in turn: neither waits for all of the other. NULL: nothing waits. */
static struct fb_work *queue_take(struct fb_pool *pool)
{
    bool is_rests =
        fb_list_empty(&pool->first) || (pool->is_rests_turn && !fb_list_empty(&pool->rest));
    struct fb_list *list = is_rests ? &pool->rest : &pool->first;

    if (fb_list_empty(list)) {
        return NULL;
    }
    struct fb_work *work = FB_CONTAINER_OF(list->next, struct fb_work, link);
    queue_remove(pool, work);
    pool->is_rests_turn = !is_rests && !fb_list_empty(&pool->rest);
    return work;
}

/* ---- threads ------------------------------------------------------------- */

/* The next piece of work, or NULL when the pool closes. */
static struct fb_work *pool_next(struct fb_pool *pool, bool *ret_gives_way)
{
    (void)pthread_mutex_lock(&pool->lock);
    while (pool->n_queued == 0 && !pool->is_closing) {
        (void)pthread_cond_wait(&pool->changed, &pool->lock);
    }
    struct fb_work *work = queue_take(pool);
    *ret_gives_way = pool->gives_way;
    (void)pthread_mutex_unlock(&pool->lock);
    return work;
}

static void pool_thread(void *ctx)
{
    enum { NICE = 5 };
    struct fb_pool *pool = ctx;
    struct fb_work *work = NULL;
    bool gives_way = false;
    bool is_nice = false;

    while ((work = pool_next(pool, &gives_way)) != NULL) {
        if (gives_way && !is_nice) {
            is_nice = true;
            /* Of this thread alone; lowering is nobody's privilege. Who is started behind others
             * stays there: root would be raised. */
            if (getpriority(PRIO_PROCESS, 0) < NICE) {
                (void)setpriority(PRIO_PROCESS, 0, NICE);
            }
        }
        work->outcome = work->run(work);
        fb_loop_post(work->op.loop, &work->post);
    }
}

int fb_pool_new(const char *name, unsigned n_threads, unsigned max_queued,
                struct fb_pool **ret_pool)
{
    FB_REQUIRE(n_threads > 0 && n_threads <= POOL_MAX_THREADS);
    struct fb_pool *pool = FB_NEW(struct fb_pool);

    (void)pthread_mutex_init(&pool->lock, NULL);
    (void)pthread_cond_init(&pool->changed, NULL);
    fb_list_init(&pool->first);
    fb_list_init(&pool->rest);
    pool->max_queued = max_queued;
    while (pool->n_threads < n_threads) {
        char thread_name[16];
        (void)snprintf(thread_name, sizeof(thread_name), "%.11s-%u", name, pool->n_threads % 1000);
        int err =
            fb_thread_start_body(thread_name, pool_thread, pool, &pool->threads[pool->n_threads]);
        if (err < 0) {
            fb_pool_free(pool);
            return err;
        }
        pool->n_threads++;
    }
    *ret_pool = pool;
    return FB_OK;
}

void fb_pool_give_way(struct fb_pool *pool)
{
    (void)pthread_mutex_lock(&pool->lock);
    pool->gives_way = true;
    (void)pthread_mutex_unlock(&pool->lock);
}

void fb_pool_free(struct fb_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&pool->lock);
    FB_REQUIRE(pool->n_queued == 0);
    pool->is_closing = true;
    (void)pthread_cond_broadcast(&pool->changed);
    (void)pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < pool->n_threads; i++) {
        fb_thread_join(pool->threads[i]);
    }
    (void)pthread_cond_destroy(&pool->changed);
    (void)pthread_mutex_destroy(&pool->lock);
    fb_free(pool);
}

static void work_cancel(struct fb_op *op)
{
    struct fb_work *work = FB_CONTAINER_OF(op, struct fb_work, op);
    struct fb_pool *pool = work->pool;

    (void)pthread_mutex_lock(&pool->lock);
    bool was_queued = work->is_queued;
    if (was_queued) {
        queue_remove(pool, work);
    }
    (void)pthread_mutex_unlock(&pool->lock);
    if (was_queued) {
        fb_op_finish(&work->op, FB_E_CANCELED);
    }
}

void fb_work_start(struct fb_pool *pool, struct fb_work *work)
{
    fb_op_begin(&work->op, work_cancel);
    work->pool = pool;
    work->post.run = on_loop;
    fb_list_init(&work->link);

    (void)pthread_mutex_lock(&pool->lock);
    bool is_full = !queue_add(pool, work);
    if (!is_full) {
        (void)pthread_cond_signal(&pool->changed);
    }
    (void)pthread_mutex_unlock(&pool->lock);
    if (is_full) {
        fb_op_finish(&work->op, FB_E_BUSY);
    }
}

unsigned fb_pool_queued(struct fb_pool *pool)
{
    (void)pthread_mutex_lock(&pool->lock);
    unsigned n = pool->n_queued;
    (void)pthread_mutex_unlock(&pool->lock);
    return n;
}
