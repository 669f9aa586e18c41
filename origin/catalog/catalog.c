#include "origin/catalog/catalog.h"

#include "base/core/alloc.h"
#include "base/sys/file.h"
#include "origin/catalog/catalog_internal.h"

#include <fcntl.h>
#include <string.h>

enum { MODE_FOLDER = 0750 };

struct fb_str origin_catalog_file(struct fb_str url)
{
    struct fb_str scheme = FB_STR("sqlite:");
    return fb_str_starts_with(url, scheme) && url.len > scheme.len ? fb_str_skip(url, scheme.len)
                                                                   : FB_STR_NONE;
}

static int make_folder_of(const char *path, struct fb_diag *diag)
{
    const char *slash = strrchr(path, '/');
    if (slash == NULL || slash == path) {
        return FB_OK;
    }
    FB_AUTO(fb_freep) char *folder = fb_memdup0(path, (size_t)(slash - path));
    int err = fb_dir_make(AT_FDCWD, folder, MODE_FOLDER);
    return err < 0 ? fb_diag_set(diag, err, "make the database's folder '%s': %s", folder,
                                 fb_err_text(err))
                   : FB_OK;
}

static int migrate(struct origin_catalog *catalog, struct fb_diag *diag)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return fb_diag_set(diag, err, "open the database: %s", fb_err_text(err));
    }
    return fb_db_migrate(hold.db, origin_catalog_migrations, origin_catalog_n_migrations, diag);
}

int origin_catalog_open(struct fb_str url, unsigned max_connections, const struct fb_clock *clock,
                        struct origin_catalog **ret_catalog, struct fb_diag *diag)
{
    struct fb_str file = origin_catalog_file(url);
    if (file.ptr == NULL) {
        return fb_diag_set(diag, FB_E_UNSUPPORTED, "database '%.*s': expected sqlite:<file>",
                           FB_STR_ARG(url));
    }
    FB_AUTO(fb_freep) char *path = fb_str_dup(file);
    struct fb_db_pool *pool = NULL;
    int err = make_folder_of(path, diag);
    if (err < 0 || (err = fb_db_pool_new(path, NULL, max_connections, &pool, diag)) < 0) {
        return err;
    }
    struct origin_catalog *catalog = FB_NEW(struct origin_catalog);
    catalog->pool = pool;
    catalog->clock = clock;
    err = migrate(catalog, diag);
    if (err < 0) {
        origin_catalog_close(catalog);
        return err;
    }
    *ret_catalog = catalog;
    return FB_OK;
}

void origin_catalog_close(struct origin_catalog *catalog)
{
    if (catalog != NULL) {
        fb_db_pool_free(catalog->pool);
        fb_free(catalog);
    }
}

int64_t origin_catalog_now(const struct origin_catalog *catalog)
{
    return fb_clock_wall_ms(catalog->clock);
}

int origin_catalog_run_one(struct fb_db *db, struct fb_db_query *query, int absent)
{
    int err = fb_db_run(query);
    if (err < 0) {
        return err;
    }
    return fb_db_changes(db) == 1 ? FB_OK : absent;
}

struct origin_id origin_catalog_column_id(const struct fb_db_query *query, int column)
{
    struct origin_id id = {.text = ""};
    FB_IGNORE(origin_id_parse(fb_db_column_str(query, column), &id)); /* NULL gives none */
    return id;
}

struct fb_str origin_catalog_column_dup(const struct fb_db_query *q, struct fb_arena *arena,
                                        int column)
{
    struct fb_str text = fb_db_column_str(q, column);
    return text.ptr == NULL ? FB_STR_NONE : fb_arena_dup(arena, text);
}
