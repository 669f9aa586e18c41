#include "origin/trending/series.h"

#include "base/core/alloc.h"
#include "base/core/attr.h"

#include <math.h>
#include <string.h>

enum { SLOTS_AN_HOUR = 12, HOURS_A_DAY = 24, HOURS_IN_SLOTS = 3, LEAST_ROOM = 8 };

static const int64_t slot_ms = 300000;
static const int64_t day_ms = INT64_C(24) * 3600000;

void origin_series_done(struct origin_series *series)
{
    fb_free(series->buckets);
    *series = (struct origin_series){0};
}

/* ---- what comes in ----------------------------------------------------------------- */

/* The first slot of the hours that are still in slots. */
static int32_t first_fine(int64_t now_ms)
{
    int32_t now = (int32_t)(now_ms / slot_ms);

    return now - now % SLOTS_AN_HOUR - HOURS_IN_SLOTS * SLOTS_AN_HOUR;
}

static int32_t first_kept(int64_t now_ms)
{
    return (int32_t)((now_ms - ORIGIN_TRENDING_KEPT_MS) / slot_ms);
}

/* Where a bucket that begins at `slot` is, or would be. */
static uint32_t place_of(const struct origin_series *series, int32_t slot)
{
    uint32_t at = series->n;

    while (at > 0 && series->buckets[at - 1].slot >= slot) {
        at--; /* nearly always the last ones */
    }
    return at;
}

static struct origin_series_bucket *make_room(struct origin_series *series, uint32_t at)
{
    if (series->n == series->max) {
        series->max = series->max == 0 ? LEAST_ROOM : series->max * 2;
        series->buckets =
            fb_realloc(series->buckets, series->max * sizeof(struct origin_series_bucket));
    }
    memmove(&series->buckets[at + 1], &series->buckets[at],
            (series->n - at) * sizeof(struct origin_series_bucket));
    series->n++;
    return &series->buckets[at];
}

void origin_series_add(struct origin_series *series, int64_t now_ms, int64_t start_ms,
                       int64_t span_ms, double views, double ends)
{
    int32_t slot = (int32_t)(FB_MIN(start_ms, now_ms) / slot_ms);
    bool is_hour = span_ms > slot_ms || slot < first_fine(now_ms);

    if (slot < first_kept(now_ms)) {
        return;
    }
    slot = is_hour ? slot - slot % SLOTS_AN_HOUR : slot;
    uint32_t at = place_of(series, slot);
    if (at == series->n || series->buckets[at].slot != slot) {
        *make_room(series, at) =
            (struct origin_series_bucket){.slot = slot, .n_slots = is_hour ? SLOTS_AN_HOUR : 1};
    }
    series->buckets[at].views += (float)views;
    series->buckets[at].ends += (float)fmin(ends, views);
}

void origin_series_networks(struct origin_series *series, int64_t now_ms, int32_t day,
                            uint32_t networks)
{
    int32_t first = (int32_t)((now_ms - ORIGIN_TRENDING_KEPT_MS) / day_ms);
    struct origin_series_day *found = NULL;

    for (size_t i = 0; i < ORIGIN_SERIES_DAYS; i++) {
        struct origin_series_day *item = &series->days[i];
        if (item->day == day) {
            found = item;
            break;
        }
        if (item->day < first) {
            found = item;
        }
    }
    if (day < first || found == NULL) {
        return;
    }
    found->networks = found->day == day ? FB_MAX(found->networks, networks) : networks;
    found->day = day;
}

bool origin_series_age(struct origin_series *series, int64_t now_ms)
{
    int32_t fine = first_fine(now_ms);
    int32_t kept = first_kept(now_ms);
    uint32_t n = 0;

    for (uint32_t i = 0; i < series->n; i++) {
        struct origin_series_bucket bucket = series->buckets[i];
        if (bucket.slot + bucket.n_slots <= kept) {
            continue;
        }
        if (bucket.slot < fine) {
            bucket.slot -= bucket.slot % SLOTS_AN_HOUR;
            bucket.n_slots = SLOTS_AN_HOUR;
        }
        struct origin_series_bucket *last = n > 0 ? &series->buckets[n - 1] : NULL;
        if (last != NULL && last->slot == bucket.slot) {
            last->n_slots = FB_MAX(last->n_slots, bucket.n_slots);
            last->views += bucket.views;
            last->ends += bucket.ends;
        } else {
            series->buckets[n++] = bucket;
        }
    }
    series->n = n;
    return n > 0;
}

/* ---- what comes out ---------------------------------------------------------------- */

void origin_fades_init(struct origin_fades *fades, const struct origin_score_rules *rules,
                       int64_t now_ms)
{
    fades->rules = rules;
    fades->now_ms = now_ms;
    for (size_t w = 0; w < ORIGIN_TRENDING_N_WINDOWS; w++) {
        for (size_t i = 0; i < ORIGIN_FADES_SLOTS; i++) {
            fades->of[w][i] =
                origin_score_fade(rules, (enum origin_trending_window)w, (int64_t)i * slot_ms);
        }
    }
}

/* What is left to count of one day. */
struct allowance {
    int32_t day;
    double left;
};

static void open_day(const struct origin_series *series, const struct origin_fades *fades,
                     int32_t day, struct allowance *allowance)
{
    const struct origin_score_rules *rules = fades->rules;
    double networks = 1;

    for (size_t i = 0; i < ORIGIN_SERIES_DAYS; i++) {
        if (series->days[i].day == day) {
            networks = FB_MAX(series->days[i].networks, 1U);
        }
    }
    *allowance = (struct allowance){
        .day = day, .left = networks * fmin(rules->network, rules->alone * networks)};
}

void origin_series_sum(const struct origin_series *series, const struct origin_fades *fades,
                       struct origin_score_sums sums[ORIGIN_TRENDING_N_WINDOWS])
{
    int32_t now = (int32_t)(fades->now_ms / slot_ms);
    struct allowance allowance = {.day = -1};

    for (uint32_t i = series->n; i-- > 0;) {
        const struct origin_series_bucket *bucket = &series->buckets[i];
        int32_t day = bucket->slot / (SLOTS_AN_HOUR * HOURS_A_DAY);
        if (day != allowance.day) {
            open_day(series, fades, day, &allowance);
        }
        double views = fmin((double)bucket->views, allowance.left);
        allowance.left -= views;
        /* Of the middle of an hour, and of the end of what is not over. */
        int32_t age = FB_MAX(now - bucket->slot - bucket->n_slots / 2, 0);
        int64_t end_ms = (int64_t)(bucket->slot + bucket->n_slots) * slot_ms;
        for (size_t w = 0; w < ORIGIN_TRENDING_N_WINDOWS; w++) {
            int64_t since_ms =
                fades->now_ms - origin_trending_window_ms((enum origin_trending_window)w);
            if (end_ms <= since_ms) {
                sums[w].before += views;
                continue;
            }
            double fade = fades->of[w][FB_MIN(age, ORIGIN_FADES_SLOTS - 1)];
            sums[w].views += views * fade;
            sums[w].ends += (double)bucket->ends * fade; /* the score bounds them */
            if (bucket->n_slots == 1 && end_ms > fades->now_ms - ORIGIN_TRENDING_FRESH_MS) {
                sums[w].fresh += views;
            }
        }
    }
}
