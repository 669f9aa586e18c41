#include "base/core/attr.h"
#include "base/core/check.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "origin/media/codec.h"
#include "origin/media/codec_name.h"

#include <libavutil/channel_layout.h>
#include <libavutil/dict.h>
#include <libavutil/opt.h>

#include <stdio.h>
#include <string.h>

/* Where a source chunk begins the buffer is as full as it was before, which nobody knows. A film
 * that needs all of its rate keeps it at half, just before a key picture a little above: fuller,
 * each border would take more than the rate gives; emptier, pictures after it would be worse. */
#define VBV_BORDER "0.54"

enum { AUDIO_BITS = 64000, ENCODER_NO_GOP = 1 << 20 };

static int encoder_open(AVCodecContext *encoder, const AVCodec *codec, AVDictionary **settings,
                        AVCodecContext **ret_encoder, struct fb_diag *diag)
{
    encoder->flags |= AV_CODEC_FLAG_GLOBAL_HEADER | AV_CODEC_FLAG_BITEXACT;
    int averr = avcodec_open2(encoder, codec, settings);
    av_dict_free(settings);
    if (averr < 0) {
        avcodec_free_context(&encoder);
        return origin_av_fail(diag, averr, "start the encoder");
    }
    *ret_encoder = encoder;
    return FB_OK;
}

static void encoder_set_colours(AVCodecContext *encoder, const AVFrame *like)
{
    encoder->color_range = AVCOL_RANGE_MPEG;
    encoder->color_primaries = like->color_primaries;
    encoder->color_trc = like->color_trc;
    encoder->colorspace = like->colorspace;
    encoder->chroma_sample_location = AVCHROMA_LOC_LEFT;
}

/* ---- H.264 ------------------------------------------------------------- */

static AVDictionary *encoder_x264(const struct origin_video_settings *settings,
                                  AVCodecContext *encoder)
{
    AVDictionary *options = NULL;

    (void)encoder;
    av_dict_set(&options, "preset", settings->preset, 0);
    av_dict_set(&options, "profile", "high", 0);
    av_dict_set_int(&options, "crf", settings->crf, 0);
    av_dict_set(&options, "forced-idr", "1", 0);
    av_dict_set(&options, "sc_threshold", "0", 0); /* cuts would leave the key frame grid */
    av_dict_set(&options, "a53cc", "0", 0);
    /* x264's thread that looks ahead counts the users of a frame without a lock, as its encoder
     * does: once in a great while a frame of 1 MB is never freed. Without that thread the encoder
     * looks ahead itself, and finds the same. */
    av_dict_set(&options, "x264-params",
                settings->is_continued ? "open-gop=0:sync-lookahead=0:vbv-init=" VBV_BORDER
                                       : "open-gop=0:sync-lookahead=0",
                0);
    return options;
}

/* ---- HEVC -------------------------------------------------------------- */

static AVDictionary *encoder_x265(const struct origin_video_settings *settings,
                                  AVCodecContext *encoder)
{
    enum { BITS_PER_KBIT = 1000 };
    AVDictionary *options = NULL;
    char text[256];

    /* What the buffer model sees would be a matter of chance: with several frames at once, and
     * with several rows of one. */
    (void)snprintf(text, sizeof(text),
                   "log-level=none:info=0:scenecut=0:open-gop=0:keyint=%d:min-keyint=1:"
                   "frame-threads=1:const-vbv=1:pools=%u:vbv-maxrate=%u:vbv-bufsize=%u%s",
                   encoder->gop_size, settings->n_threads, settings->rung.max_rate / BITS_PER_KBIT,
                   settings->rung.buffer / BITS_PER_KBIT,
                   settings->is_continued ? ":vbv-init=" VBV_BORDER : "");
    encoder->codec_tag = MKTAG('h', 'v', 'c', '1'); /* Apple's players take no other */
    av_dict_set(&options, "preset", settings->preset, 0);
    av_dict_set_int(&options, "crf", settings->crf, 0);
    av_dict_set(&options, "forced-idr", "1", 0);
    av_dict_set(&options, "x265-params", text, 0);
    return options;
}

/* ---- AV1 --------------------------------------------------------------- */

static const struct {
    const char *name; /* x264's */
    int number;       /* SVT-AV1's of about the same patience */
} encoder_presets[] = {
    {"ultrafast", 12}, {"superfast", 11}, {"veryfast", 10}, {"faster", 9},   {"fast", 8},
    {"medium", 7},     {"slow", 6},       {"slower", 5},    {"veryslow", 4}, {"placebo", 3},
};

static AVDictionary *encoder_svt(const struct origin_video_settings *settings,
                                 AVCodecContext *encoder)
{
    AVDictionary *options = NULL;
    int preset = encoder_presets[2].number;
    char text[96];

    for (size_t i = 0; i < FB_ARRAY_LEN(encoder_presets); i++) {
        if (strcmp(settings->preset, encoder_presets[i].name) == 0) {
            preset = encoder_presets[i].number;
        }
    }
    (void)snprintf(text, sizeof(text), "enable-force-key-frames=1:scd=0:lp=%u",
                   FB_MIN(settings->n_threads, 4U));
    encoder->gop_size = ENCODER_NO_GOP; /* it counts on, past keys that are asked for */
    av_dict_set_int(&options, "preset", preset, 0);
    av_dict_set_int(&options, "crf", settings->crf, 0);
    av_dict_set(&options, "svtav1-params", text, 0);
    return options;
}

