/*
 * What the files of the spool share. Functions on a database are called with the lock held, within
 * a transaction of the caller's.
 */
#pragma once

#include "base/db/db.h"
#include "edge/report/spool.h"

#include <pthread.h>

struct edge_spool {
    struct fb_db *db;
    pthread_mutex_t lock;
    const struct fb_clock *clock;
    char *node;   /* owned */
    char *region; /* owned */
    uint64_t max_bytes;
    uint64_t page_bytes;
    char id[FB_VIEW_RECEIVER_SIZE + 1];
    struct edge_spool_counts counts; /* with the lock */
};

/* Unlocks when it leaves its scope; declared before transactions, which end first. */
struct spool_hold {
    pthread_mutex_t *lock;
};
void edge_spool_lock(struct edge_spool *spool, struct spool_hold *hold);
void edge_spool_hold_done(struct spool_hold *hold);

/* Merges `entry` into its row. */
FB_MUST_CHECK int edge_spool_row_add(struct edge_spool *spool, struct fb_str region,
                                     const struct fb_view_entry *entry);

/* Reads the columns from `first`: span, minute, video, rendition, counts. Strings are borrowed from
 * the row; the sketches are the caller's. Counts that cannot be read are none, with a line in the
 * log. */
void edge_spool_row_read(const struct fb_db_query *row, int first, struct fb_view_entry *ret_entry);

FB_MUST_CHECK int edge_spool_totals_add(struct edge_spool *spool, struct fb_str region,
                                        const struct fb_view_totals *totals);

/* As bytes of a row. */
void edge_spool_totals_encode(const struct fb_view_totals *totals, struct fb_buf *to);
void edge_spool_totals_decode(struct fb_str bytes, struct fb_view_totals *ret_totals);

/* Bytes in use. */
FB_MUST_CHECK int edge_spool_used(struct edge_spool *spool, uint64_t *ret_bytes);

/* Makes room until less than `max_bytes` are in use; FB_E_LIMIT: there is none to be made. With the
 * lock, without a transaction. */
FB_MUST_CHECK int edge_spool_make_room(struct edge_spool *spool);
