/*
 * Requests: what the site and the creator want of a video, before anybody has looked at it.
 *
 * The site's part comes from the section `transcode` of origin.yaml, the creator's from the
 * creation of the video where the site allows it. A job keeps its request as it was when the job
 * was made; PREPARE makes a recipe of it (origin/model/recipe.h), and what the source cannot give
 * is left out there.
 *
 * Ownership  Plain data.
 * Threads    Pure functions, any thread.
 * Failures   FB_E_MALFORMED and FB_E_NOT_FOUND with a sentence.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "origin/model/content_key.h"
#include "origin/model/result.h"

#include <stdbool.h>
#include <stdint.h>

struct fb_json;

enum {
    ORIGIN_PRESET_MAX = 15,
    ORIGIN_SUBTITLES_MAX = 32,
    ORIGIN_LANGUAGE_MAX = 35, /* RFC 5646 section 4.4.1 */
    ORIGIN_NAME_MAX = 63
};

/* Text that was uploaded beside the video. */
struct origin_request_subtitle {
    char key[ORIGIN_KEY_MAX + 1]; /* object key of a SubRip or WebVTT file */
    char language[ORIGIN_LANGUAGE_MAX + 1];
    char name[ORIGIN_NAME_MAX + 1]; /* as players show it; empty: the language's */
};

struct origin_request {
    bool early_ready;                   /* the smallest rendition first */
    uint32_t segment_ms;                /* the length aimed at */
    uint32_t chunk_ms;                  /* of source chunks; made a whole number of segments */
    char preset[ORIGIN_PRESET_MAX + 1]; /* of the H.264 encoder */
    uint32_t crf;                       /* of H.264; others take theirs from it */
    bool with_hevc;                     /* beside H.264, where the library is there */
    bool with_av1;
    bool per_title; /* a ladder by how complex the pictures are */
    bool loudness;  /* EBU R128 */
    bool downmix;   /* to two channels */
    bool storyboard;
    bool trick_play;               /* a playlist of key pictures */
    enum origin_scheme encryption; /* ORIGIN_SCHEME_CLEAR: none */
    bool is_degraded; /* too much waits: with_hevc, with_av1 and per_title count as false. The
                         H.264 ladder stays whole, its top rung too. */
    struct origin_request_subtitle subtitles[ORIGIN_SUBTITLES_MAX];
    uint32_t n_subtitles;
};

/* What holds where nobody says anything else: the presets of section `transcode`. */
struct origin_request origin_request_preset(void);

/* True for the presets of x264 from "ultrafast" to "placebo". */
bool origin_preset_is_known(struct fb_str text);

/* As a JSON object; members that are absent keep the preset, unknown ones are passed over. */
void origin_request_store(struct fb_json *object, const struct origin_request *request);
FB_MUST_CHECK int origin_request_load(const struct fb_json *object,
                                      struct origin_request *ret_request, struct fb_diag *diag);

/* Puts into `request` what `object`, from a creator, says; only the members that a creator may
 * choose: "early_ready", "per_title", "loudness", "downmix", "storyboard". Any other is refused. */
FB_MUST_CHECK int origin_request_override(const struct fb_json *object,
                                          struct origin_request *request, struct fb_diag *diag);
