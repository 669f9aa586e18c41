#include "origin/media/hls.h"

#include "base/core/attr.h"
#include "base/core/text.h"
#include "origin/media/protection.h"

#include <inttypes.h>
#include <string.h>

enum { MICRO = 1000000 };

/* Inside a quoted string neither quotes nor line ends may stand. */
static void hls_quoted(struct fb_buf *buf, const char *key, const char *text)
{
    fb_buf_printf(buf, ",%s=\"", key);
    for (const char *p = text; *p != '\0'; p++) {
        bool is_plain = (unsigned char)*p >= ' ' && *p != '"' && *p != 0x7f;
        fb_buf_append_byte(buf, is_plain ? *p : ' ');
    }
    fb_buf_append_byte(buf, '"');
}

/* ---- master ------------------------------------------------------------ */

struct rates {
    uint64_t peak;
    uint64_t average;
};

static struct rates rates_of(const struct origin_track *track)
{
    return (struct rates){origin_track_peak_rate(track, origin_track_target_s(track)),
                          origin_track_average_rate(track)};
}

/* A player may be showing the heaviest of the group. */
static void rates_add_heaviest(struct rates *rates, const struct origin_track *tracks, size_t n)
{
    struct rates most = {0};
    for (size_t i = 0; i < n; i++) {
        struct rates own = rates_of(&tracks[i]);
        most.peak = FB_MAX(most.peak, own.peak);
        most.average = FB_MAX(most.average, own.average);
    }
    rates->peak += most.peak;
    rates->average += most.average;
}

static bool track_is_like(const struct origin_track *a, const struct origin_track *b)
{
    return strcmp(a->language, b->language) == 0 && a->is_forced == b->is_forced &&
           a->is_for_deaf == b->is_for_deaf && a->is_for_blind == b->is_for_blind;
}

/* A player may choose by itself among tracks that differ in what it goes by (RFC 8216
 * section 4.3.4.1.1); of those that do not, only the first can be chosen so. */
static bool hls_is_autoselected(const struct origin_track *tracks, size_t index)
{
    const struct origin_track *track = &tracks[index];
    bool may_be = track->is_default || !track->is_commentary;
    for (size_t i = 0; may_be && i < index; i++) {
        may_be = track->is_default || !track_is_like(&tracks[i], track);
    }
    return may_be;
}

static void hls_characteristics(struct fb_buf *buf, const struct origin_track *track)
{
    if (track->is_for_deaf) {
        hls_quoted(buf, "CHARACTERISTICS",
                   "public.accessibility.transcribes-spoken-dialog,"
                   "public.accessibility.describes-music-and-sound");
    } else if (track->is_for_blind) {
        hls_quoted(buf, "CHARACTERISTICS", "public.accessibility.describes-video");
    }
}

static void hls_group(struct fb_buf *buf, const char *type, const char *group,
                      const struct origin_track *tracks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct origin_track *track = &tracks[i];
        fb_buf_printf(buf, "#EXT-X-MEDIA:TYPE=%s,GROUP-ID=\"%s\"", type, group);
        hls_quoted(buf, "NAME", track->name);
        if (track->language[0] != '\0') {
            hls_quoted(buf, "LANGUAGE", track->language);
        }
        fb_buf_printf(buf, ",DEFAULT=%s,AUTOSELECT=%s", track->is_default ? "YES" : "NO",
                      hls_is_autoselected(tracks, i) ? "YES" : "NO");
        if (track->is_forced) {
            fb_buf_append(buf, FB_STR(",FORCED=YES"));
        }
        hls_characteristics(buf, track);
        if (track->channels > 0) {
            fb_buf_printf(buf, ",CHANNELS=\"%u\"", track->channels);
        }
        fb_buf_printf(buf, ",URI=\"%s/index.m3u8\"\n", track->path);
    }
}

/* The codec of the picture, and each of the sound's once. */
static void hls_codecs(struct fb_buf *buf, const struct origin_presentation *presentation,
                       const struct origin_track *video)
{
    fb_buf_printf(buf, ",CODECS=\"%s", video->codecs);
    for (size_t i = 0; i < presentation->n_audios; i++) {
        const char *codecs = presentation->audios[i].codecs;
        bool is_new = true;
        for (size_t k = 0; k < i; k++) {
            is_new = is_new && strcmp(presentation->audios[k].codecs, codecs) != 0;
        }
        if (is_new) {
            fb_buf_printf(buf, ",%s", codecs);
        }
    }
    fb_buf_append_byte(buf, '"');
}

static void hls_variant(struct fb_buf *buf, const struct origin_presentation *presentation,
                        const struct origin_track *video)
{
    struct rates rates = rates_of(video);
    rates_add_heaviest(&rates, presentation->audios, presentation->n_audios);
    rates_add_heaviest(&rates, presentation->texts, presentation->n_texts);
    fb_buf_printf(buf,
                  "#EXT-X-STREAM-INF:BANDWIDTH=%" PRIu64 ",AVERAGE-BANDWIDTH=%" PRIu64
                  ",RESOLUTION=%ux%u,FRAME-RATE=%.3f,VIDEO-RANGE=SDR",
                  rates.peak, rates.average, video->width, video->height,
                  origin_ratio_value(video->frame_rate));
    hls_codecs(buf, presentation, video);
    if (presentation->n_audios > 0) {
        fb_buf_append(buf, FB_STR(",AUDIO=\"audio\""));
    }
    if (presentation->n_texts > 0) {
        fb_buf_append(buf, FB_STR(",SUBTITLES=\"text\""));
    }
    fb_buf_printf(buf, ",CLOSED-CAPTIONS=NONE\n%s/index.m3u8\n", video->path);
}

