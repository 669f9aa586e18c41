#include "origin/media/picture.h"

#include "base/core/alloc.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "origin/media/codec.h"
#include "origin/media/filter.h"
#include "origin/media/probe.h"
#include "origin/media/rendition.h"
#include "origin/media/shape.h"

#include <stdio.h>

enum { US_PER_S = 1000000, PICTURE_MAX_HOLD_S = 60 };

struct origin_picture {
    struct origin_picture_options options;
    struct origin_decoder *decoder; /* owned */
    struct origin_filter *shape;    /* owned; NULL until a frame was decoded */
    bool is_interlaced;             /* once, for ever */
    AVFrame *decoded;               /* owned, scratch */
    AVFrame *shaped;                /* owned, scratch */
    int64_t last_us;                /* of the last decoded frame */
    int64_t last_duration_us;

    AVFrame *shown;      /* owned; what the grid holds; NULL before the first */
    int64_t shown_index; /* where it goes */
    bool is_shown_sent;  /* to the renditions */
    int64_t next_index;  /* the first place that has no picture yet */

    struct origin_rung rungs[ORIGIN_TRANSCODE_MAX_RENDITIONS];
    struct origin_rendition_maker *makers[ORIGIN_TRANSCODE_MAX_RENDITIONS]; /* owned */
    struct origin_track tracks[ORIGIN_TRANSCODE_MAX_RENDITIONS];
    unsigned n_rungs;
    unsigned n_open;
    struct origin_poster poster;
};

int origin_picture_new(const struct origin_picture_options *options,
                       struct origin_picture **ret_picture, struct fb_diag *diag)
{
    const struct origin_source *source = options->source;
    struct origin_picture *picture = FB_NEW(struct origin_picture);

    picture->options = *options;
    picture->decoded = origin_av_frame_new();
    picture->shaped = origin_av_frame_new();
    picture->n_rungs = origin_ladder(source->width, source->height,
                                     origin_ratio_value(source->rate), picture->rungs);
    origin_poster_init(&picture->poster, source->duration_us);
    int err = origin_decoder_new(source->video, options->n_threads, &picture->decoder, diag);
    if (err < 0) {
        origin_picture_free(picture);
        return err;
    }
    *ret_picture = picture;
    return FB_OK;
}

void origin_picture_free(struct origin_picture *picture)
{
    if (picture == NULL) {
        return;
    }
    for (unsigned i = 0; i < picture->n_rungs; i++) {
        origin_rendition_free(picture->makers[i]);
        origin_track_done(&picture->tracks[i]);
    }
    origin_poster_done(&picture->poster);
    origin_filter_free(picture->shape);
    origin_decoder_free(picture->decoder);
    av_frame_free(&picture->decoded);
    av_frame_free(&picture->shaped);
    av_frame_free(&picture->shown);
    fb_free(picture);
}

/* ---- grid and renditions ----------------------------------------------- */

static int picture_open_renditions(struct origin_picture *picture, const AVFrame *like,
                                   struct fb_diag *diag)
{
    int err = FB_OK;
    while (err == FB_OK && picture->n_open < picture->n_rungs) {
        unsigned i = picture->n_open;
        struct origin_video_settings settings = {
            .crf = 23,
            .rung = picture->rungs[i],
            .rate = picture->options.source->rate,
            .preset = picture->options.preset,
            .n_threads = picture->options.n_threads,
            .key_period_ms = picture->options.segment_ms / 2,
            .like = like,
        };
        err = origin_rendition_new(picture->options.output, &settings, picture->options.segment_ms,
                                   &picture->tracks[i], &picture->makers[i], diag);
        picture->n_open += err == FB_OK ? 1 : 0;
    }
    return err;
}

