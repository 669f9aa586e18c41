#include "origin/media/transcode.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "origin/media/ffmpeg.h"
#include "origin/media/output.h"
#include "origin/media/package.h"
#include "origin/media/picture.h"
#include "origin/media/probe.h"
#include "origin/media/sound.h"
#include "origin/media/timeline.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

enum {
    TRANSCODE_MAX_THREADS = 16,
    TRANSCODE_MIN_SEGMENT_MS = 1000,
    TRANSCODE_MAX_SEGMENT_MS = 20000,
    TRANSCODE_READ_PERMILLE = 970, /* the rest is for finishing */
    TRANSCODE_DONE_PERMILLE = 1000,
    TRANSCODE_MAX_READ_ERRORS = 100,
    TRANSCODE_MAX_TAIL_US = 100000,
    /* Damage is passed over up to so many packets and one in so many. */
    TRANSCODE_FREE_DAMAGE = 20,
    TRANSCODE_DAMAGE_SHARE = 10,
};

struct transcode {
    struct origin_transcode_options options; /* with defaults filled in */
    struct fb_diag *diag;
    struct origin_output output;
    struct origin_source *source;                        /* owned */
    struct origin_picture *picture;                      /* owned */
    struct origin_sound *sounds[ORIGIN_MEDIA_MAX_AUDIO]; /* owned */
    struct origin_track audios[ORIGIN_MEDIA_MAX_AUDIO];  /* segments borrowed from sounds */
    size_t n_audios;
    struct origin_timeline timeline;
    AVPacket *packet; /* owned, scratch */
    unsigned permille;
    bool is_partial;
};

/* ---- setting up -------------------------------------------------------- */

static unsigned transcode_threads(unsigned wanted)
{
    long n_cores = sysconf(_SC_NPROCESSORS_ONLN);
    unsigned n = wanted > 0 ? wanted : (unsigned)FB_MAX(n_cores, 1L);
    return FB_MIN(n, (unsigned)TRANSCODE_MAX_THREADS);
}

static int transcode_set_options(struct transcode *t, const struct origin_transcode_options *given)
{
    t->options = *given;
    t->options.n_threads = transcode_threads(given->n_threads);
    if (given->preset == NULL) {
        t->options.preset = "veryfast";
    }
    if (given->segment_ms == 0) {
        t->options.segment_ms = ORIGIN_TRANSCODE_SEGMENT_MS;
    }
    unsigned ms = t->options.segment_ms;
    bool is_good = ms >= TRANSCODE_MIN_SEGMENT_MS && ms <= TRANSCODE_MAX_SEGMENT_MS && ms % 2 == 0;
    return is_good ? FB_OK
                   : fb_diag_set(t->diag, FB_E_LIMIT, "segments of %u ms are not possible", ms);
}

static int transcode_open_streams(struct transcode *t)
{
    struct origin_picture_options picture = {
        .source = t->source,
        .output = &t->output,
        .preset = t->options.preset,
        .n_threads = t->options.n_threads,
        .segment_ms = t->options.segment_ms,
    };
    int err = origin_picture_new(&picture, &t->picture, t->diag);
    for (unsigned i = 0; err == FB_OK && i < t->source->n_audios; i++) {
        struct origin_sound_options sound = {
            .source = t->source,
            .index = i,
            .output = &t->output,
            .segment_ms = t->options.segment_ms,
        };
        err = origin_sound_new(&sound, &t->sounds[i], t->diag);
    }
    return err;
}

/* Opens the source twice: looking moves the reading position. */
static int transcode_open_source(struct transcode *t)
{
    struct origin_source_hooks hooks = {t->options.ctx, t->options.is_canceled};
    enum origin_scan scan = ORIGIN_SCAN_FLAGGED;

    int err = origin_source_open(t->options.source_path, &hooks, &t->source, t->diag);
    if (err == FB_OK) {
        err = origin_scan_look(t->source, &scan, t->diag);
    }
    if (err == FB_OK) {
        origin_source_close(t->source);
        t->source = NULL;
        err = origin_source_open(t->options.source_path, &hooks, &t->source, t->diag);
    }
    if (err == FB_OK) {
        t->source->scan = scan;
    }
    return err;
}

