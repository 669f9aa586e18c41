#include "origin/media/sound.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "origin/media/cenc.h"
#include "origin/media/codec.h"
#include "origin/media/codec_name.h"
#include "origin/media/filter.h"
#include "origin/media/probe.h"
#include "origin/media/segmenter.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { US_PER_S = 1000000, SOUND_MAX_GAP_S = 60 };

struct origin_sound {
    struct origin_sound_options options;
    struct origin_decoder *decoder; /* owned */
    struct origin_filter *resample; /* owned; NULL until a frame was decoded */
    struct origin_mix mix;
    AVFrame *decoded;   /* owned, scratch */
    AVFrame *resampled; /* owned, scratch */
    AVPacket *packet;   /* owned, scratch */
    int64_t next_us;    /* when the decoded frame to come should begin */

    AVCodecContext *encoder;            /* owned; NULL until there is sound */
    struct origin_segmenter *segmenter; /* owned */
    int64_t n_samples;                  /* sent to the encoder */
    struct origin_track track;
};

int origin_sound_new(const struct origin_sound_options *options, struct origin_sound **ret_sound,
                     struct fb_diag *diag)
{
    struct origin_sound *sound = FB_NEW(struct origin_sound);
    sound->options = *options;
    sound->decoded = origin_av_frame_new();
    sound->resampled = origin_av_frame_new();
    sound->packet = origin_av_packet_new();
    origin_source_describe_audio(options->source, options->index, &sound->track);
    const AVStream *stream = options->source->audios[options->index];
    sound->mix = origin_mix_of((unsigned)stream->codecpar->ch_layout.nb_channels,
                               options->keeps_surround, &options->loudness);
    sound->track.channels = sound->mix.channels;
    int err = origin_decoder_new(stream, 1, &sound->decoder, diag);
    if (err < 0) {
        origin_sound_free(sound);
        return err;
    }
    *ret_sound = sound;
    return FB_OK;
}

void origin_sound_free(struct origin_sound *sound)
{
    if (sound != NULL) {
        origin_segmenter_free(sound->segmenter);
        avcodec_free_context(&sound->encoder);
        origin_filter_free(sound->resample);
        origin_decoder_free(sound->decoder);
        av_frame_free(&sound->decoded);
        av_frame_free(&sound->resampled);
        av_packet_free(&sound->packet);
        origin_track_done(&sound->track);
        fb_free(sound);
    }
}

/* ---- encoding ---------------------------------------------------------- */

static int sound_open_encoder(struct origin_sound *sound, struct fb_diag *diag)
{
    int err = origin_encoder_new_audio(sound->mix.channels, &sound->encoder, diag);
    if (err < 0) {
        return err;
    }
    struct fb_str headers = {(const char *)sound->encoder->extradata,
                             (size_t)sound->encoder->extradata_size};
    err = origin_codec_name_aac(headers, sound->track.codecs);
    if (err < 0) {
        return fb_diag_set(diag, err, "the encoder gave no parameters");
    }
    struct origin_segmenter_options segmenter = {
        .output = sound->options.output,
        .track = &sound->track,
        .encoder = sound->encoder,
        .segment_ms = sound->options.segment_ms,
        .first_segment = 1,
        .key = sound->options.key,
        .cenc_track = ORIGIN_CENC_TRACK_AUDIO + sound->options.index,
    };
    return origin_segmenter_new(&segmenter, &sound->segmenter, diag);
}

static int sound_drain_encoder(struct origin_sound *sound, struct fb_diag *diag)
{
    for (;;) {
        int err = origin_encoder_receive(sound->encoder, sound->packet);
        if (err == FB_E_LATER || err == FB_E_END) {
            return FB_OK;
        }
        if (err < 0) {
            return fb_diag_set(diag, err, "encode the sound: %s", fb_err_text(err));
        }
        if (sound->packet->pts < 0) {
            av_packet_unref(sound->packet); /* only primes the decoder */
            continue;
        }
        sound->packet->duration = ORIGIN_AUDIO_FRAME;
        err = origin_segmenter_write(sound->segmenter, sound->packet, diag);
        if (err < 0) {
            return err;
        }
    }
}

