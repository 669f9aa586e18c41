/*
 * What the steps share.
 *
 *     prepare.c  hash, survey.c (grid, source chunks), ladder ─► recipe
 *     chunk.c    position, reader.c ─► picture.c ─► lane.c × rendition.c ─► part
 *     tracks.c   reader.c, timeline.c ─► sound.c × n, subtitles.c × n ─► part
 *     finish.c   recipe and parts ─► playlists, manifests, result
 */
#pragma once

#include "base/core/attr.h"
#include "origin/media/probe.h"
#include "origin/media/rate.h"
#include "origin/media/steps.h"
#include "origin/media/storyboard.h"

#include <stdint.h>

enum { ORIGIN_STEP_PERMILLE = 1000 };

struct origin_step_progress {
    const struct origin_step_hooks *hooks;
    unsigned permille;
};

/* Reports `done` of `whole`, if that is more than before. */
void origin_step_report(struct origin_step_progress *progress, uint64_t done, uint64_t whole);

/* Opens the file of a recipe; FB_E_CONFLICT if it is another. */
FB_MUST_CHECK int origin_step_open(const struct origin_step_options *options,
                                   struct origin_source **ret_source, struct fb_diag *diag);

struct origin_ratio origin_step_rate(const struct origin_recipe *recipe);

/* When the video ends. */
int64_t origin_step_end_us(const struct origin_recipe *recipe);

/* For all of the video: sheets of a source chunk and the output are left open. */
struct origin_storyboard_options origin_step_storyboard(const struct origin_recipe *recipe);

/* The folder of a rendition. */
void origin_step_track_path(const struct origin_recipe_rung *rung,
                            char ret_path[ORIGIN_TRACK_PATH_MAX]);
