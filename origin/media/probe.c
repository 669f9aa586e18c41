#include "origin/media/probe.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "base/core/str.h"
#include "origin/media/codec.h"
#include "origin/media/intact.h"
#include "origin/media/language.h"
#include "origin/model/text.h"

#include <libavutil/avstring.h>
#include <libavutil/dict.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

/* None of these opens another file, as playlists and slideshows would. */
static const char source_formats[] =
    "mov,matroska,avi,mpegts,mpeg,mpegvideo,flv,live_flv,asf,ogg,mxf,dv,nut,ivf,"
    "h264,hevc,gif,mp3,wav,flac,aac,aiff";

enum { US_PER_S = 1000000, SOURCE_MIN_LEAD_US = 60000 };

/* ---- opening ----------------------------------------------------------- */

static int source_on_wait(void *opaque)
{
    const struct origin_source *source = opaque;
    return source->hooks.is_canceled != NULL && source->hooks.is_canceled(source->hooks.ctx);
}

static AVDictionary *source_settings(void)
{
    AVDictionary *settings = NULL;
    av_dict_set(&settings, "protocol_whitelist", "file", 0);
    av_dict_set(&settings, "format_whitelist", source_formats, 0);
    av_dict_set(&settings, "codec_whitelist", origin_decoder_allowed, 0);
    av_dict_set_int(&settings, "max_streams", ORIGIN_MEDIA_MAX_STREAMS, 0);
    av_dict_set_int(&settings, "probesize", ORIGIN_MEDIA_PROBE_BYTES, 0);
    av_dict_set_int(&settings, "analyzeduration", (int64_t)ORIGIN_MEDIA_PROBE_SECONDS * US_PER_S,
                    0);
    return settings;
}

/* Decodes the first pictures of what the header leaves open; the limit on their size
 * holds for these decoders too. */
static int source_find_streams(struct origin_source *source)
{
    AVDictionary *settings[ORIGIN_MEDIA_MAX_STREAMS] = {NULL};
    unsigned n = source->format->nb_streams;

    if (n > ORIGIN_MEDIA_MAX_STREAMS) {
        return AVERROR_INVALIDDATA; /* it was told not to */
    }
    for (unsigned i = 0; i < n; i++) {
        av_dict_set_int(&settings[i], "max_pixels", ORIGIN_MEDIA_MAX_PIXELS, 0);
    }
    int averr = avformat_find_stream_info(source->format, settings);
    for (unsigned i = 0; i < n; i++) {
        av_dict_free(&settings[i]);
    }
    return averr;
}

static int source_read_header(struct origin_source *source, const char *path, struct fb_diag *diag)
{
    AVDictionary *settings = source_settings();
    char *url = av_asprintf("file:%s", path);
    FB_REQUIRE(url != NULL);

    source->format = avformat_alloc_context();
    FB_REQUIRE(source->format != NULL);
    source->format->interrupt_callback = (AVIOInterruptCB){source_on_wait, source};
    int averr = avformat_open_input(&source->format, url, NULL, &settings);
    av_dict_free(&settings);
    av_free(url);
    if (averr >= 0) {
        averr = source_find_streams(source);
    }
    if (averr == AVERROR_EXIT) {
        return fb_diag_set(diag, FB_E_CANCELED, "canceled");
    }
    return averr < 0 ? origin_intact_explain(path, origin_av_error(averr), diag) : FB_OK;
}

/* ---- picture ----------------------------------------------------------- */

static struct origin_ratio ratio_of(AVRational rational)
{
    bool is_known = rational.num > 0 && rational.den > 0;
    return is_known ? (struct origin_ratio){rational.num, rational.den}
                    : (struct origin_ratio){0, 1};
}

static int source_read_size(struct origin_source *source, struct fb_diag *diag)
{
    const AVCodecParameters *codec = source->video->codecpar;
    unsigned width = codec->width > 0 ? (unsigned)codec->width : 0;
    unsigned height = codec->height > 0 ? (unsigned)codec->height : 0;

    if (width == 0 || height == 0) {
        return fb_diag_set(diag, FB_E_CORRUPT, "the video has no picture that we can read");
    }
    if (width > ORIGIN_MEDIA_MAX_SIDE || height > ORIGIN_MEDIA_MAX_SIDE ||
        (uint64_t)width * height > ORIGIN_MEDIA_MAX_PIXELS) {
        return fb_diag_set(diag, FB_E_LIMIT, "the picture is too large: %u x %u pixels", width,
                           height);
    }
    AVRational aspect = av_guess_sample_aspect_ratio(source->format, source->video, NULL);
    double stretch = aspect.num > 0 && aspect.den > 0 ? av_q2d(aspect) : 1.0;
    if (stretch > 0.1 && stretch < 10.0) {
        width = (unsigned)lround(width * stretch);
    }
    if (width < ORIGIN_MEDIA_MIN_SIDE || height < ORIGIN_MEDIA_MIN_SIDE) {
        return fb_diag_set(diag, FB_E_LIMIT, "the picture is too small: %u x %u pixels", width,
                           height);
    }
    source->width = source->turn.is_sideways ? height : width;
    source->height = source->turn.is_sideways ? width : height;
    return FB_OK;
}

