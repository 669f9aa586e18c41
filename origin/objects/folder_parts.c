/*
 * Multiparts: parts as files beside the objects. Completing joins them into a new file, with their
 * blocks shared where the file system can (XFS, btrfs), so that a crash in the middle leaves all as
 * it was.
 */
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/sys/file.h"
#include "origin/model/id.h"
#include "origin/objects/folder_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PART_NAME_MAX = 8, COPY_AT_ONCE = 64 << 20 };

/* One that is open. */
struct parts {
    struct folder *folder;
    int fd; /* owned; of its folder */
    char name[2 * FOLDER_NAME_MAX];
};

static void parts_done(struct parts *parts)
{
    fb_fd_done(&parts->fd);
}

static int parts_absent_or(int err)
{
    return err == -ENOENT || err == -ENOTDIR ? FB_E_NOT_FOUND : err;
}

/* FB_E_NOT_FOUND unless it is `key`'s. */
static int parts_open(struct origin_objects *objects, struct fb_str key, struct fb_str id,
                      struct parts *ret_parts)
{
    FB_AUTO(parts_done) struct parts parts = {.folder = folder_of(objects), .fd = -1};
    FB_AUTO(fb_buf_done) struct fb_buf owner = {0};
    struct origin_id plain;

    if (origin_id_parse(id, &plain) < 0) {
        return FB_E_NOT_FOUND;
    }
    (void)snprintf(parts.name, sizeof(parts.name), FOLDER_PARTS "/%s", plain.text);
    int err = fb_file_open(parts.folder->fd, parts.name, O_RDONLY | O_DIRECTORY, 0, &parts.fd);
    if (err == FB_OK) {
        err = fb_file_read(parts.fd, FOLDER_KEY_FILE, ORIGIN_OBJECTS_KEY_MAX, &owner, NULL);
    }
    if (err < 0) {
        return parts_absent_or(err);
    }
    if (!fb_str_equal(fb_buf_str(&owner), key)) {
        return FB_E_NOT_FOUND;
    }
    *ret_parts = parts;
    parts.fd = -1;
    return FB_OK;
}

static void part_name(uint32_t number, char name[PART_NAME_MAX])
{
    (void)snprintf(name, PART_NAME_MAX, "%05" PRIu32, number);
}

/* ---- begin and abort -------------------------------------------------------- */

int origin_folder_multipart_begin(struct origin_objects *objects, struct fb_str key,
                                  char ret_id[ORIGIN_MULTIPART_ID_MAX + 1])
{
    struct folder *folder = folder_of(objects);
    FB_AUTO(fb_fd_done) int fd = -1;
    char name[FOLDER_NAME_MAX];
    char place[FOLDER_NAME_MAX];

    int err = origin_folder_temporary(folder->fd, true, name, &fd);
    if (err < 0) {
        return err;
    }
    const char *id = strrchr(name, '/') + 1;
    (void)snprintf(place, sizeof(place), FOLDER_PARTS "/%s", id);
    err = fb_file_write(fd, FOLDER_KEY_FILE, key, FOLDER_MODE_FILE, NULL);
    if (err == FB_OK && renameat(folder->fd, name, folder->fd, place) < 0) {
        err = -errno;
    }
    if (err < 0) {
        (void)fb_dir_remove(folder->fd, name);
        return err;
    }
    err = fb_dir_sync(folder->fd, FOLDER_PARTS);
    if (err == FB_OK) {
        (void)snprintf(ret_id, ORIGIN_MULTIPART_ID_MAX + 1, "%s", id);
    }
    return err;
}

/* Takes it away at once, then removes it: a crash in between leaves a temporary. */
static int parts_remove(struct parts *parts)
{
    char name[FOLDER_NAME_MAX];
    struct origin_id id = origin_id_new();

    (void)snprintf(name, sizeof(name), FOLDER_TEMPORARIES "/%s", id.text);
    if (renameat(parts->folder->fd, parts->name, parts->folder->fd, name) < 0) {
        return errno == ENOENT ? FB_OK : -errno;
    }
    int err = fb_dir_sync(parts->folder->fd, FOLDER_PARTS);
    (void)fb_dir_remove(parts->folder->fd, name); /* the next opening sweeps what stays */
    return err;
}

int origin_folder_multipart_abort(struct origin_objects *objects, struct fb_str key,
                                  struct fb_str id)
{
    FB_AUTO(parts_done) struct parts parts = {.fd = -1};

    int err = parts_open(objects, key, id, &parts);
    return err < 0 ? (err == FB_E_NOT_FOUND ? FB_OK : err) : parts_remove(&parts);
}

/* ---- parts ------------------------------------------------------------------- */

int origin_folder_multipart_part(struct origin_objects *objects, struct fb_str key,
                                 struct fb_str id, uint32_t number, uint64_t size,
                                 struct origin_put **ret_put)
{
    FB_AUTO(parts_done) struct parts parts = {.fd = -1};
    char name[PART_NAME_MAX];

