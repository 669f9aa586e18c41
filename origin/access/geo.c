#include "origin/access/geo.h"

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/net/address.h"

#include <errno.h>
#include <maxminddb.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>

struct origin_geo {
    char *path;            /* owned */
    pthread_rwlock_t lock; /* of what follows: held while it is read */
    MMDB_s database;
    struct stat seen; /* of the file that is open */
};

static int open_database(const char *path, MMDB_s *database, struct stat *ret_seen,
                         struct fb_diag *diag)
{
    if (stat(path, ret_seen) < 0) {
        int err = -errno;
        return fb_diag_set(diag, err, "read the database of countries '%s': %s", path,
                           fb_err_text(err));
    }
    int status = MMDB_open(path, MMDB_MODE_MMAP, database);
    return status == MMDB_SUCCESS
               ? FB_OK
               : fb_diag_set(diag, FB_E_CORRUPT, "read the database of countries '%s': %s", path,
                             MMDB_strerror(status));
}

int origin_geo_open(const char *path, struct origin_geo **ret_geo, struct fb_diag *diag)
{
    struct origin_geo *geo = FB_NEW(struct origin_geo);

    int err = open_database(path, &geo->database, &geo->seen, diag);
    if (err < 0) {
        fb_free(geo);
        return err;
    }
    geo->path = fb_str_dup(fb_str_from(path));
    (void)pthread_rwlock_init(&geo->lock, NULL);
    *ret_geo = geo;
    return FB_OK;
}

void origin_geo_close(struct origin_geo *geo)
{
    if (geo == NULL) {
        return;
    }
    MMDB_close(&geo->database);
    (void)pthread_rwlock_destroy(&geo->lock);
    fb_free(geo->path);
    fb_free(geo);
}

static bool is_other_file(const struct stat *a, const struct stat *b)
{
    return a->st_ino != b->st_ino || a->st_dev != b->st_dev || a->st_size != b->st_size ||
           a->st_mtim.tv_sec != b->st_mtim.tv_sec || a->st_mtim.tv_nsec != b->st_mtim.tv_nsec;
}

int origin_geo_run(struct origin_geo *geo, bool *ret_is_new, struct fb_diag *diag)
{
    MMDB_s database;
    struct stat seen;

    if (stat(geo->path, &seen) == 0 && !is_other_file(&seen, &geo->seen)) {
        *ret_is_new = false;
        return FB_OK;
    }
    int err = open_database(geo->path, &database, &seen, diag);
    if (err < 0) {
        return err;
    }
    (void)pthread_rwlock_wrlock(&geo->lock);
    MMDB_s old = geo->database;
    geo->database = database;
    geo->seen = seen;
    (void)pthread_rwlock_unlock(&geo->lock);
    MMDB_close(&old);
    *ret_is_new = true;
    return FB_OK;
}

static bool take_code(MMDB_entry_s *entry, const char *const *path, char country[])
{
    MMDB_entry_data_s data;

    if (MMDB_aget_value(entry, &data, path) != MMDB_SUCCESS || !data.has_data ||
        data.type != MMDB_DATA_TYPE_UTF8_STRING || data.data_size != ORIGIN_COUNTRY_LEN) {
        return false;
    }
    memcpy(country, data.utf8_string, ORIGIN_COUNTRY_LEN);
    country[ORIGIN_COUNTRY_LEN] = '\0';
    return origin_country_check(fb_str_from(country), NULL) == FB_OK;
}

int origin_geo_country(struct origin_geo *geo, const struct fb_address *address,
                       char ret_country[ORIGIN_COUNTRY_LEN + 1])
{
    static const char *const paths[][3] = {{"country", "iso_code", NULL},
                                           {"registered_country", "iso_code", NULL},
                                           {"country_code", NULL}};
    char country[ORIGIN_COUNTRY_LEN + 1];
    bool is_found = false;
    int status = MMDB_SUCCESS;

    if (address->len == 0) {
        return FB_E_NOT_FOUND;
    }
    (void)pthread_rwlock_rdlock(&geo->lock);
    MMDB_lookup_result_s result =
        MMDB_lookup_sockaddr(&geo->database, (const struct sockaddr *)&address->storage, &status);
    for (size_t i = 0;
         status == MMDB_SUCCESS && result.found_entry && !is_found && i < FB_ARRAY_LEN(paths);
         i++) {
        is_found = take_code(&result.entry, paths[i], country);
    }
    (void)pthread_rwlock_unlock(&geo->lock);
    if (!is_found) {
        return FB_E_NOT_FOUND;
    }
    memcpy(ret_country, country, sizeof(country));
    return FB_OK;
}