/* Shows the held picture at every place before `end`. */
static int picture_emit(struct origin_picture *picture, int64_t end, struct fb_diag *diag)
{
    const struct origin_source_hooks *hooks = &picture->options.source->hooks;
    struct origin_ratio rate = picture->options.source->rate;

    for (; picture->next_index < end; picture->next_index++) {
        if (hooks->is_canceled != NULL && hooks->is_canceled(hooks->ctx)) {
            return fb_diag_set(diag, FB_E_CANCELED, "canceled");
        }
        origin_poster_look(&picture->poster, picture->shown,
                           origin_rate_time_us(rate, picture->next_index));
        AVFrame *frame = picture->is_shown_sent ? NULL : picture->shown;
        picture->is_shown_sent = true;
        for (unsigned i = 0; i < picture->n_open; i++) {
            int err = origin_rendition_push(picture->makers[i], frame, picture->next_index, diag);
            if (err < 0) {
                return err;
            }
        }
    }
    return FB_OK;
}

static int64_t picture_max_index(const struct origin_picture *picture)
{
    int64_t max_us = (int64_t)ORIGIN_MEDIA_MAX_HOURS * 3600 * US_PER_S;
    return origin_rate_index(picture->options.source->rate, max_us);
}

/* Takes the contents of `frame`, whose pts is in microseconds. */
static int picture_show(struct origin_picture *picture, AVFrame *frame, struct fb_diag *diag)
{
    int64_t index = origin_rate_index(picture->options.source->rate, frame->pts);
    if (index > picture_max_index(picture)) {
        return fb_diag_set(diag, FB_E_LIMIT, "the video is longer than %d hours",
                           ORIGIN_MEDIA_MAX_HOURS);
    }
    int err = FB_OK;
    if (picture->shown == NULL) {
        err = picture_open_renditions(picture, frame, diag);
        picture->shown = origin_av_frame_new();
    } else {
        err = picture_emit(picture, index, diag);
    }
    av_frame_unref(picture->shown);
    av_frame_move_ref(picture->shown, frame);
    picture->is_shown_sent = false;
    picture->shown_index = FB_MAX(index, picture->next_index);
    return err;
}

/* ---- shape ------------------------------------------------------------- */

static int picture_drain_shape(struct origin_picture *picture, struct fb_diag *diag)
{
    for (;;) {
        int err = origin_filter_pull(picture->shape, picture->shaped);
        if (err == FB_E_LATER || err == FB_E_END) {
            return FB_OK;
        }
        if (err < 0) {
            return fb_diag_set(diag, err, "prepare the picture: %s", fb_err_text(err));
        }
        picture->shaped->pts = av_rescale_q(
            picture->shaped->pts, origin_filter_time_base(picture->shape), AV_TIME_BASE_Q);
        err = picture_show(picture, picture->shaped, diag);
        if (err < 0) {
            return err;
        }
    }
}

static int picture_end_shape(struct origin_picture *picture, struct fb_diag *diag)
{
    if (picture->shape == NULL) {
        return FB_OK;
    }
    int err = origin_filter_push(picture->shape, NULL);
    if (err == FB_OK) {
        err = picture_drain_shape(picture, diag);
    }
    origin_filter_free(picture->shape);
    picture->shape = NULL;
    return err;
}

/* A shape for frames such as the decoded one, in place of the one before. */
static int picture_open_shape(struct origin_picture *picture, struct fb_diag *diag)
{
    const struct origin_source *source = picture->options.source;
    char chain[ORIGIN_SHAPE_MAX];

    int err = picture_end_shape(picture, diag);
    if (err < 0) {
        return err;
    }
    struct origin_shape shape = {
        .width = picture->rungs[0].width,
        .height = picture->rungs[0].height,
        .is_sideways = source->turn.is_sideways,
        .turn = source->turn.filters,
        .aspect = av_guess_sample_aspect_ratio(source->format, source->video, picture->decoded),
        .scan = source->scan,
        .is_interlaced = picture->is_interlaced,
        .claims = source->video->codecpar,
    };
    origin_shape_chain(&shape, picture->decoded, chain);
    struct origin_filter_options options = {
        .like = picture->decoded,
        .time_base = AV_TIME_BASE_Q,
        .chain = chain,
        .n_threads = picture->options.n_threads,
    };
    return origin_filter_new(&options, &picture->shape, diag);
}

