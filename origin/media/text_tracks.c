#include "origin/media/text_tracks.h"

#include "base/core/alloc.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "base/sys/file.h"
#include "origin/media/language.h"

#include <stdio.h>
#include <string.h>

struct text {
    const AVStream *stream;             /* NULL: uploaded */
    struct origin_subtitles *subtitles; /* owned, embedded */
    struct origin_cues cues;            /* uploaded */
    struct origin_track track;
};

struct origin_text_tracks {
    struct text texts[ORIGIN_MEDIA_MAX_TEXT];
    size_t n_texts;
};

int origin_text_tracks_new(AVFormatContext *format, struct origin_text_tracks **ret_texts,
                           struct fb_diag *diag)
{
    struct origin_text_tracks *texts = FB_NEW(struct origin_text_tracks);

    for (unsigned i = 0; i < format->nb_streams; i++) {
        AVStream *stream = format->streams[i];
        if (!origin_subtitles_is_readable(stream) || texts->n_texts == ORIGIN_MEDIA_MAX_TEXT) {
            continue;
        }
        struct text *text = &texts->texts[texts->n_texts];
        if (origin_subtitles_new(stream, &text->subtitles, diag) < 0) {
            continue; /* damage in a track of text is no reason to refuse a video */
        }
        text->stream = stream;
        stream->discard = AVDISCARD_DEFAULT;
        origin_subtitles_describe(stream, &text->track);
        texts->n_texts++;
    }
    *ret_texts = texts;
    return FB_OK;
}

void origin_text_tracks_free(struct origin_text_tracks *texts)
{
    if (texts != NULL) {
        for (size_t i = 0; i < texts->n_texts; i++) {
            origin_subtitles_free(texts->texts[i].subtitles);
            origin_cues_done(&texts->texts[i].cues);
            origin_track_done(&texts->texts[i].track);
        }
        fb_free(texts);
    }
}

/* What a tag such as "pt-BR" begins with names the language. */
static void track_describe(struct origin_track *track,
                           const struct origin_request_subtitle *subtitle)
{
    char code[ORIGIN_LANGUAGE_MAX + 1];
    (void)snprintf(code, sizeof(code), "%s", subtitle->language);
    code[strcspn(code, "-")] = '\0';
    const struct origin_language *language = origin_language_find(code);

    (void)snprintf(track->language, sizeof(track->language), "%s", subtitle->language);
    if (language != NULL) {
        (void)snprintf(track->iso639, sizeof(track->iso639), "%s", language->iso639);
    }
    const char *name = language != NULL ? language->name : subtitle->language;
    if (subtitle->name[0] != '\0') {
        name = subtitle->name;
    }
    (void)snprintf(track->name, sizeof(track->name), "%s", name);
}

int origin_text_tracks_add_file(struct origin_text_tracks *texts, const char *path,
                                const struct origin_request_subtitle *subtitle,
                                struct fb_diag *diag)
{
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};

    if (texts->n_texts == ORIGIN_MEDIA_MAX_TEXT) {
        return fb_diag_set(diag, FB_E_LIMIT, "there are more than %d tracks of subtitles",
                           ORIGIN_MEDIA_MAX_TEXT);
    }
    struct text *text = &texts->texts[texts->n_texts];
    int err = fb_file_read_path(path, ORIGIN_CUES_MAX_BYTES, &bytes, diag);
    if (err == FB_OK) {
        err = origin_cues_parse(fb_buf_str(&bytes), &text->cues, diag);
    }
    if (err < 0) {
        origin_cues_done(&text->cues);
        return fb_diag_prefix(diag, err, "the subtitles in '%s'", subtitle->language);
    }
    track_describe(&text->track, subtitle);
    texts->n_texts++;
    return FB_OK;
}

static struct origin_subtitles *texts_find(const struct origin_text_tracks *texts,
                                           const AVPacket *packet, const AVStream **ret_stream)
{
    for (size_t i = 0; i < texts->n_texts; i++) {
        const AVStream *stream = texts->texts[i].stream;
        if (stream != NULL && stream->index == packet->stream_index) {
            *ret_stream = stream;
            return texts->texts[i].subtitles;
        }
    }
    return NULL;
}

const AVStream *origin_text_tracks_stream(const struct origin_text_tracks *texts,
                                          const AVPacket *packet)
{
    const AVStream *stream = NULL;
    (void)texts_find(texts, packet, &stream);
    return stream;
}

void origin_text_tracks_push(struct origin_text_tracks *texts, const AVPacket *packet)
{
    const AVStream *stream = NULL;
    struct origin_subtitles *subtitles = texts_find(texts, packet, &stream);
    if (subtitles != NULL) {
        origin_subtitles_push(subtitles, packet);
    }
}

/* Only those that have something to show count from here on. */
static void texts_drop_empty(struct origin_text_tracks *texts)
{
    size_t n = 0;
    for (size_t i = 0; i < texts->n_texts; i++) {
        struct text text = texts->texts[i];
        const struct origin_cues *cues =
            text.subtitles != NULL ? origin_subtitles_cues(text.subtitles) : &text.cues;
        if (cues->n_cues > 0) {
            texts->texts[n++] = text;
        } else {
            origin_subtitles_free(text.subtitles);
            origin_cues_done(&text.cues);
        }
    }
    texts->n_texts = n;
}

int origin_text_tracks_finish(struct origin_text_tracks *texts,
                              const struct origin_subtitles_options *options,
                              struct origin_part *part, struct fb_diag *diag)
{
    struct origin_track tracks[ORIGIN_MEDIA_MAX_TEXT];
    int err = FB_OK;

    texts_drop_empty(texts);
    for (size_t i = 0; i < texts->n_texts; i++) {
        tracks[i] = texts->texts[i].track;
        (void)snprintf(tracks[i].path, sizeof(tracks[i].path), "t/%zu", i);
    }
    origin_tracks_name_apart(tracks, texts->n_texts);
    for (size_t i = 0; err == FB_OK && i < texts->n_texts; i++) {
        struct text *text = &texts->texts[i];
        const struct origin_cues *cues =
            text->subtitles != NULL ? origin_subtitles_cues(text->subtitles) : &text->cues;
        struct origin_part_track *added = origin_part_add_track(part);
        added->track = tracks[i];
        err = origin_subtitles_write(options, cues, &added->track, diag);
    }
    return err;
}
