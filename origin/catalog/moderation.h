/*
 * The table of moderation: which admin took which video away or gave it back,
 * and why. Rows are only ever added.
 */
#pragma once

#include "base/core/arena.h"
#include "origin/catalog/catalog.h"
#include "origin/model/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct origin_decision {
    struct origin_id video;
    struct origin_id admin;
    bool is_active; /* whether the video may be seen from now on */
    struct fb_str reason;
    int64_t at_ms; /* not read by origin_catalog_moderate() */
};

/* Carries it out and writes it down, in one transaction. FB_E_NOT_FOUND. */
FB_MUST_CHECK int origin_catalog_moderate(struct origin_catalog *catalog,
                                          const struct origin_decision *decision);

/* The decisions on a video, the last first, at most `limit`, in `arena`; also of
 * one that is not there any more. */
FB_MUST_CHECK int origin_catalog_moderation_list(struct origin_catalog *catalog,
                                                 struct fb_arena *arena,
                                                 const struct origin_id *video, size_t limit,
                                                 struct origin_decision **ret_decisions,
                                                 size_t *ret_n);
