#include "origin/media/scan.h"

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "origin/media/codec.h"
#include "origin/media/filter.h"
#include "origin/media/probe.h"

#include <libavutil/dict.h>

#include <string.h>

enum {
    SCAN_SPOTS = 5,
    SCAN_FRAMES = 20,       /* looked at in each */
    SCAN_MAX_PACKETS = 200, /* read of the picture for them */
    SCAN_MIN_CLEAR = 8,     /* fewer frames that move tell nothing */
};

static const char *const scan_names[] = {
    [ORIGIN_SCAN_FLAGGED] = "flagged",     [ORIGIN_SCAN_WHOLE] = "whole",
    [ORIGIN_SCAN_TOP_FIRST] = "top_first", [ORIGIN_SCAN_BOTTOM_FIRST] = "bottom_first",
    [ORIGIN_SCAN_MIXED] = "mixed",
};

const char *origin_scan_name(enum origin_scan scan)
{
    return scan_names[scan];
}

int origin_scan_parse(struct fb_str name, enum origin_scan *ret_scan)
{
    for (size_t i = 0; i < FB_ARRAY_LEN(scan_names); i++) {
        if (fb_str_equal(name, fb_str_from(scan_names[i]))) {
            *ret_scan = (enum origin_scan)i;
            return FB_OK;
        }
    }
    return FB_E_MALFORMED;
}

enum origin_scan origin_scan_judge(const struct origin_scan_counts *counts)
{
    unsigned major = FB_MAX(counts->n_top_first, counts->n_bottom_first);
    unsigned minor = FB_MIN(counts->n_top_first, counts->n_bottom_first);
    unsigned n_clear = major + minor + counts->n_whole;

    if (n_clear < SCAN_MIN_CLEAR) {
        return ORIGIN_SCAN_FLAGGED;
    }
    if ((major + minor) * 20 <= n_clear) {
        return ORIGIN_SCAN_WHOLE;
    }
    if (minor * 4 > major) {
        return ORIGIN_SCAN_FLAGGED; /* no camera does that: a pattern looks like fields */
    }
    if (major * 5 < n_clear * 4) {
        return ORIGIN_SCAN_MIXED;
    }
    return counts->n_top_first == major ? ORIGIN_SCAN_TOP_FIRST : ORIGIN_SCAN_BOTTOM_FIRST;
}

const char *origin_scan_filters(enum origin_scan scan, bool is_flagged)
{
    switch (scan) {
    case ORIGIN_SCAN_FLAGGED:
        return is_flagged ? "bwdif=mode=send_frame:deint=interlaced," : "";
    case ORIGIN_SCAN_TOP_FIRST:
        return "bwdif=mode=send_frame:parity=tff:deint=all,";
    case ORIGIN_SCAN_BOTTOM_FIRST:
        return "bwdif=mode=send_frame:parity=bff:deint=all,";
    case ORIGIN_SCAN_MIXED:
        return "idet,bwdif=mode=send_frame:deint=interlaced,";
    case ORIGIN_SCAN_WHOLE:
        break;
    }
    return "";
}

/* ---- looking ----------------------------------------------------------- */

struct scan {
    struct origin_source *source;
    struct origin_decoder *decoder; /* owned */
    struct origin_filter *idet;     /* owned; NULL until a frame was decoded */
    AVPacket *packet;               /* owned, scratch */
    AVFrame *frame;                 /* owned, scratch */
    unsigned n_frames;              /* at this spot */
    struct origin_scan_counts counts;
};

static void scan_done(struct scan *scan)
{
    origin_filter_free(scan->idet);
    origin_decoder_free(scan->decoder);
    av_packet_free(&scan->packet);
    av_frame_free(&scan->frame);
}

/* What the filter wrote onto the frame. */
static void scan_count(struct scan *scan)
{
    const AVDictionaryEntry *entry =
        av_dict_get(scan->frame->metadata, "lavfi.idet.multiple.current_frame", NULL, 0);
    const char *said = entry != NULL ? entry->value : "";

    if (strcmp(said, "tff") == 0) {
        scan->counts.n_top_first++;
    } else if (strcmp(said, "bff") == 0) {
        scan->counts.n_bottom_first++;
    } else if (strcmp(said, "progressive") == 0) {
        scan->counts.n_whole++;
    } else {
        scan->counts.n_unclear++;
    }
}

static int scan_pull(struct scan *scan)
{
    for (;;) {
        int err = origin_filter_pull(scan->idet, scan->frame);
        if (err < 0) {
            return err == FB_E_LATER || err == FB_E_END ? FB_OK : err;
        }
        scan_count(scan);
        av_frame_unref(scan->frame);
    }
}

