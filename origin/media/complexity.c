#include "origin/media/complexity.h"

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "origin/media/codec.h"
#include "origin/media/filter.h"
#include "origin/media/probe.h"
#include "origin/media/sample.h"
#include "origin/media/shape.h"

#include <math.h>
#include <stdio.h>

enum { SPOTS = 3, SPOT_SECONDS = 2, SIZES = 2, SMALL_SIDE = 360, KEY_PERIOD_MS = 2000, BITS = 8 };

/* ---- the rule ---------------------------------------------------------- */

static double clamp(double value, double low, double high)
{
    return FB_MIN(FB_MAX(value, low), high);
}

static double pixels_of(const struct origin_rung *rung)
{
    return (double)rung->width * (double)rung->height;
}

unsigned origin_complexity_fit(const struct origin_complexity *complexity,
                               struct origin_rung *rungs, unsigned n_rungs)
{
    const double top_pixels = pixels_of(&rungs[0]);
    double above = 0.0;
    unsigned n = 0;

    if (complexity->top_rate <= 0.0) {
        return n_rungs;
    }
    for (unsigned i = 0; i < n_rungs; i++) {
        struct origin_rung rung = rungs[i];
        double need = complexity->top_rate *
                      pow(pixels_of(&rung) / top_pixels, clamp(complexity->exponent, 0.3, 1.1));
        double given = clamp(need * 1.5, rung.max_rate * 0.4, rung.max_rate * 1.5);
        bool is_end = i == 0 || i + 1 == n_rungs;
        need = FB_MIN(need, given); /* what it will take */
        if (is_end || need * 3.0 <= above * 2.0) {
            uint64_t kbit = (uint64_t)lround(given / 1000.0);
            rung.buffer = (uint32_t)((uint64_t)rung.buffer * kbit * 1000 / rung.max_rate);
            rung.max_rate = (uint32_t)(kbit * 1000);
            rungs[n++] = rung;
            above = need;
        }
    }
    return n;
}

/* ---- measuring --------------------------------------------------------- */

struct size {
    struct origin_rung rung;
    struct origin_filter *scaler; /* owned; NULL until a picture came */
    AVCodecContext *encoder;      /* owned; likewise */
    uint64_t n_bytes;
    int64_t n_frames;
};

struct measure {
    struct origin_source *source;
    const struct origin_complexity_options *options;
    struct size sizes[SIZES]; /* the top one first */
    unsigned n_sizes;
    int64_t last_index; /* the place of the last picture taken, of the grid */
    bool is_spot_new;
    AVFrame *shaped;  /* owned, scratch */
    AVPacket *packet; /* owned, scratch */
};

static void measure_done(struct measure *measure)
{
    for (unsigned i = 0; i < SIZES; i++) {
        origin_filter_free(measure->sizes[i].scaler);
        avcodec_free_context(&measure->sizes[i].encoder);
    }
    av_frame_free(&measure->shaped);
    av_packet_free(&measure->packet);
}

static int size_drain(struct measure *measure, struct size *size)
{
    for (;;) {
        int err = origin_encoder_receive(size->encoder, measure->packet);
        if (err < 0) {
            return err == FB_E_LATER || err == FB_E_END ? FB_OK : err;
        }
        size->n_bytes += (uint64_t)measure->packet->size;
        av_packet_unref(measure->packet);
    }
}

static int size_open_encoder(struct measure *measure, struct size *size, const AVFrame *like,
                             struct fb_diag *diag)
{
    struct origin_video_settings settings = {
        .codec = ORIGIN_RECIPE_H264,
        .crf = measure->options->crf,
        .rung = size->rung,
        .rate = measure->source->rate,
        .preset = measure->options->preset,
        .n_threads = measure->options->n_threads,
        .key_period_ms = KEY_PERIOD_MS,
        .like = like,
    };
    settings.rung.max_rate = 0; /* unbounded */
    settings.rung.buffer = 0;
    return origin_encoder_new_video(&settings, &size->encoder, diag);
}

static int size_encode(struct measure *measure, struct size *size, bool is_key,
                       struct fb_diag *diag)
{
    AVFrame *frame = measure->shaped;
    int err = size->encoder == NULL ? size_open_encoder(measure, size, frame, diag) : FB_OK;
    if (err < 0) {
        return err;
    }
    frame->pts = size->n_frames++;
    frame->pict_type = is_key ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    int averr = avcodec_send_frame(size->encoder, frame);
    return averr < 0 ? origin_av_fail(diag, averr, "try the encoder") : size_drain(measure, size);
}

