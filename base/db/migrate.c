#include "base/core/check.h"
#include "base/core/err.h"
#include "base/db/db_internal.h"

#include <stdio.h>

static int db_version(struct fb_db *db, int64_t *ret_version)
{
    FB_AUTO(fb_db_query_done) struct fb_db_query query = fb_db_query(db, "PRAGMA user_version");

    int err = fb_db_step(&query);
    if (err < 0) {
        return err;
    }
    *ret_version = fb_db_column_int(&query, 0);
    return FB_OK;
}

static int migrate_fail(struct fb_db *db, int err, int64_t from, struct fb_diag *diag)
{
    return fb_diag_set(diag, err, "migrate the schema from version %lld: %s", (long long)from,
                       fb_db_reason(db, err));
}

/* Reads the version again inside the transaction: another process may have
 * done the same step in between. */
static int migrate_one(struct fb_db *db, const char *sql, int64_t from, struct fb_diag *diag)
{
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    int64_t version = 0;
    char set_version[64];

    int err = fb_db_begin(db, &tx);
    if (err == FB_OK) {
        err = db_version(db, &version);
    }
    if (err == FB_OK && version != from) {
        return FB_OK;
    }
    if (err == FB_OK) {
        err = fb_db_exec(db, sql);
    }
    if (err < 0) {
        return migrate_fail(db, err, from, diag);
    }
    (void)snprintf(set_version, sizeof(set_version), "PRAGMA user_version = %lld",
                   (long long)from + 1);
    err = fb_db_exec(db, set_version);
    if (err == FB_OK) {
        err = fb_db_commit(&tx);
    }
    return err < 0 ? migrate_fail(db, err, from, diag) : FB_OK;
}

int fb_db_migrate(struct fb_db *db, const char *const *migrations, size_t n, struct fb_diag *diag)
{
    int64_t version = 0;

    int err = db_version(db, &version);
    if (err < 0) {
        return fb_diag_set(diag, err, "read the schema's version: %s", fb_db_reason(db, err));
    }
    if (version < 0 || (uint64_t)version > n) {
        return fb_diag_set(diag, FB_E_UNSUPPORTED,
                           "the database has schema version %lld, this program knows up to %zu",
                           (long long)version, n);
    }
    for (; (uint64_t)version < n; version++) {
        err = migrate_one(db, migrations[version], version, diag);
        if (err < 0) {
            return err;
        }
    }
    return FB_OK;
}
