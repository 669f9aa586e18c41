/*
 * Opening: what stands behind a path, and whether it may be used as a volume.
 *
 *     nothing there ──► made (a file with a size)
 *     blank         ──► formatted
 *     ours          ──► taken
 *     all else      ──► refused, untouched
 *
 * A volume remembers that purges were logged beside it. If they are not any more, what it
 * had until then is in doubt: some of it may have been purged.
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
#include "edge/format/format.h"

#include <stdbool.h>
#include <stdint.h>

struct edge_opening {
    const char *path;
    uint64_t size;      /* of a file to be made if there is none; 0: it must be there */
    struct fb_str node; /* whose volume it has to be */
    int64_t wall_ms;    /* for a new superblock */
    bool has_log;       /* of purges */
    uint64_t epoch;     /* of purges, now */

    /* NULL: fb_disk_open(); or what a test puts in its place. */
    int (*open)(void *ctx, const char *path, const struct fb_disk_options *options,
                struct fb_disk **ret_disk, struct fb_diag *diag);
    void *ctx;

    /* What is on a volume of ours is given up. */
    bool formats;

    /* Out. */
    struct fb_disk *disk; /* the caller's */
    struct edge_superblock superblock;
    bool was_formatted; /* superblock.doubted tells what is in doubt */
};

FB_MUST_CHECK int edge_opening_run(struct edge_opening *opening, struct fb_diag *diag);

/* Says what edge_opening_run() would say, if anything, of what stands behind the path, who else may
 * be using it; changes nothing there, and nothing that is made of it. */
FB_MUST_CHECK int edge_opening_check(const struct edge_opening *opening, struct fb_diag *diag);

/* True if waiting does not help: it is not ours to use. */
bool edge_opening_is_refusal(int err);
