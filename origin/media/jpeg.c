#include "origin/media/jpeg.h"

#include "base/core/check.h"
#include "base/core/err.h"

int origin_jpeg_encode(AVFrame *frame, int quality, AVPacket *packet, struct fb_diag *diag)
{
    const AVCodec *codec = avcodec_find_encoder(AV_CODEC_ID_MJPEG);
    if (codec == NULL) {
        return origin_av_fail(diag, AVERROR_ENCODER_NOT_FOUND, "make a JPEG");
    }
    AVCodecContext *encoder = avcodec_alloc_context3(codec);
    FB_REQUIRE(encoder != NULL);
    encoder->width = frame->width;
    encoder->height = frame->height;
    encoder->pix_fmt = AV_PIX_FMT_YUVJ420P;
    encoder->color_range = AVCOL_RANGE_JPEG;
    encoder->time_base = (AVRational){1, 1};
    encoder->thread_count = 1;
    encoder->flags |= AV_CODEC_FLAG_QSCALE | AV_CODEC_FLAG_BITEXACT;
    encoder->global_quality = FF_QP2LAMBDA * quality;
    frame->quality = encoder->global_quality;
    frame->pict_type = AV_PICTURE_TYPE_NONE;
    frame->pts = 0;
    int averr = avcodec_open2(encoder, codec, NULL);
    if (averr >= 0) {
        averr = avcodec_send_frame(encoder, frame);
    }
    if (averr >= 0) {
        averr = avcodec_receive_packet(encoder, packet);
    }
    avcodec_free_context(&encoder);
    return averr < 0 ? origin_av_fail(diag, averr, "make a JPEG") : FB_OK;
}