/* `frame` holds ORIGIN_AUDIO_FRAME samples. */
static int sound_encode(struct origin_sound *sound, AVFrame *frame, struct fb_diag *diag)
{
    int err = sound->encoder == NULL ? sound_open_encoder(sound, diag) : FB_OK;
    if (err < 0) {
        return err;
    }
    frame->pts = sound->n_samples;
    sound->n_samples += ORIGIN_AUDIO_FRAME;
    int averr = avcodec_send_frame(sound->encoder, frame);
    return averr < 0 ? origin_av_fail(diag, averr, "encode the sound")
                     : sound_drain_encoder(sound, diag);
}

/* An empty frame becomes one of silence. */
static void sound_make_silence(const struct origin_sound *sound, AVFrame *frame)
{
    frame->format = AV_SAMPLE_FMT_FLTP;
    frame->sample_rate = ORIGIN_AUDIO_RATE;
    frame->nb_samples = ORIGIN_AUDIO_FRAME;
    av_channel_layout_default(&frame->ch_layout, (int)sound->mix.channels);
    FB_REQUIRE(av_frame_get_buffer(frame, 0) >= 0);
    for (unsigned i = 0; i < sound->mix.channels; i++) {
        memset(frame->data[i], 0, ORIGIN_AUDIO_FRAME * sizeof(float));
    }
}

/* The last frame of a stream may be short; the encoder takes whole ones. */
static int sound_encode_filled(struct origin_sound *sound, AVFrame *frame, struct fb_diag *diag)
{
    if (frame->nb_samples == ORIGIN_AUDIO_FRAME) {
        return sound_encode(sound, frame, diag);
    }
    FB_AUTO(origin_av_frame_done) AVFrame *filled = origin_av_frame_new();
    sound_make_silence(sound, filled);
    for (unsigned i = 0; i < sound->mix.channels; i++) {
        memcpy(filled->data[i], frame->data[i], (size_t)frame->nb_samples * sizeof(float));
    }
    return sound_encode(sound, filled, diag);
}

/* ---- resampling -------------------------------------------------------- */

static int sound_drain_resample(struct origin_sound *sound, struct fb_diag *diag)
{
    for (;;) {
        int err = origin_filter_pull(sound->resample, sound->resampled);
        if (err == FB_E_LATER || err == FB_E_END) {
            return FB_OK;
        }
        if (err < 0) {
            return fb_diag_set(diag, err, "prepare the sound: %s", fb_err_text(err));
        }
        err = sound_encode_filled(sound, sound->resampled, diag);
        av_frame_unref(sound->resampled);
        if (err < 0) {
            return err;
        }
    }
}

static int sound_end_resample(struct origin_sound *sound, struct fb_diag *diag)
{
    if (sound->resample == NULL) {
        return FB_OK;
    }
    int err = origin_filter_push(sound->resample, NULL);
    if (err == FB_OK) {
        err = sound_drain_resample(sound, diag);
    }
    origin_filter_free(sound->resample);
    sound->resample = NULL;
    return err;
}

/* A resampler for frames such as the decoded one, which goes on at the sample
 * that comes next. */
static int sound_open_resample(struct origin_sound *sound, struct fb_diag *diag)
{
    char mix[ORIGIN_MIX_MAX];
    char chain[ORIGIN_MIX_MAX + 96];

    int err = sound_end_resample(sound, diag);
    if (err < 0) {
        return err;
    }
    /* It counts in samples of what goes in. */
    int64_t first = av_rescale(sound->n_samples, sound->decoded->sample_rate, ORIGIN_AUDIO_RATE);
    origin_mix_chain(&sound->mix, &sound->decoded->ch_layout, mix);
    (void)snprintf(chain, sizeof(chain), "aresample=%d:async=1:first_pts=%" PRId64 ",%s",
                   ORIGIN_AUDIO_RATE, first, mix);
    struct origin_filter_options options = {
        .like = sound->decoded,
        .time_base = {1, sound->decoded->sample_rate},
        .chain = chain,
        .n_threads = 1,
        .frame_size = ORIGIN_AUDIO_FRAME,
    };
    return origin_filter_new(&options, &sound->resample, diag);
}

