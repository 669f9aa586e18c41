#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/sys/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { DIR_MAX_DEPTH = 64 };

int fb_dir_sync(int dirfd, const char *path)
{
    FB_AUTO(fb_fd_done) int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fsync(fd) < 0) {
        return -errno;
    }
    return FB_OK;
}

static int dir_make_one(int dirfd, const char *path, mode_t mode)
{
    if (mkdirat(dirfd, path, mode) == 0) {
        return FB_OK;
    }
    if (errno != EEXIST) {
        return -errno;
    }
    struct stat st;
    if (fstatat(dirfd, path, &st, 0) < 0) {
        return -errno;
    }
    return S_ISDIR(st.st_mode) ? FB_OK : -ENOTDIR;
}

int fb_dir_make(int dirfd, const char *path, mode_t mode)
{
    FB_AUTO(fb_freep) char *part = fb_str_dup(fb_str_from(path));

    /* Each prefix that ends before a slash, then the whole. */
    for (char *slash = strchr(part + (part[0] == '/'), '/'); slash != NULL;
         slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int err = dir_make_one(dirfd, part, mode);
        if (err < 0) {
            return err;
        }
        *slash = '/';
    }
    return part[0] == '\0' ? -ENOENT : dir_make_one(dirfd, part, mode);
}

static bool dir_is_dot(const char *name)
{
    return strcmp(name, ".") == 0 || strcmp(name, "..") == 0;
}

static void dir_closep(DIR **dir)
{
    if (*dir != NULL) {
        closedir(*dir);
    }
}

/* Empties the folder `fd`, which it closes. */
static int dir_empty(int fd, unsigned depth)
{
    FB_AUTO(dir_closep) DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        int err = -errno;
        close(fd);
        return err;
    }
    if (depth == 0) {
        return FB_E_LIMIT;
    }
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (entry == NULL) {
            return -errno;
        }
        if (dir_is_dot(entry->d_name) || unlinkat(fd, entry->d_name, 0) == 0) {
            continue;
        }
        if (errno != EISDIR && errno != EPERM) {
            return -errno;
        }
        int below = -1;
        int err = fb_file_open(fd, entry->d_name, O_RDONLY | O_DIRECTORY, 0, &below);
        if (err == FB_OK) {
            err = dir_empty(below, depth - 1);
        }
        if (err == FB_OK && unlinkat(fd, entry->d_name, AT_REMOVEDIR) < 0) {
            err = -errno;
        }
        if (err < 0) {
            return err;
        }
    }
}

int fb_dir_remove(int dirfd, const char *path)
{
    int fd = -1;

    int err = fb_file_open(dirfd, path, O_RDONLY | O_DIRECTORY, 0, &fd);
    if (err == -ENOENT) {
        return FB_OK;
    }
    if (err == -ENOTDIR || err == -ELOOP) {
        return unlinkat(dirfd, path, 0) < 0 ? -errno : FB_OK; /* a file, or a link itself */
    }
    if (err == FB_OK) {
        err = dir_empty(fd, DIR_MAX_DEPTH);
    }
    if (err == FB_OK && unlinkat(dirfd, path, AT_REMOVEDIR) < 0) {
        err = -errno;
    }
    return err;
}
