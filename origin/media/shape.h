/*
 * The shape: which filters bring a decoded picture to what the ladder wants,
 * the size of its top rung, upright, progressive, square pixels, BT.709 of
 * standard range, 8 bit 4:2:0.
 *
 * A picture of other proportions than the video's own (a broadcast that changes
 * from 4:3 to 16:9) is fitted into it, with black beside. Where pictures are
 * transparent, black lies beneath.
 *
 * Threads    Pure functions.
 */
#pragma once

#include "origin/media/ffmpeg.h"
#include "origin/media/scan.h"

enum { ORIGIN_SHAPE_MAX = 768 };

struct origin_shape {
    unsigned width; /* of the top rung, upright */
    unsigned height;
    bool is_sideways;  /* `turn` swaps the sides */
    const char *turn;  /* as in struct origin_turn */
    AVRational aspect; /* of the frame's pixels; 0/1: square */
    enum origin_scan scan;
    bool is_interlaced;              /* a frame was flagged so: for ORIGIN_SCAN_FLAGGED */
    const AVCodecParameters *claims; /* the stream's, on colours; may be NULL */
};

/* The chain for frames such as `frame`. */
void origin_shape_chain(const struct origin_shape *shape, const AVFrame *frame,
                        char ret_chain[ORIGIN_SHAPE_MAX]);
