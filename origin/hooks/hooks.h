/*
 * Webhooks: whoever is named in the configuration is told what becomes of videos.
 *
 *     a video's row changes ──► event, in the same transaction (origin/catalog/hooks.h)
 *     a round ──► the first event that each receiver was not told of ──► POST, signed ──┬► 2xx:
 * told └► later
 *
 * Each receiver is told of everything, in order, at least once; an event that it does not take is
 * sent again after a growing pause, and left out after ORIGIN_HOOKS_PATIENCE tries, which is some
 * three days. docs/webhooks.md tells receivers what comes and how to check it.
 *
 * Ownership  new → free; everything given is borrowed.
 * Threads    One run at a time, on any thread.
 * Limits     ORIGIN_HOOKS_MAX receivers.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"

#include <stddef.h>

struct fb_clock;
struct fb_metrics;
struct origin_calls;
struct origin_catalog;
struct origin_hooks;

enum { ORIGIN_HOOKS_MAX = 16, ORIGIN_HOOKS_PERIOD_MS = 1000, ORIGIN_HOOKS_PATIENCE = 80 };

struct origin_hook {
    struct fb_str url;
    struct fb_str secret; /* what signs */
};

struct origin_hooks_options {
    struct origin_catalog *catalog;
    struct origin_calls *calls;
    const struct fb_clock *clock;
    struct fb_metrics *metrics;
    struct origin_hook hooks[ORIGIN_HOOKS_MAX];
    size_t n_hooks;
};

/* Notes in the catalog who is to be told. */
FB_MUST_CHECK int origin_hooks_new(const struct origin_hooks_options *options,
                                   struct origin_hooks **ret_hooks);
void origin_hooks_free(struct origin_hooks *hooks); /* accepts NULL */

/* One round, with the hooks as `ctx`: tells each receiver of what is due. */
FB_MUST_CHECK int origin_hooks_run(void *ctx);
