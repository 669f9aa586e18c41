#include "origin/media/dash.h"

#include "base/core/attr.h"
#include "base/xml/xml.h"
#include "origin/media/protection.h"
#include "origin/media/sidx.h"

#include <inttypes.h>
#include <string.h>

enum { MS_PER_S = 1000, BITS = 8 };

struct dash {
    struct fb_buf *buf;
    const struct origin_presentation *presentation;
    bool is_on_demand; /* whole files with an index; else segments */
    unsigned n_sets;   /* written so far; their ids */
};

static void dash_attribute(struct fb_buf *buf, const char *key, const char *value)
{
    fb_buf_printf(buf, " %s=\"", key);
    fb_xml_append_text(buf, fb_str_from(value));
    fb_buf_append_byte(buf, '"');
}

static void dash_open_set(struct dash *dash, const char *content, const char *mime)
{
    dash->n_sets++;
    fb_buf_printf(dash->buf, "    <AdaptationSet id=\"%u\" contentType=\"%s\" mimeType=\"%s\"",
                  dash->n_sets, content, mime);
}

static void dash_close_set(struct dash *dash)
{
    fb_buf_append(dash->buf, FB_STR("    </AdaptationSet>\n"));
}

static void dash_role(struct fb_buf *buf, const char *value)
{
    fb_buf_printf(buf, "      <Role schemeIdUri=\"urn:mpeg:dash:role:2011\" value=\"%s\"/>\n",
                  value);
}

static void dash_label(struct fb_buf *buf, const struct origin_track *track)
{
    fb_buf_append(buf, FB_STR("      <Label>"));
    fb_xml_append_text(buf, fb_str_from(track->name));
    fb_buf_append(buf, FB_STR("</Label>\n"));
}

/* That the segments of a set lie at the same times, and each begins with a key picture. */
static void dash_alignment(struct dash *dash)
{
    fb_buf_append(dash->buf,
                  dash->is_on_demand
                      ? FB_STR(" subsegmentAlignment=\"true\" subsegmentStartsWithSAP=\"1\"")
                      : FB_STR(" segmentAlignment=\"true\" startWithSAP=\"1\""));
}

