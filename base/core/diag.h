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
    char text[FB_DIAG_MAX]; /* cut, never overrun */
};

/* Records `err` and the sentence, and returns `err`, so that a failing function
 * ends in `return fb_diag_set(diag, err, "open '%s': %s", …)`. */
int fb_diag_set(struct fb_diag *diag, int err, const char *fmt, ...) FB_PRINTF(3, 4);

/* Puts "prefix: " before the sentence, for a caller that knows more. Returns
 * the recorded code, or `err` if `diag` is NULL. */
int fb_diag_prefix(struct fb_diag *diag, int err, const char *fmt, ...) FB_PRINTF(3, 4);
