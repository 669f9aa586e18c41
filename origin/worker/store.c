/*
 * What a child made becomes objects.
 *
 * The folder is a stranger's work: only plain files with plain names are taken, and what they hash
 * to is found out here.
 */
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/core/str.h"
#include "base/loop/thread.h"
#include "origin/objects/objects.h"
#include "origin/worker/worker_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum {
    DEPTH_MAX = 8,
    PATH_LEN = ORIGIN_ORDER_PATH_MAX + ORIGIN_PATH_MAX + 2,
    FILES_FIRST = 64,
    FAR_AT_ONCE = 4 /* where each file waits for a network */
};

struct storing {
    const struct origin_store_options *options;
    struct origin_result found; /* of which the files count */
    size_t max_files;           /* room at them */
    _Atomic(size_t) next;
    _Atomic(int) err; /* the first failure */
};

/* ---- what is there --------------------------------------------------------------------- */

static int found_add(struct storing *storing, const char *path)
{
    struct origin_result *found = &storing->found;

    if (found->n_files == ORIGIN_FILES_MAX) {
        return FB_E_LIMIT;
    }
    if (found->n_files == storing->max_files) {
        storing->max_files = FB_MAX(storing->max_files * 2, (size_t)FILES_FIRST);
        found->files = fb_realloc(found->files, storing->max_files * sizeof(*found->files));
    }
    struct origin_result_file *file = &found->files[found->n_files++];
    *file = (struct origin_result_file){.type = "application/octet-stream"};
    (void)snprintf(file->path, sizeof(file->path), "%s", path);
    return FB_OK;
}

static int find_folder(struct storing *storing, const char *name, unsigned depth);

static int find_entry(struct storing *storing, int folder, const char *name, const char *entry,
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
        return depth < DEPTH_MAX ? find_folder(storing, path, depth + 1) : FB_E_LIMIT;
    }
    return S_ISREG(info.st_mode) ? found_add(storing, path) : FB_E_MALFORMED;
}

static int find_folder(struct storing *storing, const char *name, unsigned depth)
{
    char path[PATH_LEN];
    const struct dirent *entry = NULL;
    int err = FB_OK;

    (void)snprintf(path, sizeof(path), "%s/%s", storing->options->folder, name);
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return -errno;
    }
    while (err == FB_OK && (entry = readdir(folder)) != NULL) {
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0) {
            err = find_entry(storing, dirfd(folder), name, entry->d_name, depth);
        }
    }
    (void)closedir(folder);
    return err;
}

/* ---- putting it ------------------------------------------------------------------------ */

static int store_file(const struct origin_store_options *options, struct origin_result_file *file)
{
    struct origin_stored stored;
    char key[ORIGIN_KEY_MAX + 1];
    char path[PATH_LEN];
    int n = snprintf(key, sizeof(key), "%s/%s", options->prefix, file->path);
    int m = snprintf(path, sizeof(path), "%s/%s", options->folder, file->path);

    if (n >= (int)sizeof(key) || m >= (int)sizeof(path)) {
        return FB_E_LIMIT;
    }
    if (options->is_canceled(options->ctx)) {
        return FB_E_CANCELED;
    }
    int err = origin_objects_put_file(options->objects, fb_str_from(key), path, &stored);
    if (err == FB_OK) {
        file->size = stored.size;
        memcpy(file->sha256, stored.sha256, sizeof(file->sha256));
    }
    return err;
}

/* One file after the other that nobody else has begun, until all are or one has failed. */
static void store_some(void *ctx)
{
    struct storing *storing = ctx;
    size_t i = 0;

    while (atomic_load(&storing->err) == FB_OK &&
           (i = atomic_fetch_add(&storing->next, 1)) < storing->found.n_files) {
        int none = FB_OK;
        int err = store_file(storing->options, &storing->found.files[i]);
        if (err < 0) {
            (void)atomic_compare_exchange_strong(&storing->err, &none, err);
        }
    }
}

static int store_all(struct storing *storing)
{
    bool is_far = !origin_objects_are_local(storing->options->objects);
    size_t n_at_once = FB_MIN(storing->found.n_files, (size_t)(is_far ? FAR_AT_ONCE : 1));
    struct fb_thread *helpers[FAR_AT_ONCE - 1];
    size_t n = 0;

    while (n + 1 < n_at_once &&
           fb_thread_start_body("store", store_some, storing, &helpers[n]) == FB_OK) {
        n++; /* with fewer it takes longer, no more */
    }
    store_some(storing);
    while (n > 0) {
        fb_thread_join(helpers[--n]);
    }
    return atomic_load(&storing->err);
}

int origin_attempt_store(const struct origin_store_options *options,
                         struct origin_result *ret_files)
{
    struct storing storing = {.options = options};

    int err = find_folder(&storing, "", 0);
    if (err == FB_OK) {
        err = store_all(&storing);
    }
    if (err < 0) {
        origin_result_done(&storing.found);
        return err;
    }
    *ret_files = storing.found;
    return FB_OK;
}
