#include "origin/media/position.h"

#include "base/core/diag.h"
#include "base/core/err.h"
#include "origin/media/probe.h"

enum {
    POSITION_MAX_PACKETS = 20000, /* of picture, from where a seek by time leads */
    POSITION_NEAR_PACKETS = 3,    /* by place */
};

struct origin_recipe_entry origin_position_of(const AVPacket *packet, uint64_t n_before)
{
    return (struct origin_recipe_entry){
        .packet = n_before,
        .pts = packet->pts,
        .dts = packet->dts,
        .at = packet->pos >= 0 ? packet->pos : -1,
        .bytes = (uint64_t)packet->size,
    };
}

bool origin_position_is(const struct origin_recipe_entry *entry, const AVPacket *packet)
{
    struct origin_recipe_entry here = origin_position_of(packet, 0);
    bool is_place = entry->at < 0 || here.at < 0 || entry->at == here.at;
    return is_place && entry->pts == here.pts && entry->dts == here.dts &&
           entry->bytes == here.bytes;
}

static int position_lost(struct fb_diag *diag)
{
    return fb_diag_set(diag, FB_E_NOT_FOUND, "a part of the picture cannot be reached");
}

/* The next packet of the picture. */
static int position_next(struct origin_reader *reader, AVPacket *packet, struct fb_diag *diag)
{
    for (;;) {
        int err = origin_reader_next(reader, packet, diag);
        if (err < 0 || packet->stream_index == reader->source->video->index) {
            return err;
        }
        av_packet_unref(packet);
    }
}

/* Formats whose clock may jump, or that have no index, are sought by place. */
static bool position_is_by_place(const AVFormatContext *format,
                                 const struct origin_recipe_entry *entry)
{
    bool may_jump = (format->iformat->flags & AVFMT_TS_DISCONT) != 0;
    bool may_not = (format->iformat->flags & AVFMT_NO_BYTE_SEEK) != 0;
    return may_jump && !may_not && entry->at >= 0;
}

int origin_position_seek(struct origin_reader *reader, const struct origin_recipe_entry *entry,
                         AVPacket *packet, struct fb_diag *diag)
{
    const struct origin_source *source = reader->source;
    bool is_by_place = position_is_by_place(source->format, entry);
    int64_t time = entry->dts != AV_NOPTS_VALUE ? FB_MIN(entry->dts, entry->pts) : entry->pts;
    int averr = is_by_place ? av_seek_frame(source->format, -1, entry->at, AVSEEK_FLAG_BYTE)
                            : av_seek_frame(source->format, source->video->index, time,
                                            AVSEEK_FLAG_BACKWARD);
    if (averr < 0) {
        return position_lost(diag);
    }
    unsigned max = is_by_place ? POSITION_NEAR_PACKETS : POSITION_MAX_PACKETS;
    for (unsigned n = 0; n < max; n++) {
        int err = position_next(reader, packet, diag);
        if (err < 0) {
            return err == FB_E_END ? position_lost(diag) : err;
        }
        if (origin_position_is(entry, packet)) {
            return FB_OK;
        }
        bool is_past = !is_by_place && packet->dts != AV_NOPTS_VALUE && packet->dts > time &&
                       (packet->pts == AV_NOPTS_VALUE || packet->pts > entry->pts);
        av_packet_unref(packet);
        if (is_past) {
            break;
        }
    }
    return position_lost(diag);
}

int origin_position_read(struct origin_reader *reader, const struct origin_recipe_entry *entry,
                         AVPacket *packet, struct fb_diag *diag)
{
    for (uint64_t n = 0;; n++) {
        int err = position_next(reader, packet, diag);
        if (err < 0) {
            return err == FB_E_END ? position_lost(diag) : err;
        }
        if (n == entry->packet) {
            return FB_OK;
        }
        av_packet_unref(packet);
    }
}
