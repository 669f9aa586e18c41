#include "origin/media/hls.h"

#include <inttypes.h>

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

static void hls_audio(struct fb_buf *buf, const struct origin_track *audio)
{
    fb_buf_printf(buf, "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\"");
    hls_quoted(buf, "NAME", audio->name);
    if (audio->language[0] != '\0') {
        hls_quoted(buf, "LANGUAGE", audio->language);
    }
    fb_buf_printf(buf, ",DEFAULT=%s,AUTOSELECT=YES,CHANNELS=\"%u\",URI=\"%s/index.m3u8\"\n",
                  audio->is_default ? "YES" : "NO", audio->channels, audio->path);
}

void origin_hls_master(struct fb_buf *buf, const struct origin_presentation *presentation)
{
    uint64_t audio_peak = 0;
    uint64_t audio_average = 0;

    fb_buf_append(buf, FB_STR("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n"));
    for (size_t i = 0; i < presentation->n_audios; i++) {
        const struct origin_track *audio = &presentation->audios[i];
        uint64_t peak = origin_track_peak_rate(audio, origin_track_target_s(audio));
        audio_peak = FB_MAX(audio_peak, peak);
        audio_average = FB_MAX(audio_average, origin_track_average_rate(audio));
        hls_audio(buf, audio);
    }
    for (size_t i = 0; i < presentation->n_videos; i++) {
        const struct origin_track *video = &presentation->videos[i];
        uint64_t peak = origin_track_peak_rate(video, origin_track_target_s(video));
        fb_buf_printf(buf,
                      "#EXT-X-STREAM-INF:BANDWIDTH=%" PRIu64 ",AVERAGE-BANDWIDTH=%" PRIu64
                      ",RESOLUTION=%ux%u,FRAME-RATE=%.3f,CODECS=\"%s",
                      peak + audio_peak, origin_track_average_rate(video) + audio_average,
                      video->width, video->height, origin_ratio_value(video->frame_rate),
                      video->codecs);
        if (presentation->n_audios > 0) {
            fb_buf_printf(buf, ",%s\",AUDIO=\"audio", presentation->audios[0].codecs);
        }
        fb_buf_printf(buf, "\"\n%s/index.m3u8\n", video->path);
    }
}

void origin_hls_media(struct fb_buf *buf, const struct origin_track *track)
{
    fb_buf_printf(buf,
                  "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:%u\n"
                  "#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:VOD\n"
                  "#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"init.mp4\"\n",
                  origin_track_target_s(track));
    uint64_t end = 0;
    uint64_t end_us = 0;
    for (size_t i = 0; i < track->n_segments; i++) {
        /* Differences of rounded ends, so that the sum does not drift. */
        uint64_t begin_us = end_us;
        end += track->segments[i].duration;
        end_us = (end * MICRO + track->timescale / 2) / track->timescale;
        uint64_t us = end_us - begin_us;
        fb_buf_printf(buf, "#EXTINF:%" PRIu64 ".%06" PRIu64 ",\nseg-%05zu.m4s\n", us / MICRO,
                      us % MICRO, i + 1);
    }
    fb_buf_append(buf, FB_STR("#EXT-X-ENDLIST\n"));
}
