/*
 * The poster: one picture that stands for the video.
 *
 * Between a tenth and a quarter of the way a few pictures are looked at, and
 * the one with the most contrast that is neither black nor white is kept; if
 * nothing was shown by then, whatever came first.
 *
 * Ownership  The caller owns the struct; it holds one picture.
 * Threads    One at a time.
 */
#pragma once

#include "base/core/attr.h"
#include "origin/media/ffmpeg.h"

#include <stdint.h>

struct fb_diag;

enum { ORIGIN_POSTER_MAX_SIDE = 1280, ORIGIN_POSTER_LOOKS = 12 };

struct origin_poster {
    int64_t duration_us; /* 0 if unknown: the first half minute is looked at */
    int64_t next_us;     /* when to look again */
    double best;
    AVFrame *frame; /* owned; NULL until something was shown */
};

void origin_poster_init(struct origin_poster *poster, int64_t duration_us);
void origin_poster_done(struct origin_poster *poster);

/* Shows it the picture that is on at `at_us`. */
void origin_poster_look(struct origin_poster *poster, const AVFrame *frame, int64_t at_us);

/* How well a plane of luma would do: its standard deviation, less if it is
 * dark or bright as a whole. */
double origin_poster_score(const uint8_t *luma, int stride, int width, int height);

/* A JPEG of it, which was shown something, into an empty packet. */
FB_MUST_CHECK int origin_poster_encode(struct origin_poster *poster, AVPacket *packet,
                                       struct fb_diag *diag);
