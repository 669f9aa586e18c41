/*
 * Disks: a block device, or a preallocated file, read and written in blocks.
 *
 * A disk is opened once and used by the queues (queue.h) of any number of
 * loops; tools read and write it with the blocking calls below. Bytes go past
 * the page cache where the file system can do that. An open disk is locked: a
 * second process that wants to write the same one is refused.
 *
 * Behind a disk stands the kernel, or a struct fb_disk_ops: tests put a disk
 * in memory there (tests/support/test_disk.h).
 *
 * Ownership  The caller closes the disk when nothing of it is under way.
 * Threads    Any. Every call but the plain questions (size, path, is_direct)
 *            may block, so never on a loop.
 * Limits     Memory, offsets and lengths are multiples of FB_DISK_BLOCK.
 * Failures   Negative errno, most often -EIO and -ENOSPC; FB_E_BUSY for a disk
 *            that another process uses; FB_E_UNSUPPORTED for what is neither a
 *            file nor a block device; FB_E_CLOSED for what lies past the end.
 */
#pragma once

#include "base/core/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct fb_diag;
struct fb_disk;
struct fb_disk_io;

enum { FB_DISK_BLOCK = 4096 };

enum fb_disk_verb { FB_DISK_READ, FB_DISK_WRITE, FB_DISK_SYNC };

struct fb_disk_options {
    /* A missing or empty file is made this long, with all its room reserved;
     * 0: it must be there. A file with something in it, and a device, keep the
     * size they have. */
    uint64_t size;

    bool is_read_only; /* neither made nor locked: may be in use elsewhere */
    bool is_buffered;  /* through the page cache after all */
};

/* A disk that is not the kernel's. */
struct fb_disk_ops {
    /* Reads or writes from `offset` on, or syncs. Returns how many of the `n`
     * bytes were moved (a sync: 0), or the error. Any thread, many at once. */
    ssize_t (*transfer)(struct fb_disk_ops *ops, enum fb_disk_verb verb, uint64_t offset,
                        void *bytes, size_t n);

    /* May be NULL. True: `io` is not to be performed until fb_disk_resume(). */
    bool (*hold)(struct fb_disk_ops *ops, struct fb_disk_io *io);

    /* May be NULL, for a disk that is always there. */
    bool (*is_present)(struct fb_disk_ops *ops);

    /* May be NULL. The fb_disk is gone after this. */
    void (*close)(struct fb_disk_ops *ops);
};

/* Opens what `path` names, or makes it; symbolic links are followed. A file
 * that could not be made whole is not left behind. */
FB_MUST_CHECK int fb_disk_open(const char *path, const struct fb_disk_options *options,
                               struct fb_disk **ret_disk, struct fb_diag *diag);

/* Whether fb_disk_open() with `size` would have to make the file, and what of its room would keep
 * it from that, if anything. Changes nothing. */
FB_MUST_CHECK int fb_disk_rehearse(const char *path, uint64_t size, bool *ret_is_made,
                                   struct fb_diag *diag);

/* A disk of `size` bytes whose work `ops` (borrowed until closed) does; `name`
 * stands for the path. */
struct fb_disk *fb_disk_new(struct fb_disk_ops *ops, const char *name, uint64_t size);

/* Also gives the lock back. Accepts NULL. */
void fb_disk_close(struct fb_disk *disk);

/* A multiple of FB_DISK_BLOCK: what is left over at the end is not used. */
uint64_t fb_disk_size(const struct fb_disk *disk);

/* What it was opened by. */
const char *fb_disk_path(const struct fb_disk *disk);

/* False where the file system cannot do without the page cache. */
bool fb_disk_is_direct(const struct fb_disk *disk);

/* Whether the path still names this very file or device. A file that was moved
 * away may come back; a device that was pulled out, and a file that was
 * replaced by a copy, must be opened anew. */
bool fb_disk_is_present(const struct fb_disk *disk);

/* For tools: all `n` bytes, or the error. */
FB_MUST_CHECK int fb_disk_read_now(struct fb_disk *disk, uint64_t offset, void *bytes, size_t n);
FB_MUST_CHECK int fb_disk_write_now(struct fb_disk *disk, uint64_t offset, const void *bytes,
                                    size_t n);

/* What was written before is durable. */
FB_MUST_CHECK int fb_disk_sync_now(struct fb_disk *disk);

/* Memory for transfers: `n` bytes, aligned, not zeroed; never NULL. Freed with
 * fb_free(). From 2 MiB on it is made of huge pages, which transfers of a MiB
 * are five times cheaper with: rather one of 8 MiB than eight of 1 MiB. What
 * comes and goes all the time is taken from memory.h. */
void *fb_disk_buffer(size_t n);