/* The segments of `track`; `folder` is the path before $RepresentationID$. */
static void dash_template(struct dash *dash, const struct origin_track *track, const char *folder)
{
    struct fb_buf *buf = dash->buf;

    if (dash->is_on_demand) {
        return; /* each representation names its file */
    }
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

/* Its file: first what every player needs, then the index, both by range. */
static void dash_base(struct dash *dash, const struct origin_track *track)
{
    uint64_t head = track->head.bytes;

    if (dash->is_on_demand) {
        fb_buf_printf(dash->buf,
                      "        <BaseURL>%s/whole.mp4</BaseURL>\n"
                      "        <SegmentBase timescale=\"%u\" indexRange=\"%" PRIu64 "-%" PRIu64
                      "\" indexRangeExact=\"true\">\n"
                      "          <Initialization range=\"0-%" PRIu64 "\"/>\n"
                      "        </SegmentBase>\n",
                      track->path, track->timescale, head, head + origin_sidx_size(track) - 1,
                      head - 1);
    }
}

static uint64_t dash_bandwidth(const struct origin_track *track)
{
    return origin_track_peak_rate(track, origin_track_target_s(track));
}

/* What follows the last slash names the representation. */
static const char *dash_id(const struct origin_track *track)
{
    const char *slash = strrchr(track->path, '/');
    return slash != NULL ? slash + 1 : track->path;
}

/* ---- picture ----------------------------------------------------------- */

/* Up to the first dot: "avc1" of "avc1.64001f". */
static bool dash_is_of_codec(const struct origin_track *a, const struct origin_track *b)
{
    size_t n = strcspn(a->codecs, ".");
    return n == strcspn(b->codecs, ".") && strncmp(a->codecs, b->codecs, n) == 0;
}

static bool dash_is_first_of_codec(const struct origin_track *videos, size_t index)
{
    for (size_t i = 0; i < index; i++) {
        if (dash_is_of_codec(&videos[i], &videos[index])) {
            return false;
        }
    }
    return true;
}

static void dash_video(struct dash *dash, const struct origin_track *video)
{
    fb_buf_printf(dash->buf,
                  "      <Representation id=\"%s\" codecs=\"%s\" bandwidth=\"%" PRIu64
                  "\" width=\"%u\" height=\"%u\" sar=\"1:1\"",
                  dash_id(video), video->codecs, dash_bandwidth(video), video->width,
                  video->height);
    if (dash->is_on_demand) {
        fb_buf_append(dash->buf, FB_STR(">\n"));
        dash_base(dash, video);
        fb_buf_append(dash->buf, FB_STR("      </Representation>\n"));
    } else {
        fb_buf_append(dash->buf, FB_STR("/>\n"));
    }
}

/* Players switch within a set, so each codec has its own. */
static void dash_videos(struct dash *dash, const struct origin_track *first)
{
    const struct origin_presentation *presentation = dash->presentation;
    struct fb_buf *buf = dash->buf;

    dash_open_set(dash, "video", "video/mp4");
    dash_alignment(dash);
    fb_buf_printf(buf, " maxWidth=\"%u\" maxHeight=\"%u\" frameRate=\"%d/%d\">\n", first->width,
                  first->height, first->frame_rate.num, first->frame_rate.den);
    origin_protection_dash(buf, presentation->protection);
    dash_role(buf, "main");
    dash_template(dash, first, "v");
    for (size_t i = 0; i < presentation->n_videos; i++) {
        const struct origin_track *video = &presentation->videos[i];
        if (dash_is_of_codec(video, first)) {
            dash_video(dash, video);
        }
    }
    dash_close_set(dash);
}

/* ---- sound ------------------------------------------------------------- */

static void dash_audio_purpose(struct fb_buf *buf, const struct origin_track *audio)
{
    if (audio->is_for_blind) {
        fb_buf_append(buf, FB_STR("      <Accessibility schemeIdUri=\"urn:tva:metadata:cs:"
                                  "AudioPurposeCS:2007\" value=\"1\"/>\n"));
    }
    if (audio->is_commentary) {
        dash_role(buf, "commentary");
    } else if (audio->is_for_blind) {
        dash_role(buf, "description");
    } else {
        dash_role(buf, audio->is_default ? "main" : "alternate");
    }
}

static void dash_audio(struct dash *dash, const struct origin_track *audio)
{
    struct fb_buf *buf = dash->buf;

    dash_open_set(dash, "audio", "audio/mp4");
    if (audio->language[0] != '\0') {
        dash_attribute(buf, "lang", audio->language);
    }
    dash_alignment(dash);
    fb_buf_append(buf, FB_STR(">\n"));
    origin_protection_dash(buf, dash->presentation->protection);
    dash_label(buf, audio);
    dash_audio_purpose(buf, audio);
    dash_template(dash, audio, "a");
    fb_buf_printf(buf,
                  "      <Representation id=\"%s\" codecs=\"%s\" bandwidth=\"%" PRIu64
                  "\" audioSamplingRate=\"%u\">\n"
                  "        <AudioChannelConfiguration"
                  " schemeIdUri=\"urn:mpeg:dash:23003:3:audio_channel_configuration:2011\""
                  " value=\"%u\"/>\n",
                  dash_id(audio), audio->codecs, dash_bandwidth(audio), audio->sample_rate,
                  audio->channels);
    dash_base(dash, audio);
    fb_buf_append(buf, FB_STR("      </Representation>\n"));
    dash_close_set(dash);
}

/* ---- text and images --------------------------------------------------- */

/* As one file: WebVTT in pieces is of HLS alone. */
static void dash_text(struct dash *dash, const struct origin_track *text)
{
    struct fb_buf *buf = dash->buf;
    uint64_t rate = origin_track_rate(text, text->head.bytes, origin_track_duration(text));

    dash_open_set(dash, "text", "text/vtt");
    if (text->language[0] != '\0') {
        dash_attribute(buf, "lang", text->language);
    }
    fb_buf_append(buf, FB_STR(">\n"));
    dash_label(buf, text);
    if (text->is_forced) {
        dash_role(buf, "forced-subtitle");
    } else {
        dash_role(buf, text->is_for_deaf ? "caption" : "subtitle");
    }
    if (text->is_default) {
        dash_role(buf, "main");
    }
    fb_buf_printf(buf,
                  "      <Representation id=\"text-%s\" bandwidth=\"%" PRIu64 "\">\n"
                  "        <BaseURL>%s/whole.vtt</BaseURL>\n"
                  "      </Representation>\n",
                  dash_id(text), FB_MAX(rate, 1U), text->path);
    dash_close_set(dash);
}

/* A player divides a sheet's time evenly among the places on it. */
static void dash_storyboard(struct dash *dash, const struct origin_storyboard_facts *facts)
{
    uint64_t heaviest = 0;
    uint64_t sheet_ms = (uint64_t)facts->columns * facts->rows * facts->tile_ms;

    for (size_t i = 0; i < facts->n_sheets; i++) {
        heaviest = FB_MAX(heaviest, facts->sheets[i].bytes);
    }
    dash_open_set(dash, "image", "image/jpeg");
    fb_buf_printf(dash->buf,
                  ">\n      <SegmentTemplate timescale=\"1000\" duration=\"%" PRIu64
                  "\" startNumber=\"1\" media=\"s/$Number%%05d$.jpg\"/>\n"
                  "      <Representation id=\"storyboard\" bandwidth=\"%" PRIu64
                  "\" width=\"%u\" height=\"%u\">\n"
                  "        <EssentialProperty"
                  " schemeIdUri=\"http://dashif.org/guidelines/thumbnail_tile\""
                  " value=\"%ux%u\"/>\n"
                  "      </Representation>\n",
                  sheet_ms, FB_MAX(heaviest * BITS * MS_PER_S / sheet_ms, 1U),
                  facts->columns * facts->tile_width, facts->rows * facts->tile_height,
                  facts->columns, facts->rows);
    dash_close_set(dash);
}

/* ---- the whole --------------------------------------------------------- */

static void dash_open(struct dash *dash)
{
    const struct origin_presentation *presentation = dash->presentation;
    uint64_t ms = 0;
    unsigned target_s = 1;

    for (size_t i = 0; i < presentation->n_videos; i++) {
        ms = FB_MAX(ms, origin_track_duration_ms(&presentation->videos[i]));
        target_s = FB_MAX(target_s, origin_track_target_s(&presentation->videos[i]));
    }
    fb_buf_append(dash->buf, FB_STR("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                                    "<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\""));
    origin_protection_dash_spaces(dash->buf, presentation->protection);
    fb_buf_printf(dash->buf,
                  " type=\"static\" profiles=\"urn:mpeg:dash:profile:isoff-%s:2011\""
                  " mediaPresentationDuration=\"PT%" PRIu64 ".%03" PRIu64 "S\""
                  " minBufferTime=\"PT%uS\">\n"
                  "  <Period id=\"0\" start=\"PT0S\">\n",
                  dash->is_on_demand ? "on-demand" : "live", ms / MS_PER_S, ms % MS_PER_S,
                  target_s);
}

void origin_dash_manifest(struct fb_buf *buf, const struct origin_presentation *presentation,
                          bool is_on_demand)
{
    struct dash dash = {.buf = buf, .presentation = presentation, .is_on_demand = is_on_demand};

    dash_open(&dash);
    for (size_t i = 0; i < presentation->n_videos; i++) {
        if (dash_is_first_of_codec(presentation->videos, i)) {
            dash_videos(&dash, &presentation->videos[i]);
        }
    }
    for (size_t i = 0; i < presentation->n_audios; i++) {
        dash_audio(&dash, &presentation->audios[i]);
    }
    for (size_t i = 0; i < presentation->n_texts; i++) {
        dash_text(&dash, &presentation->texts[i]);
    }
    if (presentation->storyboard != NULL && presentation->storyboard->n_sheets > 0) {
        dash_storyboard(&dash, presentation->storyboard);
    }
    fb_buf_append(buf, FB_STR("  </Period>\n</MPD>\n"));
}
