/*
 * FINISH: playlists, manifests and the list of all files, out of recipe and parts.
 */
#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "origin/media/cenc.h"
#include "origin/media/output.h"
#include "origin/media/package.h"
#include "origin/media/steps_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    /* Damage is passed over up to so many packets and one in so many. */
    FINISH_FREE_DAMAGE = 20,
    FINISH_DAMAGE_SHARE = 10,
};

struct finish {
    const struct origin_finish_options *options;
    const struct origin_recipe *recipe;
    struct fb_diag *diag;
    struct origin_output output;
    struct origin_track videos[ORIGIN_RECIPE_RUNGS_MAX]; /* owned */
    size_t n_videos;
    struct origin_track audios[ORIGIN_PART_TRACKS_MAX]; /* owned */
    size_t n_audios;
    struct origin_track texts[ORIGIN_PART_TRACKS_MAX]; /* owned */
    size_t n_texts;
    struct origin_segment *sheets; /* owned */
    struct origin_storyboard_facts storyboard;
};

static void finish_freep(struct finish **slot)
{
    struct finish *finish = *slot;
    for (size_t i = 0; i < finish->n_videos; i++) {
        origin_track_done(&finish->videos[i]);
    }
    for (size_t i = 0; i < finish->n_audios; i++) {
        origin_track_done(&finish->audios[i]);
    }
    for (size_t i = 0; i < finish->n_texts; i++) {
        origin_track_done(&finish->texts[i]);
    }
    fb_free(finish->sheets);
    origin_output_done(&finish->output);
    fb_free(finish);
}

static int finish_differ(struct finish *finish, const char *what)
{
    return fb_diag_set(finish->diag, FB_E_CONFLICT, "the parts do not fit together: %s", what);
}

/* ---- tracks ------------------------------------------------------------ */

static const struct origin_part *finish_find_chunk(const struct finish *finish, size_t index,
                                                   enum origin_task_pass pass)
{
    for (size_t i = 0; i < finish->options->n_parts; i++) {
        const struct origin_part *part = &finish->options->parts[i];
        if (part->kind == ORIGIN_PART_CHUNK && part->index == index && part->pass == pass) {
            return part;
        }
    }
    return NULL;
}

static const struct origin_part_track *part_find_track(const struct origin_part *part,
                                                       const char *path)
{
    for (size_t i = 0; part != NULL && i < part->n_tracks; i++) {
        if (strcmp(part->tracks[i].track.path, path) == 0) {
            return &part->tracks[i];
        }
    }
    return NULL;
}

/* A copy of its own segments, with every file noted for the list. */
static int finish_append(struct finish *finish, struct origin_track *to,
                         const struct origin_part_track *from)
{
    const struct origin_track *track = &from->track;
    bool is_text = strcmp(track->codecs, "wvtt") == 0;
    char path[ORIGIN_OUTPUT_PATH_MAX];

    if (to->segments == NULL) {
        *to = *track;
        to->segments = NULL;
        to->n_segments = 0;
        (void)snprintf(path, sizeof(path), "%s/%s", to->path, is_text ? "whole.vtt" : "init.mp4");
        origin_output_note(&finish->output, path, &to->head);
    }
    if (memcmp(to->head.sha256, track->head.sha256, sizeof(to->head.sha256)) != 0 ||
        to->timescale != track->timescale || strcmp(to->codecs, track->codecs) != 0) {
        return finish_differ(finish, "the heads of one track are not the same");
    }
    if (from->first_segment != to->n_segments + 1) {
        return finish_differ(finish, "segments are missing");
    }
    for (size_t i = 0; i < track->n_segments; i++) {
        origin_track_add(to, &track->segments[i]);
        (void)snprintf(path, sizeof(path), "%s/seg-%05zu.%s", to->path, to->n_segments,
                       is_text ? "vtt" : "m4s");
        origin_output_note(&finish->output, path, &track->segments[i]);
    }
    return FB_OK;
}

/* Joins a rendition out of the parts of all source chunks. */
static int finish_join(struct finish *finish, const struct origin_recipe_rung *rung)
{
    struct origin_track *to = &finish->videos[finish->n_videos++];
    char path[ORIGIN_TRACK_PATH_MAX];
    int err = FB_OK;

    origin_step_track_path(rung, path);
    for (size_t i = 0; err == FB_OK && i < finish->recipe->n_chunks; i++) {
        const struct origin_part_track *from =
            part_find_track(finish_find_chunk(finish, i, rung->pass), path);
        err = from != NULL ? finish_append(finish, to, from)
                           : finish_differ(finish, "a source chunk is missing");
    }
    if (err == FB_OK && to->n_segments == 0) {
        err = finish_differ(finish, "a rendition is empty");
    }
    return err;
}