static int transcode_open(struct transcode *t, const struct origin_transcode_options *options)
{
    origin_av_log_open();
    t->output = ORIGIN_OUTPUT_NONE;
    int err = transcode_set_options(t, options);
    if (err == FB_OK) {
        err = origin_output_open(options->output_dir, &t->output, t->diag);
    }
    if (err == FB_OK) {
        err = transcode_open_source(t);
    }
    if (err == FB_OK) {
        t->packet = origin_av_packet_new();
        t->timeline.zero_us = t->source->zero_us;
        t->timeline.may_jump = (t->source->format->iformat->flags & AVFMT_TS_DISCONT) != 0;
        err = transcode_open_streams(t);
    }
    return err;
}

static void transcode_done(struct transcode *t)
{
    for (unsigned i = 0; i < ORIGIN_MEDIA_MAX_AUDIO; i++) {
        origin_sound_free(t->sounds[i]);
    }
    origin_picture_free(t->picture);
    origin_source_close(t->source);
    origin_output_done(&t->output);
    av_packet_free(&t->packet);
}

/* ---- reading ----------------------------------------------------------- */

static void transcode_report(struct transcode *t, uint64_t permille)
{
    if (permille > t->permille && t->options.progress != NULL) {
        t->permille = (unsigned)permille;
        t->options.progress(t->options.ctx, t->permille);
    }
}

/* Half by time shown and half by bytes read: either alone jumps where picture
 * and sound lie apart or end apart, or where the file does not tell its length. */
static void transcode_report_reading(struct transcode *t)
{
    const struct origin_source *source = t->source;
    uint64_t shown_us = (uint64_t)FB_MAX(origin_picture_end_us(t->picture), 0);
    uint64_t whole_us = (uint64_t)source->duration_us;
    uint64_t read = (uint64_t)FB_MAX(avio_tell(source->format->pb), 0);
    uint64_t permille = 0;

    if (source->n_bytes > 0) {
        permille = FB_MIN(read, source->n_bytes) * TRANSCODE_READ_PERMILLE / source->n_bytes;
    }
    if (whole_us > 0) {
        permille += FB_MIN(shown_us, whole_us) * TRANSCODE_READ_PERMILLE / whole_us;
        permille /= 2;
    }
    transcode_report(t, permille);
}

static bool transcode_is_canceled(const struct transcode *t)
{
    return t->options.is_canceled != NULL && t->options.is_canceled(t->options.ctx);
}

/* Moves the packet's times to ours. */
static void transcode_set_time(struct transcode *t, const AVStream *stream)
{
    AVPacket *packet = t->packet;
    int64_t at = packet->dts != AV_NOPTS_VALUE ? packet->dts : packet->pts;
    if (at == AV_NOPTS_VALUE) {
        return;
    }
    int64_t us = av_rescale_q(at, stream->time_base, AV_TIME_BASE_Q);
    int64_t duration_us = av_rescale_q(packet->duration, stream->time_base, AV_TIME_BASE_Q);
    int64_t shift_us =
        origin_timeline_shift(&t->timeline, (unsigned)packet->stream_index, us, duration_us);
    int64_t shift = av_rescale_q(shift_us, AV_TIME_BASE_Q, stream->time_base);
    if (packet->dts != AV_NOPTS_VALUE) {
        packet->dts += shift;
    }
    if (packet->pts != AV_NOPTS_VALUE) {
        packet->pts += shift;
    }
}

