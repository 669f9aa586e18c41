/*
 * SOUND: every audio track whole, and every text track as WebVTT.
 */
#include "base/core/attr.h"
#include "base/core/check.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "origin/media/cenc.h"
#include "origin/media/loudness.h"
#include "origin/media/output.h"
#include "origin/media/reader.h"
#include "origin/media/sound.h"
#include "origin/media/steps_internal.h"
#include "origin/media/text_tracks.h"
#include "origin/media/timeline.h"

#include <stdio.h>

struct tracks {
    const struct origin_step_options *options;
    const struct origin_recipe *recipe;
    struct origin_step_progress progress;
    struct origin_output output;
    struct origin_source *source; /* owned */
    struct origin_reader reader;
    struct origin_timeline timeline;
    struct origin_sound *sounds[ORIGIN_MEDIA_MAX_AUDIO]; /* owned */
    struct origin_text_tracks *texts;                    /* owned */
    AVPacket *packet;                                    /* owned, scratch */
};

static void tracks_done(struct tracks *tracks)
{
    for (unsigned i = 0; i < ORIGIN_MEDIA_MAX_AUDIO; i++) {
        origin_sound_free(tracks->sounds[i]);
    }
    origin_text_tracks_free(tracks->texts);
    origin_source_close(tracks->source);
    origin_output_done(&tracks->output);
    av_packet_free(&tracks->packet);
}

/* ---- setting up -------------------------------------------------------- */

static int tracks_open_sounds(struct tracks *tracks, const struct origin_loudness *loudness,
                              struct fb_diag *diag)
{
    const struct origin_step_options *options = tracks->options;
    int err = FB_OK;

    for (unsigned i = 0; err == FB_OK && i < tracks->source->n_audios; i++) {
        struct origin_sound_options sound = {
            .source = tracks->source,
            .index = i,
            .output = &tracks->output,
            .segment_ms = tracks->recipe->request.segment_ms,
            .keeps_surround = !tracks->recipe->request.downmix,
            .loudness = loudness[i],
            .key = options->key,
        };
        err = origin_sound_new(&sound, &tracks->sounds[i], diag);
    }
    return err;
}

static int tracks_open_texts(struct tracks *tracks, struct fb_diag *diag)
{
    const struct origin_step_options *options = tracks->options;
    const struct origin_request *request = &tracks->recipe->request;

    int err = origin_text_tracks_new(tracks->source->format, &tracks->texts, diag);
    for (uint32_t i = 0;
         err == FB_OK && options->subtitle_paths != NULL && i < request->n_subtitles; i++) {
        err = origin_text_tracks_add_file(tracks->texts, options->subtitle_paths[i],
                                          &request->subtitles[i], diag);
    }
    return err;
}

static int tracks_open(struct tracks *tracks, struct fb_diag *diag)
{
    const struct origin_step_options *options = tracks->options;
    const struct origin_request *request = &tracks->recipe->request;
    struct origin_loudness loudness[ORIGIN_MEDIA_MAX_AUDIO] = {{.is_known = false}};

    int err = origin_output_open(options->output_dir, &tracks->output, diag);
    if (err == FB_OK) {
        err = origin_step_open(options, &tracks->source, diag);
    }
    if (err == FB_OK && request->loudness) {
        err = origin_loudness_measure(tracks->source, !request->downmix, loudness, diag);
        origin_source_close(tracks->source);
        tracks->source = NULL;
        if (err == FB_OK) {
            err = origin_step_open(options, &tracks->source, diag);
        }
    }
    if (err == FB_OK) {
        err = tracks_open_sounds(tracks, loudness, diag);
    }
    if (err == FB_OK) {
        err = tracks_open_texts(tracks, diag);
    }
    if (err < 0) {
        return err;
    }
    FB_REQUIRE(tracks->source != NULL);
    tracks->reader = (struct origin_reader){.source = tracks->source};
    tracks->timeline = (struct origin_timeline){
        .zero_us = tracks->source->zero_us,
        .may_jump = (tracks->source->format->iformat->flags & AVFMT_TS_DISCONT) != 0,
    };
    return FB_OK;
}

/* ---- reading ----------------------------------------------------------- */

/* The timeline of PREPARE: the same packets in the same order. */
static void tracks_set_time(struct tracks *tracks, const AVStream *stream)
{
    AVPacket *packet = tracks->packet;
    int64_t us = 0;

    if (origin_packet_time_us(packet, stream, &us)) {
        int64_t duration_us = av_rescale_q(packet->duration, stream->time_base, AV_TIME_BASE_Q);
        int64_t shift_us =
            origin_timeline_shift(&tracks->timeline, (unsigned)stream->index, us, duration_us);
        origin_packet_shift(packet, stream, shift_us);
    }
}