    int err = parts_open(objects, key, id, &parts);
    if (err < 0 || (err = origin_folder_put_begin(objects, key, size, ret_put)) < 0) {
        return err;
    }
    struct folder_put *put = FB_CONTAINER_OF(*ret_put, struct folder_put, base);
    part_name(number, name);
    put->number = number;
    (void)snprintf(put->part, sizeof(put->part), "%.*s/%s", FOLDER_NAME_MAX, parts.name, name);
    return FB_OK;
}

/* The bytes are there: their trailer, and then their name. */
static int part_publish(struct folder_put *put, struct fb_str etag)
{
    char trailer[FOLDER_PART_TRAILER] = {0};
    struct folder *folder = put->folder;

    memcpy(trailer, etag.ptr, etag.len);
    int err = fb_fd_write(put->fd, (struct fb_str){trailer, sizeof(trailer)});
    if (err < 0) {
        return err;
    }
    if (fsync(put->fd) < 0 || renameat(folder->fd, put->name, folder->fd, put->part) < 0) {
        return parts_absent_or(-errno);
    }
    *strrchr(put->part, '/') = '\0';
    return parts_absent_or(fb_dir_sync(folder->fd, put->part));
}

int origin_folder_put_commit_part(struct origin_put *base, struct fb_str etag,
                                  struct origin_part *ret_part)
{
    struct folder_put *put = FB_CONTAINER_OF(base, struct folder_put, base);
    struct stat st;

    int err = put->written == put->size ? part_publish(put, etag) : FB_E_CLOSED;
    if (err == FB_OK && fstat(put->fd, &st) < 0) {
        err = -errno;
    }
    if (err == FB_OK) {
        ret_part->number = put->number;
        ret_part->size = put->size;
        ret_part->modified_ms = origin_folder_time_ms(&st.st_mtim);
        memcpy(ret_part->etag, etag.ptr, etag.len);
        ret_part->etag[etag.len] = '\0';
    }
    origin_folder_put_abort(base); /* whose temporary has another name by now, or goes */
    return err;
}

/* Opens a part and reads its trailer. */
static int part_open(const struct parts *parts, uint32_t number, struct origin_part *ret_part,
                     int *ret_fd)
{
    FB_AUTO(fb_fd_done) int fd = -1;
    char name[PART_NAME_MAX];
    struct stat st = {.st_size = 0};

    part_name(number, name);
    int err = fb_file_open(parts->fd, name, O_RDONLY, 0, &fd);
    if (err == FB_OK && fstat(fd, &st) < 0) {
        err = -errno;
    }
    if (err < 0) {
        return parts_absent_or(err);
    }
    if (st.st_size < FOLDER_PART_TRAILER) {
        return FB_E_CORRUPT;
    }
    struct origin_part part = {
        .number = number,
        .size = (uint64_t)st.st_size - FOLDER_PART_TRAILER,
        .modified_ms = origin_folder_time_ms(&st.st_mtim),
    };
    if (pread(fd, part.etag, ORIGIN_ETAG_MAX, (off_t)part.size) != ORIGIN_ETAG_MAX) {
        return FB_E_CORRUPT;
    }
    *ret_part = part;
    *ret_fd = fb_fd_take(&fd);
    return FB_OK;
}

static int number_compare(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;
    return left < right ? -1 : left > right;
}

/* The numbers of all parts above `after`, in their order; the memory is the caller's. */
static int parts_numbers(const struct parts *parts, uint32_t after, uint32_t **ret_numbers,
                         size_t *ret_n)
{
    int fd = openat(parts->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    uint64_t number = 0;
    size_t n = 0;

    if (dir == NULL) {
        int err = -errno;
        fb_fd_done(&fd);
        return parts_absent_or(err);
    }
    uint32_t *numbers = fb_alloc(ORIGIN_PART_MAX * sizeof(*numbers));
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (fb_str_to_u64(fb_str_from(entry->d_name), &number) == FB_OK && number > after &&
            number <= ORIGIN_PART_MAX && n < ORIGIN_PART_MAX) {
            numbers[n++] = (uint32_t)number;
        }
    }
    (void)closedir(dir);
    qsort(numbers, n, sizeof(*numbers), number_compare);
    *ret_numbers = numbers;
    *ret_n = n;
    return FB_OK;
}

int origin_folder_multipart_parts(struct origin_objects *objects, struct fb_str key,
                                  struct fb_str id, struct origin_part_page *page)
{
    FB_AUTO(parts_done) struct parts parts = {.fd = -1};
    FB_AUTO(fb_freep) uint32_t *numbers = NULL;
    size_t n_numbers = 0;

    int err = parts_open(objects, key, id, &parts);
    if (err < 0 || (err = parts_numbers(&parts, page->after, &numbers, &n_numbers)) < 0) {
        return err;
    }
    size_t n = FB_MIN(n_numbers, page->max);
    for (size_t i = 0; i < n; i++) {
        FB_AUTO(fb_fd_done) int fd = -1;
        err = part_open(&parts, numbers[i], &page->parts[i], &fd);
        if (err < 0) {
            return err;
        }
    }
    page->n = n;
    return FB_OK;
}

/* ---- complete ------------------------------------------------------------------ */

