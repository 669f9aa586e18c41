#include "base/log/log.h"

#include "base/core/alloc.h"
#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/db/damage.h"
#include "base/db/db.h"
#include "edge/purge/purge_internal.h"

#include <errno.h>
#include <sys/stat.h>

/* No clock says more; sums of a few fit in. */
#define LOG_MAX_EPOCH ((uint64_t)INT64_MAX / 8)

static const char *const log_migrations[] = {
    "CREATE TABLE state ("
    "  name TEXT PRIMARY KEY,"
    "  epoch INTEGER NOT NULL"
    ") WITHOUT ROWID;"
    "CREATE TABLE purge ("
    "  kind INTEGER NOT NULL,"
    "  is_soft INTEGER NOT NULL,"
    "  text BLOB NOT NULL,"
    "  epoch INTEGER NOT NULL,"
    "  PRIMARY KEY (kind, is_soft, text)"
    ") WITHOUT ROWID;"
    "CREATE INDEX purge_by_epoch ON purge (epoch);",
};

/* ---- state --------------------------------------------------------------- */

static int log_get(struct fb_db *db, const char *name, uint64_t *ret_epoch)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "SELECT epoch FROM state WHERE name = ?1");

    fb_db_bind_str(&q, 1, fb_str_from(name));
    int err = fb_db_step(&q);
    if (err == FB_OK) {
        *ret_epoch = (uint64_t)fb_db_column_int(&q, 0);
    }
    return err;
}

static int log_set(struct fb_db *db, const char *name, uint64_t epoch)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "INSERT INTO state (name, epoch) VALUES (?1, ?2) "
                        "ON CONFLICT (name) DO UPDATE SET epoch = excluded.epoch");

    fb_db_bind_str(&q, 1, fb_str_from(name));
    fb_db_bind_int(&q, 2, (int64_t)epoch);
    return fb_db_run(&q);
}

static int log_count(struct fb_db *db, uint64_t *ret_n)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "SELECT count(*) FROM purge");

    int err = fb_db_step(&q);
    if (err == FB_OK) {
        *ret_n = (uint64_t)fb_db_column_int(&q, 0);
    }
    return err;
}

/* ---- opening ------------------------------------------------------------- */

/* FB_E_END: there is none yet. */
static int log_read_state(struct fb_db *db, struct purge_log_state *state)
{
    int err = log_get(db, "epoch", &state->epoch);
    if (err < 0) {
        return err;
    }
    err = log_get(db, "floor", &state->floor);
    if (err == FB_E_END || state->epoch > LOG_MAX_EPOCH || state->floor > state->epoch) {
        return FB_E_CORRUPT;
    }
    return err == FB_OK ? log_count(db, &state->n) : err;
}

int edge_purge_log_state(struct fb_db *db, struct purge_log_state *ret_state)
{
    struct purge_log_state state = {0};

    int err = log_read_state(db, &state);
    if (err < 0) {
        return err == FB_E_END ? FB_E_CORRUPT : err;
    }
    *ret_state = state;
    return FB_OK;
}

/* What is born from now on bears `now` or more, and must be known to be newer than all that is
 * purged: so the epoch is written down before it is used. */
static int log_settle(struct fb_db *db, uint64_t now, struct purge_log_state *state)
{
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};

    int err = fb_db_begin(db, &tx);
    if (err < 0) {
        return err;
    }
    err = log_read_state(db, state);
    if (err == FB_E_END) { /* new, or in place of one that was lost */
        *state = (struct purge_log_state){.epoch = now, .floor = now};
        err = log_set(db, "floor", now);
    }
    if (err == FB_OK) {
        state->epoch = FB_MAX(state->epoch, now);
        err = log_set(db, "epoch", state->epoch);
    }
    if (err < 0) {
        return err;
    }
    return fb_db_commit(&tx);
}

/* On a full disk, what is written down already will do: it is no less than any purge. A node must
 * come up again whatever fills its disk. */
static int log_begin(struct fb_db *db, uint64_t now, struct purge_log_state *state)
{
    struct purge_log_state kept = {0};

    int err = log_settle(db, now, state);
    if (err != -ENOSPC || log_read_state(db, &kept) < 0) {
        return err;
    }
    FB_LOG(WARN, "purge", "the disk of 'state' is full: nothing can be purged until it has room");
    *state = kept;
    return FB_OK;
}

static int log_open_at(const char *path, uint64_t now, struct fb_db **ret_db,
                       struct purge_log_state *ret_state, struct fb_diag *diag)
{
    struct purge_log_state state = {0};
    struct fb_db *db = NULL;

    int err = fb_db_open(path, NULL, &db, diag);
    if (err < 0) {
        return err;
    }
    err = fb_db_migrate(db, log_migrations, FB_ARRAY_LEN(log_migrations), diag);
    if (err < 0) {
        err = fb_diag_prefix(diag, err, "'%s'", path);
    } else {
        err = fb_db_check(db);
        if (err == FB_OK) {
            err = log_begin(db, now, &state);
        }
        if (err < 0) {
            err = fb_diag_set(diag, err, "'%s': %s", path, fb_err_text(err));
        }
    }
    if (err < 0) {
        fb_db_close(db);
        return err;
    }
    *ret_db = db;
    *ret_state = state;
    return FB_OK;
}

