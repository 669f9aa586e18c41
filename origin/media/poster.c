#include "origin/media/poster.h"

#include "base/core/check.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "origin/media/filter.h"
#include "origin/media/jpeg.h"

#include <math.h>
#include <stdio.h>

enum { POSTER_BLIND_US = 30000000, POSTER_STEP = 8, POSTER_QUALITY = 4 };

void origin_poster_init(struct origin_poster *poster, int64_t duration_us)
{
    *poster = (struct origin_poster){.duration_us = duration_us, .best = -1.0};
}

void origin_poster_done(struct origin_poster *poster)
{
    av_frame_free(&poster->frame);
}

double origin_poster_score(const uint8_t *luma, int stride, int width, int height)
{
    double sum = 0.0;
    double squares = 0.0;
    double n = 0.0;

    for (int y = 0; y < height; y += POSTER_STEP) {
        for (int x = 0; x < width; x += POSTER_STEP) {
            double value = luma[(ptrdiff_t)y * stride + x];
            sum += value;
            squares += value * value;
            n += 1.0;
        }
    }
    if (n < 1.0) {
        return 0.0;
    }
    double mean = sum / n;
    double deviation = sqrt(fmax(squares / n - mean * mean, 0.0));
    bool is_extreme = mean < 40.0 || mean > 215.0;
    return is_extreme ? deviation / 4.0 : deviation;
}

void origin_poster_look(struct origin_poster *poster, const AVFrame *frame, int64_t at_us)
{
    int64_t from = poster->duration_us / 10;
    int64_t to = poster->duration_us > 0 ? poster->duration_us / 4 : POSTER_BLIND_US;
    bool is_time = at_us >= from && at_us >= poster->next_us && at_us <= to;

    if (poster->frame != NULL && !is_time) {
        return;
    }
    double score =
        origin_poster_score(frame->data[0], frame->linesize[0], frame->width, frame->height);
    if (is_time) {
        poster->next_us = at_us + (to - from) / ORIGIN_POSTER_LOOKS;
    } else {
        score = -0.5; /* better than nothing */
    }
    if (score > poster->best) {
        av_frame_free(&poster->frame);
        poster->frame = av_frame_clone(frame);
        poster->best = score;
    }
}

/* `frame` as a JPEG wants it: full range, at most MAX_SIDE on the long side. */
static int poster_shape(AVFrame *frame, AVFrame *ret_shaped, struct fb_diag *diag)
{
    char chain[128];
    int longest = FB_MAX(frame->width, frame->height);
    int to = FB_MIN(longest, (int)ORIGIN_POSTER_MAX_SIDE);
    (void)snprintf(chain, sizeof(chain),
                   "scale=%d:%d:flags=bicubic:in_range=tv:out_range=pc,format=yuvj420p",
                   FB_MAX(frame->width * to / longest / 2 * 2, 2),
                   FB_MAX(frame->height * to / longest / 2 * 2, 2));
    struct origin_filter_options options = {
        .like = frame, .time_base = {1, 1}, .chain = chain, .n_threads = 1};
    struct origin_filter *filter = NULL;

    int err = origin_filter_new(&options, &filter, diag);
    if (err == FB_OK) {
        err = origin_filter_push(filter, frame);
    }
    if (err == FB_OK) {
        err = origin_filter_pull(filter, ret_shaped);
    }
    origin_filter_free(filter);
    return err;
}

int origin_poster_encode(struct origin_poster *poster, AVPacket *packet, struct fb_diag *diag)
{
    FB_AUTO(origin_av_frame_done) AVFrame *shaped = origin_av_frame_new();
    FB_REQUIRE(poster->frame != NULL);

    int err = poster_shape(poster->frame, shaped, diag);
    return err < 0 ? fb_diag_set(diag, err, "make the poster: %s", fb_err_text(err))
                   : origin_jpeg_encode(shaped, POSTER_QUALITY, packet, diag);
}