/* Opens the part that is named, if it is that one. */
static int part_open_named(const struct parts *parts, const struct origin_part_name *name,
                           struct origin_part *ret_part, int *ret_fd)
{
    struct origin_part part;
    FB_AUTO(fb_fd_done) int fd = -1;

    int err = part_open(parts, name->number, &part, &fd);
    if (err < 0) {
        return err == FB_E_NOT_FOUND ? FB_E_CONFLICT : err;
    }
    if (!fb_str_equal_nocase(name->etag, fb_str_from(part.etag))) {
        return FB_E_CONFLICT;
    }
    *ret_part = part;
    *ret_fd = fb_fd_take(&fd);
    return FB_OK;
}

static int bytes_append(int from, int to, uint64_t n)
{
    while (n > 0) {
        ssize_t done =
            copy_file_range(from, NULL, to, NULL, (size_t)FB_MIN(n, (uint64_t)COPY_AT_ONCE), 0);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return done < 0 ? -errno : FB_E_CORRUPT;
        }
        n -= (uint64_t)done;
    }
    return FB_OK;
}

static int parts_join(const struct parts *parts, const struct origin_part_name *names, size_t n,
                      int to)
{
    struct origin_part part;

    for (size_t i = 0; i < n; i++) {
        FB_AUTO(fb_fd_done) int fd = -1;
        int err = part_open_named(parts, &names[i], &part, &fd);
        if (err < 0 || (err = bytes_append(fd, to, part.size)) < 0) {
            return err;
        }
    }
    return fsync(to) < 0 ? -errno : FB_OK;
}

int origin_folder_multipart_complete(struct origin_objects *objects, struct fb_str key,
                                     struct fb_str id, const struct origin_part_name *names,
                                     size_t n)
{
    FB_AUTO(parts_done) struct parts parts = {.fd = -1};
    FB_AUTO(fb_fd_done) int to = -1;
    struct origin_part part;
    char text[ORIGIN_OBJECTS_KEY_MAX + 1];
    char name[FOLDER_NAME_MAX];

    int err = parts_open(objects, key, id, &parts);
    for (size_t i = 0; err == FB_OK && i < n; i++) {
        FB_AUTO(fb_fd_done) int fd = -1;
        err = part_open_named(&parts, &names[i], &part, &fd);
    }
    if (err < 0 || (err = origin_folder_temporary(parts.folder->fd, false, name, &to)) < 0) {
        return err;
    }
    origin_folder_key_text(key, text);
    err = parts_join(&parts, names, n, to);
    if (err == FB_OK) {
        err = origin_folder_give_name(parts.folder, parts.folder->fd, name, text);
    }
    if (err < 0) {
        (void)unlinkat(parts.folder->fd, name, 0);
        return err;
    }
    return parts_remove(&parts);
}

/* ---- sweeping ------------------------------------------------------------------- */

/* What stands under one name of ".parts"; FB_E_NOT_FOUND if it is nothing, or too new. */
static int multipart_read(int dir, const char *name, int64_t before_ms,
                          struct origin_multipart *ret_item)
{
    FB_AUTO(fb_buf_done) struct fb_buf key = {0};
    FB_AUTO(fb_fd_done) int fd = -1;
    struct origin_multipart item;
    struct origin_id id;
    struct stat st;

    if (origin_id_parse(fb_str_from(name), &id) < 0) {
        return FB_E_NOT_FOUND;
    }
    int err = fb_file_open(dir, name, O_RDONLY | O_DIRECTORY, 0, &fd);
    if (err == FB_OK && fstatat(fd, FOLDER_KEY_FILE, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        err = -errno;
    }
    if (err == FB_OK) {
        err = fb_file_read(fd, FOLDER_KEY_FILE, ORIGIN_OBJECTS_KEY_MAX, &key, NULL);
    }
    if (err < 0) {
        return parts_absent_or(err);
    }
    item.begun_ms = origin_folder_time_ms(&st.st_mtim);
    if (item.begun_ms >= before_ms) {
        return FB_E_NOT_FOUND;
    }
    origin_folder_key_text(fb_buf_str(&key), item.key);
    (void)snprintf(item.id, sizeof(item.id), "%s", id.text);
    *ret_item = item;
    return FB_OK;
}

int origin_folder_multipart_list(struct origin_objects *objects, int64_t before_ms,
                                 struct origin_multipart *items, size_t max, size_t *ret_n)
{
    int fd = openat(folder_of(objects)->fd, FOLDER_PARTS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
    int err = FB_OK;
    size_t n = 0;

    if (dir == NULL) {
        err = -errno;
        fb_fd_done(&fd);
        return err;
    }
    for (struct dirent *entry = readdir(dir); err == FB_OK && entry != NULL && n < max;
         entry = readdir(dir)) {
        err = multipart_read(fd, entry->d_name, before_ms, &items[n]);
        n += err == FB_OK;
        err = err == FB_E_NOT_FOUND ? FB_OK : err;
    }
    (void)closedir(dir);
    if (err == FB_OK) {
        *ret_n = n;
    }
    return err;
}
