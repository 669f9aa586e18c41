/*
 * What makes snapshots: rank.c from a field, as snapshot.c keeps them.
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/buf.h"
#include "origin/trending/field.h"
#include "origin/trending/snapshot.h"

#include <stdatomic.h>

struct origin_snapshot {
    atomic_uint refs;
    int64_t made_ms;
    struct fb_arena arena;                /* all strings */
    struct origin_snapshot_video *videos; /* owned; by id */
    size_t n_videos;
    size_t n_shown;
    struct fb_str *regions; /* owned; 0 stands for all together */
    size_t n_regions;
    struct fb_str *categories; /* owned; 0 stands for all */
    size_t n_categories;
    struct origin_snapshot_list *lists; /* owned, as their items; by region, category, window */
};

struct origin_snapshot *origin_snapshot_new(int64_t made_ms);

struct origin_snapshot_list *origin_snapshot_list_at(const struct origin_snapshot *snapshot,
                                                     size_t region, size_t category,
                                                     enum origin_trending_window window);

/* One score to be sorted. */
struct origin_ranked {
    uint16_t region; /* 0: all together */
    uint32_t video;  /* in origin_ranking.videos */
    double score;
};

/* What is taken out of a field at once: after that the field may change again, but for its
 * videos' own. */
struct origin_ranking {
    struct origin_field_video **videos; /* owned; by id */
    size_t n_videos;
    struct origin_ranked *ranked[ORIGIN_TRENDING_N_WINDOWS]; /* owned */
    size_t n_ranked;
    char **regions; /* owned, the names borrowed from the field */
    size_t n_regions;
};

void origin_ranking_take(const struct origin_field *field, struct origin_ranking *ret_ranking);
void origin_ranking_done(struct origin_ranking *ranking);

struct origin_rank_options {
    int64_t now_ms;
    size_t max_list;
    uint64_t round;                  /* reads older than this are made anew for lists */
    struct origin_names *categories; /* of the field */

    /* Asks the catalog for the video: read_round and what follows it. `json` is NULL, or told what
     * lists tell. A failure leaves what was known. */
    void (*read)(void *ctx, struct origin_field_video *video, struct fb_buf *json);
    void *ctx;
};

/* A snapshot of the ranking. */
struct origin_snapshot *origin_rank(struct origin_ranking *ranking,
                                    const struct origin_rank_options *options);
