/*
 * Patterns: which paths are media, and of which video.
 *
 *     /media/{video}/{version}/v/{rendition}/seg-{number}.m4s
 *
 * A name in braces stands for one byte or more of one segment of the path, `{number}` for digits;
 * all else stands for itself. `{video}`, `{rendition}`, `{number}` and `{segment}` (of segments
 * that bear no number) are taken out; other names are placeholders alone.
 *
 * Threads    Pure functions, any thread.
 * Limits     EDGE_PATTERN_MAX bytes, EDGE_PATTERN_NAMES_MAX names. A path that takes more than
 *            EDGE_PATTERN_STEPS of work does not match.
 * Failures   FB_E_MALFORMED with a sentence.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { EDGE_PATTERN_MAX = 1024, EDGE_PATTERN_NAMES_MAX = 16, EDGE_PATTERN_STEPS = 8192 };

/* Views into the path; empty: the pattern does not name it. */
struct edge_pattern_match {
    struct fb_str video;
    struct fb_str rendition;
    struct fb_str segment;
    struct fb_str number;
};

/* Says what is wrong with a pattern, for a table of the configuration. `{video}` must be there. */
FB_MUST_CHECK int edge_pattern_check(struct fb_str pattern, struct fb_diag *diag);

/* Whether all of `path` is of the pattern, which passed the check. */
bool edge_pattern_match(struct fb_str pattern, struct fb_str path,
                        struct edge_pattern_match *ret_match);

/* What every path of the pattern begins with. */
struct fb_str edge_pattern_prefix(struct fb_str pattern);