static int tracks_take_packet(struct tracks *tracks, struct fb_diag *diag)
{
    const struct origin_source *source = tracks->source;
    AVPacket *packet = tracks->packet;

    if (packet->stream_index == source->video->index) {
        tracks_set_time(tracks, source->video);
        return FB_OK;
    }
    for (unsigned i = 0; i < source->n_audios; i++) {
        if (packet->stream_index == source->audios[i]->index) {
            tracks_set_time(tracks, source->audios[i]);
            return origin_sound_push(tracks->sounds[i], packet, diag);
        }
    }
    const AVStream *text = origin_text_tracks_stream(tracks->texts, packet);
    if (text != NULL) {
        /* Text comes now and then: its clock tells of no jumps. */
        origin_packet_shift(packet, text, tracks->timeline.shift_us - tracks->timeline.zero_us);
        origin_text_tracks_push(tracks->texts, packet);
    }
    return FB_OK;
}

static int tracks_read(struct tracks *tracks, struct fb_diag *diag)
{
    const struct origin_source *source = tracks->source;

    for (;;) {
        int err = origin_reader_next(&tracks->reader, tracks->packet, diag);
        if (err < 0) {
            return err == FB_E_END ? FB_OK : err;
        }
        err = tracks_take_packet(tracks, diag);
        av_packet_unref(tracks->packet);
        if (err < 0) {
            return err;
        }
        int64_t at = avio_tell(source->format->pb);
        origin_step_report(&tracks->progress, (uint64_t)FB_MAX(at, 0), source->n_bytes + 1);
    }
}

/* ---- finishing --------------------------------------------------------- */

static int tracks_finish_sounds(struct tracks *tracks, struct origin_part *part,
                                struct fb_diag *diag)
{
    int err = FB_OK;

    for (unsigned i = 0; err == FB_OK && i < tracks->source->n_audios; i++) {
        uint64_t n_packets = 0;
        uint64_t n_damaged = 0;
        err = origin_sound_push(tracks->sounds[i], NULL, diag);
        if (err == FB_OK) {
            err = origin_sound_finish(tracks->sounds[i], origin_step_end_us(tracks->recipe), diag);
        }
        struct origin_track track;
        if (err == FB_OK && origin_sound_take_track(tracks->sounds[i], &track)) {
            struct origin_part_track *one = origin_part_add_track(part);
            one->track = track;
            one->track.is_default = part->n_tracks == 1;
        }
        origin_sound_damage(tracks->sounds[i], &n_packets, &n_damaged);
        part->n_packets += n_packets;
        part->n_damaged += n_damaged;
    }
    return err;
}

static int tracks_finish_texts(struct tracks *tracks, struct origin_part *part,
                               struct fb_diag *diag)
{
    struct origin_subtitles_options options = {
        .output = &tracks->output,
        .segment_ms = tracks->recipe->request.segment_ms,
        .duration_ms = tracks->recipe->duration_ms,
    };
    return origin_text_tracks_finish(tracks->texts, &options, part, diag);
}

int origin_media_sound(const struct origin_step_options *options, struct origin_part *ret_part,
                       struct fb_diag *diag)
{
    FB_AUTO(origin_part_done) struct origin_part part = {.kind = ORIGIN_PART_SOUND};
    FB_AUTO(tracks_done)
    struct tracks tracks = {
        .options = options,
        .recipe = options->recipe,
        .progress = {.hooks = &options->hooks},
        .output = ORIGIN_OUTPUT_NONE,
        .packet = origin_av_packet_new(),
    };

    part.pass = options->pass;
    int err = tracks_open(&tracks, diag);
    if (err == FB_OK) {
        err = tracks_read(&tracks, diag);
    }
    if (err == FB_OK) {
        err = tracks_finish_sounds(&tracks, &part, diag);
    }
    if (err == FB_OK) {
        err = tracks_finish_texts(&tracks, &part, diag);
    }
    if (err < 0) {
        return err;
    }
    part.is_partial = tracks.reader.is_partial || part.n_damaged > 0;
    origin_step_report(&tracks.progress, 1, 1);
    *ret_part = part;
    part = (struct origin_part){.tracks = NULL};
    return FB_OK;
}
