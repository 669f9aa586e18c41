/*
 * The shape: which filters bring a decoded picture to what the ladder wants,
 * the size of its top rung, upright, progressive, square pixels, standard
 * range, 8 bit 4:2:0.
 *
 * Threads    A pure function.
 */
#pragma once

#include "origin/media/ffmpeg.h"

#include <stdbool.h>

enum { ORIGIN_SHAPE_MAX = 512 };

struct origin_shape {
    unsigned width; /* of the top rung, upright */
    unsigned height;
    bool is_sideways; /* `turn` swaps the sides */
    const char *turn; /* as in struct origin_source */
    bool is_interlaced;
    bool is_hdr; /* PQ or HLG: tone-mapped, if this FFmpeg can */
};

/* The chain for frames such as `frame`, cut at no length that we make. */
void origin_shape_chain(const struct origin_shape *shape, const AVFrame *frame,
                        char ret_chain[ORIGIN_SHAPE_MAX]);
