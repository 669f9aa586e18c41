/*
 * What lies at the front of a disk: whose volume it is, if it is one, and how
 * to make it one.
 *
 * The calls block: for tools, or for a thread that may wait.
 *
 * Threads    Any; one at a time for a disk.
 * Failures   The disk's own; what is merely no volume of ours is a result.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"
#include "edge/format/format.h"

#include <stdint.h>

struct fb_diag;
struct fb_disk;

enum edge_layout_kind {
    EDGE_LAYOUT_BLANK,  /* zeros in its first and last MiB: free to be formatted */
    EDGE_LAYOUT_VOLUME, /* a volume of this format; whose, the superblock says */
    EDGE_LAYOUT_OTHER_VERSION,
    EDGE_LAYOUT_DAMAGED, /* was a volume; both superblocks are unreadable, or it was cut off */
    EDGE_LAYOUT_FOREIGN  /* something else */
};

struct edge_layout {
    enum edge_layout_kind kind;
    struct edge_superblock superblock; /* of a volume, also of one that was cut off */
    bool is_first_good;                /* both of its superblocks */
    bool is_copy_good;
};

/* Reads the front of `disk`, and its end if the front is blank: RAID members are known by
 * that. */
FB_MUST_CHECK int edge_layout_look(struct fb_disk *disk, struct edge_layout *ret_layout);

/* How a volume lies on a disk as large as this. FB_E_LIMIT: it is too small. */
FB_MUST_CHECK int edge_layout_plan(const struct fb_disk *disk,
                                   struct edge_superblock *ret_superblock, struct fb_diag *diag);

/* Makes `disk` an empty volume of `node`, whatever it held. A new uuid turns what it held
 * into nothing, so only the superblocks are written. FB_E_LIMIT: it is too small. */
FB_MUST_CHECK int edge_layout_make(struct fb_disk *disk, struct fb_str node, int64_t wall_ms,
                                   struct edge_superblock *ret_superblock, struct fb_diag *diag);

/* Writes both superblocks of a volume anew. Cut anywhere, it has the old one or this. */
FB_MUST_CHECK int edge_layout_write(struct fb_disk *disk, const struct edge_superblock *superblock);

/* Writes both superblocks of a volume again, if one of them is damaged. */
FB_MUST_CHECK int edge_layout_mend(struct fb_disk *disk, const struct edge_layout *layout);
