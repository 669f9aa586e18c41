#include "base/db/db.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/db/db_internal.h"
#include "base/log/log.h"

#include <errno.h>

enum { DB_BUSY_TIMEOUT_MS = 5000 };

int fb_db_translate(int code)
{
    if (code == SQLITE_CONSTRAINT_UNIQUE || code == SQLITE_CONSTRAINT_PRIMARYKEY ||
        code == SQLITE_CONSTRAINT_ROWID) {
        return FB_E_EXISTS;
    }
    switch (code & 0xff) { /* the primary code */
    case SQLITE_OK:
        return FB_OK;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return FB_E_BUSY;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return FB_E_CORRUPT;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_IOERR:
        return -EIO;
    case SQLITE_NOMEM:
        return -ENOMEM;
    case SQLITE_READONLY:
        return -EROFS;
    case SQLITE_CANTOPEN:
        return -ENOENT;
    case SQLITE_CONSTRAINT:
        return FB_E_CONFLICT;
    case SQLITE_PERM:
    case SQLITE_AUTH:
        return FB_E_DENIED;
    case SQLITE_TOOBIG:
        return FB_E_LIMIT;
    case SQLITE_INTERRUPT:
        return FB_E_CANCELED;
    default:
        return FB_E_FOREIGN;
    }
}

int fb_db_fail(const struct fb_db *db)
{
    int code = sqlite3_extended_errcode(db->raw);

    FB_LOG(DEBUG, "db", "statement failed", FB_LOG_INT("sqlite_code", code),
           FB_LOG_TEXT("reason", sqlite3_errmsg(db->raw)));
    /* What a full drive refuses comes as SQLITE_FULL only where the file itself grows. */
    bool is_full = (code & 0xff) == SQLITE_IOERR && sqlite3_system_errno(db->raw) == ENOSPC;
    return is_full ? -ENOSPC : fb_db_translate(code);
}

const char *fb_db_reason(const struct fb_db *db, int err)
{
    return err == -ENOSPC ? fb_err_text(err) : sqlite3_errmsg(db->raw);
}

static int db_open_fail(const struct fb_db *db, int err, const char *path, struct fb_diag *diag)
{
    return fb_diag_set(diag, err, "open the database '%s': %s", path, fb_db_reason(db, err));
}

static void db_closep(struct fb_db **db)
{
    fb_db_close(*db);
}

int fb_db_open(const char *path, const struct fb_db_options *options, struct fb_db **ret_db,
               struct fb_diag *diag)
{
    static const struct fb_db_options presets = {0};
    if (options == NULL) {
        options = &presets;
    }
    FB_AUTO(db_closep) struct fb_db *db = FB_NEW(struct fb_db);
    fb_list_init(&db->cached);

    int flags =
        options->is_read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE;
    flags |= SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    if (sqlite3_open_v2(path, &db->raw, flags, NULL) != SQLITE_OK) {
        return db_open_fail(db, fb_db_fail(db), path, diag);
    }
    uint32_t wait_ms = options->busy_timeout_ms;
    sqlite3_busy_timeout(db->raw, wait_ms == 0 ? DB_BUSY_TIMEOUT_MS : (int)wait_ms);
    sqlite3_db_config(db->raw, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);

    int err = fb_db_exec(db, "PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF");
    if (err == FB_OK && !options->is_read_only) {
        err = fb_db_exec(db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    }
    if (err < 0) {
        return db_open_fail(db, err, path, diag);
    }
    *ret_db = db;
    db = NULL;
    return FB_OK;
}

void fb_db_close(struct fb_db *db)
{
    if (db == NULL) {
        return;
    }
    FB_REQUIRE(db->n_busy == 0 && !db->in_tx);
    struct fb_list *node = NULL;
    while ((node = fb_list_pop(&db->cached)) != NULL) {
        struct fb_db_stmt *stmt = FB_CONTAINER_OF(node, struct fb_db_stmt, link);
        sqlite3_finalize(stmt->raw);
        fb_free(stmt);
    }
    int code = sqlite3_close(db->raw);
    FB_REQUIRE(code == SQLITE_OK);
    fb_free(db);
}

int fb_db_exec(struct fb_db *db, const char *sql)
{
    if (sqlite3_exec(db->raw, sql, NULL, NULL, NULL) != SQLITE_OK) {
        return fb_db_fail(db);
    }
    return FB_OK;
}

int64_t fb_db_changes(const struct fb_db *db)
{
    return sqlite3_changes64(db->raw);
}

int64_t fb_db_last_id(const struct fb_db *db)
{
    return sqlite3_last_insert_rowid(db->raw);
}

/* ---- transactions ----------------------------------------------------------- */

int fb_db_begin(struct fb_db *db, struct fb_db_tx *tx)
{
    FB_REQUIRE(!db->in_tx);
    int err = fb_db_exec(db, "BEGIN IMMEDIATE");
    if (err < 0) {
        return err;
    }
    db->in_tx = true;
    tx->db = db;
    return FB_OK;
}

int fb_db_commit(struct fb_db_tx *tx)
{
    FB_REQUIRE(tx->db != NULL);
    int err = fb_db_exec(tx->db, "COMMIT");
    if (err < 0) {
        fb_db_rollback(tx);
        return err;
    }
    tx->db->in_tx = false;
    tx->db = NULL;
    return FB_OK;
}

void fb_db_rollback(struct fb_db_tx *tx)
{
    FB_REQUIRE(tx->db != NULL);
    /* After some errors SQLite has rolled back by itself. */
    if (sqlite3_get_autocommit(tx->db->raw) == 0) {
        FB_IGNORE(fb_db_exec(tx->db, "ROLLBACK")); /* nothing is left to undo it with */
    }
    tx->db->in_tx = false;
    tx->db = NULL;
}

void fb_db_tx_done(struct fb_db_tx *tx)
{
    if (tx->db != NULL) {
        fb_db_rollback(tx);
    }
}
