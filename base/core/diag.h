/*
 * Diagnostics: one sentence for the person who has to react.
 *
 * Functions whose failure somebody reads (configuration, upload, transcoding)
 * take a `struct fb_diag *` last. The sentence names the thing that failed,
 * starts in lower case and ends without a full stop. A NULL diag is allowed
 * everywhere and costs nothing.
 */
#pragma once

#include "base/core/attr.h"

enum { FB_DIAG_MAX = 512 };

struct fb_diag {
    int err;                /* FB_OK or the code that was returned */
    const void *culprit;    /* of a struct that was checked, what is wrong with it; or NULL */
    char text[FB_DIAG_MAX]; /* cut, never overrun */
};

/* Records `err` and the sentence, and returns `err`, so that a failing function
 * ends in `return fb_diag_set(diag, err, "open '%s': %s", …)`. */
int fb_diag_set(struct fb_diag *diag, int err, const char *fmt, ...) FB_PRINTF(3, 4);

/* Adds to what fb_diag_set() recorded which part it is of the struct that was checked; returns
 * `err`. Where base/conf made the struct, the sentence gets that part's place in the file. */
int fb_diag_blame(struct fb_diag *diag, int err, const void *culprit);

/* Puts "prefix: " before the sentence, for a caller that knows more. Returns
 * the recorded code, or `err` if `diag` is NULL. */
int fb_diag_prefix(struct fb_diag *diag, int err, const char *fmt, ...) FB_PRINTF(3, 4);