bool origin_hls_has_iframes(const struct origin_track *video)
{
    bool is_known = video->n_segments > 0;
    for (size_t i = 0; i < video->n_segments; i++) {
        is_known = is_known && video->segments[i].key_bytes > 0;
    }
    return is_known;
}

/* Rates as if the key pictures were all that there is, each shown as long as its
 * segment lasts. */
static void hls_iframe_variant(struct fb_buf *buf, const struct origin_track *video)
{
    uint64_t bytes = 0;
    uint64_t peak = 0;
    for (size_t i = 0; i < video->n_segments; i++) {
        const struct origin_segment *segment = &video->segments[i];
        bytes += segment->key_bytes;
        peak = FB_MAX(peak, origin_track_rate(video, segment->key_bytes, segment->duration));
    }
    fb_buf_printf(buf,
                  "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=%" PRIu64 ",AVERAGE-BANDWIDTH=%" PRIu64
                  ",RESOLUTION=%ux%u,VIDEO-RANGE=SDR,CODECS=\"%s\",URI=\"%s/iframes.m3u8\"\n",
                  peak, origin_track_rate(video, bytes, origin_track_duration(video)), video->width,
                  video->height, video->codecs, video->path);
}

void origin_hls_master(struct fb_buf *buf, const struct origin_presentation *presentation,
                       bool has_trick_play)
{
    fb_buf_append(buf, FB_STR("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n"));
    if (presentation->storyboard != NULL) {
        fb_buf_append(buf, FB_STR("#EXT-X-SESSION-DATA:DATA-ID=\"forebay.storyboard\","
                                  "VALUE=\"storyboard.vtt\"\n"));
    }
    hls_group(buf, "AUDIO", "audio", presentation->audios, presentation->n_audios);
    hls_group(buf, "SUBTITLES", "text", presentation->texts, presentation->n_texts);
    for (size_t i = 0; i < presentation->n_videos; i++) {
        hls_variant(buf, presentation, &presentation->videos[i]);
    }
    for (size_t i = 0; has_trick_play && i < presentation->n_videos; i++) {
        if (origin_hls_has_iframes(&presentation->videos[i])) {
            hls_iframe_variant(buf, &presentation->videos[i]);
        }
    }
}

/* ---- media ------------------------------------------------------------- */

static void hls_head(struct fb_buf *buf, const struct origin_presentation *presentation,
                     const struct origin_track *track, const char *kind)
{
    fb_buf_printf(buf,
                  "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:%u\n"
                  "#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:VOD\n%s",
                  origin_track_target_s(track), kind);
    if (!origin_track_is_text(track)) {
        fb_buf_append(buf, FB_STR("#EXT-X-MAP:URI=\"init.mp4\"\n"));
        origin_protection_hls(buf, presentation->protection);
    }
}

struct extinf {
    uint64_t end;
    uint64_t end_us;
};

/* Differences of rounded ends, so that the sum does not drift. */
static void hls_extinf(struct fb_buf *buf, const struct origin_track *track, size_t index,
                       struct extinf *extinf)
{
    uint64_t begin_us = extinf->end_us;
    extinf->end += track->segments[index].duration;
    extinf->end_us = (extinf->end * MICRO + track->timescale / 2) / track->timescale;
    uint64_t us = extinf->end_us - begin_us;
    fb_buf_printf(buf, "#EXTINF:%" PRIu64 ".%06" PRIu64 ",\n", us / MICRO, us % MICRO);
}

void origin_hls_media(struct fb_buf *buf, const struct origin_presentation *presentation,
                      const struct origin_track *track)
{
    const char *suffix = origin_track_is_text(track) ? "vtt" : "m4s";
    struct extinf extinf = {0};

    hls_head(buf, presentation, track, "#EXT-X-INDEPENDENT-SEGMENTS\n");
    for (size_t i = 0; i < track->n_segments; i++) {
        hls_extinf(buf, track, i, &extinf);
        fb_buf_printf(buf, "seg-%05zu.%s\n", i + 1, suffix);
    }
    fb_buf_append(buf, FB_STR("#EXT-X-ENDLIST\n"));
}

void origin_hls_iframes(struct fb_buf *buf, const struct origin_presentation *presentation,
                        const struct origin_track *video)
{
    struct extinf extinf = {0};

    hls_head(buf, presentation, video, "#EXT-X-I-FRAMES-ONLY\n");
    for (size_t i = 0; i < video->n_segments; i++) {
        hls_extinf(buf, video, i, &extinf);
        fb_buf_printf(buf, "#EXT-X-BYTERANGE:%" PRIu64 "@%" PRIu64 "\nseg-%05zu.m4s\n",
                      video->segments[i].key_bytes, video->segments[i].key_offset, i + 1);
    }
    fb_buf_append(buf, FB_STR("#EXT-X-ENDLIST\n"));
}
