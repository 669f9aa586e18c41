/*
 * Entries: what was seen of one video, in one rendition, in one span of time.
 *
 * All that a report says of views is a list of entries, and all that happens to them between a
 * player and a table is that entries of the same video, rendition and span are merged: numbers are
 * added, sketches united. So the order and the grouping of merges never matter. No entry holds an
 * address, an agent or a name of a viewer: sketches are of keyed hashes.
 *
 * Ownership  An entry borrows its strings. Its sketches are owned by whoever made the entry: done
 *            frees them. NULL stands for an empty sketch.
 * Threads    Pure functions, any thread.
 * Limits     FB_VIEW_VIDEO_MAX and FB_VIEW_RENDITION_MAX bytes of names.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/str.h"

#include <stdbool.h>
#include <stdint.h>

struct fb_hyperloglog;

/* Why a session is not a view. The numbers are the wire's: new ones come last. */
enum fb_view_reason {
    FB_VIEW_TOO_SHORT,
    FB_VIEW_DUPLICATE,
    FB_VIEW_BOT,
    FB_VIEW_RATE,
    FB_VIEW_NO_MEDIA,
    FB_VIEW_REASONS_N
};

/* Where the viewer came from, as the player says. The numbers are the wire's. */
enum fb_view_source {
    FB_VIEW_FEED,
    FB_VIEW_SEARCH,
    FB_VIEW_TRENDING,
    FB_VIEW_SHARE,
    FB_VIEW_EXTERNAL,
    FB_VIEW_OTHER,
    FB_VIEW_SOURCES_N
};

enum {
    FB_VIEW_STARTUP_N = 8, /* the bounds of FB_VIEW_STARTUP_MS, and what is above them */
    FB_VIEW_VIDEO_MAX = 128,
    FB_VIEW_RENDITION_MAX = 64,
    FB_VIEW_SPAN_MAX = 366 * 24 * 60,
    FB_VIEW_VIEWERS_PRECISION = 12,
    FB_VIEW_NETWORKS_PRECISION = 8
};

/* The end of the year 9999. */
#define FB_VIEW_MINUTE_MAX INT64_C(4223371680)

struct fb_view_entry {
    struct fb_str video;     /* not empty */
    struct fb_str rendition; /* may be empty: not known, or folded away */
    int64_t minute;          /* the first of the span, in minutes since 1970-01-01 UTC */
    uint32_t span;           /* minutes: 1, or 60 or 1440 once folded */

    uint64_t views;
    uint64_t capped;   /* views within the caps per viewer and network, for trending */
    uint64_t sessions; /* that ended, counted or not */
    uint64_t watch_ms;
    uint64_t ends; /* views that saw nine tenths and more */
    uint64_t stalls;
    uint64_t stall_ms;
    uint64_t bytes;
    uint64_t bytes_missed; /* of those, fetched from upstream */
    uint64_t startups;     /* in the histogram below */
    uint64_t startup[FB_VIEW_STARTUP_N];
    uint64_t uncounted[FB_VIEW_REASONS_N];
    uint64_t sources[FB_VIEW_SOURCES_N]; /* of views */
    struct fb_hyperloglog *viewers;      /* of counted views */
    struct fb_hyperloglog *networks;
};

/* Frees the sketches and zeroes the entry; safe on zero. */
void fb_view_entry_done(struct fb_view_entry *entry);

/* Adds what `from` counts to `into`; names and span stay those of `into`. Sums stop at 2^64 - 1. */
void fb_view_entry_merge(struct fb_view_entry *into, const struct fb_view_entry *from);

/* What an entry counts, without what it is of, as bytes for a table. */
void fb_view_counts_encode(const struct fb_view_entry *entry, struct fb_buf *to);

/* Merges what all of `bytes` counts into `into`, or nothing on failure: FB_E_MALFORMED,
 * FB_E_UNSUPPORTED. */
FB_MUST_CHECK int fb_view_counts_merge(struct fb_view_entry *into, struct fb_str bytes);

/* Whether it counts anything. */
bool fb_view_entry_is_empty(const struct fb_view_entry *entry);

/* The bucket of fb_view_entry.startup of a start that took so long. */
unsigned fb_view_startup_bucket(uint64_t ms);

/* The upper bound of a bucket in milliseconds; 0 for the last, which has none. */
uint64_t fb_view_startup_bound_ms(unsigned bucket);

/* "too-short", "duplicate", "bot", "rate", "no-media"; "feed", "search", …, "other". For ever. */
const char *fb_view_reason_name(enum fb_view_reason reason);
const char *fb_view_source_name(enum fb_view_source source);

/* FB_VIEW_OTHER for a name that is none. */
enum fb_view_source fb_view_source_from(struct fb_str name);
