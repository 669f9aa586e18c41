#include "origin/media/package.h"

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "origin/media/dash.h"
#include "origin/media/hls.h"
#include "origin/media/sidx.h"
#include "origin/media/storyboard.h"

#include <stdio.h>

struct packager {
    struct origin_output *output;
    const struct origin_presentation *presentation;
    struct origin_package_options options;
    struct fb_diag *diag;
    struct fb_buf buf; /* owned, scratch */
};

static void packager_done(struct packager *packager)
{
    fb_buf_done(&packager->buf);
}

/* Writes what the buffer holds, and empties it. */
static int package_put(struct packager *packager, const char *path)
{
    int err = origin_output_put(packager->output, path, fb_buf_str(&packager->buf));
    fb_buf_clear(&packager->buf);
    return err < 0 ? fb_diag_set(packager->diag, err, "write '%s': %s", path, fb_err_text(err))
                   : FB_OK;
}

static int package_put_track(struct packager *packager, const struct origin_track *track)
{
    char path[ORIGIN_OUTPUT_PATH_MAX];
    int err = origin_output_mkdir(packager->output, track->path);
    if (err < 0) {
        return fb_diag_set(packager->diag, err, "make the folder '%s': %s", track->path,
                           fb_err_text(err));
    }
    (void)snprintf(path, sizeof(path), "%s/index.m3u8", track->path);
    origin_hls_media(&packager->buf, packager->presentation, track);
    return package_put(packager, path);
}

static int package_put_tracks(struct packager *packager, const struct origin_track *tracks,
                              size_t n_tracks)
{
    int err = FB_OK;
    for (size_t i = 0; err == FB_OK && i < n_tracks; i++) {
        err = package_put_track(packager, &tracks[i]);
    }
    return err;
}

static int package_put_iframes(struct packager *packager)
{
    const struct origin_presentation *presentation = packager->presentation;
    char path[ORIGIN_OUTPUT_PATH_MAX];
    int err = FB_OK;

    for (size_t i = 0; err == FB_OK && i < presentation->n_videos; i++) {
        const struct origin_track *video = &presentation->videos[i];
        if (origin_hls_has_iframes(video)) {
            (void)snprintf(path, sizeof(path), "%s/iframes.m3u8", video->path);
            origin_hls_iframes(&packager->buf, presentation, video);
            err = package_put(packager, path);
        }
    }
    return err;
}

/* What makes one file of each track (docs/packaging.md), but for text, which is one. */
static int package_put_index(struct packager *packager, const struct origin_track *track)
{
    char path[ORIGIN_OUTPUT_PATH_MAX];

    (void)snprintf(path, sizeof(path), "%s/index.sidx", track->path);
    int err = origin_sidx_write(&packager->buf, track);
    return err < 0 ? fb_diag_set(packager->diag, err, "a segment of '%s' is too large", track->path)
                   : package_put(packager, path);
}

static int package_put_on_demand(struct packager *packager)
{
    const struct origin_presentation *presentation = packager->presentation;
    int err = FB_OK;

    for (size_t i = 0; err == FB_OK && i < presentation->n_videos; i++) {
        err = package_put_index(packager, &presentation->videos[i]);
    }
    for (size_t i = 0; err == FB_OK && i < presentation->n_audios; i++) {
        err = package_put_index(packager, &presentation->audios[i]);
    }
    if (err == FB_OK) {
        origin_dash_manifest(&packager->buf, presentation, true);
        err = package_put(packager, "ondemand.mpd");
    }
    return err;
}

static int package_put_entries(struct packager *packager)
{
    const struct origin_presentation *presentation = packager->presentation;
    bool is_early = packager->options.is_early;

    if (presentation->storyboard != NULL) {
        uint64_t duration_ms = origin_track_duration_ms(&presentation->videos[0]);
        origin_storyboard_vtt(&packager->buf, presentation->storyboard, duration_ms);
        int err = package_put(packager, "storyboard.vtt");
        if (err < 0) {
            return err;
        }
    }
    origin_hls_master(&packager->buf, presentation, packager->options.has_trick_play);
    int err = package_put(packager, is_early ? "early.m3u8" : "master.m3u8");
    if (err == FB_OK) {
        origin_dash_manifest(&packager->buf, presentation, false);
        err = package_put(packager, is_early ? "early.mpd" : "manifest.mpd");
    }
    return err < 0 || is_early ? err : package_put_on_demand(packager);
}

int origin_package_write(struct origin_output *output,
                         const struct origin_presentation *presentation,
                         const struct origin_package_options *options, struct fb_diag *diag)
{
    FB_AUTO(packager_done)
    struct packager packager = {
        .output = output, .presentation = presentation, .options = *options, .diag = diag};

    int err = package_put_tracks(&packager, presentation->videos, presentation->n_videos);
    if (err == FB_OK) {
        err = package_put_tracks(&packager, presentation->audios, presentation->n_audios);
    }
    if (err == FB_OK) {
        err = package_put_tracks(&packager, presentation->texts, presentation->n_texts);
    }
    if (err == FB_OK && options->has_trick_play) {
        err = package_put_iframes(&packager);
    }
    return err == FB_OK ? package_put_entries(&packager) : err;
}
