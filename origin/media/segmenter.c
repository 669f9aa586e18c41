#include "origin/media/segmenter.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "origin/media/output.h"

#include <stdio.h>
#include <string.h>

enum {
    SEGMENTER_MIN_TAIL_MS = 500,
    SEGMENTER_MAX_HELD = 256, /* packets in that time, with room to spare */
    SEGMENTER_IO_BYTES = 65536,
    MS_PER_S = 1000,
};

struct origin_segmenter {
    struct origin_output *output; /* borrowed */
    struct origin_track *track;   /* borrowed */
    AVFormatContext *muxer;       /* owned, its pb too */
    AVStream *stream;             /* owned by muxer */
    AVRational time_base;         /* of packets written */
    unsigned segment_ms;
    struct origin_output_file file;
    int write_err; /* what the folder said while the muxer wrote */

    int64_t n_boundaries;               /* multiples of segment_ms seen */
    uint64_t duration;                  /* of what is in the muxer, in its time base */
    AVPacket *held[SEGMENTER_MAX_HELD]; /* owned; packets after a boundary */
    unsigned n_held;
    int64_t held_ms;
};

/* A segment of its own for any player (ISO/IEC 23000-19, 7.3.3.1). */
static const char segmenter_styp[] = "\0\0\0\x18stypmsdh\0\0\0\0msdhcmfs";

/* NOLINTNEXTLINE(readability-non-const-parameter): the type is FFmpeg 5.1's */
static int segmenter_on_bytes(void *opaque, origin_av_written *bytes, int size)
{
    struct origin_segmenter *segmenter = opaque;
    struct fb_str str = {(const char *)bytes, (size_t)size};
    int err = segmenter->file.fd < 0 ? FB_E_CONFLICT : origin_output_write(&segmenter->file, str);
    if (err < 0) {
        segmenter->write_err = err;
        return AVERROR(EIO);
    }
    return size;
}

static int segmenter_fail(struct origin_segmenter *segmenter, int averr, struct fb_diag *diag)
{
    if (segmenter->write_err < 0) {
        return fb_diag_set(diag, segmenter->write_err, "write '%s': %s", segmenter->track->path,
                           fb_err_text(segmenter->write_err));
    }
    return origin_av_fail(diag, averr, "package a segment");
}

static int segmenter_begin_file(struct origin_segmenter *segmenter, const char *name,
                                struct fb_diag *diag)
{
    char path[ORIGIN_OUTPUT_PATH_MAX];
    (void)snprintf(path, sizeof(path), "%s/%s", segmenter->track->path, name);
    int err = origin_output_begin(segmenter->output, path, &segmenter->file);
    return err < 0 ? fb_diag_set(diag, err, "write '%s': %s", path, fb_err_text(err)) : FB_OK;
}

static int segmenter_finish_file(struct origin_segmenter *segmenter, struct fb_diag *diag)
{
    avio_flush(segmenter->muxer->pb);
    if (segmenter->write_err < 0) {
        return segmenter_fail(segmenter, 0, diag);
    }
    int err = origin_output_finish(&segmenter->file);
    return err < 0 ? fb_diag_set(diag, err, "name '%s': %s", segmenter->file.path, fb_err_text(err))
                   : FB_OK;
}

/* Opens the muxer. Its header waits for the first packets, whose times the edit
 * list is made from. */
static int segmenter_start_muxer(struct origin_segmenter *segmenter, struct fb_diag *diag)
{
    AVDictionary *options = NULL;

    av_dict_set(&options, "movflags",
                "frag_custom+empty_moov+delay_moov+default_base_moof+cmaf+skip_trailer", 0);
    av_dict_set(&options, "use_editlist", "1", 0);
    int averr = avformat_write_header(segmenter->muxer, &options);
    av_dict_free(&options);
    if (averr < 0) {
        return segmenter_fail(segmenter, averr, diag);
    }
    segmenter->track->timescale = (unsigned)segmenter->stream->time_base.den;
    return FB_OK;
}

