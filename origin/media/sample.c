#include "origin/media/sample.h"

#include "base/core/diag.h"
#include "base/core/err.h"
#include "origin/media/codec.h"
#include "origin/media/probe.h"

enum { SAMPLE_MIN_US = 2000000, SAMPLE_MAX_PACKETS = 300, SAMPLE_MAX_ERRORS = 20 };

struct sampler {
    const struct origin_sample *sample;
    struct origin_source *source;
    struct origin_decoder *decoder; /* owned */
    AVPacket *packet;               /* owned, scratch */
    AVFrame *frame;                 /* owned, scratch */
    unsigned n_frames;              /* at this spot */
};

static void sampler_done(struct sampler *sampler)
{
    origin_decoder_free(sampler->decoder);
    av_packet_free(&sampler->packet);
    av_frame_free(&sampler->frame);
}

/* FB_E_END once there were enough. */
static int sampler_decode(struct sampler *sampler, const AVPacket *packet, struct fb_diag *diag)
{
    const struct origin_sample *sample = sampler->sample;

    int err = origin_decoder_send(sampler->decoder, packet);
    while (err == FB_OK) {
        err = origin_decoder_receive(sampler->decoder, sampler->frame);
        if (err == FB_E_LATER || (err == FB_E_END && packet == NULL)) {
            return FB_OK;
        }
        if (err == FB_OK) {
            err = sampler->n_frames++ < sample->max_frames
                      ? sample->take(sample->ctx, sampler->frame, diag)
                      : FB_E_END;
        }
        av_frame_unref(sampler->frame);
    }
    return err == FB_E_CORRUPT ? FB_E_END : err; /* a decoder that fails for ever */
}

static int sampler_read(struct sampler *sampler, struct fb_diag *diag)
{
    unsigned n_errors = 0;
    int err = FB_OK;

    for (unsigned n = 0; err == FB_OK && n < SAMPLE_MAX_PACKETS;) {
        int averr = av_read_frame(sampler->source->format, sampler->packet);
        if (averr == AVERROR_EXIT) {
            return fb_diag_set(diag, FB_E_CANCELED, "canceled");
        }
        if (averr == AVERROR_EOF || averr == AVERROR(EIO) || n_errors > SAMPLE_MAX_ERRORS) {
            return sampler_decode(sampler, NULL, diag);
        }
        if (averr < 0) {
            n_errors++;
            continue;
        }
        if (sampler->packet->stream_index == sampler->source->video->index) {
            n++;
            err = sampler_decode(sampler, sampler->packet, diag);
        }
        av_packet_unref(sampler->packet);
    }
    return err;
}

static int sampler_spot(struct sampler *sampler, unsigned spot, unsigned n_spots,
                        struct fb_diag *diag)
{
    AVFormatContext *format = sampler->source->format;
    int64_t start = format->start_time != AV_NOPTS_VALUE ? format->start_time : 0;
    int64_t step = sampler->source->duration_us / n_spots;
    int64_t at = start + step * spot + step / 2;

    if (n_spots > 1 && avformat_seek_file(format, -1, INT64_MIN, at, at, 0) < 0) {
        return FB_OK;
    }
    avcodec_flush_buffers(sampler->decoder->context);
    sampler->n_frames = 0;
    int err = sampler_read(sampler, diag);
    if (err == FB_OK || err == FB_E_END) {
        err = sampler->sample->end_spot(sampler->sample->ctx, diag);
    }
    return err;
}

int origin_sample(struct origin_source *source, const struct origin_sample *sample,
                  struct fb_diag *diag)
{
    FB_AUTO(sampler_done) struct sampler sampler = {.sample = sample, .source = source};
    unsigned n_spots = source->duration_us > SAMPLE_MIN_US ? sample->max_spots : 1;

    int err = origin_decoder_new(source->video, sample->n_threads, &sampler.decoder, diag);
    if (err < 0) {
        return err;
    }
    if (sample->is_rough) {
        sampler.decoder->context->skip_loop_filter = AVDISCARD_ALL;
    }
    sampler.packet = origin_av_packet_new();
    sampler.frame = origin_av_frame_new();
    for (unsigned i = 0; err == FB_OK && i < n_spots; i++) {
        err = sampler_spot(&sampler, i, n_spots, diag);
    }
    return err;
}
