/*
 * Caps: what likes and shares weigh, so that nobody can buy a place.
 *
 * Of each video and each day (UTC), of likes and of shares apart:
 *
 *     an account      counts once, the first time
 *     a young one     (under 24 h old then) weighs a tenth
 *     a network       weighs at most ORIGIN_CAPS_NETWORK, whatever the number of its accounts
 *     all young ones  weigh at most a quarter of what older ones do, and one
 *
 * Threads    Pure functions, any thread.
 * Limits     The caller's number of events.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#define ORIGIN_CAPS_NETWORK     5.0
#define ORIGIN_CAPS_YOUNG_MS    INT64_C(86400000)
#define ORIGIN_CAPS_YOUNG       0.1
#define ORIGIN_CAPS_YOUNG_SHARE 0.25
#define ORIGIN_CAPS_YOUNG_FREE  1.0

enum origin_caps_kind { ORIGIN_CAPS_LIKE, ORIGIN_CAPS_SHARE };

struct origin_caps_event {
    uint32_t video; /* the caller's number of it */
    enum origin_caps_kind kind;
    int64_t at_ms;
    int64_t account_ms; /* when the account was made */
    uint64_t user;
    uint64_t network;

    float weight; /* out of origin_caps_fold() */
};

/* What an hour (since 1970) of a video weighs. */
struct origin_caps_hour {
    uint32_t video;
    int32_t hour;
    double likes;
    double shares;
};

/* Weighs the events of whole days, which it puts into another order, and tells each hour that has
 * any: once for likes and once for shares, video by video. */
void origin_caps_fold(struct origin_caps_event *events, size_t n,
                      void (*hour)(void *ctx, const struct origin_caps_hour *hour), void *ctx);
