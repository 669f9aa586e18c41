/*
 * The tables of likes and of saves: one row per account and video.
 *
 * Setting what is set, and clearing what is not, changes nothing and succeeds.
 */
#pragma once

#include "base/core/arena.h"
#include "origin/catalog/catalog.h"
#include "origin/catalog/counters.h"
#include "origin/catalog/videos.h"
#include "origin/model/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum origin_reaction { ORIGIN_REACTION_LIKE, ORIGIN_REACTION_SAVE };

/* Who acts, and from which network (origin/catalog/events.h). */
struct origin_actor {
    struct origin_id user;
    uint64_t network;
};

/* With the video's sums as they are then. FB_E_CONFLICT if the account or the
 * video is not there. */
FB_MUST_CHECK int origin_catalog_reaction_put(struct origin_catalog *catalog,
                                              enum origin_reaction reaction,
                                              const struct origin_actor *actor,
                                              const struct origin_id *video,
                                              struct origin_video_counters *ret_counters);
FB_MUST_CHECK int origin_catalog_reaction_remove(struct origin_catalog *catalog,
                                                 enum origin_reaction reaction,
                                                 const struct origin_actor *actor,
                                                 const struct origin_id *video,
                                                 struct origin_video_counters *ret_counters);

/* What stands between an account and a video. */
struct origin_relation {
    bool has_liked;
    bool has_saved;
    bool is_following; /* its owner */
};
FB_MUST_CHECK int origin_catalog_relation(struct origin_catalog *catalog,
                                          const struct origin_id *user,
                                          const struct origin_id *video,
                                          struct origin_relation *ret_relation);

/* A page of a list of an account's in the order of time. */
struct origin_page {
    struct origin_id user;
    int64_t before_ms;          /* older than this; 0: from the newest */
    struct origin_id before_id; /* among those of that moment, those before it */
    size_t limit;
};

struct origin_reacted {
    struct origin_video video;
    int64_t at_ms;
};

/* The videos that page->user reacted to and that may be seen, newest first, at most
 * `limit`, in `arena`. */
FB_MUST_CHECK int origin_catalog_reaction_list(struct origin_catalog *catalog,
                                               struct fb_arena *arena,
                                               enum origin_reaction reaction,
                                               const struct origin_page *page,
                                               struct origin_reacted **ret_items, size_t *ret_n);
