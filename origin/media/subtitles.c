#include "origin/media/subtitles.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "origin/cues/markup.h"
#include "origin/media/language.h"
#include "origin/media/output.h"
#include "origin/model/text.h"

#include <stdio.h>
#include <string.h>

enum {
    MS_PER_S = 1000,
    UNTOLD_MS = 5000, /* a text without a duration is on so long */
    ASS_N_FIELDS = 8, /* of an event, before its text */
};

struct origin_subtitles {
    AVCodecContext *decoder; /* owned */
    AVRational time_base;
    struct origin_cues cues;
    struct fb_buf markup; /* scratch */
    bool is_full;         /* more than a list may hold */
    bool is_sorted;
};

/* ---- embedded ---------------------------------------------------------- */

bool origin_subtitles_is_readable(const AVStream *stream)
{
    switch (stream->codecpar->codec_id) {
    case AV_CODEC_ID_MOV_TEXT:
    case AV_CODEC_ID_SUBRIP:
    case AV_CODEC_ID_ASS:
    case AV_CODEC_ID_WEBVTT:
    case AV_CODEC_ID_TEXT:
        return stream->codecpar->codec_type == AVMEDIA_TYPE_SUBTITLE;
    default:
        return false;
    }
}

int origin_subtitles_new(const AVStream *stream, struct origin_subtitles **ret_subtitles,
                         struct fb_diag *diag)
{
    const AVCodec *codec = avcodec_find_decoder(stream->codecpar->codec_id);
    if (codec == NULL) {
        return origin_av_fail(diag, AVERROR_DECODER_NOT_FOUND, "read subtitles");
    }
    struct origin_subtitles *subtitles = FB_NEW(struct origin_subtitles);
    subtitles->time_base = stream->time_base;
    subtitles->decoder = avcodec_alloc_context3(codec);
    FB_REQUIRE(subtitles->decoder != NULL);
    int averr = avcodec_parameters_to_context(subtitles->decoder, stream->codecpar);
    if (averr >= 0) {
        subtitles->decoder->pkt_timebase = stream->time_base;
        averr = avcodec_open2(subtitles->decoder, codec, NULL);
    }
    if (averr < 0) {
        origin_subtitles_free(subtitles);
        return origin_av_fail(diag, averr, "read subtitles");
    }
    *ret_subtitles = subtitles;
    return FB_OK;
}

void origin_subtitles_free(struct origin_subtitles *subtitles)
{
    if (subtitles != NULL) {
        avcodec_free_context(&subtitles->decoder);
        origin_cues_done(&subtitles->cues);
        fb_buf_done(&subtitles->markup);
        fb_free(subtitles);
    }
}

/* The text of "order,layer,style,name,left,right,vertical,effect,text". */
static struct fb_str ass_text(const char *event)
{
    struct fb_str rest = fb_str_from(event);
    struct fb_str field;
    for (unsigned i = 0; i < ASS_N_FIELDS; i++) {
        if (!fb_str_cut(&rest, ',', &field)) {
            return FB_STR_NONE;
        }
    }
    return rest;
}

static void subtitles_take(struct origin_subtitles *subtitles, const AVSubtitle *subtitle,
                           const AVPacket *packet)
{
    AVRational ms = {1, MS_PER_S};
    int64_t begin_ms = av_rescale_q(packet->pts, subtitles->time_base, ms);
    int64_t on_ms = av_rescale_q(packet->duration, subtitles->time_base, ms);
    int64_t end_ms = begin_ms + (on_ms > 0 ? on_ms : UNTOLD_MS);

    fb_buf_clear(&subtitles->markup);
    for (unsigned i = 0; i < subtitle->num_rects; i++) {
        const char *event = subtitle->rects[i]->ass;
        struct fb_str text = event != NULL ? ass_text(event) : FB_STR_NONE;
        if (fb_text_is_utf8(text)) {
            origin_markup_from_ass(&subtitles->markup, text);
            fb_buf_append_byte(&subtitles->markup, '\n');
        }
    }
    int err = origin_cues_add(&subtitles->cues, FB_MAX(begin_ms, 0), end_ms, FB_STR_NONE,
                              fb_buf_str(&subtitles->markup));
    subtitles->is_full = err < 0;
}