static int transcode_take_packet(struct transcode *t)
{
    const struct origin_source *source = t->source;
    const AVPacket *packet = t->packet;

    if (packet->stream_index >= ORIGIN_MEDIA_MAX_STREAMS) {
        return FB_OK;
    }
    if ((packet->flags & AV_PKT_FLAG_CORRUPT) != 0) {
        t->is_partial = true;
    }
    if (packet->stream_index == source->video->index) {
        transcode_set_time(t, source->video);
        return origin_picture_push(t->picture, packet, t->diag);
    }
    for (unsigned i = 0; i < source->n_audios; i++) {
        if (packet->stream_index == source->audios[i]->index) {
            transcode_set_time(t, source->audios[i]);
            return origin_sound_push(t->sounds[i], packet, t->diag);
        }
    }
    return FB_OK;
}

static int transcode_check_damage(struct transcode *t, uint64_t n_packets, uint64_t n_damaged,
                                  const char *what)
{
    if (n_damaged > TRANSCODE_FREE_DAMAGE && n_damaged > n_packets / TRANSCODE_DAMAGE_SHARE) {
        return fb_diag_set(t->diag, FB_E_CORRUPT,
                           "the file is damaged: %" PRIu64 " of %" PRIu64
                           " pieces of %s cannot be read",
                           n_damaged, n_packets, what);
    }
    t->is_partial = t->is_partial || n_damaged > 0;
    return FB_OK;
}

static int transcode_check_all_damage(struct transcode *t)
{
    uint64_t n_packets = 0;
    uint64_t n_damaged = 0;

    origin_picture_damage(t->picture, &n_packets, &n_damaged);
    int err = transcode_check_damage(t, n_packets, n_damaged, "its picture");
    for (unsigned i = 0; err == FB_OK && i < t->source->n_audios; i++) {
        origin_sound_damage(t->sounds[i], &n_packets, &n_damaged);
        err = transcode_check_damage(t, n_packets, n_damaged, "its sound");
    }
    return err;
}

/* FB_OK at the end of the file, wherever it ends. */
static int transcode_read(struct transcode *t)
{
    unsigned n_errors = 0;

    for (;;) {
        if (transcode_is_canceled(t)) {
            return fb_diag_set(t->diag, FB_E_CANCELED, "canceled");
        }
        int averr = av_read_frame(t->source->format, t->packet);
        if (averr == AVERROR_EOF) {
            break;
        }
        if (averr == AVERROR_EXIT) {
            return fb_diag_set(t->diag, FB_E_CANCELED, "canceled");
        }
        if (averr < 0) {
            t->is_partial = true;
            if (averr == AVERROR(EIO) || ++n_errors > TRANSCODE_MAX_READ_ERRORS) {
                break;
            }
            continue;
        }
        int err = transcode_take_packet(t);
        av_packet_unref(t->packet);
        if (err < 0) {
            return err;
        }
        transcode_report_reading(t);
    }
    return FB_OK;
}

/* ---- finishing --------------------------------------------------------- */

static int transcode_flush(struct transcode *t)
{
    int err = origin_picture_push(t->picture, NULL, t->diag);
    for (unsigned i = 0; err == FB_OK && i < t->source->n_audios; i++) {
        err = origin_sound_push(t->sounds[i], NULL, t->diag);
    }
    if (err == FB_OK) {
        err = transcode_check_all_damage(t);
    }
    if (err == FB_OK && origin_picture_end_us(t->picture) == 0) {
        err = fb_diag_set(t->diag, FB_E_CORRUPT, "the video has no picture that we can read");
    }
    return err;
}

/* A file cut in the middle still tells how long it was. */
static void transcode_judge_length(struct transcode *t, int64_t end_us)
{
    const AVStream *video = t->source->video;
    if (video->duration != AV_NOPTS_VALUE && video->duration > 0) {
        int64_t claimed_us = av_rescale_q(video->duration, video->time_base, AV_TIME_BASE_Q);
        t->is_partial = t->is_partial || end_us < claimed_us - claimed_us / 20 - 500000;
    }
}

