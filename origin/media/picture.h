/*
 * The picture of one source chunk: decoded once and spread over the ladder.
 *
 *     packets ─► decoder ─► shape (top size, upright, 8 bit) ─► grid ─┬► sizes ─┬► lane: rendition
 *                                                                      │         └► lane: rendition
 *                                                                      └► storyboard
 *
 * The shape is made anew whenever the source changes its size or format midway.
 * The grid holds one picture and repeats or drops it, so that every place of the
 * chunk has one: the last that was due by then, be it from before the chunk. So
 * decoding begins at a key picture before it, and what lies before is neither
 * shaped nor shown but for the last. It ends a little after it.
 *
 * Ownership  new → free. Source and recipe are borrowed until freed.
 * Threads    One at a time; each rendition is made on a thread of its own.
 */
#pragma once

#include "base/core/attr.h"
#include "origin/media/ffmpeg.h"
#include "origin/media/part.h"
#include "origin/model/recipe.h"

#include <stdbool.h>

struct fb_diag;
struct origin_content_key;
struct origin_picture;
struct origin_source;
struct origin_step_progress;

/* Filters that look at neighbours are warmed up for so long before a chunk. */
enum { ORIGIN_PICTURE_LEAD_US = 500000 };

/* So many places after a chunk its encoders look at and do not write: they keep bits for the key
 * picture there, as they would in the whole. As many as x264 looks ahead with `veryfast`. */
enum { ORIGIN_PICTURE_RUN_OUT = 10 };

struct origin_picture_options {
    const struct origin_source *source;
    const struct origin_recipe *recipe;
    size_t chunk;
    enum origin_task_pass pass;
    const char *output_dir;
    const struct origin_content_key *key;  /* NULL: in the clear */
    struct origin_step_progress *progress; /* told of places that have their picture */
    bool is_from_start; /* the first packet to come is the source's first: a first picture
                           that comes late is shown from the first place on */
};

FB_MUST_CHECK int origin_picture_new(const struct origin_picture_options *options,
                                     struct origin_picture **ret_picture, struct fb_diag *diag);
void origin_picture_free(struct origin_picture *picture); /* accepts NULL */

/* Times of `packet` are in the stream's time base, counted from the source's
 * zero. NULL ends the stream. FB_E_NOT_FOUND if the first picture comes after the
 * chunk's first place: decoding must begin earlier. */
FB_MUST_CHECK int origin_picture_push(struct origin_picture *picture, const AVPacket *packet,
                                      struct fb_diag *diag);

/* True once every place and the run-out have their pictures: nothing more need be pushed. */
bool origin_picture_is_full(const struct origin_picture *picture);

/* Holds the last picture to the chunk's end, writes everything out and tells of it
 * in `part`. FB_E_CORRUPT if there was no picture at all. */
FB_MUST_CHECK int origin_picture_finish(struct origin_picture *picture, struct origin_part *part,
                                        struct fb_diag *diag);
