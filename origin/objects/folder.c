/*
 * Objects as files of a folder, each under its key. What is being written
 * stands in ".tmp", locked by its writer, so that whoever opens the folder next
 * can tell a writer's file from what a crash left behind.
 */
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/sys/file.h"
#include "origin/model/id.h"
#include "origin/objects/objects_internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define TEMPORARIES ".tmp"

enum {
    PUT_NAME_MAX = 64,
    PUT_MAX_PIECES = 64,
    COPY_BYTES = 1 << 20,
    MODE_FOLDER = 0750,
    MODE_FILE = 0640
};

struct folder {
    struct origin_objects base;
    int fd;     /* of the root */
    char *path; /* owned, for local_path */
};

struct folder_put {
    struct origin_put base;
    struct folder *folder;
    int fd;
    uint64_t size;
    uint64_t written;
    char name[PUT_NAME_MAX]; /* below the root */
    char key[ORIGIN_OBJECTS_KEY_MAX + 1];
};

static void key_text(struct fb_str key, char text[ORIGIN_OBJECTS_KEY_MAX + 1])
{
    memcpy(text, key.ptr, key.len);
    text[key.len] = '\0';
}

/* ---- folders ----------------------------------------------------------- */

/* Calls `act` for the folder that `key` stands in; "." for none. */
static int folder_parent(int root, const char *key, int (*act)(int root, const char *parent))
{
    char parent[ORIGIN_OBJECTS_KEY_MAX + 1] = ".";
    const char *slash = strrchr(key, '/');

    if (slash != NULL) {
        memcpy(parent, key, (size_t)(slash - key));
        parent[slash - key] = '\0';
    }
    return act(root, parent);
}

static int parent_make(int root, const char *parent)
{
    return fb_dir_make(root, parent, MODE_FOLDER);
}

/* Gives the durable file `from` (below folder `from_fd`) its key. */
static int folder_name(struct folder *folder, int from_fd, const char *from, const char *key)
{
    int err = folder_parent(folder->fd, key, parent_make);
    if (err < 0) {
        return err;
    }
    if (renameat(from_fd, from, folder->fd, key) < 0) {
        return -errno;
    }
    return folder_parent(folder->fd, key, fb_dir_sync);
}

/* Removes the temporaries that nobody holds. */
static int folder_sweep(int root)
{
    int fd = openat(root, TEMPORARIES, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
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
        FB_AUTO(fb_fd_done) int file = openat(fd, entry->d_name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (file >= 0 && flock(file, LOCK_EX | LOCK_NB) == 0) {
            (void)unlinkat(fd, entry->d_name, 0);
        }
    }
    (void)closedir(dir);
    return FB_OK;
}

/* ---- puts -------------------------------------------------------------- */

/* A new locked temporary below the root. */
static int put_create(int root, char name[PUT_NAME_MAX], int *ret_fd)
{
    struct origin_id id = origin_id_new();
    (void)snprintf(name, PUT_NAME_MAX, TEMPORARIES "/%s", id.text);
    FB_AUTO(fb_fd_done)
    int fd = openat(root, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, MODE_FILE);
    if (fd < 0) {
        return -errno;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        return -errno; /* swept in between: the caller tries once more */
    }
    *ret_fd = fb_fd_take(&fd);
    return FB_OK;
}

static int folder_put_begin(struct origin_objects *objects, struct fb_str key, uint64_t size,
                            struct origin_put **ret_put)
{
    struct folder *folder = FB_CONTAINER_OF(objects, struct folder, base);
    struct folder_put *put = FB_NEW(struct folder_put);

    put->base.objects = objects;
    put->folder = folder;
    put->size = size;
    key_text(key, put->key);
    int err = put_create(folder->fd, put->name, &put->fd);
    if (err == -EWOULDBLOCK) {
        err = put_create(folder->fd, put->name, &put->fd);
    }
    if (err < 0) {
        fb_free(put);
        return err;
    }
    /* Room is claimed now, so that a full disk is told before the transfer. Not
     * every file system can, and then writing tells. */
    if (size > 0 && fallocate(put->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size) < 0 &&
        (errno == ENOSPC || errno == EFBIG || errno == EDQUOT)) {
        err = -errno;
        origin_put_abort(&put->base);
        return err;
    }
    *ret_put = &put->base;
    return FB_OK;
}

static int write_all(int fd, struct iovec *iov, size_t n)
{
    while (n > 0) {
        ssize_t done = writev(fd, iov, (int)n);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done < 0) {
            return -errno;
        }
        while (n > 0 && (size_t)done >= iov->iov_len) {
            done -= (ssize_t)iov->iov_len;
            iov++;
            n--;
        }
        if (n > 0) {
            iov->iov_base = (char *)iov->iov_base + done;
            iov->iov_len -= (size_t)done;
        }
    }
    return FB_OK;
}

