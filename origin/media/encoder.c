#include "base/core/check.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "origin/media/codec.h"

#include <libavutil/channel_layout.h>
#include <libavutil/dict.h>
#include <libavutil/opt.h>

#define VIDEO_CRF "23"

enum { AUDIO_BITS = 128000 };

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

int origin_encoder_new_video(const struct origin_video_settings *settings,
                             AVCodecContext **ret_encoder, struct fb_diag *diag)
{
    const AVCodec *codec = avcodec_find_encoder_by_name("libx264");
    if (codec == NULL) {
        return fb_diag_set(diag, FB_E_UNSUPPORTED, "this server has no H.264 encoder");
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

    AVDictionary *options = NULL;
    av_dict_set(&options, "preset", settings->preset, 0);
    av_dict_set(&options, "profile", "high", 0);
    av_dict_set(&options, "crf", VIDEO_CRF, 0);
    av_dict_set(&options, "forced-idr", "1", 0);
    av_dict_set(&options, "sc_threshold", "0", 0); /* cuts would leave the key frame grid */
    av_dict_set(&options, "a53cc", "0", 0);
    /* x264's thread that looks ahead counts the users of a frame without a lock, as its encoder
     * does: once in a great while a frame of 1 MB is never freed. Without that thread the encoder
     * looks ahead itself, and finds the same. */
    av_dict_set(&options, "x264-params", "open-gop=0:sync-lookahead=0", 0);
    return encoder_open(encoder, codec, &options, ret_encoder, diag);
}

int origin_encoder_new_audio(AVCodecContext **ret_encoder, struct fb_diag *diag)
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
    encoder->bit_rate = AUDIO_BITS;
    av_channel_layout_default(&encoder->ch_layout, ORIGIN_AUDIO_CHANNELS);
    return encoder_open(encoder, codec, &options, ret_encoder, diag);
}

int origin_encoder_receive(AVCodecContext *encoder, AVPacket *packet)
{
    int averr = avcodec_receive_packet(encoder, packet);
    return averr == AVERROR(EAGAIN) ? FB_E_LATER : origin_av_error(averr);
}
