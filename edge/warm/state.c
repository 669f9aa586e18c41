#include "edge/warm/state.h"

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/db/damage.h"
#include "base/db/db.h"
#include "base/log/log.h"

#include <string.h>

static const char *const state_migrations[] = {
    "CREATE TABLE plan (region TEXT PRIMARY KEY, serial INTEGER NOT NULL, digest BLOB NOT NULL)"
    " STRICT, WITHOUT ROWID;"
    "CREATE TABLE samples (begin_ms INTEGER PRIMARY KEY, bytes INTEGER NOT NULL) STRICT;"
    "CREATE TABLE parts (begin_ms INTEGER PRIMARY KEY, filled INTEGER NOT NULL,"
    " served INTEGER NOT NULL) STRICT;"
    "CREATE TABLE judged (id INTEGER PRIMARY KEY CHECK (id = 1), first_ms INTEGER NOT NULL,"
    " stopped_ms INTEGER NOT NULL) STRICT;",
};

struct edge_warm_state {
    struct fb_db *db; /* owned; NULL: nothing is kept */
};

static int state_open_at(struct edge_warm_state *state, const char *path, struct fb_diag *diag)
{
    int err = fb_db_open(path, NULL, &state->db, diag);
    if (err == FB_OK) {
        err = fb_db_migrate(state->db, state_migrations, FB_ARRAY_LEN(state_migrations), diag);
    }
    if (err < 0) {
        return err;
    }
    err = fb_db_check(state->db);
    return err < 0 ? fb_diag_set(diag, err, "read '%s': %s", path, fb_err_text(err)) : FB_OK;
}

/* Without it an older plan could be taken once more, whose time is not over; a node that does not
 * start serves nobody. */
static int state_begin_anew(struct edge_warm_state *state, const char *path, struct fb_diag *diag)
{
    fb_db_close(state->db);
    state->db = NULL;
    int err = fb_db_put_aside(path);
    if (err < 0) {
        return fb_diag_set(diag, err, "put the broken '%s' aside: %s", path, fb_err_text(err));
    }
    FB_LOG(ERROR, "warm", "what was known of plans is broken and was put aside",
           FB_LOG_TEXT("path", path));
    return state_open_at(state, path, diag);
}

int edge_warm_state_open(const char *folder, struct edge_warm_state **ret_state,
                         struct fb_diag *diag)
{
    struct edge_warm_state *state = FB_NEW(struct edge_warm_state);
    FB_AUTO(fb_buf_done) struct fb_buf path = {0};
    int err = FB_OK;

    if (folder != NULL) {
        fb_buf_printf(&path, "%s/warm.db", folder);
        err = state_open_at(state, path.ptr, diag);
    }
    if (err == FB_E_CORRUPT) {
        err = state_begin_anew(state, path.ptr, diag);
    }
    if (err < 0) {
        edge_warm_state_close(state);
        return err;
    }
    *ret_state = state;
    return FB_OK;
}

void edge_warm_state_close(struct edge_warm_state *state)
{
    if (state != NULL) {
        fb_db_close(state->db);
        fb_free(state);
    }
}

/* ---- reading -------------------------------------------------------------- */

static int state_load_plan(struct fb_db *db, struct edge_warm_taken *taken)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "SELECT serial, digest FROM plan WHERE region = ?1");

    fb_db_bind_str(&q, 1, fb_str_from(taken->region));
    int err = fb_db_step(&q);
    if (err < 0) {
        return err;
    }
    struct fb_str digest = fb_db_column_blob(&q, 1);
    if (digest.len == sizeof(taken->digest)) {
        taken->serial = (uint64_t)fb_db_column_int(&q, 0);
        memcpy(taken->digest, digest.ptr, digest.len);
    }
    return FB_OK;
}

static int state_load_samples(struct fb_db *db, int64_t now_ms, struct edge_guard *guard)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "SELECT begin_ms, bytes FROM samples ORDER BY begin_ms");
    int err = FB_OK;

    while ((err = fb_db_step(&q)) == FB_OK) {
        edge_guard_restore(guard, fb_db_column_int(&q, 0), (uint64_t)fb_db_column_int(&q, 1),
                           now_ms);
    }
    return err;
}

static int state_load_parts(struct fb_db *db, int64_t now_ms, struct edge_yield *yield)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "SELECT begin_ms, filled, served FROM parts"
                        " WHERE begin_ms > ?1 AND begin_ms <= ?2 ORDER BY begin_ms");
    int err = FB_OK;

    fb_db_bind_int(&q, 1, now_ms - yield->span_ms);
    fb_db_bind_int(&q, 2, now_ms);
    while ((err = fb_db_step(&q)) == FB_OK) {
        (void)edge_yield_add(yield, fb_db_column_int(&q, 0), (uint64_t)fb_db_column_int(&q, 1),
                             (uint64_t)fb_db_column_int(&q, 2));
    }
    return err;
}

