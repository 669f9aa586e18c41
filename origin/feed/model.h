/*
 * The model: what lists are made with. A shelf, the likeness of its videos and a ranker, made
 * together and never changed afterwards; the next round makes another.
 *
 * Ownership  Counted.
 * Threads    Any.
 */
#pragma once

#include "origin/feed/likeness.h"
#include "origin/feed/ranker.h"
#include "origin/feed/shelf.h"
#include "origin/feed/watched.h"

#include <stdatomic.h>

struct origin_catalog;

struct origin_feed_model {
    struct origin_shelf *shelf; /* owned, as all of these */
    struct origin_likeness *likeness;
    struct origin_ranker *ranker;

    /* Private. */
    _Atomic(unsigned) n_refs;
};

/* Who tells what trends: calls `tell` for each video that does, with its score above 0. */
typedef void origin_feed_tell_fn(void *to, const struct origin_id *video, double score);
struct origin_feed_trends {
    void (*visit)(void *ctx, origin_feed_tell_fn *tell, void *to); /* NULL: nothing trends */
    void *ctx;
};

/* A model of the catalog as it is, with a copy of `ranker`. Blocking. The catalog's failures. */
FB_MUST_CHECK int origin_feed_model_new(struct origin_catalog *catalog, int64_t now_ms,
                                        const struct origin_feed_trends *trends,
                                        const struct origin_watched *watched,
                                        const struct origin_ranker *ranker,
                                        struct origin_feed_model **ret_model);

struct origin_feed_model *origin_feed_model_ref(struct origin_feed_model *model);
void origin_feed_model_unref(struct origin_feed_model *model); /* accepts NULL */

/* For FB_AUTO. */
void origin_feed_modelp(struct origin_feed_model **model);
