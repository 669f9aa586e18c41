#include "base/loop/work.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/loop/thread.h"

#include <pthread.h>
#include <stdio.h>

enum { POOL_MAX_THREADS = 256 };

struct fb_pool {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct fb_list queue; /* of struct fb_work, under lock */
    unsigned n_queued;    /* under lock */
    unsigned max_queued;
    bool is_closing; /* under lock */
    unsigned n_threads;
    struct fb_thread *threads[POOL_MAX_THREADS]; /* owned */
};

static void on_loop(struct fb_post *post)
{
    struct fb_work *work = FB_CONTAINER_OF(post, struct fb_work, post);
    fb_op_finish(&work->op, work->outcome);
}

/* The next piece of work, or NULL when the pool closes. */
static struct fb_work *pool_next(struct fb_pool *pool)
{
    (void)pthread_mutex_lock(&pool->lock);
    while (fb_list_empty(&pool->queue) && !pool->is_closing) {
        (void)pthread_cond_wait(&pool->changed, &pool->lock);
    }
    struct fb_list *node = fb_list_pop(&pool->queue);
    struct fb_work *work = NULL;
    if (node != NULL) {
        work = FB_CONTAINER_OF(node, struct fb_work, link);
        work->is_queued = false;
        pool->n_queued--;
    }
    (void)pthread_mutex_unlock(&pool->lock);
    return work;
}

static void pool_thread(void *ctx)
{
    struct fb_pool *pool = ctx;
    struct fb_work *work = NULL;

    while ((work = pool_next(pool)) != NULL) {
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
    fb_list_init(&pool->queue);
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

void fb_pool_free(struct fb_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    (void)pthread_mutex_lock(&pool->lock);
    FB_REQUIRE(fb_list_empty(&pool->queue));
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
        fb_list_remove(&work->link);
        work->is_queued = false;
        pool->n_queued--;
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
    bool is_full = pool->n_queued >= pool->max_queued;
    work->is_queued = !is_full;
    if (!is_full) {
        fb_list_append(&pool->queue, &work->link);
        pool->n_queued++;
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
