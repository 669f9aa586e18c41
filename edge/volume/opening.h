/*
 * Opening: what stands behind a path, and whether it may be used as a volume.
 *
 *     nothing there ──► made (a file with a size)
 *     blank         ──► formatted
 *     ours          ──► taken
 *     all else      ──► refused, untouched
 *
 * Blank means that the first and last MiB are zeros: there every file system, partition
 * table and RAID leaves something.
 *
 * Ownership  The disk goes to the caller.
 * Threads    Any, but every call blocks: never on a loop.
 * Failures   Refusals, each with a sentence: FB_E_MALFORMED foreign data, FB_E_UNSUPPORTED
 *            another format version, or no disk at all; FB_E_CONFLICT another node's;
 *            FB_E_CORRUPT a damaged superblock; FB_E_LIMIT too small, or cut short. All other
 *            codes are of the system, and may pass: -ENOENT, -ENOSPC, -EIO, FB_E_BUSY …
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "base/disk/disk.h"
#include "edge/volume/format.h"

#include <stdbool.h>
#include <stdint.h>

struct edge_opening {
    const char *path;
    uint64_t size;    /* of a file to be made if there is none; 0: it must be there */
    const char *node; /* whose volume it has to be */
    int64_t wall_ms;  /* for a new superblock */

    /* fb_disk_open(), or what a test puts in its place. */
    int (*open)(void *ctx, const char *path, const struct fb_disk_options *options,
                struct fb_disk **ret_disk, struct fb_diag *diag);
    void *ctx;

    /* What is on a volume of ours is given up. */
    bool formats;

    /* Out. */
    struct fb_disk *disk; /* the caller's */
    struct edge_superblock superblock;
    bool was_formatted;
};

FB_MUST_CHECK int edge_opening_run(struct edge_opening *opening, struct fb_diag *diag);

/* True if waiting does not help: it is not ours to use. */
bool edge_opening_is_refusal(int err);

/* Whose volume lies on the disk. FB_E_MALFORMED, FB_E_UNSUPPORTED or FB_E_CORRUPT if none that
 * can be read, FB_E_LIMIT if the disk is shorter than its volume. */
FB_MUST_CHECK int edge_disk_identify(struct fb_disk *disk, struct edge_superblock *ret_superblock,
                                     struct fb_diag *diag);

/* FB_OK with *ret_is_blank, or the error of a read. */
FB_MUST_CHECK int edge_disk_is_blank(struct fb_disk *disk, bool *ret_is_blank);

/* Makes the disk an empty volume of `node` with an identity of its own, whatever it held. */
FB_MUST_CHECK int edge_disk_format(struct fb_disk *disk, const char *node, int64_t wall_ms,
                                   struct edge_superblock *ret_superblock, struct fb_diag *diag);
