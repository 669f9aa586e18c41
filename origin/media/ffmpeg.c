#include "origin/media/ffmpeg.h"

#include "base/core/check.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "base/log/log.h"

#include <libavfilter/buffersrc.h>
#include <libavutil/display.h>
#include <libavutil/log.h>
#include <libavutil/opt.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

enum { LAST_ERRNO = 4095, DISPLAY_MATRIX_BYTES = 36 };

int origin_av_error(int averr)
{
    if (averr >= 0) {
        return FB_OK;
    }
    if (averr >= -LAST_ERRNO) {
        return averr;
    }
    switch (averr) {
    case AVERROR_INVALIDDATA:
        return FB_E_CORRUPT;
    case AVERROR_EXIT:
        return FB_E_CANCELED;
    case AVERROR_EOF:
        return FB_E_END;
    case AVERROR_PATCHWELCOME:
    case AVERROR_DECODER_NOT_FOUND:
    case AVERROR_DEMUXER_NOT_FOUND:
    case AVERROR_ENCODER_NOT_FOUND:
    case AVERROR_FILTER_NOT_FOUND:
        return FB_E_UNSUPPORTED;
    default:
        return FB_E_FOREIGN;
    }
}

int origin_av_fail(struct fb_diag *diag, int averr, const char *what)
{
    char text[AV_ERROR_MAX_STRING_SIZE] = "";
    int err = origin_av_error(averr);

    (void)av_strerror(averr, text, sizeof(text));
    FB_LOG(DEBUG, "media", "a library failed", FB_LOG_TEXT("what", what),
           FB_LOG_INT("number", averr));
    return fb_diag_set(diag, err, "%s: %s", what, text);
}

static void av_log_to_ours(void *object, int level, const char *fmt, va_list args)
    __attribute__((format(printf, 3, 0)));

static void av_log_to_ours(void *object, int level, const char *fmt, va_list args)
{
    enum { LINE_MAX_BYTES = 512 };
    char line[LINE_MAX_BYTES];
    int is_start = 1;

    if (level > AV_LOG_WARNING || !fb_log_is_on(FB_LOG_DEBUG)) {
        return;
    }
    int n = av_log_format_line2(object, level, fmt, args, line, sizeof(line), &is_start);
    struct fb_str text = fb_str_from(line);
    if (n > 0 && text.len > 0 && text.ptr[text.len - 1] == '\n') {
        text.len--;
    }
    FB_LOG(DEBUG, "ffmpeg", "said", FB_LOG_STR("text", text));
}

/* SVT-AV1 writes to standard error of its own, but for this. */
static void av_hush_svt(void)
{
    /* NOLINTNEXTLINE(concurrency-mt-unsafe): once, before any encoder is opened */
    (void)setenv("SVT_LOG", "1", 0);
}

void origin_av_log_open(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    (void)pthread_once(&once, av_hush_svt);
    av_log_set_callback(av_log_to_ours);
}

void origin_av_frame_done(AVFrame **frame)
{
    av_frame_free(frame);
}

void origin_av_packet_done(AVPacket **packet)
{
    av_packet_free(packet);
}

AVFrame *origin_av_frame_new(void)
{
    AVFrame *frame = av_frame_alloc();
    FB_REQUIRE(frame != NULL);
    return frame;
}

AVPacket *origin_av_packet_new(void)
{
    AVPacket *packet = av_packet_alloc();
    FB_REQUIRE(packet != NULL);
    return packet;
}

const int32_t *origin_av_display_matrix(const AVStream *stream)
{
#if LIBAVFORMAT_VERSION_INT >= AV_VERSION_INT(60, 15, 100)
    const AVPacketSideData *side =
        av_packet_side_data_get(stream->codecpar->coded_side_data,
                                stream->codecpar->nb_coded_side_data, AV_PKT_DATA_DISPLAYMATRIX);
    const void *data = side != NULL ? side->data : NULL;
    size_t size = side != NULL ? side->size : 0;
#else
    size_t size = 0;
    const void *data = av_stream_get_side_data(stream, AV_PKT_DATA_DISPLAYMATRIX, &size);
#endif
    return size >= DISPLAY_MATRIX_BYTES ? data : NULL;
}

bool origin_av_is_interlaced(const AVFrame *frame)
{
#ifdef AV_FRAME_FLAG_INTERLACED
    return (frame->flags & AV_FRAME_FLAG_INTERLACED) != 0;
#else
    return frame->interlaced_frame != 0;
#endif
}

void origin_av_name_channels(AVFrame *frame)
{
    if (frame->ch_layout.order == AV_CHANNEL_ORDER_UNSPEC) {
        av_channel_layout_default(&frame->ch_layout, frame->ch_layout.nb_channels);
    }
}

void origin_av_source_colours(AVBufferSrcParameters *parameters, const AVFrame *like)
{
#if LIBAVFILTER_VERSION_INT >= AV_VERSION_INT(9, 16, 100)
    parameters->color_space = like->colorspace;
    parameters->color_range = like->color_range;
#else
    (void)parameters;
    (void)like;
#endif
}

int origin_av_keep_edit_list(AVFormatContext *muxer)
{
    return av_opt_set(muxer->priv_data, "movflags", "-negative_cts_offsets", 0);
}

int64_t origin_av_frame_duration(const AVFrame *frame)
{
#if LIBAVUTIL_VERSION_INT >= AV_VERSION_INT(57, 30, 100)
    return frame->duration;
#else
    return frame->pkt_duration;
#endif
}