static bool finish_has_pass(const struct finish *finish, enum origin_task_pass pass)
{
    return pass == ORIGIN_PASS_ALL || pass <= (enum origin_task_pass)finish->options->pass;
}

static int finish_take_videos(struct finish *finish)
{
    int err = FB_OK;
    for (size_t i = 0; err == FB_OK && i < finish->recipe->n_rungs; i++) {
        if (finish_has_pass(finish, finish->recipe->rungs[i].pass)) {
            err = finish_join(finish, &finish->recipe->rungs[i]);
        }
    }
    if (err == FB_OK && finish->n_videos == 0) {
        err = finish_differ(finish, "there is no rendition");
    }
    return err;
}

static int finish_take_sounds(struct finish *finish)
{
    const struct origin_finish_options *options = finish->options;
    const struct origin_part *part = NULL;
    int err = FB_OK;

    for (size_t i = 0; i < options->n_parts; i++) {
        part = options->parts[i].kind == ORIGIN_PART_SOUND ? &options->parts[i] : part;
    }
    if (part == NULL) {
        return finish_differ(finish, "the sound is missing");
    }
    for (size_t i = 0; err == FB_OK && i < part->n_tracks; i++) {
        const struct origin_part_track *from = &part->tracks[i];
        bool is_text = strcmp(from->track.codecs, "wvtt") == 0;
        struct origin_track *to =
            is_text ? &finish->texts[finish->n_texts++] : &finish->audios[finish->n_audios++];
        err = finish_append(finish, to, from);
    }
    origin_tracks_name_apart(finish->audios, finish->n_audios);
    return err;
}

/* ---- the rest of what parts tell --------------------------------------- */

static int finish_check_damage(struct finish *finish, enum origin_part_kind kind, const char *what)
{
    const struct origin_finish_options *options = finish->options;
    uint64_t n_packets = 0;
    uint64_t n_damaged = 0;

    for (size_t i = 0; i < options->n_parts; i++) {
        if (options->parts[i].kind == kind) {
            n_packets += options->parts[i].n_packets;
            n_damaged += options->parts[i].n_damaged;
        }
    }
    if (n_damaged > FINISH_FREE_DAMAGE && n_damaged > n_packets / FINISH_DAMAGE_SHARE) {
        return fb_diag_set(finish->diag, FB_E_CORRUPT,
                           "the file is damaged: %" PRIu64 " of %" PRIu64
                           " pieces of %s cannot be read",
                           n_damaged, n_packets, what);
    }
    return FB_OK;
}

static int finish_take_stills(struct finish *finish)
{
    const struct origin_finish_options *options = finish->options;
    struct origin_storyboard_options storyboard = origin_step_storyboard(finish->recipe);
    uint32_t n = origin_recipe_n_sheets(finish->recipe);
    char path[ORIGIN_OUTPUT_PATH_MAX];
    uint32_t n_found = 0;

    finish->sheets = fb_alloc_array(n, sizeof(*finish->sheets));
    memset(finish->sheets, 0, n * sizeof(*finish->sheets));
    for (size_t i = 0; i < options->n_parts; i++) {
        const struct origin_part *part = &options->parts[i];
        if (part->poster.bytes > 0) {
            origin_output_note(&finish->output, "poster.jpg", &part->poster);
        }
        for (size_t j = 0; j < part->n_sheets && part->first_sheet + j < n; j++) {
            uint32_t sheet = part->first_sheet + (uint32_t)j;
            (void)snprintf(path, sizeof(path), "s/%05" PRIu32 ".jpg", sheet + 1);
            n_found += finish->sheets[sheet].bytes == 0 ? 1 : 0;
            finish->sheets[sheet] = part->sheets[j];
            origin_output_note(&finish->output, path, &part->sheets[j]);
        }
    }
    if (!finish->recipe->request.storyboard) {
        return FB_OK;
    }
    if (n_found != n) {
        return finish_differ(finish, "a sheet of the storyboard is missing");
    }
    origin_storyboard_describe(&storyboard, &finish->storyboard);
    finish->storyboard.sheets = finish->sheets;
    finish->storyboard.n_sheets = n;
    return FB_OK;
}

/* ---- writing ----------------------------------------------------------- */

enum { FINISH_SYSTEMS = 2 };

#define CLEARKEY_URL "/api/v1/licences/clearkey"

/* How players come by the key: the system that all know, which tells its id alone, and Clear Key,
 * by our own licences (docs/encryption.md). */
static void finish_protect(const struct finish *finish, struct origin_protection *protection,
                           struct origin_protection_system systems[FINISH_SYSTEMS],
                           struct fb_buf *pssh)
{
    const struct origin_content_key *key = finish->options->key;

