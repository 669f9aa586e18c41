/*
 * The tables of lifetime sums: of each video, and of each account.
 *
 * Whoever adds or removes what is counted calls the _add() functions in the same
 * transaction, so that a sum is never off by what was lost between the two.
 */
#pragma once

#include "origin/catalog/catalog.h"
#include "origin/model/id.h"

#include <stdint.h>

/* Of a video; as a change, what is added to each. */
struct origin_video_counters {
    int64_t views;
    int64_t watch_ms;
    int64_t likes;
    int64_t comments;
    int64_t shares;
    int64_t saves;
};

/* Of an account; as a change, what is added to each. */
struct origin_user_counters {
    int64_t followers;
    int64_t following;
};

/* All zero if there is no such video. */
FB_MUST_CHECK int origin_catalog_video_counters(struct origin_catalog *catalog,
                                                const struct origin_id *video,
                                                struct origin_video_counters *ret_counters);

/* All zero if there is no such account. */
FB_MUST_CHECK int origin_catalog_user_counters(struct origin_catalog *catalog,
                                               const struct origin_id *user,
                                               struct origin_user_counters *ret_counters);
