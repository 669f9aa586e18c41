#include "origin/media/picture.h"

#include "base/core/alloc.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "origin/media/codec.h"
#include "origin/media/filter.h"
#include "origin/media/lane.h"
#include "origin/media/output.h"
#include "origin/media/probe.h"
#include "origin/media/rendition.h"
#include "origin/media/shape.h"
#include "origin/media/sizes.h"
#include "origin/media/steps_internal.h"
#include "origin/media/storyboard.h"

#include <stdio.h>

enum { US_PER_S = 1000000, PICTURE_MAX_HOLD_S = 60 };

struct origin_picture {
    struct origin_picture_options options;
    struct origin_ratio rate;
    struct origin_decoder *decoder; /* owned */
    struct origin_filter *shape;    /* owned; NULL until a frame was decoded */
    bool is_interlaced;             /* once, for ever */
    AVFrame *decoded;               /* owned, scratch */
    AVFrame *waiting;               /* owned; decoded, from before the chunk; NULL: none */
    AVFrame *shaped;                /* owned, scratch */
    int64_t last_us;                /* of the last decoded frame */
    int64_t last_duration_us;

    int64_t first;             /* place of the chunk */
    int64_t end;               /* the place after its last */
    int64_t sent_end;          /* the place after the last that encoders look at */
    int64_t lead;              /* so many places before the chunk frames are shaped */
    AVFrame *shown;            /* owned; what the grid holds; NULL before the first */
    bool is_shown_sent;        /* to the renditions */
    int64_t next_index;        /* the first place that has no picture yet */
    uint64_t n_packets_before; /* the first place had its picture */
    uint64_t n_damaged_before;

    unsigned rungs[ORIGIN_RECIPE_RUNGS_MAX]; /* of the recipe, in this pass */
    struct origin_rendition_maker *makers[ORIGIN_RECIPE_RUNGS_MAX]; /* owned */
    struct origin_lane *lanes[ORIGIN_RECIPE_RUNGS_MAX];             /* owned; they use the makers */
    struct origin_sizes *sizes;                                     /* owned; of these rungs */
    struct origin_track tracks[ORIGIN_RECIPE_RUNGS_MAX]; /* owned; so do the makers these */
    unsigned n_rungs;
    unsigned n_open;
    struct origin_output output;          /* of the storyboard */
    struct origin_storyboard *storyboard; /* owned; NULL in a pass that makes none */
};

static int picture_open(struct origin_picture *picture, struct fb_diag *diag)
{
    const struct origin_picture_options *options = &picture->options;
    const struct origin_recipe *recipe = options->recipe;

    int err = origin_output_open(options->output_dir, &picture->output, diag);
    if (err == FB_OK && options->pass != ORIGIN_PASS_LATE) {
        struct origin_storyboard_options storyboard = origin_step_storyboard(recipe);
        storyboard.output = &picture->output;
        origin_recipe_sheets(recipe, options->chunk, &storyboard.first_sheet, &storyboard.n_sheets);
        err = origin_storyboard_new(&storyboard, &picture->storyboard, diag);
    }
    if (err == FB_OK) {
        err =
            origin_decoder_new(options->source->video, recipe->n_threads, &picture->decoder, diag);
    }
    return err;
}

static void picture_lay_sizes(struct origin_picture *picture)
{
    const struct origin_recipe *recipe = picture->options.recipe;
    struct origin_size sizes[ORIGIN_SIZES_MAX];
    _Static_assert((int)ORIGIN_RECIPE_RUNGS_MAX <= (int)ORIGIN_SIZES_MAX, "one for each rung");

    for (unsigned i = 0; i < picture->n_rungs; i++) {
        const struct origin_recipe_rung *rung = &recipe->rungs[picture->rungs[i]];
        sizes[i] = (struct origin_size){rung->width, rung->height};
    }
    picture->sizes = origin_sizes_new(sizes, picture->n_rungs);
}

int origin_picture_new(const struct origin_picture_options *options,
                       struct origin_picture **ret_picture, struct fb_diag *diag)
{
    const struct origin_recipe *recipe = options->recipe;
    const struct origin_recipe_chunk *chunk = &recipe->chunks[options->chunk];
    struct origin_picture *picture = FB_NEW(struct origin_picture);

