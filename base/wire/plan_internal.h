/*
 * What the files of plans share.
 *
 *     plan.c         heads, and making bodies
 *     plan_reader.c  bodies, piece by piece
 */
#pragma once

#include "base/wire/plan.h"

struct fb_json;

/* Says what keeps `entry` from being one. */
FB_MUST_CHECK int fb_plan_entry_check(const struct fb_plan_entry *entry, struct fb_diag *diag);

/* The member "sha256". */
FB_MUST_CHECK int fb_plan_read_digest(const struct fb_json *json, uint8_t digest[FB_SHA256_SIZE],
                                      struct fb_diag *diag);
