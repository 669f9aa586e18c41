/*
 * Decoders and encoders: FFmpeg's send and receive, with damage tolerated on
 * one side and our settings on the other.
 *
 * Ownership  new → free. What is sent is referenced, not taken.
 * Threads    One at a time; codecs run threads of their own.
 * Limits     Decoders come from an allow-list; pictures are bounded by
 *            ORIGIN_MEDIA_MAX_PIXELS.
 */
#pragma once

#include "base/core/attr.h"
#include "origin/media/ffmpeg.h"
#include "origin/media/ladder.h"
#include "origin/media/rate.h"
#include "origin/model/recipe.h"

#include <stdbool.h>
#include <stdint.h>

struct fb_diag;

enum {
    ORIGIN_AUDIO_RATE = 48000,
    ORIGIN_AUDIO_FRAME = 1024, /* samples in a packet of AAC-LC */
};

/* ---- decoding ---------------------------------------------------------- */

struct origin_decoder {
    AVCodecContext *context; /* owned */
    uint64_t n_packets;
    uint64_t n_damaged; /* packets that could not be decoded */
};

/* The names of all decoders on the list, with commas between. */
extern const char origin_decoder_allowed[];

/* Finds the decoder for `id`, or NULL if there is none on the list. */
const AVCodec *origin_decoder_find(enum AVCodecID id);

FB_MUST_CHECK int origin_decoder_new(const AVStream *stream, unsigned n_threads,
                                     struct origin_decoder **ret_decoder, struct fb_diag *diag);
void origin_decoder_free(struct origin_decoder *decoder);

/* NULL ends the stream. Damage is counted and passed over. Everything must be
 * received between sends. */
FB_MUST_CHECK int origin_decoder_send(struct origin_decoder *decoder, const AVPacket *packet);

/* Into an empty `frame`; FB_E_LATER wants another send. */
FB_MUST_CHECK int origin_decoder_receive(struct origin_decoder *decoder, AVFrame *frame);

/* ---- encoding ---------------------------------------------------------- */

struct origin_video_settings {
    enum origin_recipe_codec codec;
    unsigned crf; /* in the codec's own measure: origin_encoder_crf() */
    struct origin_rung rung;
    struct origin_ratio rate;
    const char *preset; /* of x264; others have their own for each */
    unsigned n_threads;
    unsigned key_period_ms; /* key frames are asked for at least this often */
    bool is_continued;      /* something was shown before: the buffer model begins as there */
    const AVFrame *like;    /* colours are described as here */
};

/* False where the FFmpeg at hand has no encoder for it. */
bool origin_encoder_is_there(enum origin_recipe_codec codec);

/* The quality that looks as `crf` of x264 does. */
unsigned origin_encoder_crf(enum origin_recipe_codec codec, unsigned crf);

/* "avc1…", "hvc1…" or "av01…" of an open encoder. FB_E_MALFORMED if it gave no
 * parameters. */
FB_MUST_CHECK int origin_encoder_name(const AVCodecContext *encoder,
                                      char ret_name[ORIGIN_TRANSCODE_CODECS_MAX]);

/* Opens libx264, libx265 or libsvtav1 in yuv420p; time base is one picture. A
 * frame whose pict_type is I becomes a key frame from which decoding can begin,
 * no other does. The same settings and pictures give the same bytes. */
FB_MUST_CHECK int origin_encoder_new_video(const struct origin_video_settings *settings,
                                           AVCodecContext **ret_encoder, struct fb_diag *diag);

/* Opens AAC-LC: 48 kHz, planar float; time base is one sample. `channels` is 2, or
 * 6 for 5.1. */
FB_MUST_CHECK int origin_encoder_new_audio(unsigned channels, AVCodecContext **ret_encoder,
                                           struct fb_diag *diag);

/* Into an empty `packet`; FB_E_LATER wants another frame, FB_E_END says that
 * all was given. */
FB_MUST_CHECK int origin_encoder_receive(AVCodecContext *encoder, AVPacket *packet);