    picture->options = *options;
    picture->output = ORIGIN_OUTPUT_NONE;
    picture->rate = (struct origin_ratio){(int)recipe->rate_num, (int)recipe->rate_den};
    picture->decoded = origin_av_frame_new();
    picture->shaped = origin_av_frame_new();
    picture->first = (int64_t)chunk->first_place;
    picture->end = (int64_t)(chunk->first_place + chunk->n_places);
    bool is_last = options->chunk + 1 >= recipe->n_chunks;
    picture->sent_end = picture->end + (is_last ? 0 : ORIGIN_PICTURE_RUN_OUT);
    picture->lead = origin_rate_index(picture->rate, ORIGIN_PICTURE_LEAD_US);
    picture->next_index = picture->first;
    for (unsigned i = 0; i < recipe->n_rungs; i++) {
        if (recipe->rungs[i].pass == options->pass) {
            picture->rungs[picture->n_rungs++] = i;
        }
    }
    picture_lay_sizes(picture);
    int err = picture_open(picture, diag);
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
        origin_lane_free(picture->lanes[i]);
        origin_rendition_free(picture->makers[i]);
        origin_track_done(&picture->tracks[i]);
    }
    origin_sizes_free(picture->sizes);
    origin_storyboard_free(picture->storyboard);
    origin_output_done(&picture->output);
    origin_filter_free(picture->shape);
    origin_decoder_free(picture->decoder);
    av_frame_free(&picture->decoded);
    av_frame_free(&picture->waiting);
    av_frame_free(&picture->shaped);
    av_frame_free(&picture->shown);
    fb_free(picture);
}

/* ---- grid and renditions ----------------------------------------------- */

static int lane_take(void *ctx, AVFrame *frame, int64_t index, struct fb_diag *diag)
{
    return origin_rendition_push(ctx, frame, index, diag);
}

static int lane_end(void *ctx, struct fb_diag *diag)
{
    return origin_rendition_finish(ctx, diag);
}

static int picture_open_renditions(struct origin_picture *picture, const AVFrame *like,
                                   struct fb_diag *diag)
{
    const struct origin_recipe *recipe = picture->options.recipe;
    int err = FB_OK;

    for (; err == FB_OK && picture->n_open < picture->n_rungs; picture->n_open += err == FB_OK) {
        unsigned i = picture->n_open;
        struct origin_rendition_options options = {
            .recipe = recipe,
            .rung = picture->rungs[i],
            .output_dir = picture->options.output_dir,
            .first_segment = recipe->chunks[picture->options.chunk].first_segment,
            .first_place = picture->first,
            .end_place = picture->end,
            .like = like,
            .key = picture->options.key,
        };
        err = origin_rendition_new(&options, &picture->tracks[i], &picture->makers[i], diag);
        if (err == FB_OK) {
            struct origin_lane_work work = {picture->makers[i], lane_take, lane_end};
            err = origin_lane_new(&work, &picture->lanes[i], diag);
        }
    }
    return err;
}

/* Gives the held picture to all renditions, in their sizes, or tells them to show it on. */
static int picture_send(struct origin_picture *picture, struct fb_diag *diag)
{
    bool is_new = !picture->is_shown_sent;
    int err = is_new ? origin_sizes_make(picture->sizes, picture->shown, diag) : FB_OK;

    picture->is_shown_sent = true;
    for (unsigned i = 0; err == FB_OK && i < picture->n_open; i++) {
        const AVFrame *frame = is_new ? origin_sizes_get(picture->sizes, i) : NULL;
        err = origin_lane_push(picture->lanes[i], frame, picture->next_index, diag);
    }
    return err;
}

