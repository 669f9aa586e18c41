/*
 * One picture as a JPEG: the same bytes each time.
 *
 * Threads    Any; encodes on the calling thread.
 */
#pragma once

#include "base/core/attr.h"
#include "origin/media/ffmpeg.h"

struct fb_diag;

/* `frame` is yuvj420p; its time and kind are set here. `quality` is FFmpeg's: 2 is
 * best, 31 worst. Into an empty `packet`. */
FB_MUST_CHECK int origin_jpeg_encode(AVFrame *frame, int quality, AVPacket *packet,
                                     struct fb_diag *diag);
