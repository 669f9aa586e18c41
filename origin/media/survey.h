/*
 * The survey: one look at every packet of a source, none of which is decoded. It
 * counts the output grid, finds where the clock jumps, and where source chunks may
 * begin: at key pictures near the borders of sheets, if a demuxer gets there.
 *
 * Sources whose packets do not all tell when they are shown are one source chunk:
 * their times are known only to who decodes from the beginning.
 *
 * Threads    Blocking.
 * Limits     Memory does not grow with the source.
 */
#pragma once

#include "base/core/attr.h"
#include "origin/media/steps_internal.h"

struct fb_diag;

/* `source` was just opened and is read to its end. Fills of `recipe` n_places,
 * duration_ms, is_partial, chunks and jumps; the rest but rungs is there. */
FB_MUST_CHECK int origin_survey(struct origin_source *source, struct origin_recipe *recipe,
                                struct origin_step_progress *progress, struct fb_diag *diag);
