/*
 * One rendition of one source chunk: pictures on the grid, in its size, encoded and cut
 * into segments.
 *
 * Ownership  new → free. Recipe and track are borrowed until freed.
 * Threads    One at a time.
 */
#pragma once

#include "base/core/attr.h"
#include "origin/media/ffmpeg.h"
#include "origin/media/presentation.h"
#include "origin/model/recipe.h"

struct fb_diag;
struct origin_content_key;
struct origin_rendition_maker;

struct origin_rendition_options {
    const struct origin_recipe *recipe;
    unsigned rung; /* of the recipe */
    const char *output_dir;
    uint32_t first_segment;
    int64_t first_place;
    int64_t end_place;   /* from here on pictures are looked at by the encoder and not written; a
                            key picture if any is pushed */
    const AVFrame *like; /* a picture as it will be pushed; needed for the call alone */
    const struct origin_content_key *key; /* NULL: in the clear */
};

/* Fills all of `track`. */
FB_MUST_CHECK int origin_rendition_new(const struct origin_rendition_options *options,
                                       struct origin_track *track,
                                       struct origin_rendition_maker **ret_maker,
                                       struct fb_diag *diag);
void origin_rendition_free(struct origin_rendition_maker *maker);

/* The picture at place `index` of the grid, the next one each time: yuv420p in the rung's
 * size, or NULL for the one pushed before. */
FB_MUST_CHECK int origin_rendition_push(struct origin_rendition_maker *maker, const AVFrame *frame,
                                        int64_t index, struct fb_diag *diag);

/* Encodes and writes what is held. */
FB_MUST_CHECK int origin_rendition_finish(struct origin_rendition_maker *maker,
                                          struct fb_diag *diag);