static int scan_end_spot(struct scan *scan)
{
    int err = FB_OK;
    if (scan->idet != NULL) {
        err = origin_filter_push(scan->idet, NULL);
        if (err == FB_OK) {
            err = scan_pull(scan);
        }
        origin_filter_free(scan->idet);
        scan->idet = NULL;
    }
    return err;
}

/* The frame goes through the filter, another one if it is of another kind. */
static int scan_take_frame(struct scan *scan, struct fb_diag *diag)
{
    int err = FB_OK;
    if (scan->idet != NULL && !origin_filter_fits(scan->idet, scan->frame)) {
        err = scan_end_spot(scan);
    }
    if (err == FB_OK && scan->idet == NULL) {
        struct origin_filter_options options = {
            .like = scan->frame,
            .time_base = scan->source->video->time_base,
            .chain = "idet",
            .n_threads = 1,
        };
        err = origin_filter_new(&options, &scan->idet, diag);
    }
    if (err == FB_OK) {
        err = origin_filter_push(scan->idet, scan->frame);
    }
    av_frame_unref(scan->frame);
    scan->n_frames++;
    return err == FB_OK ? scan_pull(scan) : err;
}

static int scan_decode(struct scan *scan, const AVPacket *packet, struct fb_diag *diag)
{
    int err = origin_decoder_send(scan->decoder, packet);
    while (err == FB_OK) {
        err = origin_decoder_receive(scan->decoder, scan->frame);
        if (err == FB_OK && scan->n_frames < SCAN_FRAMES) {
            err = scan_take_frame(scan, diag);
        }
        av_frame_unref(scan->frame);
    }
    return err == FB_E_LATER || err == FB_E_END ? FB_OK : err;
}

static int scan_spot(struct scan *scan, unsigned spot, unsigned n_spots, struct fb_diag *diag)
{
    AVFormatContext *format = scan->source->format;
    int64_t start = format->start_time != AV_NOPTS_VALUE ? format->start_time : 0;
    int64_t at = start + scan->source->duration_us / n_spots * spot +
                 scan->source->duration_us / n_spots / 2;

    if (n_spots > 1 && avformat_seek_file(format, -1, INT64_MIN, at, at, 0) < 0) {
        return FB_OK;
    }
    avcodec_flush_buffers(scan->decoder->context);
    scan->n_frames = 0;
    int err = FB_OK;
    for (unsigned n = 0; err == FB_OK && n < SCAN_MAX_PACKETS && scan->n_frames < SCAN_FRAMES;) {
        int averr = av_read_frame(format, scan->packet);
        if (averr < 0) {
            err = averr == AVERROR_EXIT ? FB_E_CANCELED : scan_decode(scan, NULL, diag);
            break;
        }
        if (scan->packet->stream_index == scan->source->video->index) {
            n++;
            err = scan_decode(scan, scan->packet, diag);
        }
        av_packet_unref(scan->packet);
    }
    int end_err = scan_end_spot(scan);
    return err < 0 ? err : end_err;
}

/* Cameras of fields wrote these heights, and only at these rates. */
static bool scan_may_have_fields(const struct origin_source *source)
{
    const AVCodecParameters *codec = source->video->codecpar;
    double rate = origin_ratio_value(source->rate);
    bool is_said =
        codec->field_order != AV_FIELD_UNKNOWN && codec->field_order != AV_FIELD_PROGRESSIVE;
    bool is_height = codec->height == 480 || codec->height == 486 || codec->height == 576 ||
                     codec->height == 608 || codec->height == 1080 || codec->height == 1088;
    bool is_rate = (rate > 24.9 && rate < 30.1) || (rate > 49.9 && rate < 60.1);
    return is_said || (is_height && is_rate);
}

int origin_scan_look(struct origin_source *source, enum origin_scan *ret_scan, struct fb_diag *diag)
{
    FB_AUTO(scan_done) struct scan scan = {.source = source};
    unsigned n_spots = source->duration_us > 2000000 ? SCAN_SPOTS : 1;

    *ret_scan = ORIGIN_SCAN_FLAGGED;
    if (!scan_may_have_fields(source)) {
        return FB_OK;
    }
    int err = origin_decoder_new(source->video, 1, &scan.decoder, diag);
    if (err < 0) {
        return err;
    }
    scan.packet = origin_av_packet_new();
    scan.frame = origin_av_frame_new();
    for (unsigned i = 0; err != FB_E_CANCELED && i < n_spots; i++) {
        err = scan_spot(&scan, i, n_spots, diag);
    }
    if (err == FB_E_CANCELED) {
        return fb_diag_set(diag, err, "canceled");
    }
    *ret_scan = origin_scan_judge(&scan.counts);
    return FB_OK;
}
