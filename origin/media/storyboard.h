/*
 * The storyboard: small pictures of the whole video for the scrub bar, in sheets
 * of tiles, one sheet to a source chunk; and the chunk's candidate for the poster.
 *
 *     new ──► show, show … (every place of the chunk's grid, in order) ──► finish
 *
 * A tile shows the first picture at or after each multiple of tile_ms. A sheet
 * is s/NNNNN.jpg, counted from 1 as the source chunks are. All sheets of a video
 * have the same layout, as DASH wants it: chunk_ms / tile_ms tiles, fewer only if
 * the video has no more; those of the last one that no time is left for are black. The candidate is
 * s/poster-NNNNN.jpg: whoever finishes the video makes poster.jpg of the one with the highest
 * score, the first of equals.
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
#include "origin/media/presentation.h"

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
    uint64_t duration_ms; /* of the whole video */
    unsigned chunk_ms;    /* of every source chunk but the last */
    unsigned tile_ms;     /* divides chunk_ms */
    unsigned index;       /* of this source chunk, from 0 */
};

/* A tile for each so many ms, for a video of this length: half a segment in a short
 * video, a whole one beyond ten minutes, more where a sheet would get too many.
 * `chunk_ms` is a multiple of the even `segment_ms`, and of what is returned. */
unsigned origin_storyboard_tile_ms(uint64_t duration_ms, unsigned segment_ms, unsigned chunk_ms);

/* The layout, which follows from the options but for output and index; sheets and
 * n_sheets are left empty. No tiles when tile_ms or the size is 0. */
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

/* What a source chunk gave; part of what it tells of itself. */
struct origin_sheet {
    struct origin_segment sheet;  /* bytes 0: it had no picture */
    struct origin_segment poster; /* likewise */
    double poster_score;          /* negative: only better than none */
    char sheet_path[ORIGIN_OUTPUT_PATH_MAX];
    char poster_path[ORIGIN_OUTPUT_PATH_MAX];
};

/* Writes both files. */
FB_MUST_CHECK int origin_storyboard_finish(struct origin_storyboard *storyboard,
                                           struct origin_sheet *ret_sheet, struct fb_diag *diag);

/* storyboard.vtt: each tile's time and its place "s/00001.jpg#xywh=160,0,160,90", for
 * players that read it as a metadata track. `duration_ms` is the video's. */
void origin_storyboard_vtt(struct fb_buf *buf, const struct origin_storyboard_facts *facts,
                           uint64_t duration_ms);
