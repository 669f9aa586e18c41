/*
 * The picture: one video stream decoded once and spread over the ladder.
 *
 *     packets ─► decoder ─► shape (top size, upright, 8 bit) ─► grid ─► renditions, poster
 *
 * The shape is made anew whenever the source changes its size or format midway.
 * The grid holds one picture and repeats or drops it, so that every place from
 * 0 on has one.
 *
 * Ownership  new → free. Source and output are borrowed until freed; the tracks
 *            are owned here and may be read until freed.
 * Threads    One at a time.
 */
#pragma once

#include "base/core/attr.h"
#include "origin/media/ffmpeg.h"
#include "origin/media/poster.h"
#include "origin/media/presentation.h"

struct fb_diag;
struct origin_output;
struct origin_picture;
struct origin_source;

struct origin_picture_options {
    const struct origin_source *source;
    struct origin_output *output;
    const char *preset;
    unsigned n_threads;
    unsigned segment_ms;
};

FB_MUST_CHECK int origin_picture_new(const struct origin_picture_options *options,
                                     struct origin_picture **ret_picture, struct fb_diag *diag);
void origin_picture_free(struct origin_picture *picture);

/* Times of `packet` are in the stream's time base, counted from the source's
 * zero. NULL ends the stream. */
FB_MUST_CHECK int origin_picture_push(struct origin_picture *picture, const AVPacket *packet,
                                      struct fb_diag *diag);

/* The end of what was shown so far. After the end of the stream: of all. */
int64_t origin_picture_end_us(const struct origin_picture *picture);

/* Holds the last picture until `until_us` and writes everything out. */
FB_MUST_CHECK int origin_picture_finish(struct origin_picture *picture, int64_t until_us,
                                        struct fb_diag *diag);

/* Renditions, largest first; none before a picture was decoded. */
const struct origin_track *origin_picture_tracks(const struct origin_picture *picture,
                                                 size_t *ret_n);

struct origin_poster *origin_picture_poster(struct origin_picture *picture);

/* Packets sent to the decoder, and those it could not use. */
void origin_picture_damage(const struct origin_picture *picture, uint64_t *ret_packets,
                           uint64_t *ret_damaged);
