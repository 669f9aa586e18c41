#include "origin/media/loudness.h"

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "origin/media/codec.h"
#include "origin/media/filter.h"
#include "origin/media/probe.h"

#include <libavutil/dict.h>
#include <libavutil/eval.h>

#include <math.h>
#include <stdio.h>

enum { SILENT_LUFS = -70, MAX_READ_ERRORS = 100 };

struct meter {
    struct origin_decoder *decoder; /* owned; NULL if it cannot be read */
    struct origin_filter *filter;   /* owned; NULL until a frame was decoded */
    struct origin_loudness part;    /* of all that went through `filter` */
    struct origin_loudness whole;   /* of what went through those before it */
};

struct meters {
    struct origin_source *source;
    bool keeps_surround;
    struct meter all[ORIGIN_MEDIA_MAX_AUDIO];
    AVPacket *packet;  /* owned, scratch */
    AVFrame *decoded;  /* owned, scratch */
    AVFrame *measured; /* owned, scratch */
};

static void meters_done(struct meters *meters)
{
    for (unsigned i = 0; i < ORIGIN_MEDIA_MAX_AUDIO; i++) {
        origin_filter_free(meters->all[i].filter);
        origin_decoder_free(meters->all[i].decoder);
    }
    av_packet_free(&meters->packet);
    av_frame_free(&meters->decoded);
    av_frame_free(&meters->measured);
}

/* A number that the meter wrote onto the frame. */
static bool frame_number(const AVFrame *frame, const char *key, double *ret_number)
{
    const AVDictionaryEntry *entry = av_dict_get(frame->metadata, key, NULL, 0);
    char *end = NULL;

    if (entry == NULL) {
        return false;
    }
    *ret_number = av_strtod(entry->value, &end);
    return end != entry->value && isfinite(*ret_number);
}

/* The numbers on a frame hold for all up to it, so the last one's stay. */
static void meter_read(struct meter *meter, const AVFrame *frame)
{
    double lufs = 0.0;
    double peak = 0.0;

    if (frame_number(frame, "lavfi.r128.I", &lufs) &&
        frame_number(frame, "lavfi.r128.true_peak", &peak) && lufs > (double)SILENT_LUFS &&
        peak > 0.0) {
        meter->part = (struct origin_loudness){true, lufs, 20.0 * log10(peak)};
    }
}

static int meter_pull(struct meter *meter, AVFrame *frame)
{
    for (;;) {
        int err = origin_filter_pull(meter->filter, frame);
        if (err < 0) {
            return err == FB_E_LATER || err == FB_E_END ? FB_OK : err;
        }
        meter_read(meter, frame);
        av_frame_unref(frame);
    }
}

/* A source that changes its format midway is measured anew from there; the louder
 * part counts. */
static int meter_end_filter(struct meter *meter, AVFrame *frame)
{
    if (meter->filter == NULL) {
        return FB_OK;
    }
    int err = origin_filter_push(meter->filter, NULL);
    if (err == FB_OK) {
        err = meter_pull(meter, frame);
    }
    origin_filter_free(meter->filter);
    meter->filter = NULL;
    if (meter->part.is_known) {
        const struct origin_loudness *whole = &meter->whole;
        const struct origin_loudness *part = &meter->part;
        meter->whole = (struct origin_loudness){
            .is_known = true,
            .lufs = whole->is_known ? FB_MAX(whole->lufs, part->lufs) : part->lufs,
            .peak = whole->is_known ? FB_MAX(whole->peak, part->peak) : part->peak,
        };
        meter->part.is_known = false;
    }
    return err;
}

static int meter_open_filter(struct meters *meters, struct meter *meter, const AVFrame *like,
                             struct fb_diag *diag)
{
    struct origin_mix mix =
        origin_mix_to_measure((unsigned)like->ch_layout.nb_channels, meters->keeps_surround);
    char channels[ORIGIN_MIX_MAX];
    char chain[ORIGIN_MIX_MAX + 96];

