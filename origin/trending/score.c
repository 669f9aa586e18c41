#include "origin/trending/score.h"

#include <math.h>

static const int64_t hour_ms = 3600000;
static const int64_t day_ms = INT64_C(24) * 3600000;

/* Before anything is known of a video, three of ten are taken to watch it to the end; twenty views
 * weigh as much as this guess. */
static const double guess_share = 0.3;
static const double guess_views = 20;

/* Of Q: what no video lacks, and what shares add: all of it at one share for ten views. */
static const double least_quality = 0.5;
static const double most_of_shares = 0.5;
static const double quality_of_share = 5;

int64_t origin_trending_window_ms(enum origin_trending_window window)
{
    switch (window) {
    case ORIGIN_TRENDING_HOUR:
        return hour_ms;
    case ORIGIN_TRENDING_WEEK:
        return 7 * day_ms;
    case ORIGIN_TRENDING_DAY:
    case ORIGIN_TRENDING_N_WINDOWS:
        break;
    }
    return day_ms;
}

struct origin_score_rules origin_score_rules(int64_t half_life_ms)
{
    return (struct origin_score_rules){
        .half_life_ms = half_life_ms,
        .like = 10,
        .share = 50,
        .plausible = 4,
        .free = 2,
        .spike = 10,
        .usual = 3,
        .noise = 20,
        .network = 20,
        .alone = 4,
    };
}

double origin_score_fade(const struct origin_score_rules *rules, enum origin_trending_window window,
                         int64_t age_ms)
{
    int64_t window_ms = origin_trending_window_ms(window);
    double half_life = (double)rules->half_life_ms * (double)window_ms / (double)day_ms;

    return age_ms <= 0 ? 1 : exp2(-(double)age_ms / half_life);
}

/* A part of the views, and V * (guess * n + ends) / (V + n) grows with V. */
static double quality_of(const struct origin_score_sums *sums)
{
    double n = sums->views + guess_views;
    double ends = fmin(sums->ends, sums->views);
    double watched = (ends + guess_share * guess_views) / n;
    double shared = fmin(quality_of_share * sums->shares / n, most_of_shares);

    return least_quality + watched + shared;
}

/* What was seen before the window says what would have come in the quarter of an hour. */
static double spike_of(const struct origin_score_rules *rules, enum origin_trending_window window,
                       const struct origin_score_sums *sums)
{
    int64_t before_ms = ORIGIN_TRENDING_KEPT_MS - origin_trending_window_ms(window);

    if (before_ms <= 0) {
        return 0; /* nothing is known of the time before */
    }
    double usual = sums->before * (double)ORIGIN_TRENDING_FRESH_MS / (double)before_ms;

    return rules->spike * fmax(0, sums->fresh - rules->usual * usual - rules->noise);
}

struct origin_score origin_score_of(const struct origin_score_rules *rules,
                                    enum origin_trending_window window,
                                    const struct origin_score_sums *sums)
{
    double engagement = rules->like * sums->likes + rules->share * sums->shares;
    struct origin_score score = {
        .views = sums->views,
        .quality = quality_of(sums),
        .engagement = fmin(engagement, rules->free + rules->plausible * sums->views),
        .spike = spike_of(rules, window, sums),
    };

    score.total = score.views * score.quality + score.engagement + score.spike;
    return score;
}
