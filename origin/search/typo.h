/*
 * Mistyped words: how far two words lie apart.
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/str.h"

/* Insertions, deletions, replacements and swaps of neighbours that lead from one to
 * the other (optimal string alignment), in characters, and in capitals or not for
 * ASCII; `most` + 1 as soon as there are more than `most`. Both are UTF-8; words of
 * more than 40 characters are far from everything. */
unsigned origin_typo_distance(struct fb_str a, struct fb_str b, unsigned most);

/* How many of these a word may have to be taken for another: none of up to three
 * characters, one of up to six, two beyond. */
unsigned origin_typo_most(struct fb_str word);
