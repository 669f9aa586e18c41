#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "origin/media/codec.h"
#include "origin/media/probe.h"

#include <libavutil/avstring.h>

/* What cameras, phones, editors and screen recorders have written. Each more
 * decoder is more code that hostile bytes may reach. */
const char origin_decoder_allowed[] =
    "h264,hevc,libdav1d,vp8,vp9,mpeg4,mpeg2video,mpeg1video,msmpeg4v1,msmpeg4v2,msmpeg4,"
    "h263,h263i,flv,wmv1,wmv2,wmv3,vc1,theora,mjpeg,prores,dnxhd,cfhd,dvvideo,ffv1,huffyuv,"
    "ffvhuff,utvideo,rawvideo,v210,qtrle,cinepak,png,gif,rpza,svq1,svq3,flashsv,tscc,zmbv,"
    "aac,aac_latm,mp3float,mp3,mp2float,mp2,mp1float,ac3,eac3,dca,truehd,opus,libopus,vorbis,libvorbis,"
    "flac,alac,wmav1,wmav2,wmapro,amrnb,amrwb,speex,nellymoser,adpcm_ima_qt,adpcm_ima_wav,"
    "adpcm_ms,adpcm_swf,gsm,gsm_ms,qdm2,qdmc,"
    "pcm_s16le,pcm_s16be,pcm_s24le,pcm_s24be,pcm_s32le,pcm_s32be,pcm_u8,pcm_s8,pcm_f32le,"
    "pcm_f32be,pcm_f64le,pcm_f64be,pcm_alaw,pcm_mulaw,pcm_bluray,pcm_dvd";

const AVCodec *origin_decoder_find(enum AVCodecID id)
{
    void *cursor = NULL;
    const AVCodec *codec = NULL;

    while ((codec = av_codec_iterate(&cursor)) != NULL) {
        if (codec->id == id && av_codec_is_decoder(codec) &&
            av_match_list(codec->name, origin_decoder_allowed, ',') != 0) {
            return codec;
        }
    }
    return NULL;
}

int origin_decoder_new(const AVStream *stream, unsigned n_threads,
                       struct origin_decoder **ret_decoder, struct fb_diag *diag)
{
    const AVCodec *codec = origin_decoder_find(stream->codecpar->codec_id);
    if (codec == NULL) {
        return fb_diag_set(diag, FB_E_UNSUPPORTED, "the file uses %s, which we cannot read",
                           avcodec_get_name(stream->codecpar->codec_id));
    }
    struct origin_decoder *decoder = FB_NEW(struct origin_decoder);
    decoder->context = avcodec_alloc_context3(codec);
    FB_REQUIRE(decoder->context != NULL);
    int averr = avcodec_parameters_to_context(decoder->context, stream->codecpar);
    decoder->context->pkt_timebase = stream->time_base;
    decoder->context->thread_count = (int)n_threads;
    decoder->context->max_pixels = ORIGIN_MEDIA_MAX_PIXELS;
    if (averr >= 0) {
        averr = avcodec_open2(decoder->context, codec, NULL);
    }
    if (averr < 0) {
        origin_decoder_free(decoder);
        return origin_av_fail(diag, averr, "the file has a part that we cannot read");
    }
    *ret_decoder = decoder;
    return FB_OK;
}

void origin_decoder_free(struct origin_decoder *decoder)
{
    if (decoder != NULL) {
        avcodec_free_context(&decoder->context);
        fb_free(decoder);
    }
}

int origin_decoder_send(struct origin_decoder *decoder, const AVPacket *packet)
{
    int averr = avcodec_send_packet(decoder->context, packet);
    if (packet != NULL) {
        decoder->n_packets++;
    }
    if (averr == AVERROR(ENOMEM)) {
        return averr;
    }
    if (averr < 0 && averr != AVERROR_EOF) {
        decoder->n_damaged++;
    }
    return FB_OK;
}

int origin_decoder_receive(struct origin_decoder *decoder, AVFrame *frame)
{
    for (;;) {
        int averr = avcodec_receive_frame(decoder->context, frame);
        if (averr == AVERROR(EAGAIN)) {
            return FB_E_LATER;
        }
        if (averr >= 0 || averr == AVERROR_EOF || averr == AVERROR(ENOMEM)) {
            return origin_av_error(averr);
        }
        /* A damaged packet: frame threads report it here, a while later. */
        decoder->n_damaged++;
        if (decoder->n_damaged > decoder->n_packets + 1) {
            return FB_E_CORRUPT; /* a decoder that fails for ever */
        }
    }
}