/* The largest that we can decode, the first of these; covers and previews are none.
 * NULL: there is nothing but sound. */
static AVStream *source_best_picture(const AVFormatContext *format)
{
    const int no_film =
        AV_DISPOSITION_ATTACHED_PIC | AV_DISPOSITION_TIMED_THUMBNAILS | AV_DISPOSITION_STILL_IMAGE;
    AVStream *best = NULL;
    int64_t best_area = -1;

    for (unsigned i = 0; i < format->nb_streams; i++) {
        AVStream *stream = format->streams[i];
        const AVCodecParameters *codec = stream->codecpar;
        if (codec->codec_type != AVMEDIA_TYPE_VIDEO || (stream->disposition & no_film) != 0) {
            continue;
        }
        int64_t area = (int64_t)FB_MAX(codec->width, 0) * FB_MAX(codec->height, 0);
        area = origin_decoder_find(codec->codec_id) != NULL ? area + 1 : 0;
        if (area > best_area) {
            best_area = area;
            best = stream;
        }
    }
    return best;
}

static int64_t source_delay(const struct origin_source *source)
{
    const AVStream *stream = source->video;
    bool is_avi = strcmp(source->format->iformat->name, "avi") == 0;
    if (!is_avi || stream->avg_frame_rate.num <= 0 || stream->avg_frame_rate.den <= 0) {
        return 0;
    }
    AVRational step = av_inv_q(stream->avg_frame_rate);
    return FB_MAX(stream->codecpar->video_delay, 0) * av_rescale_q(1, step, stream->time_base);
}

static int source_find_picture(struct origin_source *source, const char *path, struct fb_diag *diag)
{
    source->video = source_best_picture(source->format);
    if (source->video == NULL) {
        /* An index cut short may have told of sound alone, or of nothing. */
        if (source->format->nb_streams == 0 || origin_intact_is_cut(path)) {
            return origin_intact_explain(path, FB_E_CORRUPT, diag);
        }
        return fb_diag_set(diag, FB_E_UNSUPPORTED, "the file has no picture, only sound");
    }
    enum AVCodecID id = source->video->codecpar->codec_id;
    if (origin_decoder_find(id) == NULL) {
        return fb_diag_set(diag, FB_E_UNSUPPORTED,
                           "the picture is in a format that we cannot read (%s)",
                           avcodec_get_name(id));
    }
    source->rate = origin_rate_choose(ratio_of(source->video->avg_frame_rate),
                                      ratio_of(source->video->r_frame_rate));
    source->delay = source_delay(source);
    source->turn = origin_turn_of(origin_av_display_matrix(source->video));
    return source_read_size(source, diag);
}

/* ---- sound and time ---------------------------------------------------- */

/* A recording of a broadcast holds several programs, each with sound of its own. */
static bool source_has_program(AVFormatContext *format, const AVStream *video,
                               const AVStream *stream)
{
    const AVProgram *program = av_find_program_from_stream(format, NULL, video->index);
    if (program == NULL) {
        return true;
    }
    for (unsigned i = 0; i < program->nb_stream_indexes; i++) {
        if ((int)program->stream_index[i] == stream->index) {
            return true;
        }
    }
    return false;
}

static void source_find_sound(struct origin_source *source)
{
    AVFormatContext *format = source->format;

    for (unsigned i = 0; i < format->nb_streams; i++) {
        AVStream *stream = format->streams[i];
        const AVCodecParameters *codec = stream->codecpar;
        bool is_usable = source_has_program(format, source->video, stream) &&
                         codec->codec_type == AVMEDIA_TYPE_AUDIO && codec->sample_rate > 0 &&
                         codec->ch_layout.nb_channels > 0 &&
                         origin_decoder_find(codec->codec_id) != NULL;
        if (is_usable && source->n_audios < ORIGIN_MEDIA_MAX_AUDIO) {
            source->audios[source->n_audios++] = stream;
        } else if (stream != source->video) {
            stream->discard = AVDISCARD_ALL;
        }
    }
}

static bool stream_start_us(const AVStream *stream, int64_t *ret_us)
{
    if (stream->start_time == AV_NOPTS_VALUE) {
        return false;
    }
    *ret_us = av_rescale_q(stream->start_time, stream->time_base, AV_TIME_BASE_Q);
    return true;
}

