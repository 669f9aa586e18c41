/*
 * Positions: to a packet of the picture that a recipe names, by seeking or by
 * reading up to it.
 *
 * Threads    One at a time.
 */
#pragma once

#include "base/core/attr.h"
#include "origin/media/reader.h"
#include "origin/model/recipe.h"

#include <stdbool.h>

struct fb_diag;

/* What the demuxer says of a packet of picture that has `n_before` of them before it. */
struct origin_recipe_entry origin_position_of(const AVPacket *packet, uint64_t n_before);

/* True if `packet` is the one; where there is no place in the file, by its times and
 * size alone. */
bool origin_position_is(const struct origin_recipe_entry *entry, const AVPacket *packet);

/* Seeks, and reads on to `entry`, which is then in `packet`. FB_E_NOT_FOUND if the
 * demuxer does not get there. Packets that are not of the picture are dropped. */
FB_MUST_CHECK int origin_position_seek(struct origin_reader *reader,
                                       const struct origin_recipe_entry *entry, AVPacket *packet,
                                       struct fb_diag *diag);

/* The same for a source that was just opened, by reading all that lies before. */
FB_MUST_CHECK int origin_position_read(struct origin_reader *reader,
                                       const struct origin_recipe_entry *entry, AVPacket *packet,
                                       struct fb_diag *diag);
