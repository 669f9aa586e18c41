/*
 * What the files of base/disk share of a disk.
 */
#pragma once

#include "base/disk/disk.h"

#include <sys/types.h>

struct fb_disk {
    char *path; /* owned */
    uint64_t size;
    struct fb_disk_ops *ops; /* borrowed; NULL: the kernel */

    int fd; /* the kernel's from here on */
    bool is_direct;
    bool is_device;
    dev_t dev; /* of a device: the number it has; else of the file system */
    ino_t ino;
};

/* Whether `n` bytes from `offset` on lie on the disk. */
bool fb_disk_has(const struct fb_disk *disk, uint64_t offset, size_t n);

/* One system call. Returns as in struct fb_disk_ops. */
ssize_t fb_disk_transfer(const struct fb_disk *disk, enum fb_disk_verb verb, uint64_t offset,
                         void *bytes, size_t n);

/* What a transfer that returned `moved` means when `*n_moved` of `n` bytes were
 * moved before: FB_OK when all are, FB_E_LATER when the rest is to be asked for,
 * or the error. */
FB_MUST_CHECK int fb_disk_advance(enum fb_disk_verb verb, ssize_t moved, size_t n, size_t *n_moved);

/* Transfers until all is moved. */
FB_MUST_CHECK int fb_disk_perform(const struct fb_disk *disk, enum fb_disk_verb verb,
                                  uint64_t offset, void *bytes, size_t n);

/* Opens or makes the file or device, without a struct around it: what it fills
 * in of `disk` is fd, size and identity. */
FB_MUST_CHECK int fb_disk_open_file(struct fb_disk *disk, const struct fb_disk_options *options,
                                    struct fb_diag *diag);