/* Time 0 is where the first stream begins, moved so that the first picture falls
 * on the grid exactly: sound is trimmed by less than a picture, never moved. A
 * very short lead is no sound but what primes a decoder. */
static void source_find_zero(struct origin_source *source)
{
    int64_t video_us = 0;
    int64_t first_us = 0;
    int64_t us = 0;

    if (!stream_start_us(source->video, &video_us)) {
        return;
    }
    first_us = video_us;
    for (unsigned i = 0; i < source->n_audios; i++) {
        if (stream_start_us(source->audios[i], &us)) {
            first_us = FB_MIN(first_us, us);
        }
    }
    int64_t lead_us = FB_MIN(video_us - first_us, (int64_t)ORIGIN_MEDIA_MAX_LEAD_S * US_PER_S);
    if (lead_us < SOURCE_MIN_LEAD_US) {
        lead_us = 0;
    }
    int64_t n_before = av_rescale(lead_us, source->rate.num, (int64_t)source->rate.den * US_PER_S);
    source->zero_us = video_us - origin_rate_time_us(source->rate, n_before);
}

/* What a header says may be wrong by any factor: fewer bytes a second than silence
 * and a still take is no length but an error. */
static int source_read_duration(struct origin_source *source, struct fb_diag *diag)
{
    enum { LEAST_BYTES_PER_S = 20 };
    int64_t us = source->format->duration;
    int64_t n_bytes = avio_size(source->format->pb);

    source->n_bytes = n_bytes > 0 ? (uint64_t)n_bytes : 0;
    uint64_t most_us = source->n_bytes / LEAST_BYTES_PER_S * US_PER_S;
    if (us == AV_NOPTS_VALUE || us < 0 || (uint64_t)us > most_us) {
        us = 0;
    }
    if (us > (int64_t)ORIGIN_MEDIA_MAX_HOURS * 3600 * US_PER_S) {
        return fb_diag_set(diag, FB_E_LIMIT, "the video is longer than %d hours",
                           ORIGIN_MEDIA_MAX_HOURS);
    }
    source->duration_us = us;
    source->is_length_told =
        us > 0 && source->format->duration_estimation_method == AVFMT_DURATION_FROM_STREAM;
    return FB_OK;
}

/* ---- entry ------------------------------------------------------------- */

int origin_source_open(const char *path, const struct origin_source_hooks *hooks,
                       struct origin_source **ret_source, struct fb_diag *diag)
{
    struct origin_source *source = FB_NEW(struct origin_source);
    source->hooks = *hooks;

    int err = source_read_header(source, path, diag);
    if (err == FB_OK) {
        err = source_find_picture(source, path, diag);
    }
    if (err == FB_OK) {
        source_find_sound(source);
        source_find_zero(source);
        err = source_read_duration(source, diag);
    }
    if (err < 0) {
        origin_source_close(source);
        return err;
    }
    *ret_source = source;
    return FB_OK;
}

void origin_source_close(struct origin_source *source)
{
    if (source != NULL) {
        avformat_close_input(&source->format);
        fb_free(source);
    }
}

static const char *stream_tag(const AVStream *stream, const char *key)
{
    const AVDictionaryEntry *entry = av_dict_get(stream->metadata, key, NULL, 0);
    return entry != NULL ? entry->value : "";
}

/* Two tracks of one name could not be told apart in a menu. */
static bool audio_shares_language(const struct origin_source *source, unsigned index)
{
    const char *mine = stream_tag(source->audios[index], "language");
    for (unsigned i = 0; i < source->n_audios; i++) {
        if (i != index && strcmp(mine, stream_tag(source->audios[i], "language")) == 0) {
            return true;
        }
    }
    return false;
}

void origin_source_describe_audio(const struct origin_source *source, unsigned index,
                                  struct origin_track *track)
{
    const AVStream *stream = source->audios[index];
    const struct origin_language *language = origin_language_find(stream_tag(stream, "language"));
    char title[ORIGIN_TRACK_TITLE_MAX];

    origin_text_clean(fb_str_from(stream_tag(stream, "title")), title, sizeof(title));
    (void)snprintf(track->path, sizeof(track->path), "a/%u", index);
    if (language != NULL) {
        (void)snprintf(track->language, sizeof(track->language), "%s", language->tag);
        (void)snprintf(track->iso639, sizeof(track->iso639), "%s", language->iso639);
    }
    const char *name = language != NULL ? language->name : "Audio";
    if (title[0] != '\0') {
        (void)snprintf(track->name, sizeof(track->name), "%s (%s)", name, title);
    } else if (audio_shares_language(source, index)) {
        (void)snprintf(track->name, sizeof(track->name), "%s %u", name, index + 1);
    } else {
        (void)snprintf(track->name, sizeof(track->name), "%s", name);
    }
    track->sample_rate = ORIGIN_AUDIO_RATE;
}
