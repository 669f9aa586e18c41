/*
 * Markup: what a file has in a cue becomes markup of ours (cues.h says which).
 *
 * Threads    Pure functions that append to a buffer.
 */
#pragma once

#include "base/core/buf.h"
#include "base/core/str.h"

#include <stdbool.h>

enum { ORIGIN_MARKUP_MAX_DEPTH = 8 };

/* Appends `markup`, as SRT and WebVTT files have it, cleaned; empty lines are left
 * out. A tag that is open at the end is closed there. Sets `*ret_is_top` if an
 * override such as {\an8} wants it at the top of the picture. */
void origin_markup_clean(struct fb_buf *buf, struct fb_str markup, bool *ret_is_top);

/* Appends the text of an ASS event, with its overrides, as markup to clean. */
void origin_markup_from_ass(struct fb_buf *buf, struct fb_str text);
