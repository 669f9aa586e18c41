/*
 * Colours: what the numbers of a picture mean, and how they become BT.709.
 *
 * Everything that leaves is BT.709 of limited range and says so, whatever comes
 * in: renditions of one video may lie on both sides of the size where players
 * change their guess, and many players look at no tags. What a source leaves
 * out is filled in as players do: small pictures have the matrix of PAL and
 * NTSC, larger ones that of HD. PQ and HLG are tone-mapped. Curves that differ
 * by how a display shows them (sRGB, gamma 2.2) are taken for BT.709's own.
 *
 * Threads    Pure functions.
 */
#pragma once

#include "origin/media/ffmpeg.h"

#include <stdbool.h>

enum { ORIGIN_COLOUR_CHAIN_MAX = 320 };

struct origin_colours {
    enum AVColorPrimaries primaries;
    enum AVColorTransferCharacteristic curve;
    enum AVColorSpace matrix;
    bool is_full; /* of full range */
    bool is_rgb;
    bool has_alpha;
};

/* Of `frame`; what it leaves out is taken from `claims`, the stream's (NULL:
 * none), then guessed. Nothing is unspecified afterwards. */
struct origin_colours origin_colours_of(const AVFrame *frame, const AVCodecParameters *claims);

/* Filters with a comma last, or an empty text where none are needed, for a
 * picture that was brought to limited range, and to `matrix` if it was RGB. */
void origin_colours_chain(const struct origin_colours *colours,
                          char ret_chain[ORIGIN_COLOUR_CHAIN_MAX]);

/* The name of the matrix as the filter `scale` knows it. */
const char *origin_colours_scale_matrix(const struct origin_colours *colours);