static int state_load_judged(struct fb_db *db, struct edge_yield *yield)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "SELECT first_ms, stopped_ms FROM judged");

    int err = fb_db_step(&q);
    if (err == FB_OK) {
        yield->first_ms = fb_db_column_int(&q, 0);
        yield->stopped_ms = fb_db_column_int(&q, 1);
    }
    return err;
}

int edge_warm_state_load(struct edge_warm_state *state, int64_t now_ms,
                         struct edge_warm_taken *taken, struct edge_guard *guard,
                         struct edge_yield *yield)
{
    if (state->db == NULL) {
        return FB_OK;
    }
    int err = state_load_plan(state->db, taken);
    if (err == FB_OK || err == FB_E_END) {
        err = state_load_samples(state->db, now_ms, guard);
    }
    if (err == FB_E_END) {
        err = state_load_parts(state->db, now_ms, yield);
    }
    if (err == FB_E_END) {
        err = state_load_judged(state->db, yield);
    }
    return err == FB_E_END ? FB_OK : err;
}

/* ---- writing -------------------------------------------------------------- */

static int state_store_plan(struct fb_db *db, const struct edge_warm_taken *taken)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "INSERT INTO plan (region, serial, digest) VALUES (?1, ?2, ?3)"
                        " ON CONFLICT (region) DO UPDATE SET serial = ?2, digest = ?3");

    if (taken->serial == 0) {
        return FB_OK;
    }
    fb_db_bind_str(&q, 1, fb_str_from(taken->region));
    fb_db_bind_int(&q, 2, (int64_t)taken->serial);
    fb_db_bind_blob(&q, 3, fb_sha256_str(taken->digest));
    return fb_db_run(&q);
}

static int state_store_sample(struct fb_db *db, const struct edge_warm_change *change)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "INSERT OR REPLACE INTO samples (begin_ms, bytes) VALUES (?1, ?2)");

    if (!change->has_sample) {
        return FB_OK;
    }
    fb_db_bind_int(&q, 1, change->sample_begin_ms);
    fb_db_bind_int(&q, 2, (int64_t)change->sample_bytes);
    return fb_db_run(&q);
}

static int state_store_part(struct fb_db *db, const struct edge_yield_part *part)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "INSERT OR REPLACE INTO parts (begin_ms, filled, served) VALUES (?1, ?2, ?3)");

    if (part->begin_ms == 0) {
        return FB_OK;
    }
    fb_db_bind_int(&q, 1, part->begin_ms);
    fb_db_bind_int(&q, 2, (int64_t)part->filled);
    fb_db_bind_int(&q, 3, (int64_t)part->served);
    return fb_db_run(&q);
}

static int state_store_judged(struct fb_db *db, const struct edge_warm_change *change)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "INSERT OR REPLACE INTO judged (id, first_ms, stopped_ms) VALUES (1, ?1, ?2)");

    fb_db_bind_int(&q, 1, change->first_ms);
    fb_db_bind_int(&q, 2, change->stopped_ms);
    return fb_db_run(&q);
}

static int state_forget(struct fb_db *db, const char *sql, int64_t before_ms)
{
    FB_AUTO(fb_db_query_done) struct fb_db_query q = fb_db_query(db, sql);

    fb_db_bind_int(&q, 1, before_ms);
    return fb_db_run(&q);
}

int edge_warm_state_store(struct edge_warm_state *state, const struct edge_warm_change *change)
{
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};

    if (state->db == NULL) {
        return FB_OK;
    }
    int err = fb_db_begin(state->db, &tx);
    if (err == FB_OK) {
        err = state_store_plan(state->db, &change->taken);
    }
    if (err == FB_OK) {
        err = state_store_sample(state->db, change);
    }
    if (err == FB_OK) {
        err = state_store_part(state->db, &change->part);
    }
    if (err == FB_OK) {
        err = state_store_judged(state->db, change);
    }
    if (err == FB_OK) {
        err = state_forget(state->db, "DELETE FROM samples WHERE begin_ms < ?1", change->forget_ms);
    }
    if (err == FB_OK) {
        err = state_forget(state->db, "DELETE FROM parts WHERE begin_ms < ?1", change->forget_ms);
    }
    return err == FB_OK ? fb_db_commit(&tx) : err;
}
