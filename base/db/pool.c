#include "base/db/pool.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/db/db_internal.h"

#include <pthread.h>

struct fb_db_pool {
    char *path; /* owned */
    struct fb_db_options options;
    unsigned max;

    pthread_mutex_t lock;
    pthread_cond_t given;
    struct fb_db **idle; /* owned array of `max`; the first n_idle are owned connections */
    unsigned n_idle;
    unsigned n_open; /* idle and held */
};

int fb_db_pool_new(const char *path, const struct fb_db_options *options, unsigned max,
                   struct fb_db_pool **ret_pool, struct fb_diag *diag)
{
    struct fb_db *first = NULL;

    FB_REQUIRE(max > 0);
    int err = fb_db_open(path, options, &first, diag);
    if (err < 0) {
        return err;
    }
    struct fb_db_pool *pool = FB_NEW(struct fb_db_pool);
    pool->path = fb_str_dup(fb_str_from(path));
    pool->options = options != NULL ? *options : (struct fb_db_options){0};
    pool->max = max;
    pool->idle = fb_alloc_array(max, sizeof(struct fb_db *)); /* NOLINT(bugprone-sizeof-*) */
    pool->idle[pool->n_idle++] = first;
    pool->n_open = 1;
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->given, NULL);
    *ret_pool = pool;
    return FB_OK;
}

void fb_db_pool_free(struct fb_db_pool *pool)
{
    if (pool == NULL) {
        return;
    }
    FB_REQUIRE(pool->n_idle == pool->n_open);
    for (unsigned i = 0; i < pool->n_idle; i++) {
        fb_db_close(pool->idle[i]);
    }
    pthread_cond_destroy(&pool->given);
    pthread_mutex_destroy(&pool->lock);
    fb_free(pool->idle);
    fb_free(pool->path);
    fb_free(pool);
}

/* An idle connection, or NULL when one more may be opened, which then counts. */
static struct fb_db *pool_wait(struct fb_db_pool *pool)
{
    struct fb_db *db = NULL;

    pthread_mutex_lock(&pool->lock);
    while (pool->n_idle == 0 && pool->n_open == pool->max) {
        pthread_cond_wait(&pool->given, &pool->lock);
    }
    if (pool->n_idle > 0) {
        db = pool->idle[--pool->n_idle];
    } else {
        pool->n_open++;
    }
    pthread_mutex_unlock(&pool->lock);
    return db;
}

int fb_db_take(struct fb_db_pool *pool, struct fb_db_hold *ret_hold)
{
    struct fb_db *db = pool_wait(pool);

    if (db == NULL) {
        int err = fb_db_open(pool->path, &pool->options, &db, NULL);
        if (err < 0) {
            pthread_mutex_lock(&pool->lock);
            pool->n_open--;
            pthread_cond_signal(&pool->given);
            pthread_mutex_unlock(&pool->lock);
            return err;
        }
    }
    *ret_hold = (struct fb_db_hold){.db = db, .pool = pool};
    return FB_OK;
}

void fb_db_hold_done(struct fb_db_hold *hold)
{
    struct fb_db_pool *pool = hold->pool;

    if (pool != NULL) {
        FB_REQUIRE(hold->db->n_busy == 0 && !hold->db->in_tx);
        pthread_mutex_lock(&pool->lock);
        pool->idle[pool->n_idle++] = hold->db;
        pthread_cond_signal(&pool->given);
        pthread_mutex_unlock(&pool->lock);
    }
    *hold = (struct fb_db_hold){0};
}
