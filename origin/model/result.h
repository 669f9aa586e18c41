/*
 * Results: what was made of a video, as it is published.
 *
 * A version is the set of files that one recipe makes of one source (origin/model/recipe.h); a
 * result lists those of them that players may ask for.
 *
 * Ownership  A result owns its files: zero → ..._done().
 * Threads    Any.
 * Limits     The constants below; what is loaded keeps to every one of them.
 * Failures   FB_E_MALFORMED, FB_E_NOT_FOUND, FB_E_LIMIT, with a sentence.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "origin/model/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ORIGIN_KEY_MAX = 255,    /* bytes of an object's key */
    ORIGIN_VERSION_LEN = 16, /* hexadecimal digits */
    ORIGIN_PATH_MAX = 127,   /* bytes of a file's path within a version */
    ORIGIN_TYPE_MAX = 63,    /* bytes of a media type */
    ORIGIN_CODECS_MAX = 127, /* bytes of a CODECS attribute */
    ORIGIN_RENDITIONS_MAX = 16,
    ORIGIN_FILES_MAX = 200000, /* of one version: nine days of 4 s segments */
    ORIGIN_REASON_MAX = 300,   /* bytes of a failure's sentence */
    ORIGIN_DIGEST_LEN = 32
};

struct fb_json;

struct origin_result_rendition {
    uint32_t height; /* of the picture as shown */
    uint32_t width;
    uint64_t bandwidth; /* bits per second at the peak */
    char codecs[ORIGIN_CODECS_MAX + 1];
};

struct origin_result_file {
    char path[ORIGIN_PATH_MAX + 1]; /* such as "v/720p/seg-00001.m4s" */
    char type[ORIGIN_TYPE_MAX + 1];
    uint64_t size;
    uint8_t sha256[ORIGIN_DIGEST_LEN];
};

struct origin_result {
    char version[ORIGIN_VERSION_LEN + 1];
    uint64_t duration_ms;
    uint32_t width; /* of the source as shown */
    uint32_t height;
    bool has_audio;
    struct origin_result_rendition renditions[ORIGIN_RENDITIONS_MAX];
    size_t n_renditions;
    struct origin_result_file *files; /* owned */
    size_t n_files;
};

void origin_result_done(struct origin_result *result);

/* As a JSON object, between workers and their origin: what is stored sets the members of `object`,
 * what is loaded checks every one, so that it may be stored and served. */
void origin_result_store(struct fb_json *object, const struct origin_result *result);
FB_MUST_CHECK int origin_result_load(const struct fb_json *object, struct origin_result *ret_result,
                                     struct fb_diag *diag);

/* The member `key` as an id. */
FB_MUST_CHECK int origin_id_load(const struct fb_json *object, const char *key,
                                 struct origin_id *ret_id, struct fb_diag *diag);

/* The files of a version, as publish.json lists them: {"files":[…]}. */
void origin_files_store(struct fb_json *object, const struct origin_result *result);
FB_MUST_CHECK int origin_files_load(const struct fb_json *object, struct origin_result *result,
                                    struct fb_diag *diag);

/* A relative path of plain names: letters, digits, '.', '-', '_', '/'; no
 * empty or dotted segment; at most `max` bytes. */
bool origin_path_is_plain(struct fb_str path, size_t max);

/* Sixteen hexadecimal digits. */
bool origin_version_is_good(struct fb_str version);
