/*
 * An object as a file of this machine, for libraries that read files themselves.
 */
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/sys/file.h"
#include "origin/objects/objects.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { PIECE = 8 << 20, MODE_FILE = 0600 };

static bool is_canceled(const struct origin_transfer *transfer)
{
    return transfer != NULL && transfer->is_canceled != NULL &&
           transfer->is_canceled(transfer->ctx);
}

static void tell_progress(const struct origin_transfer *transfer, uint64_t done, uint64_t all)
{
    if (transfer != NULL && transfer->progress != NULL) {
        transfer->progress(transfer->ctx, done, all);
    }
}

/* The file system may share the bytes instead. */
static int piece_copy(int from, int to, uint64_t at, size_t n)
{
    loff_t in = (loff_t)at;
    loff_t out = (loff_t)at;

    while (n > 0) {
        ssize_t done = copy_file_range(from, &in, to, &out, n, 0);
        if (done < 0 && errno == EINTR) {
            continue;
        }
        if (done <= 0) {
            return done < 0 ? -errno : FB_E_CLOSED;
        }
        n -= (size_t)done;
    }
    return FB_OK;
}

static int piece_read(const struct origin_object *object, int to, uint64_t at, size_t n,
                      char *bytes)
{
    int err = origin_object_read(object, at, bytes, n);
    return err < 0 ? err : fb_fd_write(to, (struct fb_str){bytes, n});
}

static int fetch_into(const struct origin_object *object, int fd,
                      const struct origin_transfer *transfer)
{
    FB_AUTO(fb_freep) char *bytes = fb_alloc(PIECE);
    bool copies = object->fd >= 0;
    uint64_t at = 0;
    int err = FB_OK;

    while (err == FB_OK && at < object->size) {
        size_t n = (size_t)FB_MIN(object->size - at, (uint64_t)PIECE);
        if (is_canceled(transfer)) {
            return FB_E_CANCELED;
        }
        err = copies ? piece_copy(object->fd, fd, at, n) : piece_read(object, fd, at, n, bytes);
        if (copies && at == 0 && (err == -EXDEV || err == -EINVAL || err == -EOPNOTSUPP)) {
            copies = false; /* these two file systems cannot */
            err = lseek(fd, 0, SEEK_SET) == 0 ? FB_OK : -errno;
            continue;
        }
        at += n;
        tell_progress(transfer, at, object->size);
    }
    return err;
}

int origin_objects_fetch(struct origin_objects *objects, struct fb_str key, const char *path,
                         const struct origin_transfer *transfer)
{
    FB_AUTO(origin_object_done) struct origin_object object = {.fd = -1};
    FB_AUTO(fb_fd_done) int fd = -1;

    int err = origin_objects_get(objects, key, &object);
    if (err < 0 ||
        (err = fb_file_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, MODE_FILE, &fd)) < 0) {
        return err;
    }
    err = fetch_into(&object, fd, transfer);
    if (err < 0) {
        (void)unlink(path);
    }
    return err;
}