    int err = meter_end_filter(meter, meters->measured);
    if (err < 0) {
        return err;
    }
    origin_mix_chain(&mix, &like->ch_layout, channels);
    (void)snprintf(chain, sizeof(chain), "aresample=%d,%s,ebur128=peak=true:metadata=1",
                   ORIGIN_AUDIO_RATE, channels);
    struct origin_filter_options options = {
        .like = like,
        .time_base = {1, like->sample_rate},
        .chain = chain,
        .n_threads = 1,
    };
    return origin_filter_new(&options, &meter->filter, diag);
}

static int meter_take(struct meters *meters, struct meter *meter, struct fb_diag *diag)
{
    AVFrame *frame = meters->decoded;
    int err = FB_OK;

    if (frame->sample_rate <= 0 || frame->nb_samples <= 0) {
        return FB_OK;
    }
    origin_av_name_channels(frame);
    frame->pts = AV_NOPTS_VALUE; /* silence between what is heard does not count */
    if (meter->filter == NULL || !origin_filter_fits(meter->filter, frame)) {
        err = meter_open_filter(meters, meter, frame, diag);
    }
    if (err == FB_OK) {
        err = origin_filter_push(meter->filter, frame);
    }
    return err == FB_OK ? meter_pull(meter, meters->measured) : err;
}

/* What cannot be read counts as not heard. */
static void meter_decode(struct meters *meters, struct meter *meter, const AVPacket *packet,
                         struct fb_diag *diag)
{
    int err = origin_decoder_send(meter->decoder, packet);
    while (err == FB_OK) {
        err = origin_decoder_receive(meter->decoder, meters->decoded);
        if (err == FB_OK) {
            err = meter_take(meters, meter, diag);
        }
        av_frame_unref(meters->decoded);
    }
}

static struct meter *meters_find(struct meters *meters, int stream)
{
    for (unsigned i = 0; i < meters->source->n_audios; i++) {
        if (meters->source->audios[i]->index == stream) {
            return meters->all[i].decoder != NULL ? &meters->all[i] : NULL;
        }
    }
    return NULL;
}

static int meters_read(struct meters *meters, struct fb_diag *diag)
{
    unsigned n_errors = 0;

    for (;;) {
        int averr = av_read_frame(meters->source->format, meters->packet);
        if (averr == AVERROR_EXIT) {
            return fb_diag_set(diag, FB_E_CANCELED, "canceled");
        }
        if (averr == AVERROR_EOF || averr == AVERROR(EIO)) {
            return FB_OK;
        }
        if (averr < 0) {
            if (++n_errors > MAX_READ_ERRORS) {
                return FB_OK;
            }
            continue;
        }
        struct meter *meter = meters_find(meters, meters->packet->stream_index);
        if (meter != NULL) {
            meter_decode(meters, meter, meters->packet, diag);
        }
        av_packet_unref(meters->packet);
    }
}

int origin_loudness_measure(struct origin_source *source, bool keeps_surround,
                            struct origin_loudness ret_all[ORIGIN_MEDIA_MAX_AUDIO],
                            struct fb_diag *diag)
{
    FB_AUTO(meters_done)
    struct meters meters = {
        .source = source,
        .keeps_surround = keeps_surround,
        .packet = origin_av_packet_new(),
        .decoded = origin_av_frame_new(),
        .measured = origin_av_frame_new(),
    };
    source->video->discard = AVDISCARD_ALL;
    for (unsigned i = 0; i < source->n_audios; i++) {
        /* What has no decoder stays unknown. */
        FB_IGNORE(origin_decoder_new(source->audios[i], 1, &meters.all[i].decoder, diag));
    }
    int err = meters_read(&meters, diag);
    for (unsigned i = 0; err == FB_OK && i < source->n_audios; i++) {
        struct meter *meter = &meters.all[i];
        if (meter->decoder != NULL) {
            meter_decode(&meters, meter, NULL, diag);
            (void)meter_end_filter(meter, meters.measured); /* what was measured so far counts */
        }
        ret_all[i] = meter->whole;
    }
    return err;
}
