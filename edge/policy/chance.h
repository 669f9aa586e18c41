/*
 * Chance: how likely an extent is asked for again while it would lie on a volume.
 *
 * A model that learns from the traffic itself, in a few weights. The life of an extent on a
 * volume, the window, is cut into intervals, short ones first. For each interval
 * the chance of a request in it, if none came before, is
 *
 *     logistic( weight of the interval + a weight for each feature's bin )
 *
 * and the chance for the whole window follows. Intervals are what makes it learn from the
 * first minutes on, and still tell what returns only after a day.
 *
 * Each observation moves the weights that took part in it towards what happened: much
 * when a weight is new, less with experience, but never nothing, since traffic changes.
 *
 * Threads    One at a time.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { EDGE_CHANCE_FEATURES = 4, EDGE_CHANCE_BINS = 40, EDGE_CHANCE_INTERVALS = 6 };

/* One bin of each feature. */
struct edge_chance_view {
    uint8_t bins[EDGE_CHANCE_FEATURES];
};

struct edge_chance_weight {
    double weight;
    double experience;
};

struct edge_chance {
    struct edge_chance_weight intervals[EDGE_CHANCE_INTERVALS];
    struct edge_chance_weight bins[EDGE_CHANCE_FEATURES][EDGE_CHANCE_BINS];
};

void edge_chance_init(struct edge_chance *chance);

/* 0 to 1, for the whole window. */
double edge_chance_of(const struct edge_chance *chance, const struct edge_chance_view *view);

/* What was seen as `view` lived to see interval `interval`: was it asked for in it? */
void edge_chance_learn(struct edge_chance *chance, const struct edge_chance_view *view,
                       unsigned interval, bool was_asked);

/* Where an interval ends. */
uint64_t edge_chance_end(uint64_t window, unsigned interval);
