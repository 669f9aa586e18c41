/*
 * The table of shares: who passed a video on, and by what.
 */
#pragma once

#include "base/core/arena.h"
#include "origin/catalog/catalog.h"
#include "origin/catalog/idempotency.h"
#include "origin/catalog/reactions.h"
#include "origin/model/id.h"

/* Adds one. FB_E_CONFLICT: the account or the video is not there. FB_E_DENIED:
 * once->key stood for another request. FB_E_EXISTS: this was done before, and *ret_earlier,
 * in `arena`, is what was answered then (the one output of a failure). */
struct origin_share {
    struct origin_actor actor;
    struct origin_id video;
    struct fb_str channel;
};
FB_MUST_CHECK int origin_catalog_share_add(struct origin_catalog *catalog, struct fb_arena *arena,
                                           const struct origin_share *share,
                                           const struct origin_once *once,
                                           struct fb_str *ret_earlier);
