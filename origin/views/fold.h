/*
 * Folding: the entries of reports as what is to be added to rows.
 *
 *     entries ── by video, then by time ──► slots, hours, days by rendition, days
 *
 * Minutes are clamped as views.h says. An entry of an hour and more (folded for want of room on its
 * node) counts where it begins. The hours of the last ORIGIN_SLOTS_KEPT_MS have slots too.
 *
 * Ownership  The rows are the arena's, their names the reports'; sketches belong to the fold or to
 *            the reports. So both outlive it.
 * Threads    Pure functions over the caller's storage; any thread.
 */
#pragma once

#include "base/core/arena.h"
#include "origin/catalog/view_reports.h"

#include <stddef.h>
#include <stdint.h>

struct origin_fold {
    struct origin_view_video *videos; /* by name */
    size_t n_videos;
    size_t n_entries;
    size_t n_ahead;  /* entries by more than ORIGIN_VIEWS_SKEW_MS ahead of our clock */
    size_t n_behind; /* and further back than ORIGIN_VIEWS_OLDEST_MS */

    /* Private to fold.c. */
    struct fb_arena *arena;
};

/* What `n` reports say, at `now_ms`. */
struct origin_fold origin_fold_reports(struct fb_arena *arena, const struct fb_view_report *reports,
                                       size_t n, int64_t now_ms);

/* Frees its sketches; safe on zero. */
void origin_fold_done(struct origin_fold *fold);

/* The first moment that slots are kept of. */
int64_t origin_fold_slots_from(int64_t now_ms);
