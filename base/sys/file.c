#include "base/sys/file.h"

#include "base/core/err.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { READ_PIECE = 64 * 1024 };

void fb_fd_done(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
    }
    *fd = -1;
}

int fb_fd_take(int *fd)
{
    int taken = *fd;
    *fd = -1;
    return taken;
}

int fb_file_open(int dirfd, const char *name, int flags, mode_t mode, int *ret_fd)
{
    int fd = openat(dirfd, name, flags | O_CLOEXEC | O_NOFOLLOW, mode);
    if (fd < 0) {
        return -errno;
    }
    *ret_fd = fd;
    return FB_OK;
}

int fb_file_size(int fd, uint64_t *ret_size)
{
    struct stat st;

    if (fstat(fd, &st) < 0) {
        return -errno;
    }
    *ret_size = (uint64_t)st.st_size;
    return FB_OK;
}

/* Until the end, so that files without a size (pipes, /proc) are read as well. */
static int file_read_all(int fd, size_t max, struct fb_buf *buf)
{
    for (;;) {
        size_t room = FB_MIN(max - buf->len + 1, (size_t)READ_PIECE);
        ssize_t n = read(fd, fb_buf_reserve(buf, room), room);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -errno;
        }
        fb_buf_add(buf, (size_t)n);
        if (buf->len > max) {
            return FB_E_LIMIT;
        }
        if (n == 0) {
            return FB_OK;
        }
    }
}

static int file_read(int dirfd, const char *name, int flags, size_t max, struct fb_buf *ret_bytes,
                     struct fb_diag *diag)
{
    FB_AUTO(fb_fd_done) int fd = openat(dirfd, name, O_RDONLY | O_CLOEXEC | flags);
    if (fd < 0) {
        int err = -errno;
        return fb_diag_set(diag, err, "open '%s': %s", name, fb_err_text(err));
    }
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};
    (void)fb_buf_reserve(&bytes, 1); /* an empty file has a NUL to point at, too */

    int err = file_read_all(fd, max, &bytes);
    if (err == FB_E_LIMIT) {
        return fb_diag_set(diag, err, "'%s' is longer than %zu bytes", name, max);
    }
    if (err < 0) {
        return fb_diag_set(diag, err, "read '%s': %s", name, fb_err_text(err));
    }
    *ret_bytes = fb_buf_take(&bytes);
    return FB_OK;
}

int fb_file_read(int dirfd, const char *name, size_t max, struct fb_buf *ret_bytes,
                 struct fb_diag *diag)
{
    return file_read(dirfd, name, O_NOFOLLOW, max, ret_bytes, diag);
}

int fb_file_read_path(const char *path, size_t max, struct fb_buf *ret_bytes, struct fb_diag *diag)
{
    return file_read(AT_FDCWD, path, 0, max, ret_bytes, diag);
}

/* As this process, which may not be who started it. */
static int use_allows(const char *path, int mode)
{
    return faccessat(AT_FDCWD, path, mode, AT_EACCESS) < 0 ? -errno : FB_OK;
}

/* What is missing can be made in the folder above. */
static int use_check_parent(const char *path)
{
    FB_AUTO(fb_buf_done) struct fb_buf parent = {0};
    struct fb_str text = fb_str_from(path);
    size_t n = text.len;

    while (n > 1 && text.ptr[n - 1] == '/') {
        n--;
    }
    while (n > 0 && text.ptr[n - 1] != '/') {
        n--;
    }
    fb_buf_append(&parent, n > 0 ? fb_str_first(text, n) : FB_STR("."));
    return use_allows(parent.ptr, W_OK | X_OK);
}

static int use_check(const char *path, enum fb_file_use use)
{
    struct stat status;

    if (stat(path, &status) < 0) {
        return errno == ENOENT && use != FB_FILE_READ ? use_check_parent(path) : -errno;
    }
    if (S_ISDIR(status.st_mode) != (use == FB_FILE_FOLDER)) {
        return use == FB_FILE_FOLDER ? -ENOTDIR : -EISDIR;
    }
    switch (use) {
    case FB_FILE_READ:
        return use_allows(path, R_OK);
    case FB_FILE_APPEND:
        return use_allows(path, W_OK);
    case FB_FILE_FOLDER:
        break;
    }
    return use_allows(path, W_OK | X_OK);
}

int fb_file_check_use(const char *path, enum fb_file_use use, struct fb_diag *diag)
{
    static const char *const verbs[] = {
        [FB_FILE_READ] = "read", [FB_FILE_APPEND] = "write to", [FB_FILE_FOLDER] = "keep files in"};

    int err = use_check(path, use);
    return err < 0
               ? fb_diag_set(diag, err, "cannot %s '%s': %s", verbs[use], path, fb_err_text(err))
               : FB_OK;
}

int fb_fd_write(int fd, struct fb_str bytes)
{
    while (bytes.len > 0) {
        ssize_t n = write(fd, bytes.ptr, bytes.len);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return -errno;
        }
        bytes = fb_str_skip(bytes, (size_t)n);
    }
    return FB_OK;
}

int fb_file_write(int dirfd, const char *name, struct fb_str bytes, mode_t mode,
                  struct fb_diag *diag)
{
    FB_AUTO(fb_draft_done) struct fb_draft draft = FB_DRAFT_NONE;

    int err = fb_draft_open(dirfd, name, mode, &draft);
    if (err == FB_OK) {
        err = fb_fd_write(draft.fd, bytes);
    }
    if (err == FB_OK) {
        err = fb_draft_publish(&draft, name);
    }
    if (err < 0) {
        return fb_diag_set(diag, err, "write '%s': %s", name, fb_err_text(err));
    }
    return FB_OK;
}
