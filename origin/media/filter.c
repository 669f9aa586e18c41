#include "origin/media/filter.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/diag.h"
#include "base/core/err.h"

#include <libavfilter/avfilter.h>
#include <libavfilter/buffersink.h>
#include <libavfilter/buffersrc.h>
#include <libavutil/channel_layout.h>

struct origin_filter {
    AVFilterGraph *graph;    /* owned */
    AVFilterContext *source; /* owned by graph */
    AVFilterContext *sink;   /* owned by graph */
    AVFrame *like;           /* owned; properties alone, no data */
};

static int filter_make_source(struct origin_filter *filter,
                              const struct origin_filter_options *options)
{
    const AVFrame *like = options->like;
    bool is_video = like->width > 0;
    AVBufferSrcParameters *parameters = av_buffersrc_parameters_alloc();
    FB_REQUIRE(parameters != NULL);

    parameters->format = like->format;
    parameters->time_base = options->time_base;
    if (is_video) {
        parameters->width = like->width;
        parameters->height = like->height;
        parameters->sample_aspect_ratio = like->sample_aspect_ratio;
        origin_av_source_colours(parameters, like);
    } else {
        parameters->sample_rate = like->sample_rate;
        parameters->ch_layout = like->ch_layout; /* copied below */
    }
    filter->source = avfilter_graph_alloc_filter(
        filter->graph, avfilter_get_by_name(is_video ? "buffer" : "abuffer"), "in");
    int averr = filter->source == NULL ? AVERROR(ENOMEM)
                                       : av_buffersrc_parameters_set(filter->source, parameters);
    av_free(parameters);
    return averr < 0 ? averr : avfilter_init_str(filter->source, NULL);
}

static int filter_make_sink(struct origin_filter *filter, bool is_video)
{
    return avfilter_graph_create_filter(
        &filter->sink, avfilter_get_by_name(is_video ? "buffersink" : "abuffersink"), "out", NULL,
        NULL, filter->graph);
}

/* Ties source and sink to the two open ends of the chain. */
static int filter_link(struct origin_filter *filter, const char *chain)
{
    AVFilterInOut *head = avfilter_inout_alloc();
    AVFilterInOut *tail = avfilter_inout_alloc();
    FB_REQUIRE(head != NULL && tail != NULL);

    head->name = av_strdup("in");
    head->filter_ctx = filter->source;
    tail->name = av_strdup("out");
    tail->filter_ctx = filter->sink;
    int averr = avfilter_graph_parse_ptr(filter->graph, chain, &tail, &head, NULL);
    avfilter_inout_free(&head);
    avfilter_inout_free(&tail);
    return averr < 0 ? averr : avfilter_graph_config(filter->graph, NULL);
}

static void filter_remember(struct origin_filter *filter, const AVFrame *like)
{
    filter->like = origin_av_frame_new();
    filter->like->format = like->format;
    filter->like->width = like->width;
    filter->like->height = like->height;
    filter->like->color_range = like->color_range;
    filter->like->colorspace = like->colorspace;
    filter->like->color_primaries = like->color_primaries;
    filter->like->color_trc = like->color_trc;
    filter->like->sample_aspect_ratio = like->sample_aspect_ratio;
    filter->like->sample_rate = like->sample_rate;
    FB_REQUIRE(av_channel_layout_copy(&filter->like->ch_layout, &like->ch_layout) >= 0);
}

int origin_filter_new(const struct origin_filter_options *options,
                      struct origin_filter **ret_filter, struct fb_diag *diag)
{
    struct origin_filter *filter = FB_NEW(struct origin_filter);
    bool is_video = options->like->width > 0;

    filter->graph = avfilter_graph_alloc();
    FB_REQUIRE(filter->graph != NULL);
    filter->graph->nb_threads = (int)options->n_threads;
    filter_remember(filter, options->like);
    int averr = filter_make_source(filter, options);
    if (averr >= 0) {
        averr = filter_make_sink(filter, is_video);
    }
    if (averr >= 0) {
        averr = filter_link(filter, options->chain);
    }
    if (averr < 0) {
        origin_filter_free(filter);
        return origin_av_fail(diag, averr, is_video ? "prepare the picture" : "prepare the sound");
    }
    if (options->frame_size > 0) {
        av_buffersink_set_frame_size(filter->sink, options->frame_size);
    }
    *ret_filter = filter;
    return FB_OK;
}

void origin_filter_free(struct origin_filter *filter)
{
    if (filter != NULL) {
        avfilter_graph_free(&filter->graph);
        av_frame_free(&filter->like);
        fb_free(filter);
    }
}

static bool same_aspect(AVRational a, AVRational b)
{
    AVRational square = {1, 1};
    return av_cmp_q(a.num > 0 && a.den > 0 ? a : square, b.num > 0 && b.den > 0 ? b : square) == 0;
}

bool origin_filter_fits(const struct origin_filter *filter, const AVFrame *frame)
{
    const AVFrame *like = filter->like;
    return frame->format == like->format && frame->width == like->width &&
           frame->height == like->height && frame->color_range == like->color_range &&
           frame->colorspace == like->colorspace &&
           frame->color_primaries == like->color_primaries && frame->color_trc == like->color_trc &&
           same_aspect(frame->sample_aspect_ratio, like->sample_aspect_ratio) &&
           frame->sample_rate == like->sample_rate &&
           av_channel_layout_compare(&frame->ch_layout, &like->ch_layout) == 0;
}

int origin_filter_push(struct origin_filter *filter, AVFrame *frame)
{
    int averr = av_buffersrc_add_frame_flags(filter->source, frame, AV_BUFFERSRC_FLAG_KEEP_REF);
    return origin_av_error(averr);
}

int origin_filter_pull(struct origin_filter *filter, AVFrame *frame)
{
    int averr = av_buffersink_get_frame(filter->sink, frame);
    if (averr == AVERROR(EAGAIN)) {
        return FB_E_LATER;
    }
    return origin_av_error(averr);
}

AVRational origin_filter_time_base(const struct origin_filter *filter)
{
    return av_buffersink_get_time_base(filter->sink);
}
