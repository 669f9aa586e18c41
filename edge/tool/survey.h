/*
 * Surveys: a volume read from its disk alone, as recovery would find it.
 *
 *     open ──► zones and checkpoints by their heads ──► records of a zone, by a cursor
 *
 * Nothing is written. A volume that is not in use is locked while it is surveyed; one
 * that is, is read without: what is found may be of several moments.
 *
 * Ownership  The caller closes the survey, after its cursors.
 * Threads    One at a time; every call blocks.
 * Failures   The disk's own; FB_E_MALFORMED, FB_E_UNSUPPORTED, FB_E_CORRUPT for what is no
 *            volume that can be read.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "edge/format/format.h"
#include "edge/volume/layout.h"

#include <stdbool.h>
#include <stdint.h>

struct fb_disk;

enum tool_zone_state {
    TOOL_ZONE_FREE,    /* never opened, or its generation is given up */
    TOOL_ZONE_OPEN,    /* without a summary: its records follow each other */
    TOOL_ZONE_SEALED,  /* with one */
    TOOL_ZONE_DAMAGED, /* its header does not fit its checksum, or cannot be read */
    TOOL_ZONE_STATES
};

struct tool_zone {
    enum tool_zone_state state;
    struct edge_zone_header header; /* of an open or sealed one */
    struct edge_summary summary;    /* of a sealed one */
    bool has_torn_summary;          /* of an open one: a footer that does not fit */
    int err;                        /* of a damaged one that cannot even be read */

    /* Blocks that the checkpoint that counts saw written in this life of the zone. */
    uint32_t n_known_blocks;
};

enum tool_slot_state { TOOL_SLOT_BLANK, TOOL_SLOT_GOOD, TOOL_SLOT_OTHER_LIFE, TOOL_SLOT_DAMAGED };

struct tool_slot {
    enum tool_slot_state state;
    struct edge_checkpoint checkpoint; /* of a good one */

    /* Owned; of a good one: what it knows of each zone. */
    struct edge_checkpoint_zone *zones;
};

struct tool_survey {
    struct fb_disk *disk; /* owned */
    bool is_in_use;
    struct edge_layout layout;
    uint32_t n_zone_blocks;
    struct tool_zone *zones; /* owned */
    struct tool_slot slots[2];
    uint64_t newest_generation;  /* 0: none yet */
    struct edge_written written; /* the latest that headers and checkpoints tell */
};

FB_MUST_CHECK int edge_tool_survey_open(const char *path, struct tool_survey *ret_survey,
                                        struct fb_diag *diag);

/* Of a disk that is open, which the survey takes over, also when it fails. */
FB_MUST_CHECK int edge_tool_survey_take(struct fb_disk *disk, struct tool_survey *ret_survey,
                                        struct fb_diag *diag);

/* Safe on zero. */
void edge_tool_survey_close(struct tool_survey *survey);

/* Looks at one zone again. */
struct tool_zone edge_tool_survey_zone(const struct tool_survey *survey, uint32_t zone);

/* Looks at a slot again, in place. */
FB_MUST_CHECK int edge_tool_survey_slot(struct tool_survey *survey, unsigned slot);

/* The slot whose checkpoint counts, or NULL. */
const struct tool_slot *edge_tool_survey_checkpoint(const struct tool_survey *survey);

const char *edge_tool_zone_state_name(enum tool_zone_state state);

/* ---- records of a zone --------------------------------------------------- */

enum tool_depth {
    TOOL_LISTINGS, /* a sealed zone's summary only; of an open one the heads */
    TOOL_HEADS,
    TOOL_WHOLE /* chunks too */
};

struct tool_item {
    struct edge_listing listing; /* as the summary has it, or as it would */
    const char *wrong;           /* NULL, or what is wrong with the head: the record is not there */
    bool has_record;             /* the head was read */
    struct edge_record record;   /* borrowed until the next one */
    const char *bytes;           /* of the whole record, if WHOLE and nothing is wrong */
};

struct tool_cursor {
    const struct tool_survey *survey;
    uint32_t zone;
    enum tool_depth depth;
    uint32_t i;                  /* of a sealed zone: the next listing */
    uint32_t block;              /* of an open one: the next record */
    uint64_t sum;                /* ... and the sum of the last */
    struct edge_written written; /* of the last ledger that was passed */
    bool has_written;
    char *listings; /* owned; the blocks of the summary */

    /* Private to survey.c: blocks of the zone that are in memory. */
    char *window; /* owned */
    uint32_t window_size;
    uint32_t window_block;
    uint32_t window_n;
};

/* FB_E_CORRUPT: the listings of a sealed zone do not fit the footer; then its records are read
 * as those of an open one. Every outcome but the disk's own errors leaves a cursor. */
FB_MUST_CHECK int edge_tool_cursor_init(struct tool_cursor *cursor,
                                        const struct tool_survey *survey, uint32_t zone,
                                        enum tool_depth depth);
void edge_tool_cursor_done(struct tool_cursor *cursor);

/* FB_E_END after the last. Else the disk's error. Ledgers are passed over. */
FB_MUST_CHECK int edge_tool_cursor_next(struct tool_cursor *cursor, struct tool_item *ret_item);