static int segmenter_open_muxer(struct origin_segmenter *segmenter, const AVCodecContext *encoder)
{
    int averr = avformat_alloc_output_context2(&segmenter->muxer, NULL, "mp4", NULL);
    if (averr < 0) {
        return averr;
    }
    segmenter->stream = avformat_new_stream(segmenter->muxer, NULL);
    unsigned char *buffer = av_malloc(SEGMENTER_IO_BYTES);
    FB_REQUIRE(segmenter->stream != NULL && buffer != NULL);
    segmenter->muxer->pb = avio_alloc_context(buffer, SEGMENTER_IO_BYTES, 1, segmenter, NULL,
                                              segmenter_on_bytes, NULL);
    FB_REQUIRE(segmenter->muxer->pb != NULL);
    segmenter->muxer->flags |= AVFMT_FLAG_BITEXACT | AVFMT_FLAG_CUSTOM_IO;
    segmenter->muxer->avoid_negative_ts = 0;
    segmenter->stream->time_base = encoder->time_base;
    if (encoder->codec_type == AVMEDIA_TYPE_VIDEO) {
        segmenter->stream->avg_frame_rate = encoder->framerate;
        segmenter->stream->sample_aspect_ratio = encoder->sample_aspect_ratio;
    }
    return avcodec_parameters_from_context(segmenter->stream->codecpar, encoder);
}

int origin_segmenter_new(struct origin_output *output, struct origin_track *track,
                         const AVCodecContext *encoder, unsigned segment_ms,
                         struct origin_segmenter **ret_segmenter, struct fb_diag *diag)
{
    int err = origin_output_mkdir(output, track->path);
    if (err < 0) {
        return fb_diag_set(diag, err, "make the folder '%s': %s", track->path, fb_err_text(err));
    }
    struct origin_segmenter *segmenter = FB_NEW(struct origin_segmenter);
    segmenter->output = output;
    segmenter->track = track;
    segmenter->file = ORIGIN_OUTPUT_FILE_NONE;
    segmenter->time_base = encoder->time_base;
    segmenter->segment_ms = segment_ms;
    int averr = segmenter_open_muxer(segmenter, encoder);
    if (averr < 0) {
        err = segmenter_fail(segmenter, averr, diag);
    } else {
        if (track->iso639[0] != '\0') {
            av_dict_set(&segmenter->stream->metadata, "language", track->iso639, 0);
        }
        err = segmenter_start_muxer(segmenter, diag);
    }
    if (err < 0) {
        origin_segmenter_free(segmenter);
        return err;
    }
    *ret_segmenter = segmenter;
    return FB_OK;
}

void origin_segmenter_free(struct origin_segmenter *segmenter)
{
    if (segmenter == NULL) {
        return;
    }
    for (unsigned i = 0; i < segmenter->n_held; i++) {
        av_packet_free(&segmenter->held[i]);
    }
    if (segmenter->muxer != NULL) {
        if (segmenter->muxer->pb != NULL) {
            av_freep(&segmenter->muxer->pb->buffer);
            avio_context_free(&segmenter->muxer->pb);
        }
        avformat_free_context(segmenter->muxer);
    }
    origin_output_abandon(&segmenter->file);
    fb_free(segmenter);
}

/* Into the muxer, which keeps it until the segment is cut. */
static int segmenter_put(struct origin_segmenter *segmenter, AVPacket *packet, struct fb_diag *diag)
{
    av_packet_rescale_ts(packet, segmenter->time_base, segmenter->stream->time_base);
    packet->stream_index = 0;
    segmenter->duration += (uint64_t)packet->duration;
    int averr = av_write_frame(segmenter->muxer, packet);
    av_packet_unref(packet);
    return averr < 0 ? segmenter_fail(segmenter, averr, diag) : FB_OK;
}

