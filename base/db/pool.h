/*
 * Connections to one database, lent to threads.
 *
 *     FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
 *     int err = fb_db_take(pool, &hold);
 *     ... hold.db ...
 *
 * Ownership  The pool owns its connections; a hold borrows one.
 * Threads    Any.
 * Limits     At most `max` connections; taking waits until one is free, so a
 *            pool as large as the number of threads never waits.
 * Failures   What fb_db_open() gives.
 */
#pragma once

#include "base/db/db.h"

struct fb_db_pool;

struct fb_db_hold {
    struct fb_db *db; /* borrowed until done */

    /* Private to pool.c. */
    struct fb_db_pool *pool;
};

/* Opens the first connection, so that a wrong path shows at once. `path` is
 * copied; a file, since every connection to ":memory:" is another database. */
FB_MUST_CHECK int fb_db_pool_new(const char *path, const struct fb_db_options *options,
                                 unsigned max, struct fb_db_pool **ret_pool, struct fb_diag *diag);

/* Requires that nothing is held. Accepts NULL. */
void fb_db_pool_free(struct fb_db_pool *pool);

/* Takes a connection that no other thread has. */
FB_MUST_CHECK int fb_db_take(struct fb_db_pool *pool, struct fb_db_hold *ret_hold);

/* Gives it back; queries and transactions on it are over by then. */
void fb_db_hold_done(struct fb_db_hold *hold);