static int folder_put_write(struct origin_put *base, const struct fb_str *pieces, size_t n_pieces)
{
    struct folder_put *put = FB_CONTAINER_OF(base, struct folder_put, base);

    while (n_pieces > 0) {
        struct iovec iov[PUT_MAX_PIECES];
        size_t n = FB_MIN(n_pieces, (size_t)PUT_MAX_PIECES);
        uint64_t bytes = 0;
        for (size_t i = 0; i < n; i++) {
            iov[i] = (struct iovec){(void *)(uintptr_t)pieces[i].ptr, pieces[i].len};
            bytes += pieces[i].len;
        }
        if (bytes > put->size - put->written) {
            return FB_E_LIMIT;
        }
        int err = write_all(put->fd, iov, n);
        if (err < 0) {
            return err;
        }
        put->written += bytes;
        pieces += n;
        n_pieces -= n;
    }
    return FB_OK;
}

static void put_free(struct folder_put *put)
{
    fb_fd_done(&put->fd);
    fb_free(put);
}

static void folder_put_abort(struct origin_put *base)
{
    struct folder_put *put = FB_CONTAINER_OF(base, struct folder_put, base);

    (void)unlinkat(put->folder->fd, put->name, 0);
    put_free(put);
}

static int folder_put_commit(struct origin_put *base)
{
    struct folder_put *put = FB_CONTAINER_OF(base, struct folder_put, base);

    int err = put->written == put->size ? FB_OK : FB_E_CLOSED;
    if (err == FB_OK && fsync(put->fd) < 0) {
        err = -errno;
    }
    if (err == FB_OK) {
        err = folder_name(put->folder, put->folder->fd, put->name, put->key);
    }
    if (err < 0) {
        folder_put_abort(base);
        return err;
    }
    put_free(put);
    return FB_OK;
}

/* ---- files ------------------------------------------------------------- */

static int copy_in(struct origin_objects *objects, struct fb_str key, int fd, uint64_t size)
{
    struct origin_put *put = NULL;
    int err = origin_put_begin(objects, key, size, &put);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_freep) char *bytes = fb_alloc(COPY_BYTES);
    ssize_t n = 0;
    while (err == FB_OK && (n = read(fd, bytes, COPY_BYTES)) != 0) {
        struct fb_str piece = {bytes, n > 0 ? (size_t)n : 0};
        err = n < 0 ? -errno : origin_put_write(put, &piece, 1);
    }
    if (err < 0) {
        origin_put_abort(put);
        return err;
    }
    return origin_put_commit(put);
}

static int folder_put_file(struct origin_objects *objects, struct fb_str key, const char *path,
                           uint64_t *ret_size)
{
    struct folder *folder = FB_CONTAINER_OF(objects, struct folder, base);
    char name[ORIGIN_OBJECTS_KEY_MAX + 1];
    struct stat st;

    key_text(key, name);
    FB_AUTO(fb_fd_done) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) < 0 || fsync(fd) < 0) {
        return -errno;
    }
    *ret_size = (uint64_t)st.st_size;
    int err = folder_name(folder, AT_FDCWD, path, name);
    if (err != -EXDEV) {
        return err;
    }
    err = copy_in(objects, key, fd, (uint64_t)st.st_size);
    if (err == FB_OK) {
        (void)unlink(path);
    }
    return err;
}

