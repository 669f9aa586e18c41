/*
 * Scores: from what is known of a video to a number (docs/trending.md says why it is this one).
 *
 *     score = V * Q + P + X
 *
 *     V  views in the window, each fading by half in every half-life
 *     Q  quality: how many are watched to the end, how often it is shared; 0.5 to 2
 *     P  likes and shares, fading likewise, bounded by what the views make plausible
 *     X  what the last quarter of an hour has beyond the usual of the time before the window
 *
 * More views in the window never make a score smaller, whatever their age: each term is
 * non-decreasing in every view. Doubles add in the order of the facts, so equal facts have equal
 * scores.
 *
 * Threads    Pure functions, any thread.
 * Failures   None; nothing is negative, infinite or not a number, if no input is.
 */
#pragma once

#include <stdint.h>

enum origin_trending_window {
    ORIGIN_TRENDING_HOUR,
    ORIGIN_TRENDING_DAY,
    ORIGIN_TRENDING_WEEK,
    ORIGIN_TRENDING_N_WINDOWS
};

/* 1 h, 24 h, 7 d. */
int64_t origin_trending_window_ms(enum origin_trending_window window);

/* The constants. */
struct origin_score_rules {
    int64_t half_life_ms; /* of the day's window; the others' are in proportion to their length */
    double like;          /* views that a like is worth */
    double share;         /* and a share */
    double plausible;     /* likes and shares count at most so many views for each view, */
    double free;          /* and so many without any */
    double spike;         /* views that each one beyond the usual is worth besides */
    double usual;         /* how many times the usual is nothing unusual */
    double noise;         /* so many views in the quarter of an hour never are */
    double network;       /* views of a video that one network counts on one day, at most; */
    double alone;         /* and at most so many for each network that was seen with it */
};

/* What stands in docs/trending.md, with this half-life. */
struct origin_score_rules origin_score_rules(int64_t half_life_ms);

/* The fading of one window: 2^(-age / half-life), 1 for what is of the future. */
double origin_score_fade(const struct origin_score_rules *rules, enum origin_trending_window window,
                         int64_t age_ms);

/* Of one video in one window; of one region, or of all together. */
struct origin_score_sums {
    double views;  /* faded */
    double ends;   /* watched to the end; faded; counted up to `views` */
    double likes;  /* faded, weighted (caps.h) */
    double shares; /* likewise */
    double fresh;  /* views of the last quarter of an hour */
    double before; /* views before the window, as far as they are kept */
};

struct origin_score {
    double total;
    double views;      /* V */
    double quality;    /* Q */
    double engagement; /* P */
    double spike;      /* X */
};

struct origin_score origin_score_of(const struct origin_score_rules *rules,
                                    enum origin_trending_window window,
                                    const struct origin_score_sums *sums);

#define ORIGIN_TRENDING_FRESH_MS INT64_C(900000)             /* the quarter of an hour */
#define ORIGIN_TRENDING_KEPT_MS  (INT64_C(7) * 24 * 3600000) /* what is known of the past */
