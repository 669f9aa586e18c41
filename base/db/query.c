#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/db/db_internal.h"

#include <string.h>

/* ---- statements ------------------------------------------------------------- */

static void stmt_free(struct fb_db_stmt *stmt)
{
    sqlite3_finalize(stmt->raw);
    fb_free(stmt);
}

/* A prepared statement for `sql` that no other query has, or NULL. */
static struct fb_db_stmt *stmt_find(struct fb_db *db, const char *sql)
{
    FB_LIST_EACH(node, &db->cached) {
        struct fb_db_stmt *stmt = FB_CONTAINER_OF(node, struct fb_db_stmt, link);
        if (!stmt->is_busy && (stmt->sql == sql || strcmp(stmt->sql, sql) == 0)) {
            fb_list_remove(&stmt->link);
            fb_list_prepend(&db->cached, &stmt->link);
            return stmt;
        }
    }
    return NULL;
}

/* Where there are more statements than can be kept, that goes which was not used for longest. */
static bool cache_make_room(struct fb_db *db)
{
    if (db->n_cached < FB_DB_MAX_CACHED) {
        return true;
    }
    for (struct fb_list *node = db->cached.prev; node != &db->cached; node = node->prev) {
        struct fb_db_stmt *stmt = FB_CONTAINER_OF(node, struct fb_db_stmt, link);
        if (!stmt->is_busy) {
            fb_list_remove(&stmt->link);
            stmt_free(stmt);
            db->n_cached--;
            return true;
        }
    }
    return false;
}

static int stmt_prepare(struct fb_db *db, const char *sql, struct fb_db_stmt **ret_stmt)
{
    sqlite3_stmt *raw = NULL;
    bool is_cached = cache_make_room(db);

    int code =
        sqlite3_prepare_v3(db->raw, sql, -1, is_cached ? SQLITE_PREPARE_PERSISTENT : 0, &raw, NULL);
    if (code != SQLITE_OK) {
        return fb_db_fail(db);
    }
    struct fb_db_stmt *stmt = FB_NEW(struct fb_db_stmt);
    fb_list_init(&stmt->link);
    stmt->raw = raw;
    stmt->sql = sql;
    stmt->is_cached = is_cached;
    if (is_cached) {
        fb_list_prepend(&db->cached, &stmt->link);
        db->n_cached++;
    }
    *ret_stmt = stmt;
    return FB_OK;
}

struct fb_db_query fb_db_query(struct fb_db *db, const char *sql)
{
    struct fb_db_query query = {.db = db};

    query.stmt = stmt_find(db, sql);
    if (query.stmt == NULL) {
        query.err = stmt_prepare(db, sql, &query.stmt);
    }
    if (query.err == FB_OK && query.stmt != NULL) {
        query.stmt->is_busy = true;
        db->n_busy++;
    }
    return query;
}

void fb_db_query_done(struct fb_db_query *query)
{
    struct fb_db_stmt *stmt = query->stmt;

    if (stmt != NULL) {
        fb_db_query_reset(query);
        stmt->is_busy = false;
        query->db->n_busy--;
        if (!stmt->is_cached) {
            stmt_free(stmt);
        }
    }
    *query = (struct fb_db_query){0};
}

/* ---- parameters --------------------------------------------------------------- */

static void query_bound(struct fb_db_query *query, int code)
{
    if (code != SQLITE_OK && query->err == FB_OK) {
        query->err = fb_db_translate(code);
    }
}

void fb_db_bind_str(struct fb_db_query *query, int index, struct fb_str str)
{
    if (query->err == FB_OK) {
        query_bound(query, sqlite3_bind_text64(query->stmt->raw, index, str.ptr, str.len,
                                               SQLITE_TRANSIENT, SQLITE_UTF8));
    }
}

void fb_db_bind_blob(struct fb_db_query *query, int index, struct fb_str bytes)
{
    if (query->err == FB_OK) {
        query_bound(query, sqlite3_bind_blob64(query->stmt->raw, index, bytes.ptr, bytes.len,
                                               SQLITE_TRANSIENT));
    }
}

void fb_db_bind_int(struct fb_db_query *query, int index, int64_t number)
{
    if (query->err == FB_OK) {
        query_bound(query, sqlite3_bind_int64(query->stmt->raw, index, number));
    }
}

/* ---- rows ----------------------------------------------------------------------- */

int fb_db_step(struct fb_db_query *query)
{
    if (query->err < 0) {
        return query->err;
    }
    int code = sqlite3_step(query->stmt->raw);
    if (code == SQLITE_ROW) {
        return FB_OK;
    }
    if (code == SQLITE_DONE) {
        sqlite3_reset(query->stmt->raw); /* lets go of the read lock at once */
        return FB_E_END;
    }
    query->err = fb_db_fail(query->db);
    return query->err;
}

int fb_db_run(struct fb_db_query *query)
{
    int err = FB_OK;

    while (err == FB_OK) {
        err = fb_db_step(query);
    }
    return err == FB_E_END ? FB_OK : err;
}

void fb_db_query_reset(struct fb_db_query *query)
{
    if (query->stmt != NULL) {
        sqlite3_reset(query->stmt->raw); /* repeats the step's failure, reported already */
        sqlite3_clear_bindings(query->stmt->raw);
        query->err = FB_OK;
    }
}

static struct fb_str column_bytes(const struct fb_db_query *query, int column, const void *ptr)
{
    if (ptr == NULL) {
        return FB_STR_NONE;
    }
    return (struct fb_str){ptr, (size_t)sqlite3_column_bytes(query->stmt->raw, column)};
}

struct fb_str fb_db_column_str(const struct fb_db_query *query, int column)
{
    return column_bytes(query, column, sqlite3_column_text(query->stmt->raw, column));
}

struct fb_str fb_db_column_blob(const struct fb_db_query *query, int column)
{
    return column_bytes(query, column, sqlite3_column_blob(query->stmt->raw, column));
}

int64_t fb_db_column_int(const struct fb_db_query *query, int column)
{
    return sqlite3_column_int64(query->stmt->raw, column);
}

double fb_db_column_real(const struct fb_db_query *query, int column)
{
    return sqlite3_column_double(query->stmt->raw, column);
}

bool fb_db_column_is_null(const struct fb_db_query *query, int column)
{
    return sqlite3_column_type(query->stmt->raw, column) == SQLITE_NULL;
}
