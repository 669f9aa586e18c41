/*
 * Cues: subtitles as a list of texts with times, read from SRT or WebVTT.
 *
 * A cue's text is WebVTT as we write it: lines of UTF-8 with only <b>, <i>, <u> and
 * <v speaker>, all closed again in their order, and with & < > escaped elsewhere.
 * What a file has beyond that (colours, fonts, unknown tags) is left out;
 * identifiers, STYLE, REGION and NOTE blocks are too. Settings that place a cue are
 * kept if they are of the known ones.
 *
 * Reading forgives what players forgive (a byte order mark, line ends of any kind,
 * SRT numbers that are missing or wrong, a comma or a dot in times, cues out of
 * order, which are sorted) and refuses the rest with the number of the line.
 *
 * Ownership  A list owns its cues' bytes; zero is an empty list → done.
 * Threads    One at a time.
 * Limits     Below; beyond them FB_E_LIMIT.
 * Failures   FB_E_MALFORMED with a sentence that names the line; FB_E_LIMIT.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/str.h"

#include <stddef.h>
#include <stdint.h>

struct fb_diag;

enum {
    ORIGIN_CUES_MAX_BYTES = 2 * 1024 * 1024, /* of a file */
    ORIGIN_CUES_MAX = 50000,
    ORIGIN_CUE_MAX_BYTES = 4096, /* of one text */
    /* Of all texts, each counted for every second that it is on: a bound for what the
     * segments of a list come to. */
    ORIGIN_CUES_MAX_WEIGHT = 128 * 1024 * 1024,
    ORIGIN_CUES_MAX_HOURS = 24,
};

struct origin_cue {
    int64_t begin_ms;
    int64_t end_ms; /* after begin_ms */
    size_t text;    /* offset into the list's bytes */
    size_t text_len;
    size_t settings; /* likewise, such as "line:10% align:start" */
    size_t settings_len;
};

struct origin_cues {
    struct origin_cue *cues; /* owned, by begin; equals in the order they came */
    size_t n_cues;
    size_t max_cues;
    struct fb_buf bytes;
    uint64_t weight;
};

void origin_cues_done(struct origin_cues *cues);

/* Appends a cue whose `markup` is what a file had: it is cleaned. An empty text
 * gives no cue. */
FB_MUST_CHECK int origin_cues_add(struct origin_cues *cues, int64_t begin_ms, int64_t end_ms,
                                  struct fb_str settings, struct fb_str markup);

/* Puts cues in order; needed after origin_cues_add() only. */
void origin_cues_sort(struct origin_cues *cues);

struct fb_str origin_cue_text(const struct origin_cues *cues, size_t index);
struct fb_str origin_cue_settings(const struct origin_cues *cues, size_t index);

/* Reads a file into an empty list: WebVTT if it begins so, else SRT. */
FB_MUST_CHECK int origin_cues_parse(struct fb_str file, struct origin_cues *cues,
                                    struct fb_diag *diag);

/* A whole WebVTT file. */
void origin_cues_write(struct fb_buf *buf, const struct origin_cues *cues);

/* A segment: all that is on between the two times, with the header HLS wants
 * (RFC 8216 section 3.5). Times are of the video as a whole, so a cue that
 * lasts over a border stands in both, alike, and a player shows it once. */
void origin_cues_write_segment(struct fb_buf *buf, const struct origin_cues *cues, int64_t begin_ms,
                               int64_t end_ms);
