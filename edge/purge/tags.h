/*
 * Tags: names that an origin gives to responses, to purge them by.
 *
 * A response says `Cache-Tag: show-7, season-2 free`: commas and spaces
 * separate. Case counts. A response with more than EDGE_TAGS_MAX tags, or a tag longer than
 * EDGE_TAG_MAX bytes, is taken to bear every tag: a purge that cannot be ruled out
 * applies.
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/str.h"

#include <stdbool.h>

enum { EDGE_TAGS_MAX = 128, EDGE_TAG_MAX = 256 };

/* Takes the next tag off `*rest`; false at the end. No limit is looked at. */
bool edge_tags_next(struct fb_str *rest, struct fb_str *ret_tag);

/* True if `text` is one tag: not empty, not too long, visible ASCII without commas. */
bool edge_tag_is_valid(struct fb_str text);
