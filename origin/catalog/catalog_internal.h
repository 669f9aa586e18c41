/*
 * What the tables' files share.
 */
#pragma once

#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/db/db.h"
#include "base/db/pool.h"
#include "origin/catalog/catalog.h"
#include "origin/catalog/counters.h"
#include "origin/model/id.h"
#include "origin/model/task.h"

struct origin_catalog {
    struct fb_db_pool *pool; /* owned */
    const struct fb_clock *clock;
};

int64_t origin_catalog_now(const struct origin_catalog *catalog);

/* A statement that must change exactly one row: `absent` if it changes none. */
FB_MUST_CHECK int origin_catalog_run_one(struct fb_db *db, struct fb_db_query *query, int absent);

/* The id in a column; empty if it is NULL. */
struct origin_id origin_catalog_column_id(const struct fb_db_query *query, int column);

/* Adds a version's renditions and files, in the caller's transaction; rows of
 * that version that are there already are replaced. */
FB_MUST_CHECK int origin_catalog_renditions_put(struct fb_db *db, const struct origin_id *video,
                                                const struct origin_result *result);
FB_MUST_CHECK int origin_catalog_files_put(struct fb_db *db, const struct origin_id *video,
                                           const struct origin_result *result);

/* Add `change` to the sums, in the caller's transaction. FB_E_CONFLICT if there is
 * no such video or account. */
FB_MUST_CHECK int origin_catalog_video_counters_add(struct fb_db *db, const struct origin_id *video,
                                                    const struct origin_video_counters *change);
FB_MUST_CHECK int origin_catalog_user_counters_add(struct fb_db *db, const struct origin_id *user,
                                                   const struct origin_user_counters *change);

/* The schema, one text per version. */
extern const char *const origin_catalog_migrations[];
extern const size_t origin_catalog_n_migrations;