    origin_cenc_pssh(pssh, key->id);
    systems[0] = (struct origin_protection_system){.uuid = "1077efec-c0b2-4d02-ace3-3c1e52e2fb4b",
                                                   .pssh = fb_buf_str(pssh)};
    systems[1] = (struct origin_protection_system){.uuid = ORIGIN_PROTECTION_CLEARKEY,
                                                   .name = "ClearKey1.0",
                                                   .licence_url = CLEARKEY_URL,
                                                   .hls_format = "org.w3.clearkey",
                                                   .hls_url = CLEARKEY_URL};
    *protection = (struct origin_protection){
        .scheme =
            key->scheme == ORIGIN_SCHEME_CBCS ? ORIGIN_PROTECTION_CBCS : ORIGIN_PROTECTION_CENC,
        .systems = systems,
        .n_systems = FINISH_SYSTEMS,
    };
    memcpy(protection->key_id, key->id, sizeof(protection->key_id));
}

static int finish_write(struct finish *finish)
{
    const struct origin_finish_options *options = finish->options;
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
    struct origin_protection protection;
    struct origin_protection_system systems[FINISH_SYSTEMS];
    struct origin_presentation all = {
        .videos = finish->videos,
        .n_videos = finish->n_videos,
        .audios = finish->audios,
        .n_audios = finish->n_audios,
        .texts = finish->texts,
        .n_texts = finish->n_texts,
        .storyboard = finish->storyboard.n_sheets > 0 ? &finish->storyboard : NULL,
    };
    struct origin_package_options package = {
        .is_early = options->pass == ORIGIN_PASS_EARLY,
        .has_trick_play = finish->recipe->request.trick_play,
    };

    if (options->key != NULL && options->key->scheme != ORIGIN_SCHEME_CLEAR) {
        finish_protect(finish, &protection, systems, &buf);
        all.protection = &protection;
    }
    int err = origin_package_write(&finish->output, &all, &package, finish->diag);
    if (err < 0) {
        return err;
    }
    fb_buf_clear(&buf);
    origin_publish_list(&buf, &finish->output);
    err = origin_output_put(&finish->output, "publish.json", fb_buf_str(&buf));
    return err < 0 ? fb_diag_set(finish->diag, err, "write publish.json: %s", fb_err_text(err))
                   : FB_OK;
}

/* ---- the result -------------------------------------------------------- */

static void finish_describe(const struct finish *finish, struct origin_result *result)
{
    const struct origin_recipe *recipe = finish->recipe;

    origin_recipe_version(recipe, result->version);
    result->duration_ms = origin_track_duration_ms(&finish->videos[0]);
    result->width = recipe->width;
    result->height = recipe->height;
    result->has_audio = finish->n_audios > 0;
    for (size_t i = 0; i < finish->n_videos && i < ORIGIN_RENDITIONS_MAX; i++) {
        const struct origin_track *track = &finish->videos[i];
        struct origin_result_rendition *rendition = &result->renditions[result->n_renditions++];
        rendition->width = track->width;
        rendition->height = track->height;
        rendition->bandwidth = origin_track_peak_rate(track, origin_track_target_s(track));
        (void)snprintf(rendition->codecs, sizeof(rendition->codecs), "%s", track->codecs);
    }
    result->files = fb_alloc_array(finish->output.n_entries, sizeof(*result->files));
    for (size_t i = 0; i < finish->output.n_entries; i++) {
        const struct origin_output_entry *entry = &finish->output.entries[i];
        struct origin_result_file *file = &result->files[result->n_files++];
        *file = (struct origin_result_file){.size = entry->bytes};
        (void)snprintf(file->path, sizeof(file->path), "%s", entry->path);
        (void)snprintf(file->type, sizeof(file->type), "%s", origin_publish_type(entry->path));
        memcpy(file->sha256, entry->sha256, sizeof(file->sha256));
    }
}

int origin_media_finish(const struct origin_finish_options *options,
                        struct origin_result *ret_result, struct fb_diag *diag)
{
    FB_AUTO(finish_freep) struct finish *finish = FB_NEW(struct finish);
    finish->options = options;
    finish->recipe = options->recipe;
    finish->diag = diag;
    finish->output = ORIGIN_OUTPUT_NONE;

    int err = origin_output_open(options->output_dir, &finish->output, diag);
    if (err < 0 || (err = finish_check_damage(finish, ORIGIN_PART_CHUNK, "its picture")) < 0 ||
        (err = finish_check_damage(finish, ORIGIN_PART_SOUND, "its sound")) < 0 ||
        (err = finish_take_videos(finish)) < 0 || (err = finish_take_sounds(finish)) < 0 ||
        (err = finish_take_stills(finish)) < 0 || (err = finish_write(finish)) < 0) {
        return err;
    }
    struct origin_result result = {.files = NULL};
    finish_describe(finish, &result);
    *ret_result = result;
    return FB_OK;
}
