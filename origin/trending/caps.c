#include "origin/trending/caps.h"

#include "base/core/attr.h"
#include "base/core/order.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

enum { HOURS_A_DAY = 24 };

static const int64_t hour_ms = 3600000;

static int64_t day_of(const struct origin_caps_event *event)
{
    return event->at_ms / (hour_ms * HOURS_A_DAY);
}

static bool is_young(const struct origin_caps_event *event)
{
    return event->at_ms - event->account_ms < ORIGIN_CAPS_YOUNG_MS;
}

/* By group: the events of one kind, of one video on one day. */
static int compare_groups(const struct origin_caps_event *a, const struct origin_caps_event *b)
{
    int order = FB_ORDER(a->video, b->video);

    order = order != 0 ? order : FB_ORDER(day_of(a), day_of(b));
    return order != 0 ? order : FB_ORDER(a->kind, b->kind);
}

static int compare_users(const void *left, const void *right)
{
    const struct origin_caps_event *a = left;
    const struct origin_caps_event *b = right;
    int order = compare_groups(a, b);

    order = order != 0 ? order : FB_ORDER(a->user, b->user);
    order = order != 0 ? order : FB_ORDER(a->at_ms, b->at_ms);
    return order != 0 ? order : FB_ORDER(a->network, b->network);
}

static int compare_networks(const void *left, const void *right)
{
    const struct origin_caps_event *a = left;
    const struct origin_caps_event *b = right;
    int order = compare_groups(a, b);

    order = order != 0 ? order : FB_ORDER(a->network, b->network);
    order = order != 0 ? order : FB_ORDER(a->at_ms, b->at_ms);
    return order != 0 ? order : FB_ORDER(a->user, b->user);
}

/* Where the group that begins at `begin` ends. */
static size_t group_end(const struct origin_caps_event *events, size_t n, size_t begin)
{
    size_t end = begin + 1;

    while (end < n && compare_groups(&events[begin], &events[end]) == 0) {
        end++;
    }
    return end;
}

/* One weight for each account, in the order of compare_users(). */
static void weigh_users(struct origin_caps_event *events, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool is_again = i > 0 && compare_groups(&events[i - 1], &events[i]) == 0 &&
                        events[i - 1].user == events[i].user;
        float weight = is_young(&events[i]) ? (float)ORIGIN_CAPS_YOUNG : 1.0F;
        events[i].weight = is_again ? 0 : weight;
    }
}

/* Of one group, in the order of compare_networks(). */
static void cap_networks(struct origin_caps_event *events, size_t n)
{
    float left = 0;

    for (size_t i = 0; i < n; i++) {
        if (i == 0 || events[i - 1].network != events[i].network) {
            left = (float)ORIGIN_CAPS_NETWORK;
        }
        events[i].weight = fminf(events[i].weight, left);
        left -= events[i].weight;
    }
}

/* What the weights of young accounts are multiplied with. */
static double young_factor(const struct origin_caps_event *events, size_t n)
{
    double young = 0;
    double old = 0;

    for (size_t i = 0; i < n; i++) {
        *(is_young(&events[i]) ? &young : &old) += (double)events[i].weight;
    }
    double bound = ORIGIN_CAPS_YOUNG_FREE + ORIGIN_CAPS_YOUNG_SHARE * old;
    return young > bound ? bound / young : 1;
}

static void tell_hours(struct origin_caps_event *events, size_t n,
                       void (*hour)(void *ctx, const struct origin_caps_hour *hour), void *ctx)
{
    double sums[HOURS_A_DAY] = {0};
    double factor = young_factor(events, n);

    for (size_t i = 0; i < n; i++) {
        double weight = (double)events[i].weight * (is_young(&events[i]) ? factor : 1);
        sums[events[i].at_ms / hour_ms % HOURS_A_DAY] += weight;
        events[i].weight = (float)weight;
    }
    for (size_t i = 0; i < HOURS_A_DAY; i++) {
        bool is_like = events[0].kind == ORIGIN_CAPS_LIKE;
        struct origin_caps_hour told = {
            .video = events[0].video,
            .hour = (int32_t)(day_of(&events[0]) * HOURS_A_DAY + (int64_t)i),
            .likes = is_like ? sums[i] : 0,
            .shares = is_like ? 0 : sums[i],
        };
        if (sums[i] > 0) {
            hour(ctx, &told);
        }
    }
}

void origin_caps_fold(struct origin_caps_event *events, size_t n,
                      void (*hour)(void *ctx, const struct origin_caps_hour *hour), void *ctx)
{
    if (n == 0) {
        return;
    }
    qsort(events, n, sizeof(*events), compare_users);
    weigh_users(events, n);
    qsort(events, n, sizeof(*events), compare_networks);
    for (size_t begin = 0; begin < n;) {
        size_t end = group_end(events, n, begin);
        cap_networks(&events[begin], end - begin);
        tell_hours(&events[begin], end - begin, hour, ctx);
        begin = end;
    }
}
