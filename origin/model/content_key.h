/*
 * Content keys: what the media of a version is encrypted with (ISO/IEC 23001-7).
 *
 * One key serves all tracks of one version of one video. It is drawn when a job begins and stays
 * the job's, whatever is tried again; a job that makes the video anew gets another, so that no
 * two versions share key stream. Its id is public and part of the recipe (so a version never
 * mixes keys); the key is in the sealed table of origin/keys, in a task on its way to a worker,
 * and nowhere else: never in a recipe, a part, a log or a file.
 *
 * Ownership  Plain data; whoever holds a copy wipes it with origin_content_key_done().
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"

#include <stdbool.h>
#include <stdint.h>

struct fb_json;

enum { ORIGIN_CONTENT_KEY_BYTES = 16 };

enum origin_scheme {
    ORIGIN_SCHEME_CLEAR,
    ORIGIN_SCHEME_CENC, /* AES in counter mode */
    ORIGIN_SCHEME_CBCS, /* AES in chained blocks, of video one block in ten */
    ORIGIN_N_SCHEMES
};

struct origin_content_key {
    enum origin_scheme scheme;            /* ORIGIN_SCHEME_CLEAR: there is no key */
    uint8_t id[ORIGIN_CONTENT_KEY_BYTES]; /* "KID" */
    uint8_t key[ORIGIN_CONTENT_KEY_BYTES];
};

/* Draws id and key. */
void origin_content_key_draw(enum origin_scheme scheme, struct origin_content_key *ret_key);

/* Wipes it; safe on zero. */
void origin_content_key_done(struct origin_content_key *key);

/* "clear", "cenc" and "cbcs". */
const char *origin_scheme_text(enum origin_scheme scheme);
FB_MUST_CHECK int origin_scheme_parse(struct fb_str text, enum origin_scheme *ret_scheme);

/* As members "scheme", "kid" and "key" (hexadecimal) of a JSON object, for a task on its way to a
 * worker; of no key "scheme" alone. FB_E_MALFORMED with a sentence that quotes nothing. */
void origin_content_key_store(struct fb_json *object, const struct origin_content_key *key);
FB_MUST_CHECK int origin_content_key_load(const struct fb_json *object,
                                          struct origin_content_key *ret_key, struct fb_diag *diag);
