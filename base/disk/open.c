#include "base/core/alloc.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "base/disk/disk_internal.h"
#include "base/sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* ---- steps ------------------------------------------------------------- */

static int lock_file(int fd, const char *path, struct fb_diag *diag)
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        return FB_OK;
    }
    if (errno == EWOULDBLOCK) {
        return fb_diag_set(diag, FB_E_BUSY,
                           "'%s' is in use already: by another process, or by another name", path);
    }
    int err = -errno;
    return fb_diag_set(diag, err, "lock '%s': %s", path, fb_err_text(err));
}

static int say_no_room(const char *path, uint64_t size, struct fb_diag *diag)
{
    return fb_diag_set(diag, -ENOSPC, "no room for %llu bytes on the file system of '%s'",
                       (unsigned long long)size, path);
}

static bool lacks_room(const struct statvfs *room, uint64_t size)
{
    return size / room->f_frsize > room->f_bavail;
}

/* All room is taken now, so that no write can lack it later. */
static int reserve(int fd, const char *path, uint64_t size, struct fb_diag *diag)
{
    struct statvfs room;
    int err = 0;

    if (size > INT64_MAX) {
        return fb_diag_set(diag, FB_E_LIMIT, "make '%s': its size is too large", path);
    }
    /* Asked first, rather than to fill the file system in order to find out. */
    if (fstatvfs(fd, &room) == 0 && lacks_room(&room, size)) {
        return say_no_room(path, size, diag);
    }
    do {
        err = posix_fallocate(fd, 0, (off_t)size);
    } while (err == EINTR);
    if (err == ENOSPC) {
        return say_no_room(path, size, diag);
    }
    if (err == 0 && fsync(fd) < 0) {
        err = errno;
    }
    if (err != 0) {
        return fb_diag_set(diag, -err, "make '%s': %s", path, fb_err_text(-err));
    }
    return FB_OK;
}

/* The caller's. */
static char *folder_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash != NULL ? fb_memdup0(path, (size_t)(slash - path) + 1) : fb_memdup0(".", 1);
}

static int sync_folder_of(const char *path)
{
    FB_AUTO(fb_freep) char *folder = folder_of(path);

    return fb_dir_sync(AT_FDCWD, folder);
}

/* Gives the whole file its name, unless somebody else made one meanwhile. */
static int publish(const char *draft, const char *path)
{
    if (renameat2(AT_FDCWD, draft, AT_FDCWD, path, RENAME_NOREPLACE) < 0) {
        if (errno != EINVAL) {
            return -errno;
        }
        if (rename(draft, path) < 0) { /* a file system that knows no flags */
            return -errno;
        }
    }
    return sync_folder_of(path);
}

/* ---- a new file -------------------------------------------------------- */

/* False if that is too long. */
static bool name_draft(const char *path, char draft[PATH_MAX])
{
    return snprintf(draft, PATH_MAX, "%s.new", path) < PATH_MAX;
}

/* False when the one who held the lock before has published the file. */
static bool is_still_draft(int fd, const char *draft)
{
    struct stat ours;
    struct stat named;

    return fstat(fd, &ours) == 0 && lstat(draft, &named) == 0 && ours.st_dev == named.st_dev &&
           ours.st_ino == named.st_ino;
}

static int fill_draft(int fd, const char *draft, const struct fb_disk *disk, uint64_t size,
                      struct fb_diag *diag)
{
    int err = reserve(fd, disk->path, size, diag);
    if (err < 0) {
        return err;
    }
    err = publish(draft, disk->path);
    if (err < 0) {
        return fb_diag_set(diag, err, "make '%s': %s", disk->path, fb_err_text(err));
    }
    return FB_OK;
}

/* The file is made under another name: after a crash it is there whole or not
 * at all. A draft that a crash left is used up by the next attempt. */
static int make_file(struct fb_disk *disk, uint64_t size, struct fb_diag *diag)
{
    char draft[PATH_MAX];

    if (!name_draft(disk->path, draft)) {
        return fb_diag_set(diag, -ENAMETOOLONG, "make '%s': the path is too long", disk->path);
    }
    FB_AUTO(fb_fd_done) int fd = -1;
    int err = fb_file_open(AT_FDCWD, draft, O_RDWR | O_CREAT, 0600, &fd);
    if (err < 0) {
        return fb_diag_set(diag, err, "make '%s': %s", draft, fb_err_text(err));
    }
    err = lock_file(fd, draft, diag);
    if (err < 0) {
        return err;
    }
    if (!is_still_draft(fd, draft)) {
        return fb_diag_set(diag, FB_E_BUSY, "'%s' is being made by another process", disk->path);
    }
    if (ftruncate(fd, 0) < 0) {
        return fb_diag_set(diag, -errno, "empty '%s': %s", draft, fb_err_text(-errno));
    }
    err = fill_draft(fd, draft, disk, size, diag);
    if (err < 0) {
        (void)unlink(draft);
        return err;
    }
    disk->fd = fb_fd_take(&fd);
    return FB_OK;
}

