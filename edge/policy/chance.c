#include "edge/policy/chance.h"

#include "base/core/attr.h"
#include "base/core/check.h"

#include <math.h>

/* A new weight moves by this much at most, an experienced one by a fiftieth of it. */
static const double chance_step = 0.05;
static const double chance_experience = 2500;

/* Of each interval at the start: a chance of one half for the window, so that a new cache
 * neither takes nor refuses everything. */
static const double chance_prior = -2.1;

static const uint8_t chance_shifts[EDGE_CHANCE_INTERVALS] = {6, 4, 3, 2, 1, 0};

void edge_chance_init(struct edge_chance *chance)
{
    *chance = (struct edge_chance){0};
    for (unsigned i = 0; i < EDGE_CHANCE_INTERVALS; i++) {
        chance->intervals[i].weight = chance_prior;
    }
}

static double chance_sum(const struct edge_chance *chance, const struct edge_chance_view *view)
{
    double sum = 0;

    for (unsigned i = 0; i < EDGE_CHANCE_FEATURES; i++) {
        FB_REQUIRE(view->bins[i] < EDGE_CHANCE_BINS);
        sum += chance->bins[i][view->bins[i]].weight;
    }
    return sum;
}

static double logistic(double x)
{
    return 1 / (1 + exp(-x));
}

double edge_chance_of(const struct edge_chance *chance, const struct edge_chance_view *view)
{
    double sum = chance_sum(chance, view);
    double not_asked = 1;

    for (unsigned i = 0; i < EDGE_CHANCE_INTERVALS; i++) {
        not_asked *= 1 - logistic(chance->intervals[i].weight + sum);
    }
    return 1 - not_asked;
}

static void weight_move(struct edge_chance_weight *weight, double error)
{
    weight->experience = FB_MIN(weight->experience + error * error, chance_experience);
    weight->weight += chance_step / sqrt(1 + weight->experience) * error;
}

void edge_chance_learn(struct edge_chance *chance, const struct edge_chance_view *view,
                       unsigned interval, bool was_asked)
{
    double guess = logistic(chance->intervals[interval].weight + chance_sum(chance, view));
    double error = (was_asked ? 1 : 0) - guess;

    weight_move(&chance->intervals[interval], error);
    for (unsigned i = 0; i < EDGE_CHANCE_FEATURES; i++) {
        weight_move(&chance->bins[i][view->bins[i]], error);
    }
}

uint64_t edge_chance_end(uint64_t window, unsigned interval)
{
    return window >> chance_shifts[interval];
}
