/*
 * What a child made becomes objects.
 *
 * The folder is a stranger's work: only plain files with plain names are taken.
 */
#include "base/core/err.h"
#include "base/core/str.h"
#include "base/sys/file.h"
#include "origin/objects/objects.h"
#include "origin/worker/worker_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { DEPTH_MAX = 8, PATH_LEN = ORIGIN_ORDER_PATH_MAX + ORIGIN_PATH_MAX + 2 };

struct storing {
    struct origin_objects *objects;
    const char *folder;
    const char *prefix;
    void *ctx;
    bool (*is_canceled)(void *ctx);
    uint32_t n;
};

static int store_file(struct storing *storing, const char *name)
{
    char key[ORIGIN_KEY_MAX + 1];
    char path[PATH_LEN];
    int n = snprintf(key, sizeof(key), "%s/%s", storing->prefix, name);
    int m = snprintf(path, sizeof(path), "%s/%s", storing->folder, name);

    if (n >= (int)sizeof(key) || m >= (int)sizeof(path) || ++storing->n > ORIGIN_FILES_MAX) {
        return FB_E_LIMIT;
    }
    if (storing->is_canceled(storing->ctx)) {
        return FB_E_CANCELED;
    }
    return origin_objects_put_file(storing->objects, fb_str_from(key), path);
}

static int store_folder(struct storing *storing, const char *name, unsigned depth);

static int store_entry(struct storing *storing, int folder, const char *name, const char *entry,
                       unsigned depth)
{
    char path[ORIGIN_PATH_MAX + 1];
    struct stat info;
    int n = snprintf(path, sizeof(path), "%s%s%s", name, name[0] != '\0' ? "/" : "", entry);

    if (n >= (int)sizeof(path) || !origin_path_is_plain(fb_str_from(path), ORIGIN_PATH_MAX)) {
        return FB_E_MALFORMED;
    }
    if (fstatat(folder, entry, &info, AT_SYMLINK_NOFOLLOW) < 0) {
        return -errno;
    }
    if (S_ISDIR(info.st_mode)) {
        return depth < DEPTH_MAX ? store_folder(storing, path, depth + 1) : FB_E_LIMIT;
    }
    return S_ISREG(info.st_mode) ? store_file(storing, path) : FB_E_MALFORMED;
}

static int store_folder(struct storing *storing, const char *name, unsigned depth)
{
    char path[PATH_LEN];
    const struct dirent *entry = NULL;
    int err = FB_OK;

    (void)snprintf(path, sizeof(path), "%s/%s", storing->folder, name);
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return -errno;
    }
    while (err == FB_OK && (entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            err = store_entry(storing, dirfd(folder), name, entry->d_name, depth);
        }
    }
    (void)closedir(folder);
    return err;
}

int origin_attempt_store(struct origin_objects *objects, const char *folder, const char *prefix,
                         void *ctx, bool (*is_canceled)(void *ctx), uint32_t *ret_n)
{
    struct storing storing = {.objects = objects,
                              .folder = folder,
                              .prefix = prefix,
                              .ctx = ctx,
                              .is_canceled = is_canceled};

    int err = store_folder(&storing, "", 0);
    if (err == FB_OK) {
        *ret_n = storing.n;
    }
    return err;
}