/* What it takes is given back before room is reserved. */
static uint64_t draft_room(const char *path)
{
    enum { STAT_BLOCK = 512 };
    char draft[PATH_MAX];
    struct stat st;

    bool has_name = name_draft(path, draft);
    return has_name && lstat(draft, &st) == 0 ? (uint64_t)st.st_blocks * STAT_BLOCK : 0;
}

int fb_disk_rehearse(const char *path, uint64_t size, bool *ret_is_made, struct fb_diag *diag)
{
    FB_AUTO(fb_freep) char *folder = folder_of(path);
    struct stat st;
    struct statvfs room;

    bool is_there = stat(path, &st) == 0;
    bool is_made =
        size > 0 && (is_there ? S_ISREG(st.st_mode) && st.st_size == 0 : errno == ENOENT);
    if (is_made && statvfs(is_there ? path : folder, &room) == 0) {
        uint64_t had = is_there ? 0 : draft_room(path);
        if (lacks_room(&room, size - FB_MIN(size, had))) {
            return say_no_room(path, size, diag);
        }
    }
    *ret_is_made = is_made;
    return FB_OK;
}

/* ---- what is there ----------------------------------------------------- */

static int open_existing(struct fb_disk *disk, const struct stat *st, bool is_read_only,
                         struct fb_diag *diag)
{
    int flags = O_CLOEXEC | (is_read_only ? O_RDONLY : O_RDWR);

    if (!S_ISREG(st->st_mode) && !S_ISBLK(st->st_mode)) {
        return fb_diag_set(diag, FB_E_UNSUPPORTED, "'%s' is neither a file nor a block device",
                           disk->path);
    }
    if (S_ISBLK(st->st_mode) && !is_read_only) {
        flags |= O_EXCL; /* refused while something is mounted from it */
    }
    disk->fd = open(disk->path, flags);
    if (disk->fd < 0 && errno == EBUSY) {
        return fb_diag_set(diag, FB_E_BUSY, "'%s' is mounted or otherwise in use", disk->path);
    }
    if (disk->fd < 0) {
        int err = -errno;
        return fb_diag_set(diag, err, "open '%s': %s", disk->path, fb_err_text(err));
    }
    return is_read_only ? FB_OK : lock_file(disk->fd, disk->path, diag);
}

/* An empty file was touched by a person who lets us make it. */
static int fill_empty(struct fb_disk *disk, const struct fb_disk_options *options,
                      struct fb_diag *diag)
{
    uint64_t size = 0;
    int err = fb_file_size(disk->fd, &size);

    if (err < 0 || size > 0 || options->is_read_only || options->size == 0) {
        return err;
    }
    err = reserve(disk->fd, disk->path, options->size, diag);
    if (err < 0) {
        FB_IGNORE(ftruncate(disk->fd, 0)); /* `err` says what matters */
    }
    return err;
}

static int read_size(struct fb_disk *disk, const struct stat *st)
{
    if (!disk->is_device) {
        disk->size = (uint64_t)st->st_size;
        return FB_OK;
    }
    return ioctl(disk->fd, BLKGETSIZE64, &disk->size) < 0 ? -errno : FB_OK;
}

static int look_at(struct fb_disk *disk, struct fb_diag *diag)
{
    struct stat st;

    int err = fstat(disk->fd, &st) < 0 ? -errno : FB_OK;
    if (err == FB_OK) {
        disk->is_device = S_ISBLK(st.st_mode);
        disk->dev = disk->is_device ? st.st_rdev : st.st_dev;
        disk->ino = st.st_ino;
        err = read_size(disk, &st);
    }
    if (err < 0) {
        return fb_diag_set(diag, err, "look at '%s': %s", disk->path, fb_err_text(err));
    }
    if (disk->size < FB_DISK_BLOCK) {
        return fb_diag_set(diag, FB_E_UNSUPPORTED, "'%s' is %s", disk->path,
                           disk->size == 0 ? "empty" : "shorter than a block");
    }
    disk->size -= disk->size % FB_DISK_BLOCK;
    return FB_OK;
}

static bool make_direct(int fd)
{
    int flags = fcntl(fd, F_GETFL);
    return flags >= 0 && fcntl(fd, F_SETFL, flags | O_DIRECT) == 0;
}

int fb_disk_open_file(struct fb_disk *disk, const struct fb_disk_options *options,
                      struct fb_diag *diag)
{
    struct stat st;
    int err = FB_OK;

    if (stat(disk->path, &st) == 0) {
        err = open_existing(disk, &st, options->is_read_only, diag);
        if (err == FB_OK && S_ISREG(st.st_mode)) {
            err = fill_empty(disk, options, diag);
        }
    } else if (errno == ENOENT && options->size > 0 && !options->is_read_only) {
        err = make_file(disk, options->size, diag);
    } else {
        err = fb_diag_set(diag, -errno, "open '%s': %s", disk->path, fb_err_text(-errno));
    }
    if (err < 0) {
        return err;
    }
    disk->is_direct = !options->is_buffered && make_direct(disk->fd);
    return look_at(disk, diag);
}
