#include "base/disk/disk.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/disk/disk_internal.h"
#include "base/sys/file.h"

#include <errno.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HUGE_PAGE_BYTES = 2 << 20 };

/* ---- transfers --------------------------------------------------------- */

bool fb_disk_has(const struct fb_disk *disk, uint64_t offset, size_t n)
{
    return offset <= disk->size && n <= disk->size - offset;
}

static ssize_t kernel_transfer(int fd, enum fb_disk_verb verb, uint64_t offset, void *bytes,
                               size_t n)
{
    ssize_t moved = -1;

    switch (verb) {
    case FB_DISK_READ:
        moved = pread(fd, bytes, n, (off_t)offset);
        break;
    case FB_DISK_WRITE:
        moved = pwrite(fd, bytes, n, (off_t)offset);
        break;
    case FB_DISK_SYNC:
        moved = fdatasync(fd);
        break;
    }
    return moved < 0 ? -errno : moved;
}

ssize_t fb_disk_transfer(const struct fb_disk *disk, enum fb_disk_verb verb, uint64_t offset,
                         void *bytes, size_t n)
{
    if (disk->ops != NULL) {
        return disk->ops->transfer(disk->ops, verb, offset, bytes, n);
    }
    return kernel_transfer(disk->fd, verb, offset, bytes, n);
}

int fb_disk_advance(enum fb_disk_verb verb, ssize_t moved, size_t n, size_t *n_moved)
{
    if (moved == -EINTR || moved == -EAGAIN) {
        return FB_E_LATER;
    }
    if (moved < 0) {
        return (int)moved;
    }
    if (verb == FB_DISK_SYNC) {
        return FB_OK;
    }
    /* Part of a block is none: what follows must stay aligned. */
    size_t whole = (size_t)moved / FB_DISK_BLOCK * FB_DISK_BLOCK;
    *n_moved += whole;
    if (*n_moved >= n) {
        return FB_OK;
    }
    if (whole == 0) {
        return verb == FB_DISK_READ ? FB_E_CLOSED : -EIO;
    }
    return FB_E_LATER;
}

static int perform_sync(const struct fb_disk *disk)
{
    int err = FB_E_LATER;

    while (err == FB_E_LATER) {
        size_t n_moved = 0;
        err = fb_disk_advance(FB_DISK_SYNC, fb_disk_transfer(disk, FB_DISK_SYNC, 0, NULL, 0), 0,
                              &n_moved);
    }
    return err;
}

int fb_disk_perform(const struct fb_disk *disk, enum fb_disk_verb verb, uint64_t offset,
                    void *bytes, size_t n)
{
    char *from = bytes;
    size_t n_moved = 0;
    int err = FB_E_LATER;

    if (verb == FB_DISK_SYNC) {
        return perform_sync(disk);
    }
    if (!fb_disk_has(disk, offset, n)) {
        return FB_E_CLOSED;
    }
    while (err == FB_E_LATER) {
        ssize_t moved = fb_disk_transfer(disk, verb, offset + n_moved, from + n_moved, n - n_moved);
        err = fb_disk_advance(verb, moved, n, &n_moved);
    }
    return err;
}

static bool is_aligned(uint64_t offset, const void *bytes, size_t n)
{
    return offset % FB_DISK_BLOCK == 0 && n % FB_DISK_BLOCK == 0 && n > 0 &&
           (uintptr_t)bytes % FB_DISK_BLOCK == 0;
}

int fb_disk_read_now(struct fb_disk *disk, uint64_t offset, void *bytes, size_t n)
{
    FB_REQUIRE(is_aligned(offset, bytes, n));
    return fb_disk_perform(disk, FB_DISK_READ, offset, bytes, n);
}

int fb_disk_write_now(struct fb_disk *disk, uint64_t offset, const void *bytes, size_t n)
{
    FB_REQUIRE(is_aligned(offset, bytes, n));
    /* One shape for both ways: a WRITE does not change what it writes. */
    void *from = (void *)(uintptr_t)bytes;
    return fb_disk_perform(disk, FB_DISK_WRITE, offset, from, n);
}

int fb_disk_sync_now(struct fb_disk *disk)
{
    return fb_disk_perform(disk, FB_DISK_SYNC, 0, NULL, 0);
}

void *fb_disk_buffer(size_t n)
{
    if (n < HUGE_PAGE_BYTES) {
        return fb_alloc_aligned(FB_DISK_BLOCK, n);
    }
    void *bytes = fb_alloc_aligned(HUGE_PAGE_BYTES, n);
    (void)madvise(bytes, n / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES, MADV_HUGEPAGE); /* or small ones */
    return bytes;
}

/* ---- life -------------------------------------------------------------- */

struct fb_disk *fb_disk_new(struct fb_disk_ops *ops, const char *name, uint64_t size)
{
    FB_REQUIRE(size % FB_DISK_BLOCK == 0);
    struct fb_disk *disk = FB_NEW(struct fb_disk);

    disk->path = fb_memdup0(name, strlen(name));
    disk->size = size;
    disk->ops = ops;
    disk->fd = -1;
    disk->is_direct = true;
    return disk;
}

int fb_disk_open(const char *path, const struct fb_disk_options *options, struct fb_disk **ret_disk,
                 struct fb_diag *diag)
{
    struct fb_disk *disk = fb_disk_new(NULL, path, 0);

    int err = fb_disk_open_file(disk, options, diag);
    if (err < 0) {
        fb_disk_close(disk);
        return err;
    }
    *ret_disk = disk;
    return FB_OK;
}

void fb_disk_close(struct fb_disk *disk)
{
    if (disk == NULL) {
        return;
    }
    if (disk->ops != NULL && disk->ops->close != NULL) {
        disk->ops->close(disk->ops);
    }
    fb_fd_done(&disk->fd);
    fb_free(disk->path);
    fb_free(disk);
}

/* ---- questions --------------------------------------------------------- */

uint64_t fb_disk_size(const struct fb_disk *disk)
{
    return disk->size;
}

const char *fb_disk_path(const struct fb_disk *disk)
{
    return disk->path;
}

bool fb_disk_is_direct(const struct fb_disk *disk)
{
    return disk->is_direct;
}

bool fb_disk_is_present(const struct fb_disk *disk)
{
    if (disk->ops != NULL) {
        return disk->ops->is_present == NULL || disk->ops->is_present(disk->ops);
    }
    struct stat st;
    if (stat(disk->path, &st) < 0) {
        return false;
    }
    if (disk->is_device) {
        /* One that was pulled out has no size left, and its number may be
         * another's by now. */
        uint64_t size = 0;
        return S_ISBLK(st.st_mode) && st.st_rdev == disk->dev &&
               ioctl(disk->fd, BLKGETSIZE64, &size) == 0 && size >= disk->size;
    }
    return st.st_dev == disk->dev && st.st_ino == disk->ino;
}
