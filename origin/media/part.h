/*
 * Parts: what a task tells of the files it made. FINISH writes playlists and
 * manifests from the recipe and all parts, without a look at the files.
 *
 * Ownership  A part owns its tracks (and they their segments) and sheets:
 *            zero → ..._done().
 * Threads    Pure functions.
 * Limits     Below; every member is checked on load, as parts travel.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "origin/media/presentation.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ORIGIN_PART_TRACKS_MAX = 64,
    ORIGIN_PART_SEGMENTS_MAX = 1 << 18, /* the number of the last one */
    ORIGIN_PART_SHEETS_MAX = 4096,
    ORIGIN_PART_JSON_MAX = 64 * 1024 * 1024,
};

enum origin_part_kind {
    ORIGIN_PART_CHUNK,
    ORIGIN_PART_SOUND,
};

struct origin_part_track {
    struct origin_track track; /* owned */
    uint32_t first_segment;    /* the number of segments[0], from 1 */
};

struct origin_part {
    enum origin_part_kind kind;
    uint32_t index; /* of the source chunk */
    uint32_t pass;
    struct origin_part_track *tracks; /* owned */
    size_t n_tracks;
    uint32_t first_sheet;          /* the place of sheets[0] among all, from 0 */
    struct origin_segment *sheets; /* owned; storyboard */
    size_t n_sheets;
    struct origin_segment poster; /* poster.jpg; bytes 0: not of this part */
    uint64_t n_packets;           /* of the source that were decoded */
    uint64_t n_damaged;           /* of these, could not be */
    bool is_partial;              /* the source ended early or had unreadable parts */
};

void origin_part_done(struct origin_part *part);

/* A new, empty track at the end; borrowed until the next one is added. */
struct origin_part_track *origin_part_add_track(struct origin_part *part);

void origin_part_dump(struct fb_buf *buf, const struct origin_part *part);
FB_MUST_CHECK int origin_part_parse(struct fb_str text, struct origin_part *ret_part,
                                    struct fb_diag *diag);
