/*
 * Puts: what is being written stands in ".tmp", locked, until it gets its name.
 */
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/sys/file.h"
#include "origin/model/id.h"
#include "origin/objects/folder_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum { PUT_MAX_PIECES = 64, COPY_BYTES = 1 << 20, NAME_ATTEMPTS = 4 };

/* ---- names ----------------------------------------------------------------- */

static int parent_sync(int root, char *parent)
{
    char *slash = strrchr(parent, '/');

    if (slash == NULL) {
        return fb_dir_sync(root, ".");
    }
    *slash = '\0';
    int err = fb_dir_sync(root, parent);
    *slash = '/';
    return err;
}

/* Makes the folder `path` and those above it, and their names durable. */
static int folder_make(int root, char *path)
{
    if (mkdirat(root, path, FOLDER_MODE_FOLDER) == 0) {
        return parent_sync(root, path);
    }
    char *slash = strrchr(path, '/');
    if (errno != ENOENT || slash == NULL) {
        return errno == EEXIST ? FB_OK : -errno;
    }
    *slash = '\0';
    int err = folder_make(root, path);
    *slash = '/';
    if (err < 0) {
        return err;
    }
    if (mkdirat(root, path, FOLDER_MODE_FOLDER) < 0) {
        return errno == EEXIST ? FB_OK : -errno;
    }
    return parent_sync(root, path);
}

int origin_folder_give_name(struct folder *folder, int from_fd, const char *from, const char *key)
{
    char parent[ORIGIN_OBJECTS_KEY_MAX + 1] = ".";
    const char *slash = strrchr(key, '/');
    int err = -ENOENT;

    if (slash != NULL) {
        memcpy(parent, key, (size_t)(slash - key));
        parent[slash - key] = '\0';
    }
    /* Somebody may be removing what is under a prefix of the key at the same time. */
    for (int i = 0; err == -ENOENT && i < NAME_ATTEMPTS; i++) {
        err = slash != NULL ? folder_make(folder->fd, parent) : FB_OK;
        if (err == FB_OK && renameat(from_fd, from, folder->fd, key) < 0) {
            err = -errno;
            if (err == -ENOENT && faccessat(from_fd, from, F_OK, AT_SYMLINK_NOFOLLOW) < 0) {
                return err; /* `from` itself is not there */
            }
        }
    }
    return err < 0 ? err : fb_dir_sync(folder->fd, parent);
}

/* ---- puts -------------------------------------------------------------- */

static int temporary_make(int root, bool is_folder, char name[FOLDER_NAME_MAX], int *ret_fd)
{
    struct origin_id id = origin_id_new();
    int flags = is_folder ? O_RDONLY | O_DIRECTORY : O_RDWR | O_CREAT | O_EXCL;

    (void)snprintf(name, FOLDER_NAME_MAX, FOLDER_TEMPORARIES "/%s", id.text);
    if (is_folder && mkdirat(root, name, FOLDER_MODE_FOLDER) < 0) {
        return -errno;
    }
    FB_AUTO(fb_fd_done)
    int fd = openat(root, name, flags | O_CLOEXEC | O_NOFOLLOW, FOLDER_MODE_FILE);
    if (fd < 0) {
        return is_folder && errno == ENOENT ? -EWOULDBLOCK : -errno;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        return -errno;
    }
    *ret_fd = fb_fd_take(&fd);
    return FB_OK;
}

int origin_folder_temporary(int root, bool is_folder, char name[FOLDER_NAME_MAX], int *ret_fd)
{
    int err = temporary_make(root, is_folder, name, ret_fd);

    /* Once more if it was swept before it was locked. */
    return err == -EWOULDBLOCK ? temporary_make(root, is_folder, name, ret_fd) : err;
}

int origin_folder_put_begin(struct origin_objects *objects, struct fb_str key, uint64_t size,
                            struct origin_put **ret_put)
{
    struct folder *folder = folder_of(objects);
    struct folder_put *put = FB_NEW(struct folder_put);

    put->base.objects = objects;
    put->folder = folder;
    put->size = size;
    origin_folder_key_text(key, put->key);
    int err = origin_folder_temporary(folder->fd, false, put->name, &put->fd);
    if (err < 0) {
        fb_free(put);
        return err;
    }
    /* Room is claimed now, so that a full disk is told before the transfer. Not
     * every file system can, and then writing tells. */
    if (size > 0 && fallocate(put->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size) < 0 &&
        (errno == ENOSPC || errno == EFBIG || errno == EDQUOT)) {
        err = -errno;
        origin_folder_put_abort(&put->base);
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

int origin_folder_put_write(struct origin_put *base, const struct fb_str *pieces, size_t n_pieces)
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

void origin_folder_put_abort(struct origin_put *base)
{
    struct folder_put *put = FB_CONTAINER_OF(base, struct folder_put, base);

    (void)unlinkat(put->folder->fd, put->name, 0);
    put_free(put);
}

int origin_folder_put_commit(struct origin_put *base)
{
    struct folder_put *put = FB_CONTAINER_OF(base, struct folder_put, base);

    int err = put->written == put->size ? FB_OK : FB_E_CLOSED;
    if (err == FB_OK && fsync(put->fd) < 0) {
        err = -errno;
    }
    if (err == FB_OK) {
        err = origin_folder_give_name(put->folder, put->folder->fd, put->name, put->key);
    }
    if (err < 0) {
        origin_folder_put_abort(base);
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

int origin_folder_put_file(struct origin_objects *objects, struct fb_str key, const char *path,
                           struct origin_stored *ret_stored)
{
    struct folder *folder = folder_of(objects);
    char name[ORIGIN_OBJECTS_KEY_MAX + 1];
    struct stat st;

    origin_folder_key_text(key, name);
    FB_AUTO(fb_fd_done) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) < 0 || fsync(fd) < 0) {
        return -errno;
    }
    ret_stored->size = (uint64_t)st.st_size;
    int err = origin_file_hash(fd, 0, ret_stored->size, ret_stored->sha256);
    if (err < 0 || (err = origin_folder_give_name(folder, AT_FDCWD, path, name)) != -EXDEV) {
        return err;
    }
    err = copy_in(objects, key, fd, (uint64_t)st.st_size);
    if (err == FB_OK) {
        (void)unlink(path);
    }
    return err;
}