/* In units of the frame's own rate, where lengths are exact. */
static void sound_set_time(struct origin_sound *sound)
{
    AVFrame *frame = sound->decoded;
    AVRational from = sound->options.source->audios[sound->options.index]->time_base;
    AVRational unit = {1, frame->sample_rate};
    int64_t at_us = sound->next_us;

    if (frame->best_effort_timestamp != AV_NOPTS_VALUE) {
        at_us = av_rescale_q(frame->best_effort_timestamp, from, AV_TIME_BASE_Q);
    }
    int64_t limit_us = sound->next_us + (int64_t)SOUND_MAX_GAP_S * US_PER_S;
    at_us = FB_MIN(at_us, limit_us); /* a longer silence is a broken clock */
    frame->pts = av_rescale_q(at_us, AV_TIME_BASE_Q, unit);
    sound->next_us = at_us + av_rescale_q(frame->nb_samples, unit, AV_TIME_BASE_Q);
}

static int sound_take_decoded(struct origin_sound *sound, struct fb_diag *diag)
{
    AVFrame *frame = sound->decoded;
    int err = FB_OK;

    if (frame->sample_rate <= 0 || frame->nb_samples <= 0) {
        av_frame_unref(frame);
        return FB_OK;
    }
    origin_av_name_channels(frame);
    sound_set_time(sound);
    if (sound->resample == NULL || !origin_filter_fits(sound->resample, frame)) {
        err = sound_open_resample(sound, diag);
    }
    if (err == FB_OK) {
        err = origin_filter_push(sound->resample, frame);
    }
    av_frame_unref(frame);
    return err == FB_OK ? sound_drain_resample(sound, diag) : err;
}

/* ---- entry points ------------------------------------------------------ */

int origin_sound_push(struct origin_sound *sound, const AVPacket *packet, struct fb_diag *diag)
{
    int err = origin_decoder_send(sound->decoder, packet);
    while (err == FB_OK) {
        err = origin_decoder_receive(sound->decoder, sound->decoded);
        if (err == FB_E_LATER || err == FB_E_END) {
            return packet == NULL ? sound_end_resample(sound, diag) : FB_OK;
        }
        if (err < 0) {
            return fb_diag_set(diag, err, "read the sound: %s", fb_err_text(err));
        }
        err = sound_take_decoded(sound, diag);
    }
    return err;
}

int64_t origin_sound_end_us(const struct origin_sound *sound)
{
    return av_rescale(sound->n_samples, US_PER_S, ORIGIN_AUDIO_RATE);
}

int origin_sound_finish(struct origin_sound *sound, int64_t until_us, struct fb_diag *diag)
{
    int err = FB_OK;

    if (sound->encoder == NULL) {
        return FB_OK;
    }
    while (err == FB_OK && origin_sound_end_us(sound) < until_us) {
        FB_AUTO(origin_av_frame_done) AVFrame *silence = origin_av_frame_new();
        sound_make_silence(sound, silence);
        err = sound_encode(sound, silence, diag);
    }
    if (err == FB_OK) {
        int averr = avcodec_send_frame(sound->encoder, NULL);
        err = averr < 0 ? origin_av_fail(diag, averr, "encode the sound")
                        : sound_drain_encoder(sound, diag);
    }
    return err == FB_OK ? origin_segmenter_finish(sound->segmenter, diag) : err;
}

bool origin_sound_take_track(struct origin_sound *sound, struct origin_track *ret_track)
{
    if (sound->encoder == NULL) {
        return false;
    }
    *ret_track = sound->track;
    sound->track = (struct origin_track){.segments = NULL};
    return true;
}

void origin_sound_damage(const struct origin_sound *sound, uint64_t *ret_packets,
                         uint64_t *ret_damaged)
{
    *ret_packets = sound->decoder->n_packets;
    *ret_damaged = sound->decoder->n_damaged;
}
