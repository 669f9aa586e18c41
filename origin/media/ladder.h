/*
 * The ladder: which renditions a picture gets, and how many bits each may take.
 *
 * The short side of the picture as displayed drives it, so upright and flat
 * videos get the same rungs. A rung is left out when the source is smaller by
 * more than a twentieth; a source just below it (718 lines, 352 lines) keeps
 * its own size under the rung's name. Nothing is scaled up. A source below
 * the lowest rung gets one rendition of its own size.
 *
 * Sizes are even (4:2:0), pixels are square.
 *
 * Threads    A pure function.
 */
#pragma once

#include "origin/media/presentation.h"

#include <stdint.h>

enum { ORIGIN_LADDER_MAX_LONG_SIDE = 3840 };

struct origin_rung {
    unsigned rung; /* the name: a short side */
    unsigned width;
    unsigned height;
    uint32_t max_rate; /* bit/s, for x264's buffer model */
    uint32_t buffer;   /* bits */
};

/* `width` and `height`, at least 2, are as displayed: after rotation, with
 * square pixels. Fills `ret_rungs` largest first and returns how many. */
unsigned origin_ladder(unsigned width, unsigned height, double frame_rate,
                       struct origin_rung ret_rungs[ORIGIN_TRANSCODE_MAX_RENDITIONS]);
