/*
 * Texts for people, wherever they come from: what may stand in them to be shown to others.
 *
 * Not control characters (Unicode's Cc), which break lines and terminals, nor what turns the
 * direction of all text that follows, others' too (U+202A to U+202E, U+2066 to U+2069). Markup
 * and quotes are for whoever writes a text into something to escape.
 *
 * Threads    Pure functions.
 */
#pragma once

#include "base/core/str.h"

#include <stdbool.h>
#include <stddef.h>

/* True if it may be shown as it is: for what people say, who can be told. `text` is UTF-8. With
 * `may_have_lines` line breaks and tabs are fine. */
bool origin_text_is_printable(struct fb_str text, bool may_have_lines);

/* What may be shown of it in one line of less than `size` bytes: for what files say. Each run of
 * characters that may not, and of spaces, is one space, none of them at an end; what is too long
 * is cut behind a whole character. Empty for what is not UTF-8. */
void origin_text_clean(struct fb_str text, char *ret_text, size_t size);