static int object_of(const struct stat *st, int fd, struct origin_object *ret_object)
{
    if (!S_ISREG(st->st_mode)) {
        return FB_E_NOT_FOUND;
    }
    *ret_object = (struct origin_object){
        .fd = fd,
        .size = (uint64_t)st->st_size,
        .modified_ms = (int64_t)st->st_mtim.tv_sec * 1000 + st->st_mtim.tv_nsec / 1000000,
    };
    return FB_OK;
}

static int absent_or(int number)
{
    return number == ENOENT || number == ENOTDIR || number == EISDIR ? FB_E_NOT_FOUND : -number;
}

static int folder_get(struct origin_objects *objects, struct fb_str key,
                      struct origin_object *ret_object)
{
    struct folder *folder = FB_CONTAINER_OF(objects, struct folder, base);
    char name[ORIGIN_OBJECTS_KEY_MAX + 1];
    struct stat st;

    key_text(key, name);
    FB_AUTO(fb_fd_done) int fd = openat(folder->fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) < 0) {
        return absent_or(errno);
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
    struct folder *folder = FB_CONTAINER_OF(objects, struct folder, base);
    char name[ORIGIN_OBJECTS_KEY_MAX + 1];
    struct stat st;

    key_text(key, name);
    if (fstatat(folder->fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
        return absent_or(errno);
    }
    return object_of(&st, -1, ret_object);
}

static int folder_read(const struct origin_object *object, uint64_t offset, void *buf, size_t n)
{
    size_t n_read = 0;

    while (n_read < n) {
        ssize_t got = pread(object->fd, (char *)buf + n_read, n - n_read, (off_t)(offset + n_read));
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

static int folder_local_path(struct origin_objects *objects, struct fb_str key,
                             struct fb_buf *ret_path)
{
    struct folder *folder = FB_CONTAINER_OF(objects, struct folder, base);

    fb_buf_printf(ret_path, "%s/%.*s", folder->path, FB_STR_ARG(key));
    return FB_OK;
}

/* ---- removal ----------------------------------------------------------- */

static int folder_remove(struct origin_objects *objects, struct fb_str key)
{
    struct folder *folder = FB_CONTAINER_OF(objects, struct folder, base);
    char name[ORIGIN_OBJECTS_KEY_MAX + 1];

    key_text(key, name);
    if (unlinkat(folder->fd, name, 0) < 0 && absent_or(errno) != FB_E_NOT_FOUND) {
        return -errno;
    }
    return FB_OK;
}

static int folder_remove_prefix(struct origin_objects *objects, struct fb_str prefix)
{
    struct folder *folder = FB_CONTAINER_OF(objects, struct folder, base);
    char name[ORIGIN_OBJECTS_KEY_MAX + 1];

    key_text(prefix, name);
    return fb_dir_remove(folder->fd, name);
}

/* ---- open and close ---------------------------------------------------- */

static void folder_close(struct origin_objects *objects)
{
    struct folder *folder = FB_CONTAINER_OF(objects, struct folder, base);

    fb_fd_done(&folder->fd);
    fb_free(folder->path);
    fb_free(folder);
}

static const struct origin_objects_ops folder_ops = {
    .kind = "folder",
    .is_local = true,
    .close = folder_close,
    .put_begin = folder_put_begin,
    .put_write = folder_put_write,
    .put_commit = folder_put_commit,
    .put_abort = folder_put_abort,
    .put_file = folder_put_file,
    .get = folder_get,
    .stat = folder_stat,
    .read = folder_read,
    .local_path = folder_local_path,
    .remove = folder_remove,
    .remove_prefix = folder_remove_prefix,
};

int origin_folder_open(struct fb_str path, struct origin_objects **ret_objects,
                       struct fb_diag *diag)
{
    FB_AUTO(fb_freep) char *name = fb_str_dup(path);
    int err = fb_dir_make(AT_FDCWD, name, MODE_FOLDER);
    if (err < 0) {
        return fb_diag_set(diag, err, "make the folder of objects '%s': %s", name,
                           fb_err_text(err));
    }
    FB_AUTO(fb_fd_done) int fd = open(name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || (mkdirat(fd, TEMPORARIES, MODE_FOLDER) < 0 && errno != EEXIST)) {
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
