/*
 * The tables of what has to go.
 *
 *     removals      videos that were deleted: their objects go, and once more later for what a
 *                   worker may have written meanwhile
 *     purges        what nodes have to forget, in order; by a tag that delivery gives with media
 *     purge_nodes   up to which purge each node was told
 *
 * Rows come with the change that needs them, in one transaction; so nothing is forgotten whatever
 * ends when. Doing them twice is harmless.
 */
#pragma once

#include "base/core/arena.h"
#include "origin/catalog/catalog.h"
#include "origin/model/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ORIGIN_PURGE_TAG_MAX = 32 };

/* All media of a video, or only what tells of it: playlists and manifests. */
enum origin_purge_what { ORIGIN_PURGE_MEDIA, ORIGIN_PURGE_MANIFESTS };

/* The tag, "v-<video>" or "m-<video>"; returns `tag`. Manifests bear both. */
char *origin_purge_tag(enum origin_purge_what what, const struct origin_id *video,
                       char tag[ORIGIN_PURGE_TAG_MAX]);

/* ---- objects --------------------------------------------------------------------- */

struct origin_removal {
    struct origin_id video;
    uint32_t n_done;   /* how often its objects were removed */
    uint32_t n_failed; /* tries in a row that failed */
};

/* Up to `limit` of those that are due, the oldest first. */
FB_MUST_CHECK int origin_catalog_removals_due(struct origin_catalog *catalog, size_t limit,
                                              struct origin_removal *removals, size_t *ret_n);

/* After a try: stores the numbers, due again in `wait_ms`; forgets it if `is_over`. */
FB_MUST_CHECK int origin_catalog_removal_set(struct origin_catalog *catalog,
                                             const struct origin_removal *removal, int64_t wait_ms,
                                             bool is_over);

/* How many there are. */
FB_MUST_CHECK int origin_catalog_removal_count(struct origin_catalog *catalog, uint64_t *ret_n);

/* ---- copies ----------------------------------------------------------------------- */

struct origin_purge {
    int64_t seq;
    int64_t at_ms;
    char tag[ORIGIN_PURGE_TAG_MAX];
};

/* A node that keeps copies. Others fetch from those that are upper: what they were told before an
 * upper one was, they may have fetched from there again. */
struct origin_purge_node {
    struct fb_str url;
    bool is_upper;
};

/* Sets the nodes that there are: new ones have been told of nothing, others are forgotten. */
FB_MUST_CHECK int origin_catalog_purge_nodes_set(struct origin_catalog *catalog,
                                                 const struct origin_purge_node *nodes, size_t n);

/* Up to `limit` purges that the node at `url` has not been told of, in order. */
FB_MUST_CHECK int origin_catalog_purges_for(struct origin_catalog *catalog, struct fb_str url,
                                            size_t limit, struct origin_purge *purges,
                                            size_t *ret_n);

/* Notes that the node was told of all up to `seq`; of an upper one, that those below have to be
 * told again of what it has just been told of. */
FB_MUST_CHECK int origin_catalog_purges_told(struct origin_catalog *catalog, struct fb_str url,
                                             int64_t seq);

/* How many purges a node waits for, and the oldest of them (0: none). */
FB_MUST_CHECK int origin_catalog_purges_waiting(struct origin_catalog *catalog, struct fb_str url,
                                                uint64_t *ret_n, int64_t *ret_oldest_ms);

/* Forgets what all nodes were told of. */
FB_MUST_CHECK int origin_catalog_purges_prune(struct origin_catalog *catalog);
