#include "origin/media/segmenter.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "origin/media/cenc.h"
#include "origin/media/fragment.h"
#include "origin/media/output.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    SEGMENTER_MIN_TAIL_MS = 500,
    SEGMENTER_MAX_HELD = 256, /* packets in that time, with room to spare */
    SEGMENTER_IO_BYTES = 65536,
    MS_PER_S = 1000,
};

struct origin_segmenter {
    struct origin_segmenter_options options; /* but for the encoder */
    AVFormatContext *muxer;                  /* owned, its pb too */
    AVStream *stream;                        /* owned by muxer */
    AVRational time_base;                    /* of packets written */
    struct fb_buf bytes;                     /* what the muxer gave for the file to come */
    struct fb_buf sealed;                    /* the same encrypted, scratch */
    struct origin_cenc *cenc;                /* owned; NULL in the clear, and before init.mp4 */

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
    fb_buf_append(&segmenter->bytes, (struct fb_str){(const char *)bytes, (size_t)size});
    return size;
}

static int segmenter_fail(int averr, struct fb_diag *diag)
{
    return origin_av_fail(diag, averr, "package a segment");
}

/* Opens the muxer. Its header waits for the first packets, whose times the edit
 * list is made from. */
static int segmenter_start_muxer(struct origin_segmenter *segmenter, struct fb_diag *diag)
{
    AVDictionary *options = NULL;

    av_dict_set(&options, "movflags",
                "frag_custom+empty_moov+delay_moov+default_base_moof+cmaf+skip_trailer", 0);
    av_dict_set(&options, "use_editlist", "1", 0);
    /* Would tell the rate of the first segment, and init.mp4 is the same in every piece. */
    av_dict_set(&options, "write_btrt", "0", 0);
    int averr = avformat_write_header(segmenter->muxer, &options);
    av_dict_free(&options);
    if (averr >= 0) {
        averr = origin_av_keep_edit_list(segmenter->muxer);
    }
    if (averr < 0) {
        return segmenter_fail(averr, diag);
    }
    segmenter->options.track->timescale = (unsigned)segmenter->stream->time_base.den;
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

int origin_segmenter_new(const struct origin_segmenter_options *options,
                         struct origin_segmenter **ret_segmenter, struct fb_diag *diag)
{
    const struct origin_track *track = options->track;
    int err = origin_output_mkdir(options->output, track->path);
    if (err < 0) {
        return fb_diag_set(diag, err, "make the folder '%s': %s", track->path, fb_err_text(err));
    }
    struct origin_segmenter *segmenter = FB_NEW(struct origin_segmenter);
    segmenter->options = *options;
    segmenter->options.encoder = NULL;
    segmenter->time_base = options->encoder->time_base;
    segmenter->n_boundaries = options->first_segment - 1;
    int averr = segmenter_open_muxer(segmenter, options->encoder);
    if (averr < 0) {
        err = segmenter_fail(averr, diag);
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
    fb_buf_done(&segmenter->bytes);
    fb_buf_done(&segmenter->sealed);
    origin_cenc_free(segmenter->cenc);
    fb_free(segmenter);
}

/* Into the muxer, which keeps it until the segment is cut. */
static int segmenter_put(struct origin_segmenter *segmenter, AVPacket *packet, struct fb_diag *diag)
{
    if (packet->pts != AV_NOPTS_VALUE) {
        packet->pts -= segmenter->options.first_pts;
    }
    if (packet->dts != AV_NOPTS_VALUE) {
        packet->dts -= segmenter->options.first_pts;
    }
    av_packet_rescale_ts(packet, segmenter->time_base, segmenter->stream->time_base);
    packet->stream_index = 0;
    segmenter->duration += (uint64_t)packet->duration;
    int averr = av_write_frame(segmenter->muxer, packet);
    av_packet_unref(packet);
    return averr < 0 ? segmenter_fail(averr, diag) : FB_OK;
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

/* What the muxer gives out when it is flushed, behind `first`. */
static int segmenter_flush(struct origin_segmenter *segmenter, struct fb_str first,
                           struct fb_diag *diag)
{
    fb_buf_clear(&segmenter->bytes);
    fb_buf_append(&segmenter->bytes, first);
    int averr = av_write_frame(segmenter->muxer, NULL);
    avio_flush(segmenter->muxer->pb);
    return averr < 0 ? segmenter_fail(averr, diag) : FB_OK;
}

/* Those bytes as a file of the track. */
static int segmenter_put_file(struct origin_segmenter *segmenter, const char *name,
                              struct origin_segment *segment, struct fb_diag *diag)
{
    struct origin_output *output = segmenter->options.output;
    char path[ORIGIN_OUTPUT_PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/%s", segmenter->options.track->path, name);
    int err = origin_output_put(output, path, fb_buf_str(&segmenter->bytes));
    if (err < 0) {
        return fb_diag_set(diag, err, "write '%s': %s", path, fb_err_text(err));
    }
    struct origin_segment file = origin_output_last(output);
    segment->bytes = file.bytes;
    memcpy(segment->sha256, file.sha256, sizeof(segment->sha256));
    return FB_OK;
}

/* The fragment's place in the whole track, and its first key picture. */
static int segmenter_place(struct origin_segmenter *segmenter, uint32_t number,
                           struct origin_segment *segment, struct fb_diag *diag)
{
    int64_t ticks = av_rescale_q(segmenter->options.first_pts, segmenter->time_base,
                                 segmenter->stream->time_base);
    int err = origin_fragment_place(&segmenter->bytes, number, (uint64_t)ticks);
    if (err == FB_OK && segmenter->options.track->rung > 0) {
        err = origin_fragment_first_end(fb_buf_str(&segmenter->bytes), &segment->key_bytes);
    }
    return err < 0 ? fb_diag_set(diag, err, "package a segment: %s", fb_err_text(err)) : FB_OK;
}

static void segmenter_take_sealed(struct origin_segmenter *segmenter)
{
    struct fb_buf clear = segmenter->bytes;
    segmenter->bytes = segmenter->sealed;
    segmenter->sealed = clear;
}

/* Encrypts init.mp4, if there is a key, and begins to encrypt. */
static int segmenter_seal_init(struct origin_segmenter *segmenter, struct fb_diag *diag)
{
    const struct origin_content_key *key = segmenter->options.key;
    FB_AUTO(fb_buf_done) struct fb_buf pssh = {0};

    if (key == NULL || key->scheme == ORIGIN_SCHEME_CLEAR) {
        return FB_OK;
    }
    origin_cenc_pssh(&pssh, key->id);
    struct origin_cenc_options options = {
        .key = key, .track = segmenter->options.cenc_track, .pssh = fb_buf_str(&pssh)};
    fb_buf_clear(&segmenter->sealed);
    int err = origin_cenc_new(&options, fb_buf_str(&segmenter->bytes), &segmenter->sealed,
                              &segmenter->cenc, diag);
    if (err == FB_OK) {
        segmenter_take_sealed(segmenter);
    }
    return err;
}

/* Encrypts the segment, if there is a key. */
static int segmenter_seal(struct origin_segmenter *segmenter, uint32_t number,
                          struct origin_segment *segment, struct fb_diag *diag)
{
    size_t moved = 0;

    if (segmenter->cenc == NULL) {
        return FB_OK;
    }
    fb_buf_clear(&segmenter->sealed);
    int err = origin_cenc_fragment(segmenter->cenc, number, fb_buf_str(&segmenter->bytes),
                                   &segmenter->sealed, &moved, diag);
    if (err == FB_OK) {
        segmenter_take_sealed(segmenter);
        segment->key_bytes += segment->key_bytes > 0 ? moved : 0;
    }
    return err;
}

/* Ends the segment: all that the muxer holds goes to one file. The first flush
 * gives the header alone. */
static int segmenter_cut(struct origin_segmenter *segmenter, struct fb_diag *diag)
{
    struct origin_track *track = segmenter->options.track;
    uint32_t number = segmenter->options.first_segment + (uint32_t)track->n_segments;
    struct origin_segment segment = {.duration = segmenter->duration};
    char name[ORIGIN_OUTPUT_PATH_MAX];
    int err = FB_OK;

    if (segmenter->duration == 0) {
        return FB_OK;
    }
    if (track->n_segments == 0) {
        err = segmenter_flush(segmenter, FB_STR_NONE, diag);
        if (err == FB_OK) {
            err = segmenter_seal_init(segmenter, diag);
        }
        if (err == FB_OK) {
            err = segmenter_put_file(segmenter, "init.mp4", &track->head, diag);
        }
    }
    if (err == FB_OK) {
        err = segmenter_flush(segmenter, FB_STR(segmenter_styp), diag);
    }
    if (err == FB_OK) {
        err = segmenter_place(segmenter, number, &segment, diag);
    }
    if (err == FB_OK) {
        err = segmenter_seal(segmenter, number, &segment, diag);
    }
    if (err == FB_OK) {
        (void)snprintf(name, sizeof(name), "seg-%05" PRIu32 ".m4s", number);
        err = segmenter_put_file(segmenter, name, &segment, diag);
    }
    if (err == FB_OK) {
        origin_track_add(track, &segment);
        segmenter->duration = 0;
    }
    return err;
}

static bool segmenter_is_boundary(const struct origin_segmenter *segmenter, const AVPacket *packet)
{
    bool is_key = (packet->flags & AV_PKT_FLAG_KEY) != 0;
    int64_t at_ms = (segmenter->n_boundaries + 1) * segmenter->options.segment_ms;
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
