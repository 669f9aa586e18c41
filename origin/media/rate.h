/*
 * Frame rates: from what a container claims to the rate of the output grid, and
 * from times to places on that grid.
 *
 * A grid has one picture for each 1/rate seconds, from 0. A source picture is
 * shown from the place nearest to its time until the next one, so a source of
 * variable rate becomes exact and a source above 60 is thinned.
 *
 * Threads    Pure functions.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* A positive fraction; 0/1 where none is known. */
struct origin_ratio {
    int num;
    int den;
};

enum { ORIGIN_RATE_MAX = 60, ORIGIN_RATE_MIN = 5 };

/* `average` is pictures by length; `base` the lowest rate on which all times
 * fall. Either may be unknown (0/x). The result lies between MIN and MAX. */
struct origin_ratio origin_rate_choose(struct origin_ratio average, struct origin_ratio base);

double origin_ratio_value(struct origin_ratio ratio);

/* The grid place nearest to `us`; negative before 0. */
int64_t origin_rate_index(struct origin_ratio rate, int64_t us);

/* When the picture at `index` begins. */
int64_t origin_rate_time_us(struct origin_ratio rate, int64_t index);

/* True if `index` is the first place at or after a multiple of `period_ms`. */
bool origin_rate_is_key(struct origin_ratio rate, int64_t index, unsigned period_ms);

/* How many whole periods have passed when the picture at `index` begins. */
int64_t origin_rate_period(struct origin_ratio rate, int64_t index, unsigned period_ms);
