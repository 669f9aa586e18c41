#include "origin/media/reader.h"

#include "base/core/diag.h"
#include "base/core/err.h"
#include "origin/media/probe.h"

enum { READER_MAX_ERRORS = 100 };

static bool reader_is_canceled(const struct origin_reader *reader)
{
    const struct origin_source_hooks *hooks = &reader->source->hooks;
    return hooks->is_canceled != NULL && hooks->is_canceled(hooks->ctx);
}

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
