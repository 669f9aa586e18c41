/*
 * Series: when a video was watched in one region, as far as scores ask for it.
 *
 * The last hours are kept in slots of five minutes, what is older in hours, and what is older than
 * ORIGIN_TRENDING_KEPT_MS not at all. Rows may come in any order, and what is added to the same
 * slot sums up.
 *
 * No network counts more than `rules->network` views of a day (UTC), and fewer where few networks
 * were seen: of each day, so many views for each different network seen on it count, the latest
 * first. So a view that is added never takes away one that fades less than itself.
 *
 * Ownership  zero → done.
 * Threads    One at a time.
 * Limits     About 200 buckets and nine days, whatever is added.
 */
#pragma once

#include "origin/trending/score.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct origin_series_bucket {
    int32_t slot;     /* the first, in five minutes since 1970 */
    uint16_t n_slots; /* 1 or 12 */
    float views;
    float ends;
};

struct origin_series_day {
    int32_t day; /* since 1970 */
    uint32_t networks;
};

enum { ORIGIN_SERIES_DAYS = 9 };

struct origin_series {
    struct origin_series_bucket *buckets; /* owned; by time */
    uint32_t n;
    uint32_t max;
    struct origin_series_day days[ORIGIN_SERIES_DAYS]; /* in no order; day 0: free */
};

/* Frees the memory and zeroes; safe on zero. */
void origin_series_done(struct origin_series *series);

/* What was watched from `start_ms` on, for at most an hour. What is too old is left out; what is of
 * the future counts as of `now_ms`. */
void origin_series_add(struct origin_series *series, int64_t now_ms, int64_t start_ms,
                       int64_t span_ms, double views, double ends);

/* How many different networks a day saw; it never shrinks. A day that nothing is known of has
 * one. */
void origin_series_networks(struct origin_series *series, int64_t now_ms, int32_t day,
                            uint32_t networks);

/* Joins slots of hours gone by, and drops what is too old. False: nothing is left. */
bool origin_series_age(struct origin_series *series, int64_t now_ms);

/* The fading of each slot's age, once for many series. */
enum { ORIGIN_FADES_SLOTS = 7 * 24 * 12 + 13 };

struct origin_fades {
    const struct origin_score_rules *rules; /* borrowed */
    int64_t now_ms;
    double of[ORIGIN_TRENDING_N_WINDOWS][ORIGIN_FADES_SLOTS]; /* by age in half slots' middle */
};

void origin_fades_init(struct origin_fades *fades, const struct origin_score_rules *rules,
                       int64_t now_ms);

/* Adds what the series says to the sums of each window, except likes and shares. */
void origin_series_sum(const struct origin_series *series, const struct origin_fades *fades,
                       struct origin_score_sums sums[ORIGIN_TRENDING_N_WINDOWS]);