/* Shows the held picture at every place before `end`. */
static int picture_emit(struct origin_picture *picture, int64_t end, struct fb_diag *diag)
{
    const struct origin_source_hooks *hooks = &picture->options.source->hooks;
    int err = FB_OK;

    for (end = FB_MIN(end, picture->sent_end); picture->next_index < end; picture->next_index++) {
        if (hooks->is_canceled != NULL && hooks->is_canceled(hooks->ctx)) {
            return fb_diag_set(diag, FB_E_CANCELED, "canceled");
        }
        bool is_shown = picture->next_index < picture->end;
        if (picture->storyboard != NULL && is_shown) {
            err = origin_storyboard_show(picture->storyboard, picture->shown,
                                         origin_rate_time_us(picture->rate, picture->next_index),
                                         diag);
        }
        if (err == FB_OK) {
            err = picture_send(picture, diag);
        }
        if (err < 0) {
            return err;
        }
        origin_step_report(picture->options.progress,
                           (uint64_t)(picture->next_index - picture->first),
                           (uint64_t)(picture->sent_end - picture->first));
    }
    return FB_OK;
}

/* The first picture that the grid gets. */
static int picture_begin(struct origin_picture *picture, const AVFrame *frame, int64_t index,
                         struct fb_diag *diag)
{
    if (index > picture->first && !picture->options.is_from_start) {
        return fb_diag_set(diag, FB_E_NOT_FOUND, "a part of the picture cannot be reached");
    }
    picture->shown = origin_av_frame_new();
    return picture_open_renditions(picture, frame, diag);
}

