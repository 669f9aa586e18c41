#include "origin/media/rendition.h"

#include "base/core/alloc.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "origin/media/cenc.h"
#include "origin/media/codec.h"
#include "origin/media/output.h"
#include "origin/media/segmenter.h"
#include "origin/media/steps_internal.h"

#include <stdio.h>

struct origin_rendition_maker {
    struct origin_rung rung;
    struct origin_ratio rate;
    unsigned key_period_ms;
    int64_t end_place;
    bool
        may_stop; /* the encoder frees pictures that it never encoded: libx265's wrapper does not */
    bool is_full; /* all before end_place is written */
    struct origin_output output;
    AVCodecContext *encoder;            /* owned */
    struct origin_segmenter *segmenter; /* owned */
    AVFrame *last;                      /* owned; the picture pushed last */
    AVPacket *packet;                   /* owned */
};

static void track_describe(struct origin_track *track, const struct origin_recipe_rung *rung,
                           struct origin_ratio rate)
{
    origin_step_track_path(rung, track->path);
    track->rung = rung->rung;
    track->width = rung->width;
    track->height = rung->height;
    track->frame_rate = rate;
}

static int rendition_open_encoder(struct origin_rendition_maker *maker,
                                  const struct origin_rendition_options *options,
                                  struct origin_track *track, struct fb_diag *diag)
{
    const struct origin_recipe *recipe = options->recipe;
    const struct origin_recipe_rung *rung = &recipe->rungs[options->rung];
    struct origin_video_settings settings = {
        .codec = rung->codec,
        .crf = rung->crf,
        .rung = maker->rung,
        .rate = maker->rate,
        .preset = recipe->request.preset,
        .n_threads = recipe->n_threads,
        .key_period_ms = maker->key_period_ms,
        .is_continued = options->first_place > 0,
        .like = options->like,
    };
    int err = origin_encoder_new_video(&settings, &maker->encoder, diag);
    if (err < 0) {
        return err;
    }
    err = origin_encoder_name(maker->encoder, track->codecs);
    return err < 0 ? fb_diag_set(diag, err, "the encoder gave no parameters") : FB_OK;
}

int origin_rendition_new(const struct origin_rendition_options *options, struct origin_track *track,
                         struct origin_rendition_maker **ret_maker, struct fb_diag *diag)
{
    const struct origin_recipe *recipe = options->recipe;
    const struct origin_recipe_rung *rung = &recipe->rungs[options->rung];
    struct origin_rendition_maker *maker = FB_NEW(struct origin_rendition_maker);

    maker->rung = (struct origin_rung){.rung = rung->rung,
                                       .width = rung->width,
                                       .height = rung->height,
                                       .max_rate = rung->max_rate,
                                       .buffer = rung->buffer};
    maker->rate = (struct origin_ratio){(int)recipe->rate_num, (int)recipe->rate_den};
    maker->key_period_ms = recipe->request.segment_ms / 2;
    maker->end_place = options->end_place;
    maker->may_stop = rung->codec == ORIGIN_RECIPE_H264;
    maker->output = ORIGIN_OUTPUT_NONE;
    maker->last = origin_av_frame_new();
    maker->packet = origin_av_packet_new();
    track_describe(track, rung, maker->rate);

    int err = origin_output_open(options->output_dir, &maker->output, diag);
    if (err == FB_OK) {
        err = rendition_open_encoder(maker, options, track, diag);
    }
    if (err == FB_OK) {
        struct origin_segmenter_options segmenter = {
            .output = &maker->output,
            .track = track,
            .encoder = maker->encoder,
            .segment_ms = recipe->request.segment_ms,
            .first_segment = options->first_segment,
            .first_pts = options->first_place,
            .key = options->key,
            .cenc_track = ORIGIN_CENC_TRACK_VIDEO + options->rung,
        };
        err = origin_segmenter_new(&segmenter, &maker->segmenter, diag);
    }
    if (err < 0) {
        origin_rendition_free(maker);
        return err;
    }
    *ret_maker = maker;
    return FB_OK;
}

void origin_rendition_free(struct origin_rendition_maker *maker)
{
    if (maker != NULL) {
        origin_segmenter_free(maker->segmenter);
        origin_output_done(&maker->output);
        avcodec_free_context(&maker->encoder);
        av_frame_free(&maker->last);
        av_packet_free(&maker->packet);
        fb_free(maker);
    }
}

static int rendition_drain(struct origin_rendition_maker *maker, struct fb_diag *diag)
{
    for (;;) {
        int err = origin_encoder_receive(maker->encoder, maker->packet);
        if (err == FB_E_LATER || err == FB_E_END) {
            return FB_OK;
        }
        if (err < 0) {
            return fb_diag_set(diag, err, "encode the picture: %s", fb_err_text(err));
        }
        if (maker->is_full || maker->packet->pts >= maker->end_place) {
            maker->is_full = true; /* the first is a key picture: none before it follows */
            continue;
        }
        maker->packet->duration = 1;
        err = origin_segmenter_write(maker->segmenter, maker->packet, diag);
        if (err < 0) {
            return err;
        }
    }
}

/* Takes a reference to `frame`. */
static int rendition_keep(struct origin_rendition_maker *maker, const AVFrame *frame,
                          struct fb_diag *diag)
{
    av_frame_unref(maker->last);
    int averr = av_frame_ref(maker->last, frame);
    return averr < 0 ? origin_av_fail(diag, averr, "hold the picture") : FB_OK;
}

int origin_rendition_push(struct origin_rendition_maker *maker, const AVFrame *frame, int64_t index,
                          struct fb_diag *diag)
{
    if (maker->is_full && maker->may_stop) {
        return FB_OK;
    }
    int err = frame != NULL ? rendition_keep(maker, frame, diag) : FB_OK;
    if (err < 0) {
        return err;
    }
    bool is_key = origin_rate_is_key(maker->rate, index, maker->key_period_ms);
    maker->last->pts = index;
    maker->last->pict_type = is_key ? AV_PICTURE_TYPE_I : AV_PICTURE_TYPE_NONE;
    int averr = avcodec_send_frame(maker->encoder, maker->last);
    if (averr < 0) {
        return origin_av_fail(diag, averr, "encode the picture");
    }
    return rendition_drain(maker, diag);
}

int origin_rendition_finish(struct origin_rendition_maker *maker, struct fb_diag *diag)
{
    if (maker->is_full && maker->may_stop) {
        return origin_segmenter_finish(maker->segmenter, diag);
    }
    int averr = avcodec_send_frame(maker->encoder, NULL);
    if (averr < 0) {
        return origin_av_fail(diag, averr, "encode the picture");
    }
    int err = rendition_drain(maker, diag);
    return err == FB_OK ? origin_segmenter_finish(maker->segmenter, diag) : err;
}
