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
#include "origin/catalog/idempotency.h"
#include "origin/catalog/removals.h"
#include "origin/catalog/uploads.h"
#include "origin/catalog/videos.h"
#include "origin/model/id.h"
#include "origin/model/result.h"

struct origin_catalog {
    struct fb_db_pool *pool; /* owned */
    const struct fb_clock *clock;
};

int64_t origin_catalog_now(const struct origin_catalog *catalog);

/* A statement that must change exactly one row: `absent` if it changes none. */
FB_MUST_CHECK int origin_catalog_run_one(struct fb_db *db, struct fb_db_query *query, int absent);

/* Adds `video` as origin_catalog_video_add() does, in the caller's transaction. */
FB_MUST_CHECK int origin_catalog_video_insert(struct fb_db *db, const struct origin_video *video,
                                              int64_t now_ms);

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

/* Whether a request is carried out, in the caller's transaction, which is given up unless this
 * is FB_OK: then its answer is kept. FB_E_EXISTS: it was before, with *ret_answer. FB_E_DENIED:
 * the key stood for something else. */
struct origin_catalog_once {
    const struct origin_id *user;
    const struct origin_once *once;
    int64_t now_ms;
    struct fb_arena *arena;
};
FB_MUST_CHECK int origin_catalog_once(struct fb_db *db, const struct origin_catalog_once *ask,
                                      struct fb_str *ret_answer);

/* What a row of a query that begins so tells of a video, with strings in `arena`; more columns
 * may stand behind, from ORIGIN_VIDEO_N_COLUMNS. */
#define ORIGIN_VIDEO_COLUMNS                                                                      \
    "v.id, v.owner, v.title, v.description, v.tags, v.filename, v.category,"                      \
    " v.source_bytes, v.seq, v.status, v.progress, v.reason, v.version, v.duration_ms,"           \
    " v.width, v.height, v.has_audio, v.created_ms, v.published_ms, v.deactivated_ms,"            \
    " v.deactivated_reason, u.name, c.views, c.watch_ms, c.likes, c.comments, c.shares, c.saves," \
    " v.sound, v.stage, v.is_degraded, v.options, v.privacy, v.countries"
enum { ORIGIN_VIDEO_N_COLUMNS = 34 };
#define ORIGIN_VIDEO_TABLES                   \
    "videos v JOIN users u ON u.id = v.owner" \
    " LEFT JOIN video_counters c ON c.video = v.id"
#define ORIGIN_VIDEO_IS_PUBLIC \
    "v.status = 'ready' AND v.deactivated_ms IS NULL AND v.privacy = 'public'"
struct origin_video origin_catalog_video_of_row(const struct fb_db_query *q,
                                                struct fb_arena *arena);

/* A column as a copy in `arena`; ptr NULL if it is NULL. */
struct fb_str origin_catalog_column_dup(const struct fb_db_query *q, struct fb_arena *arena,
                                        int column);

/* The sums in the six columns from `column`; 0 for NULL. */
struct origin_video_counters origin_catalog_column_counters(const struct fb_db_query *q,
                                                            int column);
FB_MUST_CHECK int origin_catalog_video_counters_get(struct fb_db *db, const struct origin_id *video,
                                                    struct origin_video_counters *ret_counters);
FB_MUST_CHECK int origin_catalog_user_counters_get(struct fb_db *db, const struct origin_id *user,
                                                   struct origin_user_counters *ret_counters);

/* Bring the tables of search (origin/catalog/search.h) in step, in the caller's transaction: after
 * a change of the video or of its owner's name, and before the video is removed. */
FB_MUST_CHECK int origin_catalog_search_refresh(struct fb_db *db, const struct origin_id *video);
FB_MUST_CHECK int origin_catalog_search_refresh_user(struct fb_db *db,
                                                     const struct origin_id *user);
FB_MUST_CHECK int origin_catalog_search_forget(struct fb_db *db, const struct origin_id *video);

/* Note, in the caller's transaction, that the objects of a video have to go, and that nodes have to
 * forget what they keep of it (removals.h). */
FB_MUST_CHECK int origin_catalog_removal_add(struct fb_db *db, const struct origin_id *video,
                                             int64_t now_ms);
FB_MUST_CHECK int origin_catalog_purge_add(struct fb_db *db, enum origin_purge_what what,
                                           const struct origin_id *video, int64_t now_ms);

/* The same of a table "uploads u". */
#define ORIGIN_UPLOAD_COLUMNS                                                                  \
    "u.id, u.video, u.name, u.multipart, u.store_id, u.sum, u.meta, u.state, u.etag, u.bytes," \
    " u.begun_ms, u.touched_ms"
struct origin_upload_row origin_catalog_upload_of_row(const struct fb_db_query *q,
                                                      struct fb_arena *arena);

/* The schema, one text per version; one of the texts. */
extern const char origin_catalog_migration_jobs[];
extern const char origin_catalog_migration_access[];
extern const char origin_catalog_migration_uploads[];
extern const char origin_catalog_migration_stored[];
extern const char *const origin_catalog_migrations[];
extern const size_t origin_catalog_n_migrations;