/* ---- all three --------------------------------------------------------- */

static const struct encoder_kind {
    const char *library;
    const char *name;
    AVDictionary *(*set)(const struct origin_video_settings *settings, AVCodecContext *encoder);
    int (*name_of)(struct fb_str headers, char ret_name[ORIGIN_TRANSCODE_CODECS_MAX]);
} encoder_kinds[ORIGIN_RECIPE_N_CODECS] = {
    [ORIGIN_RECIPE_H264] = {"libx264", "H.264", encoder_x264, origin_codec_name_avc},
    [ORIGIN_RECIPE_HEVC] = {"libx265", "HEVC", encoder_x265, origin_codec_name_hevc},
    [ORIGIN_RECIPE_AV1] = {"libsvtav1", "AV1", encoder_svt, origin_codec_name_av1},
};

bool origin_encoder_is_there(enum origin_recipe_codec codec)
{
    return avcodec_find_encoder_by_name(encoder_kinds[codec].library) != NULL;
}

unsigned origin_encoder_crf(enum origin_recipe_codec codec, unsigned crf)
{
    enum { HEVC_MORE = 4, CRF_MAX = 51, SVT_MAX = 63 };
    switch (codec) {
    case ORIGIN_RECIPE_HEVC:
        return FB_MIN(crf + HEVC_MORE, (unsigned)CRF_MAX);
    case ORIGIN_RECIPE_AV1: /* 0 to 63 in place of 0 to 51, and a little more */
        return FB_MIN(crf * 3 / 2, (unsigned)SVT_MAX);
    case ORIGIN_RECIPE_H264:
    case ORIGIN_RECIPE_N_CODECS:
        break;
    }
    return crf;
}

int origin_encoder_name(const AVCodecContext *encoder, char ret_name[ORIGIN_TRANSCODE_CODECS_MAX])
{
    struct fb_str headers = {(const char *)encoder->extradata, (size_t)encoder->extradata_size};
    for (size_t i = 0; i < FB_ARRAY_LEN(encoder_kinds); i++) {
        if (strcmp(encoder->codec->name, encoder_kinds[i].library) == 0) {
            return encoder_kinds[i].name_of(headers, ret_name);
        }
    }
    return FB_E_UNSUPPORTED;
}

int origin_encoder_new_video(const struct origin_video_settings *settings,
                             AVCodecContext **ret_encoder, struct fb_diag *diag)
{
    const struct encoder_kind *kind = &encoder_kinds[settings->codec];
    const AVCodec *codec = avcodec_find_encoder_by_name(kind->library);
    if (codec == NULL) {
        return fb_diag_set(diag, FB_E_UNSUPPORTED, "this server has no %s encoder", kind->name);
    }
    AVCodecContext *encoder = avcodec_alloc_context3(codec);
    FB_REQUIRE(encoder != NULL);
    double period = settings->key_period_ms / 1000.0 * origin_ratio_value(settings->rate);
    encoder->width = (int)settings->rung.width;
    encoder->height = (int)settings->rung.height;
    encoder->pix_fmt = AV_PIX_FMT_YUV420P;
    encoder->sample_aspect_ratio = (AVRational){1, 1};
    encoder->time_base = (AVRational){settings->rate.den, settings->rate.num};
    encoder->framerate = (AVRational){settings->rate.num, settings->rate.den};
    encoder->gop_size = (int)period + 2; /* never reached: keys are forced before */
    encoder->rc_max_rate = settings->rung.max_rate;
    encoder->rc_buffer_size = (int)settings->rung.buffer;
    encoder->thread_count = (int)settings->n_threads;
    encoder_set_colours(encoder, settings->like);
    AVDictionary *options = kind->set(settings, encoder);
    return encoder_open(encoder, codec, &options, ret_encoder, diag);
}

int origin_encoder_new_audio(unsigned channels, AVCodecContext **ret_encoder, struct fb_diag *diag)
{
    const AVCodec *codec = avcodec_find_encoder_by_name("aac");
    if (codec == NULL) {
        return fb_diag_set(diag, FB_E_UNSUPPORTED, "this server has no AAC encoder");
    }
    AVCodecContext *encoder = avcodec_alloc_context3(codec);
    AVDictionary *options = NULL;
    FB_REQUIRE(encoder != NULL);
    encoder->sample_fmt = AV_SAMPLE_FMT_FLTP;
    encoder->sample_rate = ORIGIN_AUDIO_RATE;
    encoder->time_base = (AVRational){1, ORIGIN_AUDIO_RATE};
    encoder->bit_rate = (int64_t)AUDIO_BITS * channels;
    av_channel_layout_default(&encoder->ch_layout, (int)channels);
    return encoder_open(encoder, codec, &options, ret_encoder, diag);
}

int origin_encoder_receive(AVCodecContext *encoder, AVPacket *packet)
{
    int averr = avcodec_receive_packet(encoder, packet);
    return averr == AVERROR(EAGAIN) ? FB_E_LATER : origin_av_error(averr);
}