void origin_subtitles_push(struct origin_subtitles *subtitles, const AVPacket *packet)
{
    AVPacket *copy = av_packet_clone(packet); /* the decoder wants to own what it may change */
    AVSubtitle subtitle = {0};
    int has_subtitle = 0;

    if (!subtitles->is_full && copy != NULL && packet->pts != AV_NOPTS_VALUE) {
        int averr = avcodec_decode_subtitle2(subtitles->decoder, &subtitle, &has_subtitle, copy);
        if (averr >= 0 && has_subtitle != 0) {
            subtitles_take(subtitles, &subtitle, packet);
            subtitles->is_sorted = false;
        }
        avsubtitle_free(&subtitle);
    }
    av_packet_free(&copy);
}

const struct origin_cues *origin_subtitles_cues(struct origin_subtitles *subtitles)
{
    if (subtitles->is_full) {
        origin_cues_done(&subtitles->cues);
    }
    if (!subtitles->is_sorted) {
        origin_cues_sort(&subtitles->cues);
        subtitles->is_sorted = true;
    }
    return &subtitles->cues;
}

void origin_subtitles_describe(const AVStream *stream, struct origin_track *track)
{
    const AVDictionaryEntry *code = av_dict_get(stream->metadata, "language", NULL, 0);
    const AVDictionaryEntry *title = av_dict_get(stream->metadata, "title", NULL, 0);
    const struct origin_language *language =
        code != NULL ? origin_language_find(code->value) : NULL;
    const char *name = language != NULL ? language->name : "Subtitles";
    char text[ORIGIN_TRACK_TITLE_MAX];

    origin_text_clean(title != NULL ? fb_str_from(title->value) : FB_STR(""), text, sizeof(text));
    if (language != NULL) {
        (void)snprintf(track->language, sizeof(track->language), "%s", language->tag);
        (void)snprintf(track->iso639, sizeof(track->iso639), "%s", language->iso639);
    }
    if (text[0] != '\0') {
        (void)snprintf(track->name, sizeof(track->name), "%s (%s)", name, text);
    } else {
        (void)snprintf(track->name, sizeof(track->name), "%s", name);
    }
    track->is_forced = (stream->disposition & AV_DISPOSITION_FORCED) != 0;
    track->is_for_deaf = (stream->disposition & AV_DISPOSITION_HEARING_IMPAIRED) != 0;
}

/* ---- writing ----------------------------------------------------------- */

static int subtitles_put(const struct origin_subtitles_options *options,
                         const struct origin_track *track, const char *name,
                         const struct fb_buf *buf, struct origin_segment *segment,
                         struct fb_diag *diag)
{
    char path[ORIGIN_OUTPUT_PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/%s", track->path, name);
    int err = origin_output_put(options->output, path, fb_buf_str(buf));
    if (err < 0) {
        return fb_diag_set(diag, err, "write '%s': %s", path, fb_err_text(err));
    }
    segment->bytes = buf->len;
    fb_sha256(fb_buf_str(buf), segment->sha256);
    return FB_OK;
}

static int subtitles_put_segments(const struct origin_subtitles_options *options,
                                  const struct origin_cues *cues, struct origin_track *track,
                                  struct fb_diag *diag)
{
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
    char name[ORIGIN_OUTPUT_PATH_MAX];
    int err = FB_OK;

    for (uint64_t at = 0; err == FB_OK && at < options->duration_ms; at += options->segment_ms) {
        uint64_t end = FB_MIN(at + options->segment_ms, options->duration_ms);
        struct origin_segment segment = {.duration = end - at};
        fb_buf_clear(&buf);
        origin_cues_write_segment(&buf, cues, (int64_t)at, (int64_t)end);
        (void)snprintf(name, sizeof(name), "seg-%05zu.vtt", track->n_segments + 1);
        err = subtitles_put(options, track, name, &buf, &segment, diag);
        if (err == FB_OK) {
            origin_track_add(track, &segment);
        }
    }
    return err;
}

int origin_subtitles_write(const struct origin_subtitles_options *options,
                           const struct origin_cues *cues, struct origin_track *track,
                           struct fb_diag *diag)
{
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};

    (void)snprintf(track->codecs, sizeof(track->codecs), "wvtt");
    track->timescale = MS_PER_S;
    int err = origin_output_mkdir(options->output, track->path);
    if (err < 0) {
        return fb_diag_set(diag, err, "make the folder '%s': %s", track->path, fb_err_text(err));
    }
    origin_cues_write(&buf, cues);
    err = subtitles_put(options, track, "whole.vtt", &buf, &track->head, diag);
    return err == FB_OK ? subtitles_put_segments(options, cues, track, diag) : err;
}