static int segmenter_put_held(struct origin_segmenter *segmenter, struct fb_diag *diag)
{
    int err = FB_OK;
    for (unsigned i = 0; i < segmenter->n_held; i++) {
        if (err == FB_OK) {
            err = segmenter_put(segmenter, segmenter->held[i], diag);
        }
        av_packet_free(&segmenter->held[i]);
    }
    segmenter->n_held = 0;
    segmenter->held_ms = 0;
    return err;
}

/* One file from what the muxer gives out when it is flushed. */
static int segmenter_flush_to(struct origin_segmenter *segmenter, const char *name,
                              struct fb_str first, struct fb_diag *diag)
{
    int err = segmenter_begin_file(segmenter, name, diag);
    if (err < 0) {
        return err;
    }
    avio_write(segmenter->muxer->pb, (const unsigned char *)first.ptr, (int)first.len);
    int averr = av_write_frame(segmenter->muxer, NULL);
    return averr < 0 ? segmenter_fail(segmenter, averr, diag)
                     : segmenter_finish_file(segmenter, diag);
}

/* Ends the segment: all that the muxer holds goes to one file. The first flush
 * gives the header alone. */
static int segmenter_cut(struct origin_segmenter *segmenter, struct fb_diag *diag)
{
    struct origin_track *track = segmenter->track;
    char name[ORIGIN_OUTPUT_PATH_MAX];
    int err = FB_OK;

    if (segmenter->duration == 0) {
        return FB_OK;
    }
    if (track->n_segments == 0) {
        err = segmenter_flush_to(segmenter, "init.mp4", FB_STR_NONE, diag);
    }
    if (err == FB_OK) {
        (void)snprintf(name, sizeof(name), "seg-%05zu.m4s", track->n_segments + 1);
        err = segmenter_flush_to(segmenter, name, FB_STR(segmenter_styp), diag);
    }
    if (err == FB_OK) {
        struct origin_segment segment = {.duration = segmenter->duration,
                                         .bytes = segmenter->file.bytes};
        origin_track_add(track, &segment);
        segmenter->duration = 0;
    }
    return err;
}

static bool segmenter_is_boundary(const struct origin_segmenter *segmenter, const AVPacket *packet)
{
    bool is_key = (packet->flags & AV_PKT_FLAG_KEY) != 0;
    int64_t at_ms = (segmenter->n_boundaries + 1) * segmenter->segment_ms;
    AVRational ms = {1, MS_PER_S};
    return is_key && av_compare_ts(packet->pts, segmenter->time_base, at_ms, ms) >= 0;
}

int origin_segmenter_write(struct origin_segmenter *segmenter, AVPacket *packet,
                           struct fb_diag *diag)
{
    if (segmenter->n_held == 0 && !segmenter_is_boundary(segmenter, packet)) {
        return segmenter_put(segmenter, packet, diag);
    }
    AVPacket *held = origin_av_packet_new();
    av_packet_move_ref(held, packet);
    segmenter->held[segmenter->n_held++] = held;
    int64_t held_ms = av_rescale_q(held->pts + held->duration - segmenter->held[0]->pts,
                                   segmenter->time_base, (AVRational){1, MS_PER_S});
    segmenter->held_ms = FB_MAX(segmenter->held_ms, held_ms);
    if (segmenter->held_ms < SEGMENTER_MIN_TAIL_MS && segmenter->n_held < SEGMENTER_MAX_HELD) {
        return FB_OK;
    }
    segmenter->n_boundaries++;
    int err = segmenter_cut(segmenter, diag);
    return err == FB_OK ? segmenter_put_held(segmenter, diag) : err;
}

int origin_segmenter_finish(struct origin_segmenter *segmenter, struct fb_diag *diag)
{
    int err = segmenter_put_held(segmenter, diag);
    return err == FB_OK ? segmenter_cut(segmenter, diag) : err;
}