/* The time of the decoded frame; the next expected one if it has none. */
static void picture_set_time(struct origin_picture *picture)
{
    AVFrame *frame = picture->decoded;
    AVRational unit = picture->options.source->video->time_base;
    int64_t step_us = origin_rate_time_us(picture->options.source->rate, 1);
    int64_t duration = origin_av_frame_duration(frame);
    bool is_first = picture->shape == NULL && picture->shown == NULL;

    if (frame->best_effort_timestamp != AV_NOPTS_VALUE) {
        frame->pts = av_rescale_q(frame->best_effort_timestamp, unit, AV_TIME_BASE_Q);
    } else {
        frame->pts = is_first ? 0 : picture->last_us + picture->last_duration_us;
    }
    int64_t hold_us = duration > 0 ? av_rescale_q(duration, unit, AV_TIME_BASE_Q) : step_us;
    picture->last_us = frame->pts;
    picture->last_duration_us = FB_MIN(hold_us, (int64_t)PICTURE_MAX_HOLD_S * US_PER_S);
}

static int picture_take_decoded(struct origin_picture *picture, struct fb_diag *diag)
{
    AVFrame *frame = picture->decoded;
    bool is_newly_interlaced = !picture->is_interlaced && origin_av_is_interlaced(frame);
    int err = FB_OK;

    picture_set_time(picture);
    if (is_newly_interlaced || picture->shape == NULL ||
        !origin_filter_fits(picture->shape, frame)) {
        picture->is_interlaced = picture->is_interlaced || is_newly_interlaced;
        err = picture_open_shape(picture, diag);
    }
    if (err == FB_OK) {
        err = origin_filter_push(picture->shape, frame);
    }
    av_frame_unref(frame);
    return err == FB_OK ? picture_drain_shape(picture, diag) : err;
}

/* ---- entry points ------------------------------------------------------ */

int origin_picture_push(struct origin_picture *picture, const AVPacket *packet,
                        struct fb_diag *diag)
{
    int err = origin_decoder_send(picture->decoder, packet);
    while (err == FB_OK) {
        err = origin_decoder_receive(picture->decoder, picture->decoded);
        if (err == FB_E_LATER || err == FB_E_END) {
            return packet == NULL ? picture_end_shape(picture, diag) : FB_OK;
        }
        if (err < 0) {
            return fb_diag_set(diag, err, "read the picture: %s", fb_err_text(err));
        }
        err = picture_take_decoded(picture, diag);
    }
    return err;
}

int64_t origin_picture_end_us(const struct origin_picture *picture)
{
    if (picture->shown == NULL) {
        return 0;
    }
    struct origin_ratio rate = picture->options.source->rate;
    int64_t own = origin_rate_index(rate, picture->last_us + picture->last_duration_us);
    return origin_rate_time_us(rate, FB_MAX(own, picture->shown_index + 1));
}

int origin_picture_finish(struct origin_picture *picture, int64_t until_us, struct fb_diag *diag)
{
    if (picture->shown == NULL) {
        return FB_OK;
    }
    int64_t max = picture_max_index(picture);
    int64_t end = origin_rate_index(picture->options.source->rate, until_us);
    int err = picture_emit(picture, FB_MIN(FB_MAX(end, picture->shown_index + 1), max + 1), diag);
    for (unsigned i = 0; err == FB_OK && i < picture->n_open; i++) {
        err = origin_rendition_finish(picture->makers[i], diag);
    }
    return err;
}

const struct origin_track *origin_picture_tracks(const struct origin_picture *picture,
                                                 size_t *ret_n)
{
    *ret_n = picture->n_open;
    return picture->tracks;
}

struct origin_poster *origin_picture_poster(struct origin_picture *picture)
{
    return &picture->poster;
}

void origin_picture_damage(const struct origin_picture *picture, uint64_t *ret_packets,
                           uint64_t *ret_damaged)
{
    *ret_packets = picture->decoder->n_packets;
    *ret_damaged = picture->decoder->n_damaged;
}
