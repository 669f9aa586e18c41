/*
 * What db.c and query.c share.
 */
#pragma once

#include "base/core/list.h"
#include "base/db/db.h"

#include <sqlite3.h>

struct fb_db_stmt {
    struct fb_list link; /* in db->cached */
    sqlite3_stmt *raw;   /* owned */
    const char *sql;     /* borrowed for ever */
    bool is_cached;      /* else finalised when its query is done */
    bool is_busy;        /* a query has it */
};

struct fb_db {
    sqlite3 *raw;          /* owned */
    struct fb_list cached; /* of struct fb_db_stmt, owned, last used first */
    unsigned n_cached;
    unsigned n_busy;
    bool in_tx;
};

/* A result code of SQLite as one of ours. */
int fb_db_translate(int code);

/* The last failure of `db` as one of ours; its raw form goes to the log. */
int fb_db_fail(const struct fb_db *db);

/* The last failure of `db`, which is `err`, in words for people; until the next call. */
const char *fb_db_reason(const struct fb_db *db, int err);