int edge_purge_log_open(const char *folder, uint64_t now, struct fb_db **ret_db,
                        struct purge_log_state *ret_state, struct fb_diag *diag)
{
    FB_AUTO(fb_buf_done) struct fb_buf path = {0};

    fb_buf_printf(&path, "%s/purges.db", folder);
    if (mkdir(folder, 0750) < 0 && errno != EEXIST) {
        return fb_diag_set(diag, -errno, "make the folder '%s': %s", folder, fb_err_text(-errno));
    }
    int err = log_open_at(path.ptr, now, ret_db, ret_state, diag);
    if (err != FB_E_CORRUPT) {
        return err;
    }
    err = fb_db_put_aside(path.ptr);
    if (err < 0) {
        return fb_diag_set(diag, err, "put the broken '%s' aside: %s", path.ptr, fb_err_text(err));
    }
    FB_LOG(ERROR, "purge",
           "the log of purges is broken and was put aside: all that is stored is "
           "validated before it is used",
           FB_LOG_TEXT("path", path.ptr));
    return log_open_at(path.ptr, now, ret_db, ret_state, diag);
}

/* ---- adding -------------------------------------------------------------- */

static int log_add_one(struct fb_db *db, const struct edge_purge *purge, uint64_t epoch)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "INSERT INTO purge (kind, is_soft, text, epoch) VALUES (?1, ?2, ?3, ?4) "
                        "ON CONFLICT (kind, is_soft, text) DO UPDATE SET epoch = excluded.epoch");

    fb_db_bind_int(&q, 1, purge->kind);
    fb_db_bind_int(&q, 2, purge->is_soft ? 1 : 0);
    fb_db_bind_blob(&q, 3, purge->text);
    fb_db_bind_int(&q, 4, (int64_t)epoch);
    return fb_db_run(&q);
}

/* Makes room: the epoch that the oldest eighth of `max` reached becomes the floor. A purge of
 * this very call is never among them. */
static int log_fold(struct fb_db *db, size_t max, struct purge_log_state *state)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query oldest = fb_db_query(
        db, "SELECT epoch FROM purge WHERE epoch < ?1 ORDER BY epoch LIMIT 1 OFFSET ?2");
    FB_AUTO(fb_db_query_done)
    struct fb_db_query drop = fb_db_query(db, "DELETE FROM purge WHERE epoch <= ?1");
    uint64_t offset = state->n - max + max / 8;

    fb_db_bind_int(&oldest, 1, (int64_t)state->epoch);
    fb_db_bind_int(&oldest, 2, (int64_t)FB_MIN(offset, state->n - 1));
    int err = fb_db_step(&oldest);
    if (err < 0) {
        return err == FB_E_END ? FB_OK : err;
    }
    state->floor = (uint64_t)fb_db_column_int(&oldest, 0);
    fb_db_bind_int(&drop, 1, (int64_t)state->floor);
    err = fb_db_run(&drop);
    if (err == FB_OK) {
        state->n -= (uint64_t)fb_db_changes(db);
        err = log_set(db, "floor", state->floor);
    }
    return err;
}

int edge_purge_log_add(struct fb_db *db, const struct edge_purge *purges, size_t n, uint64_t epoch,
                       size_t max, struct purge_log_state *state)
{
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    struct purge_log_state next = *state;

    next.epoch = epoch;
    int err = fb_db_begin(db, &tx);
    for (size_t i = 0; i < n && err == FB_OK; i++) {
        err = log_add_one(db, &purges[i], epoch);
    }
    if (err == FB_OK) {
        err = log_count(db, &next.n);
    }
    if (err == FB_OK && next.n > max) {
        err = log_fold(db, max, &next);
    }
    if (err == FB_OK) {
        err = log_set(db, "epoch", epoch);
    }
    if (err < 0) {
        return err;
    }
    err = fb_db_commit(&tx);
    if (err == FB_OK) {
        *state = next;
    }
    return err;
}

/* ---- reading ------------------------------------------------------------- */

int edge_purge_log_read(struct fb_db *db, void *ctx,
                        void (*visit)(void *ctx, const struct edge_purge *purge, uint64_t epoch))
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "SELECT kind, is_soft, text, epoch FROM purge ORDER BY epoch");
    int err = FB_OK;

    while ((err = fb_db_step(&q)) == FB_OK) {
        int64_t kind = fb_db_column_int(&q, 0);
        struct edge_purge purge = {.kind = (enum edge_purge_kind)kind,
                                   .is_soft = fb_db_column_int(&q, 1) != 0,
                                   .text = fb_db_column_blob(&q, 2)};
        if (kind < 0 || kind >= EDGE_PURGE_N_KINDS || purge.text.len > EDGE_PURGE_TEXT_MAX) {
            return FB_E_CORRUPT;
        }
        visit(ctx, &purge, (uint64_t)fb_db_column_int(&q, 3));
    }
    return err == FB_E_END ? FB_OK : err;
}
