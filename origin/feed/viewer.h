/*
 * A viewer: what the feed knows of whoever asks, in numbers of a shelf.
 *
 * Ownership  Plain data; a zero one is somebody of whom nothing is known.
 * Threads    One at a time.
 */
#pragma once

#include "origin/feed/shelf.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ORIGIN_VIEWER_HISTORY_MAX = 50,
    ORIGIN_VIEWER_FOLLOWS_MAX = 200,
    ORIGIN_VIEWER_INTERESTS_MAX = 64
};

/* How much of what was watched lately bears a tag, or is of an owner or a category. */
struct origin_interest {
    uint32_t what;
    double share; /* above 0, at most 1 */
};

struct origin_viewer {
    uint32_t history[ORIGIN_VIEWER_HISTORY_MAX]; /* watched, the oldest first; each once */
    size_t n_history;
    struct origin_id follows[ORIGIN_VIEWER_FOLLOWS_MAX]; /* accounts, the newest first */
    size_t n_follows;

    /* What origin_viewer_sum_up() makes of it. */
    struct origin_interest tags[ORIGIN_VIEWER_INTERESTS_MAX]; /* the greatest first */
    size_t n_tags;
    struct origin_interest owners[ORIGIN_VIEWER_HISTORY_MAX]; /* by owner_number */
    size_t n_owners;
    double mean_minutes; /* of what was watched; 0: nobody knows */
};

/* Reads history, writes the rest. What was watched last weighs most: each step back 0.95. */
void origin_viewer_sum_up(struct origin_viewer *viewer, const struct origin_shelf *shelf);

/* The share of `what`, or 0. */
double origin_interest_of(const struct origin_interest *interests, size_t n, uint32_t what);

bool origin_viewer_has_watched(const struct origin_viewer *viewer, uint32_t video);
bool origin_viewer_follows(const struct origin_viewer *viewer, const struct origin_id *owner);
