#include "origin/media/rate.h"

#include "base/core/attr.h"

#include <math.h>
#include <stddef.h>

enum { US_PER_S = 1000000, MS_PER_S = 1000 };

/* Times by rates by units do not fit 64 bits. */
__extension__ typedef __int128 wide;

static const struct origin_ratio rate_common[] = {
    {8, 1},  {10, 1},       {12, 1}, {15, 1}, {20, 1}, {24000, 1001}, {24, 1},
    {25, 1}, {30000, 1001}, {30, 1}, {48, 1}, {50, 1}, {60000, 1001}, {60, 1},
};

double origin_ratio_value(struct origin_ratio ratio)
{
    return ratio.den > 0 ? (double)ratio.num / ratio.den : 0.0;
}

/* The common rate within 0.4 % of `value`, if there is one. */
static bool rate_snap(double value, struct origin_ratio *ret_rate)
{
    double nearest = 0.004;
    bool is_found = false;

    for (size_t i = 0; i < FB_ARRAY_LEN(rate_common); i++) {
        double off = fabs(value / origin_ratio_value(rate_common[i]) - 1.0);
        if (off < nearest) {
            nearest = off;
            *ret_rate = rate_common[i];
            is_found = true;
        }
    }
    return is_found;
}

/* The lowest common rate that loses no picture of a source of this average. */
static struct origin_ratio rate_at_least(double value)
{
    for (size_t i = 0; i < FB_ARRAY_LEN(rate_common); i++) {
        if (origin_ratio_value(rate_common[i]) >= value * 0.996) {
            return rate_common[i];
        }
    }
    return (struct origin_ratio){ORIGIN_RATE_MAX, 1};
}

struct origin_ratio origin_rate_choose(struct origin_ratio average, struct origin_ratio base)
{
    double fps = origin_ratio_value(average);
    double exact = origin_ratio_value(base);
    struct origin_ratio rate = {0, 1};

    if (!isfinite(fps) || fps <= 0.0) {
        fps = exact;
    }
    if (!isfinite(fps) || fps <= 0.0 || fps > 1000.0) {
        return (struct origin_ratio){30, 1};
    }
    /* Steady above the limit (59.94 and 60 are not): every second or third picture. */
    double highest = (double)ORIGIN_RATE_MAX * 1.004;
    double thinned = fps > highest ? fps / ceil(fps / highest) : fps;
    if (rate_snap(thinned, &rate)) {
        return rate;
    }
    bool is_steady = exact > 0.0 && fabs(exact / fps - 1.0) < 0.01;
    if (is_steady && fps >= (double)ORIGIN_RATE_MIN && fps <= (double)ORIGIN_RATE_MAX &&
        base.num < 120000) {
        return base;
    }
    return rate_at_least(thinned);
}

static int64_t floor_div(wide a, wide b)
{
    wide q = a / b;
    return (int64_t)(a % b < 0 ? q - 1 : q);
}

int64_t origin_rate_index(struct origin_ratio rate, int64_t us)
{
    wide unit = (wide)rate.den * US_PER_S;
    return floor_div((wide)us * rate.num * 2 + unit, unit * 2);
}

int64_t origin_rate_time_us(struct origin_ratio rate, int64_t index)
{
    return floor_div((wide)index * rate.den * US_PER_S, rate.num);
}

int64_t origin_rate_period(struct origin_ratio rate, int64_t index, unsigned period_ms)
{
    return floor_div((wide)index * rate.den * MS_PER_S, (wide)rate.num * period_ms);
}

bool origin_rate_is_key(struct origin_ratio rate, int64_t index, unsigned period_ms)
{
    return index == 0 || origin_rate_period(rate, index, period_ms) !=
                             origin_rate_period(rate, index - 1, period_ms);
}
