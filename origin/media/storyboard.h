/*
 * The storyboard: small pictures of the whole video for the scrub bar, in sheets
 * of tiles; and the poster, out of one of the sheets' pictures.
 *
 *     new ──► show, show … (every place of the source chunk's grid, in order) ──► finish
 *
 * A tile shows the first picture at or after each multiple of tile_ms. Sheet i is
 * s/<i + 1, five digits>.jpg. All sheets of a video have the same layout, as DASH
 * wants it: sheet_ms / tile_ms tiles, fewer only if the video has no more; those of
 * the last one that no time is left for are black. poster.jpg is made by whoever
 * makes the poster's sheet.
 *
 * Ownership  new → free. The output is borrowed until freed; pictures shown are
 *            referenced only as long as they may become the poster.
 * Threads    One at a time; scales and encodes on the calling thread.
 * Limits     Holds one sheet, below 4 MiB, and one picture.
 * Failures   From codecs and files, with a sentence in the diag.
 */
#pragma once

#include "base/core/attr.h"
#include "origin/media/ffmpeg.h"
#include "origin/media/output.h"
#include "origin/media/part.h"
#include "origin/media/presentation.h"

#include <stdbool.h>
#include <stdint.h>

struct fb_diag;
struct origin_storyboard;

enum {
    ORIGIN_STORYBOARD_TILE_SIDE = 160, /* pixels on a tile's long side */
    ORIGIN_STORYBOARD_MAX_TILES = 120, /* on a sheet */
};

struct origin_storyboard_options {
    struct origin_output *output;
    unsigned width; /* of the largest rendition: pixels are square */
    unsigned height;
    uint64_t duration_ms;  /* of the whole video */
    unsigned segment_ms;   /* even; they follow from the recipe, */
    unsigned sheet_ms;     /* a multiple of it */
    bool has_sheets;       /* false: the poster alone */
    unsigned first_sheet;  /* of this source chunk, from 0 */
    unsigned n_sheets;     /* likewise; at least 1 */
    unsigned poster_sheet; /* of the video */
};

/* A tile for each so many ms: half a segment in a short video, a whole one beyond ten
 * minutes, more where a sheet would get too many. It divides sheet_ms. */
unsigned origin_storyboard_tile_ms(uint64_t duration_ms, unsigned segment_ms, unsigned sheet_ms);

/* The layout, which is the same for all sheets; n_sheets is counted, sheets is left
 * empty. No tiles when width or duration_ms is 0. */
void origin_storyboard_describe(const struct origin_storyboard_options *options,
                                struct origin_storyboard_facts *ret_facts);

FB_MUST_CHECK int origin_storyboard_new(const struct origin_storyboard_options *options,
                                        struct origin_storyboard **ret_storyboard,
                                        struct fb_diag *diag);
void origin_storyboard_free(struct origin_storyboard *storyboard);

/* Shows the picture that is on at `at_us`, counted from the video's begin. The same
 * frame may be shown many times over. Cheap when no tile is due. */
FB_MUST_CHECK int origin_storyboard_show(struct origin_storyboard *storyboard, const AVFrame *frame,
                                         int64_t at_us, struct fb_diag *diag);

/* Writes what is left, and fills the members of `part` that tell of sheets and
 * poster, which were empty. Without a picture there is neither. */
FB_MUST_CHECK int origin_storyboard_finish(struct origin_storyboard *storyboard,
                                           struct origin_part *part, struct fb_diag *diag);

/* storyboard.vtt: each tile's time and its place "s/00001.jpg#xywh=160,0,160,90", for
 * players that read it as a metadata track. `duration_ms` is the video's. */
void origin_storyboard_vtt(struct fb_buf *buf, const struct origin_storyboard_facts *facts,
                           uint64_t duration_ms);
