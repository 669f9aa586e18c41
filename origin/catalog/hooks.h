/*
 * The tables of webhooks: what happened to videos, and up to where each receiver was told.
 *
 * An event is written with the change that it tells of, in its transaction, by triggers of the
 * database: whoever changes a video's state cannot forget it.
 */
#pragma once

#include "base/core/arena.h"
#include "origin/catalog/catalog.h"
#include "origin/model/id.h"

#include <stddef.h>
#include <stdint.h>

struct origin_hook_event {
    int64_t seq;         /* counts up, and is never given twice */
    struct fb_str kind;  /* such as "video.ready" (docs/webhooks.md) */
    struct fb_str video; /* ids */
    struct fb_str owner;
    struct fb_str version; /* ptr NULL: none */
    struct fb_str reason;  /* likewise */
    int64_t at_ms;
    uint32_t n_failed; /* tries to tell it, of the receiver that asks */
};

/* Makes `urls` all the receivers there are: new ones hear of what happens from now on. */
FB_MUST_CHECK int origin_catalog_hooks_set(struct origin_catalog *catalog,
                                           const struct fb_str *urls, size_t n);

/* The first event that `url` was not told of, with strings in `arena`. FB_E_LATER: it is to be
 * asked later. FB_E_END: there is none. */
FB_MUST_CHECK int origin_catalog_hook_due(struct origin_catalog *catalog, struct fb_arena *arena,
                                          struct fb_str url, struct origin_hook_event *ret_event);

/* It was told, or is not to be told any more. */
FB_MUST_CHECK int origin_catalog_hook_told(struct origin_catalog *catalog, struct fb_str url,
                                           int64_t seq);

/* It could not be told: not again before `until_ms`. */
FB_MUST_CHECK int origin_catalog_hook_wait(struct origin_catalog *catalog, struct fb_str url,
                                           int64_t until_ms);

/* Forgets what all were told of. */
FB_MUST_CHECK int origin_catalog_hooks_prune(struct origin_catalog *catalog);
