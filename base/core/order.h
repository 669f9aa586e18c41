/*
 * Order: how two numbers stand to each other, for what qsort() asks.
 */
#pragma once

/* Below 0, 0 or above 0: `x` comes before, with or after `y`. Each is evaluated twice. */
#define FB_ORDER(x, y) (((x) > (y)) - ((x) < (y)))
