/*
 * The table of watch events: what users who are logged in watched, as their
 * players tell it; for the feed, never for counters that others see.
 */
#pragma once

#include "origin/catalog/catalog.h"
#include "origin/model/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ORIGIN_WATCH_EVENT_MAX = 64 };

struct origin_watch_event {
    int64_t seq; /* grows; not read by ..._add() */
    struct origin_id user;
    struct fb_str event; /* the client's id of it, at most ORIGIN_WATCH_EVENT_MAX bytes */
    int64_t video;       /* its number */
    int64_t at_ms;       /* when it was told */
    uint64_t watch_ms;
    uint64_t position_ms;
    bool completed;
    struct fb_str source; /* "feed", "search", "trending", "share", "external", "other" */
};

/* *ret_is_new is false if the user's client had told this event before, and nothing
 * is changed. FB_E_CONFLICT if the user or the video is gone. */
FB_MUST_CHECK int origin_catalog_watch_add(struct origin_catalog *catalog,
                                           const struct origin_watch_event *event,
                                           bool *ret_is_new);

typedef int origin_watch_event_fn(void *ctx, const struct origin_watch_event *event);

/* At most `limit` events after `after_seq`, oldest first; strings are good for the visit. The
 * function is quick and does not call the catalog; what it returns below 0 ends the visit. */
FB_MUST_CHECK int origin_catalog_watch_after(struct origin_catalog *catalog, int64_t after_seq,
                                             size_t limit, origin_watch_event_fn *event, void *ctx);

/* The same of one user, newest first. */
FB_MUST_CHECK int origin_catalog_watch_of(struct origin_catalog *catalog,
                                          const struct origin_id *user, size_t limit,
                                          origin_watch_event_fn *event, void *ctx);

/* Removes events from before `before_ms`, at most `max`. */
FB_MUST_CHECK int origin_catalog_watch_prune(struct origin_catalog *catalog, int64_t before_ms,
                                             size_t max, size_t *ret_n);
