#include "origin/media/reader.h"

#include "base/core/diag.h"
#include "base/core/err.h"
#include "origin/media/probe.h"

enum { READER_MAX_ERRORS = 100 };

#define READER_MAX_US (100LL * 366 * 86400 * 1000000)

static bool reader_is_canceled(const struct origin_reader *reader)
{
    const struct origin_source_hooks *hooks = &reader->source->hooks;
    return hooks->is_canceled != NULL && hooks->is_canceled(hooks->ctx);
}

/* ---- times ------------------------------------------------------------- */

/* Beyond a hundred years there are only errors, and sums that overflow. */
static bool time_is_wild(int64_t at, AVRational unit)
{
    int64_t us = av_rescale_q(at, unit, AV_TIME_BASE_Q);
    return us > READER_MAX_US || us < -READER_MAX_US;
}

/* What no clock can say is taken for unknown. AVI tells when packets are read, not when
 * their pictures are shown: those that wait for others come as much later. */
static void reader_mend_times(const struct origin_reader *reader, AVPacket *packet)
{
    const struct origin_source *source = reader->source;
    const AVStream *stream = source->format->streams[packet->stream_index];

    if (packet->pts != AV_NOPTS_VALUE && time_is_wild(packet->pts, stream->time_base)) {
        packet->pts = AV_NOPTS_VALUE;
    }
    if (packet->dts != AV_NOPTS_VALUE && time_is_wild(packet->dts, stream->time_base)) {
        packet->dts = AV_NOPTS_VALUE;
    }
    if (packet->duration < 0 || time_is_wild(packet->duration, stream->time_base)) {
        packet->duration = 0;
    }
    if (stream == source->video && packet->pts == AV_NOPTS_VALUE && packet->dts != AV_NOPTS_VALUE) {
        packet->dts -= source->delay;
    }
}

/* ---- packets ----------------------------------------------------------- */

int origin_reader_next(struct origin_reader *reader, AVPacket *packet, struct fb_diag *diag)
{
    for (;;) {
        if (reader_is_canceled(reader)) {
            return fb_diag_set(diag, FB_E_CANCELED, "canceled");
        }
        int averr = av_read_frame(reader->source->format, packet);
        if (averr == AVERROR_EOF) {
            return FB_E_END;
        }
        if (averr == AVERROR_EXIT) {
            return fb_diag_set(diag, FB_E_CANCELED, "canceled");
        }
        if (averr < 0) {
            reader->is_partial = true;
            if (averr == AVERROR(EIO) || ++reader->n_errors > READER_MAX_ERRORS) {
                return FB_E_END;
            }
            continue;
        }
        if (packet->stream_index < ORIGIN_MEDIA_MAX_STREAMS) {
            reader_mend_times(reader, packet);
            reader->is_partial = reader->is_partial || (packet->flags & AV_PKT_FLAG_CORRUPT) != 0;
            return FB_OK;
        }
        av_packet_unref(packet);
    }
}

bool origin_packet_time_us(const AVPacket *packet, const AVStream *stream, int64_t *ret_us)
{
    int64_t at = packet->dts != AV_NOPTS_VALUE ? packet->dts : packet->pts;
    if (at == AV_NOPTS_VALUE) {
        return false;
    }
    *ret_us = av_rescale_q(at, stream->time_base, AV_TIME_BASE_Q);
    return true;
}

void origin_packet_shift(AVPacket *packet, const AVStream *stream, int64_t shift_us)
{
    int64_t shift = av_rescale_q(shift_us, AV_TIME_BASE_Q, stream->time_base);
    if (packet->dts != AV_NOPTS_VALUE) {
        packet->dts += shift;
    }
    if (packet->pts != AV_NOPTS_VALUE) {
        packet->pts += shift;
    }
}
