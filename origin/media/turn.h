/*
 * The turn: from the matrix by which a container sets its picture upright to
 * filters that do so.
 *
 * Threads    Pure functions.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { ORIGIN_TURN_MAX = 48 };

struct origin_turn {
    char filters[ORIGIN_TURN_MAX]; /* with a comma last; empty where none are needed */
    bool is_sideways;              /* they swap width and height */
};

/* `matrix` holds the nine numbers of ISO/IEC 14496-12, 8.2.2, as FFmpeg gives
 * them; NULL: none. All eight ways of quarter turns and mirrors are known; what
 * is askew is left as it is. */
struct origin_turn origin_turn_of(const int32_t *matrix);
