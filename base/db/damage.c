#include "base/db/damage.h"

#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/db/db.h"

#include <errno.h>
#include <stdio.h>

int fb_db_check(struct fb_db *db)
{
    FB_AUTO(fb_db_query_done) struct fb_db_query q = fb_db_query(db, "PRAGMA quick_check(1)");

    int err = fb_db_step(&q);
    if (err == FB_OK && !fb_str_equal(fb_db_column_str(&q, 0), FB_STR("ok"))) {
        return FB_E_CORRUPT;
    }
    return err;
}

int fb_db_put_aside(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};

    for (size_t i = 0; i < FB_ARRAY_LEN(suffixes); i++) {
        FB_AUTO(fb_buf_done) struct fb_buf from = {0};
        FB_AUTO(fb_buf_done) struct fb_buf to = {0};
        fb_buf_printf(&from, "%s%s", path, suffixes[i]);
        fb_buf_printf(&to, "%s.broken%s", path, suffixes[i]);
        if (rename(from.ptr, to.ptr) < 0 && errno != ENOENT) {
            return -errno;
        }
    }
    return FB_OK;
}
