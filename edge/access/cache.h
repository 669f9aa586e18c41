/*
 * Tokens that were verified: their grants, so that a viewer's signature is checked once and not
 * for each segment. A grant is judged again for each request, by time, path and network.
 *
 * Ownership  new → free; grants that are found are borrowed until the next put.
 * Threads    One at a time: each loop has its own.
 * Limits     EDGE_ACCESS_CACHE_MAX tokens and EDGE_ACCESS_CACHE_BYTES, of which those go first
 *            that were not asked for the longest.
 */
#pragma once

#include "edge/access/access.h"

struct edge_access_cache;

enum { EDGE_ACCESS_CACHE_MAX = 4096, EDGE_ACCESS_CACHE_BYTES = 4 * 1024 * 1024 };

/* `seed` is of its table's hash. */
struct edge_access_cache *edge_access_cache_new(uint64_t seed);
void edge_access_cache_free(struct edge_access_cache *cache);

/* The grant of a token that was put for the same `access`, or NULL. */
const struct edge_access_grant *edge_access_cache_find(struct edge_access_cache *cache,
                                                       const struct edge_access *access,
                                                       struct fb_str token);

/* Keeps a grant, which is taken over. `access` must outlive the cache. */
const struct edge_access_grant *edge_access_cache_put(struct edge_access_cache *cache,
                                                      const struct edge_access *access,
                                                      struct fb_str token,
                                                      struct edge_access_grant *grant);

/* What is kept, with what it takes. */
size_t edge_access_cache_bytes(const struct edge_access_cache *cache);
