#include "origin/media/dash.h"

#include "base/core/attr.h"

#include <inttypes.h>

enum { MS_PER_S = 1000 };

/* Inside an attribute; control characters are not XML at all. */
static void dash_escaped(struct fb_buf *buf, const char *text)
{
    for (const char *p = text; *p != '\0'; p++) {
        switch (*p) {
        case '&':
            fb_buf_append(buf, FB_STR("&amp;"));
            break;
        case '<':
            fb_buf_append(buf, FB_STR("&lt;"));
            break;
        case '"':
            fb_buf_append(buf, FB_STR("&quot;"));
            break;
        default:
            fb_buf_append_byte(buf, (unsigned char)*p >= ' ' ? *p : ' ');
            break;
        }
    }
}

/* The segments of `track`; `folder` is the path before $RepresentationID$. */
static void dash_template(struct fb_buf *buf, const struct origin_track *track, const char *folder)
{
    fb_buf_printf(buf,
                  "      <SegmentTemplate timescale=\"%u\" startNumber=\"1\""
                  " initialization=\"%s/$RepresentationID$/init.mp4\""
                  " media=\"%s/$RepresentationID$/seg-$Number%%05d$.m4s\">\n"
                  "        <SegmentTimeline>\n",
                  track->timescale, folder, folder);
    for (size_t i = 0; i < track->n_segments;) {
        uint64_t duration = track->segments[i].duration;
        size_t n = 1;
        while (i + n < track->n_segments && track->segments[i + n].duration == duration) {
            n++;
        }
        fb_buf_printf(buf, "          <S%s d=\"%" PRIu64 "\"", i == 0 ? " t=\"0\"" : "", duration);
        if (n > 1) {
            fb_buf_printf(buf, " r=\"%zu\"", n - 1);
        }
        fb_buf_append(buf, FB_STR("/>\n"));
        i += n;
    }
    fb_buf_append(buf, FB_STR("        </SegmentTimeline>\n      </SegmentTemplate>\n"));
}

static uint64_t dash_bandwidth(const struct origin_track *track)
{
    return origin_track_peak_rate(track, origin_track_target_s(track));
}

/* What follows the last slash names the representation. */
static const char *dash_id(const struct origin_track *track)
{
    const char *id = track->path;
    for (const char *p = track->path; *p != '\0'; p++) {
        id = *p == '/' ? p + 1 : id;
    }
    return id;
}

static void dash_videos(struct fb_buf *buf, const struct origin_presentation *presentation)
{
    const struct origin_track *first = &presentation->videos[0];

    fb_buf_printf(buf,
                  "    <AdaptationSet id=\"1\" contentType=\"video\" mimeType=\"video/mp4\""
                  " segmentAlignment=\"true\" startWithSAP=\"1\" maxWidth=\"%u\" maxHeight=\"%u\""
                  " frameRate=\"%d/%d\">\n",
                  first->width, first->height, first->frame_rate.num, first->frame_rate.den);
    dash_template(buf, first, "v");
    for (size_t i = 0; i < presentation->n_videos; i++) {
        const struct origin_track *video = &presentation->videos[i];
        fb_buf_printf(buf,
                      "      <Representation id=\"%s\" codecs=\"%s\" bandwidth=\"%" PRIu64
                      "\" width=\"%u\" height=\"%u\" sar=\"1:1\"/>\n",
                      dash_id(video), video->codecs, dash_bandwidth(video), video->width,
                      video->height);
    }
    fb_buf_append(buf, FB_STR("    </AdaptationSet>\n"));
}

static void dash_audio(struct fb_buf *buf, const struct origin_track *audio, size_t index)
{
    fb_buf_printf(buf,
                  "    <AdaptationSet id=\"%zu\" contentType=\"audio\" mimeType=\"audio/mp4\""
                  " segmentAlignment=\"true\" startWithSAP=\"1\"",
                  index + 2);
    if (audio->language[0] != '\0') {
        fb_buf_append(buf, FB_STR(" lang=\""));
        dash_escaped(buf, audio->language);
        fb_buf_append_byte(buf, '"');
    }
    fb_buf_append(buf, FB_STR(">\n      <Label>"));
    dash_escaped(buf, audio->name);
    fb_buf_printf(buf,
                  "</Label>\n"
                  "      <Role schemeIdUri=\"urn:mpeg:dash:role:2011\" value=\"%s\"/>\n",
                  audio->is_default ? "main" : "alternate");
    dash_template(buf, audio, "a");
    fb_buf_printf(buf,
                  "      <Representation id=\"%s\" codecs=\"%s\" bandwidth=\"%" PRIu64
                  "\" audioSamplingRate=\"%u\">\n"
                  "        <AudioChannelConfiguration"
                  " schemeIdUri=\"urn:mpeg:dash:23003:3:audio_channel_configuration:2011\""
                  " value=\"%u\"/>\n"
                  "      </Representation>\n    </AdaptationSet>\n",
                  dash_id(audio), audio->codecs, dash_bandwidth(audio), audio->sample_rate,
                  audio->channels);
}

void origin_dash_manifest(struct fb_buf *buf, const struct origin_presentation *presentation)
{
    uint64_t ms = 0;
    unsigned target_s = 1;

    for (size_t i = 0; i < presentation->n_videos; i++) {
        ms = FB_MAX(ms, origin_track_duration_ms(&presentation->videos[i]));
        target_s = FB_MAX(target_s, origin_track_target_s(&presentation->videos[i]));
    }
    fb_buf_printf(buf,
                  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                  "<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\""
                  " profiles=\"urn:mpeg:dash:profile:isoff-live:2011\""
                  " mediaPresentationDuration=\"PT%" PRIu64 ".%03" PRIu64 "S\""
                  " minBufferTime=\"PT%uS\">\n"
                  "  <Period id=\"0\" start=\"PT0S\">\n",
                  ms / MS_PER_S, ms % MS_PER_S, target_s);
    dash_videos(buf, presentation);
    for (size_t i = 0; i < presentation->n_audios; i++) {
        dash_audio(buf, &presentation->audios[i], i);
    }
    fb_buf_append(buf, FB_STR("  </Period>\n</MPD>\n"));
}
