/*
 * Objects as files of a folder, each under its key (folder_internal.h).
 */
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/sys/file.h"
#include "origin/objects/folder_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

void origin_folder_key_text(struct fb_str key, char text[ORIGIN_OBJECTS_KEY_MAX + 1])
{
    if (key.len > 0) {
        memcpy(text, key.ptr, key.len);
    }
    text[key.len] = '\0';
}

int origin_folder_absent_or(int number)
{
    return number == ENOENT || number == ENOTDIR || number == EISDIR ? FB_E_NOT_FOUND : -number;
}

int64_t origin_folder_time_ms(const struct timespec *time)
{
    return (int64_t)time->tv_sec * 1000 + time->tv_nsec / 1000000;
}

/* ---- reading ------------------------------------------------------------- */

static int object_of(const struct stat *st, int fd, struct origin_object *ret_object)
{
    if (!S_ISREG(st->st_mode)) {
        return FB_E_NOT_FOUND;
    }
    *ret_object = (struct origin_object){
        .fd = fd,
        .size = (uint64_t)st->st_size,
        .modified_ms = origin_folder_time_ms(&st->st_mtim),
    };
    return FB_OK;
}

static int folder_get(struct origin_objects *objects, struct fb_str key,
                      struct origin_object *ret_object)
{
    struct folder *folder = folder_of(objects);
    char name[ORIGIN_OBJECTS_KEY_MAX + 1];
    struct stat st;

    origin_folder_key_text(key, name);
    FB_AUTO(fb_fd_done) int fd = openat(folder->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) < 0) {
        return origin_folder_absent_or(errno);
    }
    int err = object_of(&st, fd, ret_object);
    if (err == FB_OK) {
        (void)fb_fd_take(&fd);
    }
    return err;
}

static int folder_stat(struct origin_objects *objects, struct fb_str key,
                       struct origin_object *ret_object)
{
    struct folder *folder = folder_of(objects);
    char name[ORIGIN_OBJECTS_KEY_MAX + 1];
    struct stat st;

    origin_folder_key_text(key, name);
    if (fstatat(folder->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        return origin_folder_absent_or(errno);
    }
    return object_of(&st, -1, ret_object);
}

int origin_file_read(int fd, uint64_t offset, void *buf, size_t n)
{
    size_t n_read = 0;

    while (n_read < n) {
        ssize_t got = pread(fd, (char *)buf + n_read, n - n_read, (off_t)(offset + n_read));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got < 0 ? -errno : FB_E_CLOSED;
        }
        n_read += (size_t)got;
    }
    return FB_OK;
}

static int folder_read(const struct origin_object *object, uint64_t offset, void *buf, size_t n)
{
    return origin_file_read(object->fd, offset, buf, n);
}

static int folder_local_path(struct origin_objects *objects, struct fb_str key,
                             struct fb_buf *ret_path)
{
    struct folder *folder = folder_of(objects);

    fb_buf_printf(ret_path, "%s/%.*s", folder->path, FB_STR_ARG(key));
    return FB_OK;
}

/* ---- removal ----------------------------------------------------------- */

static int folder_remove(struct origin_objects *objects, struct fb_str key)
{
    struct folder *folder = folder_of(objects);
    char name[ORIGIN_OBJECTS_KEY_MAX + 1];

    origin_folder_key_text(key, name);
    if (unlinkat(folder->fd, name, 0) < 0 && origin_folder_absent_or(errno) != FB_E_NOT_FOUND) {
        return -errno;
    }
    return FB_OK;
}

static int folder_remove_prefix(struct origin_objects *objects, struct fb_str prefix)
{
    struct folder *folder = folder_of(objects);
    char name[ORIGIN_OBJECTS_KEY_MAX + 1];

    struct stat st;

    origin_folder_key_text(prefix, name);
    if (fstatat(folder->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        return origin_folder_absent_or(errno) == FB_E_NOT_FOUND ? FB_OK : -errno;
    }
    /* An object of that very key is not below it. */
    return S_ISDIR(st.st_mode) ? fb_dir_remove(folder->fd, name) : FB_OK;
}

/* ---- open and close ---------------------------------------------------- */

/* Removes the temporaries that nobody holds. */
static int folder_sweep(int root)
{
    int fd = openat(root, FOLDER_TEMPORARIES, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return -errno;
    }
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        int err = -errno;
        (void)close(fd);
        return err;
    }
    for (struct dirent *entry = readdir(dir); entry != NULL; entry = readdir(dir)) {
        if (entry->d_name[0] == '.') {
            continue;
        }
        FB_AUTO(fb_fd_done)
        int file = openat(fd, entry->d_name, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
        if (file >= 0 && flock(file, LOCK_EX | LOCK_NB) == 0) {
            (void)fb_dir_remove(fd, entry->d_name); /* a file or a folder */
        }
    }
    (void)closedir(dir);
    return FB_OK;
}

static void folder_close(struct origin_objects *objects)
{
    struct folder *folder = folder_of(objects);

    fb_fd_done(&folder->fd);
    fb_free(folder->path);
    fb_free(folder);
}

static const struct origin_objects_ops folder_ops = {
    .kind = "folder",
    .is_local = true,
    .close = folder_close,
    .put_begin = origin_folder_put_begin,
    .put_write = origin_folder_put_write,
    .put_commit = origin_folder_put_commit,
    .put_abort = origin_folder_put_abort,
    .put_file = origin_folder_put_file,
    .multipart_begin = origin_folder_multipart_begin,
    .multipart_part = origin_folder_multipart_part,
    .put_commit_part = origin_folder_put_commit_part,
    .multipart_parts = origin_folder_multipart_parts,
    .multipart_complete = origin_folder_multipart_complete,
    .multipart_abort = origin_folder_multipart_abort,
    .multipart_list = origin_folder_multipart_list,
    .get = folder_get,
    .stat = folder_stat,
    .read = folder_read,
    .local_path = folder_local_path,
    .list = origin_folder_list,
    .remove = folder_remove,
    .remove_prefix = folder_remove_prefix,
};

int origin_folder_open(struct fb_str path, struct origin_objects **ret_objects,
                       struct fb_diag *diag)
{
    FB_AUTO(fb_freep) char *name = fb_str_dup(path);
    int err = fb_dir_make(AT_FDCWD, name, FOLDER_MODE_FOLDER);
    if (err < 0) {
        return fb_diag_set(diag, err, "make the folder of objects '%s': %s", name,
                           fb_err_text(err));
    }
    FB_AUTO(fb_fd_done) int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || (mkdirat(fd, FOLDER_TEMPORARIES, FOLDER_MODE_FOLDER) < 0 && errno != EEXIST) ||
        (mkdirat(fd, FOLDER_PARTS, FOLDER_MODE_FOLDER) < 0 && errno != EEXIST)) {
        err = -errno;
        return fb_diag_set(diag, err, "open the folder of objects '%s': %s", name,
                           fb_err_text(err));
    }
    err = folder_sweep(fd);
    if (err < 0) {
        return fb_diag_set(diag, err, "sweep the folder of objects '%s': %s", name,
                           fb_err_text(err));
    }
    struct folder *folder = FB_NEW(struct folder);
    folder->base.ops = &folder_ops;
    folder->fd = fb_fd_take(&fd);
    folder->path = fb_str_dup(path);
    *ret_objects = &folder->base;
    return FB_OK;
}