/* Picture and sound end together: the shorter one is held or filled. A tail of
 * sound that nobody would notice does not stretch the picture. */
static int transcode_finish_streams(struct transcode *t)
{
    int64_t end_us = origin_picture_end_us(t->picture);
    int64_t sound_us = 0;
    transcode_judge_length(t, end_us);
    for (unsigned i = 0; i < t->source->n_audios; i++) {
        sound_us = FB_MAX(sound_us, origin_sound_end_us(t->sounds[i]));
    }
    if (sound_us > end_us + TRANSCODE_MAX_TAIL_US) {
        end_us = sound_us;
    }
    int err = origin_picture_finish(t->picture, end_us, t->diag);
    for (unsigned i = 0; err == FB_OK && i < t->source->n_audios; i++) {
        err = origin_sound_finish(t->sounds[i], end_us, t->diag);
        const struct origin_track *track = origin_sound_track(t->sounds[i]);
        if (track != NULL) {
            t->audios[t->n_audios] = *track;
            t->audios[t->n_audios].is_default = t->n_audios == 0;
            t->n_audios++;
        }
    }
    return err;
}

static int transcode_put(struct transcode *t, const char *path, struct fb_buf *buf)
{
    int err = origin_output_put(&t->output, path, fb_buf_str(buf));
    fb_buf_clear(buf);
    return err < 0 ? fb_diag_set(t->diag, err, "write '%s': %s", path, fb_err_text(err)) : FB_OK;
}

static int transcode_publish(struct transcode *t)
{
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
    struct origin_presentation all = {.audios = t->audios, .n_audios = t->n_audios};
    struct origin_package_options options = {0};
    all.videos = origin_picture_tracks(t->picture, &all.n_videos);

    int err = origin_poster_write(origin_picture_poster(t->picture), &t->output, t->diag);
    if (err == FB_OK) {
        err = origin_package_write(&t->output, &all, &options, t->diag);
    }
    if (err == FB_OK) {
        origin_publish_list(&buf, &t->output);
        err = transcode_put(t, "publish.json", &buf);
    }
    return err;
}

static void transcode_describe(const struct transcode *t, struct origin_transcode_result *result)
{
    size_t n = 0;
    const struct origin_track *tracks = origin_picture_tracks(t->picture, &n);

    *result = (struct origin_transcode_result){
        .duration_ms = origin_track_duration_ms(&tracks[0]),
        .width = t->source->width,
        .height = t->source->height,
        .has_audio = t->n_audios > 0,
        .is_partial = t->is_partial,
        .n_renditions = (unsigned)n,
    };
    for (size_t i = 0; i < n; i++) {
        struct origin_rendition *rendition = &result->renditions[i];
        *rendition = (struct origin_rendition){
            .rung = tracks[i].rung,
            .width = tracks[i].width,
            .height = tracks[i].height,
            .bandwidth = origin_track_peak_rate(&tracks[i], origin_track_target_s(&tracks[i])),
            .average_bandwidth = origin_track_average_rate(&tracks[i]),
            .frame_rate = origin_ratio_value(tracks[i].frame_rate),
        };
        (void)snprintf(rendition->codecs, sizeof(rendition->codecs), "%s", tracks[i].codecs);
    }
}

int origin_transcode(const struct origin_transcode_options *options,
                     struct origin_transcode_result *ret_result, struct fb_diag *diag)
{
    FB_AUTO(transcode_done) struct transcode t = {.diag = diag};

    int err = transcode_open(&t, options);
    if (err == FB_OK) {
        err = transcode_read(&t);
    }
    if (err == FB_OK) {
        err = transcode_flush(&t);
    }
    if (err == FB_OK) {
        err = transcode_finish_streams(&t);
    }
    if (err == FB_OK) {
        err = transcode_publish(&t);
    }
    if (err == FB_OK) {
        transcode_describe(&t, ret_result);
        transcode_report(&t, TRANSCODE_DONE_PERMILLE);
    }
    return err;
}
