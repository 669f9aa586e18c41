/*
 * The scan: whether pictures were taken whole or in two fields, found out by
 * looking, since what files say of it is often wrong.
 *
 *     all of the fields differ            ORIGIN_SCAN_TOP_FIRST, ORIGIN_SCAN_BOTTOM_FIRST
 *     none do, whatever the flags say     ORIGIN_SCAN_WHOLE
 *     some do                             ORIGIN_SCAN_MIXED: picture by picture, by looking
 *     too little moves to tell, or        ORIGIN_SCAN_FLAGGED: as the flags say
 *     both fields seem to be the first
 *
 * Threads    Any; see each function.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"

#include <stdbool.h>
#include <stdint.h>

struct fb_diag;
struct origin_source;

enum origin_scan {
    ORIGIN_SCAN_FLAGGED, /* interlaced from the first frame on that is flagged so */
    ORIGIN_SCAN_WHOLE,
    ORIGIN_SCAN_TOP_FIRST,
    ORIGIN_SCAN_BOTTOM_FIRST,
    ORIGIN_SCAN_MIXED,
};

/* Frames by what they looked like. */
struct origin_scan_counts {
    unsigned n_top_first;
    unsigned n_bottom_first;
    unsigned n_whole;
    unsigned n_unclear;
};

/* The rule; a pure function. */
enum origin_scan origin_scan_judge(const struct origin_scan_counts *counts);

/* "flagged", "whole", "top_first", "bottom_first", "mixed". */
const char *origin_scan_name(enum origin_scan scan);
FB_MUST_CHECK int origin_scan_parse(struct fb_str name, enum origin_scan *ret_scan);

/* The filters for it, with a comma last, or an empty text. */
const char *origin_scan_filters(enum origin_scan scan, bool is_flagged);

/* Decodes some pictures at five places of `source` and looks at them. Moves the
 * source's reading position: open it for this alone. What cannot be read is
 * passed over. Where neither a flag nor the size and rate of those that have
 * fields hint at them, none are looked for: ORIGIN_SCAN_FLAGGED. */
FB_MUST_CHECK int origin_scan_look(struct origin_source *source, enum origin_scan *ret_scan,
                                   struct fb_diag *diag);
