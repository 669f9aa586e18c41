/*
 * Databases: SQLite, one connection per thread at a time.
 *
 * A connection is opened in WAL mode with foreign keys on and `synchronous =
 * FULL`: a commit that was answered survives a power cut. (NORMAL would save
 * one fsync per commit and lose the last commits with the power; our writes are
 * few, and clients are told that they happened.) Nothing outside this folder
 * sees sqlite3.h.
 *
 * Statements are written where they are used and prepared once per connection:
 *
 *     FB_AUTO(fb_db_query_done) struct fb_db_query q =
 *         fb_db_query(db, "SELECT title, size FROM video WHERE owner = ?1");
 *     fb_db_bind_str(&q, 1, owner);
 *     while ((err = fb_db_step(&q)) == FB_OK) {
 *         struct fb_str title = fb_db_column_str(&q, 0);
 *     }
 *     if (err != FB_E_END) { return err; }
 *
 * There is one way to write: IMMEDIATE transactions, so that two writers wait
 * for each other at the beginning and never fail in the middle.
 *
 *     FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
 *     err = fb_db_begin(db, &tx);           // leaving early rolls back
 *     ...
 *     return fb_db_commit(&tx);
 *
 * Ownership  open → close; a query and a transaction end before their
 *            connection. SQL texts are literals, borrowed for ever.
 * Threads    A connection, its queries and transactions: one at a time.
 * Limits     FB_DB_MAX_CACHED statements are kept per connection; busy_timeout_ms of waiting.
 * Failures   FB_E_BUSY (locked for too long), FB_E_CORRUPT, -ENOSPC, -EIO,
 *            -EROFS, FB_E_EXISTS (a unique key is taken), FB_E_CONFLICT (any
 *            other constraint), FB_E_DENIED, FB_E_FOREIGN (an error in SQL).
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fb_db;
struct fb_db_stmt;

enum { FB_DB_MAX_CACHED = 128 };

struct fb_db_options {
    uint32_t busy_timeout_ms; /* 0: 5000 */
    bool is_read_only;
};

/* Opens or makes the file at `path`; ":memory:" for a private one. `options`
 * may be NULL. */
FB_MUST_CHECK int fb_db_open(const char *path, const struct fb_db_options *options,
                             struct fb_db **ret_db, struct fb_diag *diag);

/* Requires that no query or transaction is open. Accepts NULL. */
void fb_db_close(struct fb_db *db);

/* ---- queries ------------------------------------------------------------- */

struct fb_db_query {
    /* Private to base/db. */
    struct fb_db *db;
    struct fb_db_stmt *stmt; /* NULL if the SQL could not be prepared */
    int err;                 /* the first failure of prepare or bind */
};

/* Never fails by itself: what went wrong comes out of the first step. */
struct fb_db_query fb_db_query(struct fb_db *db, const char *sql);

/* Parameters count from 1. A string with ptr NULL binds NULL. Bytes are copied. */
void fb_db_bind_str(struct fb_db_query *query, int index, struct fb_str str);
void fb_db_bind_blob(struct fb_db_query *query, int index, struct fb_str bytes);
void fb_db_bind_int(struct fb_db_query *query, int index, int64_t number);

/* FB_OK: a row stands. FB_E_END: there are no more; the parameters may be bound
 * anew, and another step runs the statement again. */
FB_MUST_CHECK int fb_db_step(struct fb_db_query *query);

/* For statements without rows: runs to the end, FB_OK. */
FB_MUST_CHECK int fb_db_run(struct fb_db_query *query);

/* To bind anew and run again before the end, or after a failure; forgets all
 * parameters. */
void fb_db_query_reset(struct fb_db_query *query);

/* Columns of the row that stands, from 0; strings until the next step, with a
 * NUL behind them, ptr NULL for NULL. */
struct fb_str fb_db_column_str(const struct fb_db_query *query, int column);
struct fb_str fb_db_column_blob(const struct fb_db_query *query, int column);
int64_t fb_db_column_int(const struct fb_db_query *query, int column);
double fb_db_column_real(const struct fb_db_query *query, int column);
bool fb_db_column_is_null(const struct fb_db_query *query, int column);

void fb_db_query_done(struct fb_db_query *query);

/* A statement without parameters and rows, or several with ';' between. */
FB_MUST_CHECK int fb_db_exec(struct fb_db *db, const char *sql);

/* Rows that the last INSERT, UPDATE or DELETE changed; the id that the last
 * INSERT gave. */
int64_t fb_db_changes(const struct fb_db *db);
int64_t fb_db_last_id(const struct fb_db *db);

/* ---- transactions --------------------------------------------------------- */

struct fb_db_tx {
    struct fb_db *db; /* NULL: not open. Private. */
};

/* One per connection at a time. */
FB_MUST_CHECK int fb_db_begin(struct fb_db *db, struct fb_db_tx *tx);

/* The transaction is over afterwards; on failure it was rolled back. */
FB_MUST_CHECK int fb_db_commit(struct fb_db_tx *tx);

void fb_db_rollback(struct fb_db_tx *tx);
void fb_db_tx_done(struct fb_db_tx *tx); /* rolls back if still open */

/* ---- migrations ----------------------------------------------------------- */

/* Brings the schema to version `n` (PRAGMA user_version): runs migrations[v]
 * to get from v to v + 1, each in a transaction of its own. A database that is
 * newer than the program is refused with FB_E_UNSUPPORTED. */
FB_MUST_CHECK int fb_db_migrate(struct fb_db *db, const char *const *migrations, size_t n,
                                struct fb_diag *diag);
