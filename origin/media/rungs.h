/*
 * The rungs of a recipe: the ladder of a source in all codecs that were asked for.
 *
 * H.264 has the whole ladder, by complexity if the request wants that. HEVC and AV1,
 * where the FFmpeg at hand has them, have the same sizes but for those too small
 * for them, at 70 % and 60 % of the rates. A request that is degraded gets the fixed
 * ladder in H.264 alone.
 *
 * Threads    Blocking.
 */
#pragma once

#include "base/core/attr.h"

struct fb_diag;
struct origin_recipe;
struct origin_source;

/* Sets recipe->rungs by its request, sizes and rate, and by looking at `source`, whose
 * reading position moves. FB_E_CANCELED, or what a codec gave. */
FB_MUST_CHECK int origin_rungs_choose(struct origin_source *source, struct origin_recipe *recipe,
                                      struct fb_diag *diag);