/* Takes the contents of `frame`, whose pts is in microseconds. */
static int picture_show(struct origin_picture *picture, AVFrame *frame, struct fb_diag *diag)
{
    int64_t index = origin_rate_index(picture->rate, frame->pts);
    int err = picture->shown == NULL ? picture_begin(picture, frame, index, diag)
                                     : picture_emit(picture, index, diag);
    if (err < 0) {
        return err;
    }
    av_frame_unref(picture->shown);
    av_frame_move_ref(picture->shown, frame);
    picture->is_shown_sent = false;
    return FB_OK;
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

/* A shape for frames such as `frame`, in place of the one before. */
static int picture_open_shape(struct origin_picture *picture, AVFrame *frame, struct fb_diag *diag)
{
    const struct origin_source *source = picture->options.source;
    const struct origin_recipe_rung *top = &picture->options.recipe->rungs[0];
    char chain[ORIGIN_SHAPE_MAX];

    int err = picture_end_shape(picture, diag);
    if (err < 0) {
        return err;
    }
    struct origin_shape shape = {
        .width = top->width,
        .height = top->height,
        .is_sideways = source->turn.is_sideways,
        .turn = source->turn.filters,
        .aspect = av_guess_sample_aspect_ratio(source->format, source->video, frame),
        .scan = source->scan,
        .is_interlaced = picture->is_interlaced,
        .claims = source->video->codecpar,
    };
    origin_shape_chain(&shape, frame, chain);
    struct origin_filter_options options = {
        .like = frame,
        .time_base = AV_TIME_BASE_Q,
        .chain = chain,
        .n_threads = picture->options.recipe->n_threads,
    };
    return origin_filter_new(&options, &picture->shape, diag);
}

static int picture_shape(struct origin_picture *picture, AVFrame *frame, struct fb_diag *diag)
{
    bool is_newly_interlaced = !picture->is_interlaced && origin_av_is_interlaced(frame);
    int err = FB_OK;

    if (is_newly_interlaced || picture->shape == NULL ||
        !origin_filter_fits(picture->shape, frame)) {
        picture->is_interlaced = picture->is_interlaced || is_newly_interlaced;
        err = picture_open_shape(picture, frame, diag);
    }
    if (err == FB_OK) {
        err = origin_filter_push(picture->shape, frame);
    }
    return err == FB_OK ? picture_drain_shape(picture, diag) : err;
}

/* ---- decoded frames ---------------------------------------------------- */

/* The time of the decoded frame; the next expected one if it has none. */
static void picture_set_time(struct origin_picture *picture)
{
    AVFrame *frame = picture->decoded;
    AVRational unit = picture->options.source->video->time_base;
    int64_t step_us = origin_rate_time_us(picture->rate, 1);
    int64_t duration = origin_av_frame_duration(frame);

    if (frame->best_effort_timestamp != AV_NOPTS_VALUE) {
        frame->pts = av_rescale_q(frame->best_effort_timestamp, unit, AV_TIME_BASE_Q);
    } else {
        frame->pts = picture->last_us + picture->last_duration_us; /* 0 for the first */
    }
    int64_t hold_us = duration > 0 ? av_rescale_q(duration, unit, AV_TIME_BASE_Q) : step_us;
    picture->last_us = frame->pts;
    picture->last_duration_us = FB_MIN(hold_us, (int64_t)PICTURE_MAX_HOLD_S * US_PER_S);
}

/* The frame that waits, unless `next` is shown in its place by the time that
 * anything of it is wanted. */
static int picture_settle_waiting(struct origin_picture *picture, int64_t next,
                                  struct fb_diag *diag)
{
    int err = FB_OK;
    if (picture->waiting != NULL && next > picture->first - picture->lead) {
        err = picture_shape(picture, picture->waiting, diag);
    }
    av_frame_free(&picture->waiting);
    return err;
}

static int picture_take_decoded(struct origin_picture *picture, struct fb_diag *diag)
{
    AVFrame *frame = picture->decoded;

    picture_set_time(picture);
    int64_t index = origin_rate_index(picture->rate, frame->pts);
    int err = picture_settle_waiting(picture, index, diag);
    if (err == FB_OK && index <= picture->first - picture->lead) {
        picture->waiting = origin_av_frame_new();
        av_frame_move_ref(picture->waiting, frame);
        picture->n_packets_before = picture->decoder->n_packets;
        picture->n_damaged_before = picture->decoder->n_damaged;
    } else if (err == FB_OK) {
        err = picture_shape(picture, frame, diag);
    }
    av_frame_unref(frame);
    return err;
}

/* ---- entry points ------------------------------------------------------ */

int origin_picture_push(struct origin_picture *picture, const AVPacket *packet,
                        struct fb_diag *diag)
{
    int err = origin_decoder_send(picture->decoder, packet);
    while (err == FB_OK) {
        err = origin_decoder_receive(picture->decoder, picture->decoded);
        if (err == FB_E_LATER || err == FB_E_END) {
            break;
        }
        if (err < 0) {
            return fb_diag_set(diag, err, "read the picture: %s", fb_err_text(err));
        }
        err = picture_take_decoded(picture, diag);
    }
    if (err != FB_E_LATER && err != FB_E_END) {
        return err;
    }
    if (packet != NULL) {
        return FB_OK;
    }
    err = picture_settle_waiting(picture, INT64_MAX, diag);
    return err == FB_OK ? picture_end_shape(picture, diag) : err;
}

bool origin_picture_is_full(const struct origin_picture *picture)
{
    return picture->next_index >= picture->sent_end;
}

static int picture_finish_lanes(struct origin_picture *picture, struct origin_part *part,
                                struct fb_diag *diag)
{
    const struct origin_recipe *recipe = picture->options.recipe;
    int err = FB_OK;

    for (unsigned i = 0; err == FB_OK && i < picture->n_open; i++) {
        err = origin_lane_finish(picture->lanes[i], diag);
        struct origin_part_track *one = origin_part_add_track(part);
        one->first_segment = recipe->chunks[picture->options.chunk].first_segment;
        one->track = picture->tracks[i];
        picture->tracks[i] = (struct origin_track){.segments = NULL};
    }
    return err;
}

int origin_picture_finish(struct origin_picture *picture, struct origin_part *part,
                          struct fb_diag *diag)
{
    if (picture->shown == NULL) {
        return fb_diag_set(diag, FB_E_CORRUPT, "the video has no picture that we can read");
    }
    int err = picture_emit(picture, picture->sent_end, diag);
    if (err == FB_OK) {
        err = picture_finish_lanes(picture, part, diag);
    }
    if (err == FB_OK && picture->storyboard != NULL) {
        err = origin_storyboard_finish(picture->storyboard, part, diag);
    }
    part->n_packets = picture->decoder->n_packets - picture->n_packets_before;
    part->n_damaged = picture->decoder->n_damaged - picture->n_damaged_before;
    return err;
}