static int size_open_scaler(struct measure *measure, struct size *size, const AVFrame *frame,
                            struct fb_diag *diag)
{
    const struct origin_source *source = measure->source;
    char chain[ORIGIN_SHAPE_MAX];
    struct origin_shape shape = {
        .width = size->rung.width,
        .height = size->rung.height,
        .is_sideways = source->turn.is_sideways,
        .turn = source->turn.filters,
        .aspect = frame->sample_aspect_ratio,
        .scan = source->scan,
        .is_interlaced = origin_av_is_interlaced(frame),
        .claims = source->video->codecpar,
    };
    origin_shape_chain(&shape, frame, chain);
    struct origin_filter_options options = {
        .like = frame,
        .time_base = source->video->time_base,
        .chain = chain,
        .n_threads = measure->options->n_threads,
    };
    origin_filter_free(size->scaler);
    size->scaler = NULL;
    return origin_filter_new(&options, &size->scaler, diag);
}

static int size_take(struct measure *measure, struct size *size, AVFrame *frame,
                     struct fb_diag *diag)
{
    int err = FB_OK;
    bool is_key = measure->is_spot_new;

    if (size->scaler == NULL || !origin_filter_fits(size->scaler, frame)) {
        err = size_open_scaler(measure, size, frame, diag);
    }
    if (err == FB_OK) {
        err = origin_filter_push(size->scaler, frame);
    }
    while (err == FB_OK) {
        err = origin_filter_pull(size->scaler, measure->shaped);
        if (err == FB_OK) {
            err = size_encode(measure, size, is_key, diag);
            is_key = false;
        }
        av_frame_unref(measure->shaped);
    }
    return err == FB_E_LATER || err == FB_E_END ? FB_OK : err;
}

/* A picture that falls on the place of the one before is not shown, so not encoded. */
static int measure_take(void *ctx, AVFrame *frame, struct fb_diag *diag)
{
    struct measure *measure = ctx;
    int err = FB_OK;

    if (frame->best_effort_timestamp != AV_NOPTS_VALUE) {
        int64_t us = av_rescale_q(frame->best_effort_timestamp, measure->source->video->time_base,
                                  AV_TIME_BASE_Q);
        int64_t index = origin_rate_index(measure->source->rate, us);
        if (!measure->is_spot_new && index == measure->last_index) {
            return FB_OK;
        }
        measure->last_index = index;
    }
    for (unsigned i = 0; err == FB_OK && i < measure->n_sizes; i++) {
        err = size_take(measure, &measure->sizes[i], frame, diag);
    }
    measure->is_spot_new = false;
    return err;
}

/* What a deinterlacer still holds is not missed. */
static int measure_end_spot(void *ctx, struct fb_diag *diag)
{
    struct measure *measure = ctx;

    (void)diag;
    for (unsigned i = 0; i < measure->n_sizes; i++) {
        origin_filter_free(measure->sizes[i].scaler);
        measure->sizes[i].scaler = NULL;
    }
    measure->is_spot_new = true;
    return FB_OK;
}

/* Bits a second. */
static double size_finish(struct measure *measure, struct size *size)
{
    if (size->encoder == NULL) {
        return 0.0;
    }
    (void)avcodec_send_frame(size->encoder, NULL); /* what fails gives no packets below */
    (void)size_drain(measure, size);
    return (double)(size->n_bytes * BITS) * origin_ratio_value(measure->source->rate) /
           (double)size->n_frames;
}

static void measure_judge(struct measure *measure, struct origin_complexity *complexity)
{
    double rates[SIZES] = {0};
    for (unsigned i = 0; i < measure->n_sizes; i++) {
        rates[i] = size_finish(measure, &measure->sizes[i]);
    }
    *complexity = (struct origin_complexity){.top_rate = rates[0], .exponent = 0.75};
    if (measure->n_sizes == SIZES && rates[0] > 0.0 && rates[1] > 0.0) {
        complexity->exponent = log(rates[0] / rates[1]) / log(pixels_of(&measure->sizes[0].rung) /
                                                              pixels_of(&measure->sizes[1].rung));
    }
}

int origin_complexity_measure(struct origin_source *source,
                              const struct origin_complexity_options *options,
                              struct origin_complexity *ret_complexity, struct fb_diag *diag)
{
    FB_AUTO(measure_done)
    struct measure measure = {.source = source, .options = options, .is_spot_new = true};
    struct origin_sample sample = {
        .max_spots = SPOTS,
        .max_frames = (unsigned)(origin_ratio_value(source->rate) * (double)SPOT_SECONDS),
        .n_threads = options->n_threads,
        .ctx = &measure,
        .take = measure_take,
        .end_spot = measure_end_spot,
    };
    measure.sizes[measure.n_sizes++].rung = options->rungs[0];
    for (unsigned i = 1; i < options->n_rungs && measure.n_sizes < SIZES; i++) {
        if (options->rungs[i].rung <= SMALL_SIDE) {
            measure.sizes[measure.n_sizes++].rung = options->rungs[i];
        }
    }
    measure.shaped = origin_av_frame_new();
    measure.packet = origin_av_packet_new();
    int err = origin_sample(source, &sample, diag);
    if (err == FB_OK) {
        measure_judge(&measure, ret_complexity);
    }
    return err;
}
