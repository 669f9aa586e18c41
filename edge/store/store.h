/*
 * Stores: objects found by key, within a bound of memory.
 *
 * One store serves all loops. The index is cut into shards with a lock each; a
 * hit takes one of them for a moment and crosses no thread. Room is claimed
 * before bytes are kept: the eviction policy, under a lock of its own, names who
 * has to go. An object in use leaves the index at once, but its memory counts
 * until the last reader is done, so the bound is hard.
 *
 * Ownership  The caller frees the store after every object reference, reader
 *            and slice.
 * Threads    Any.
 * Limits     `memory_bytes` for bodies, heads and overhead together; one object
 *            at most a quarter of it; EDGE_STORE_MAX_VARIANTS per key, of which
 *            the oldest gives way.
 * Failures   FB_E_LIMIT: larger than a quarter of the store. FB_E_BUSY: nothing
 *            left to evict.
 */
#pragma once

#include "base/core/attr.h"
#include "edge/policy/policy.h"
#include "edge/store/object.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edge_store;
struct fb_metrics;

enum { EDGE_STORE_MAX_VARIANTS = 16, EDGE_STORE_MIN_BYTES = 1024 * 1024 };

struct edge_store_options {
    uint64_t memory_bytes; /* at least EDGE_STORE_MIN_BYTES */
    enum edge_policy_kind policy;
    uint64_t seed;              /* of the index' hash; drawn by the program */
    struct fb_metrics *metrics; /* borrowed, may be NULL */
};

struct edge_store *edge_store_new(const struct edge_store_options *options);

/* Drops what is indexed; requires that nothing is in use. Accepts NULL. */
void edge_store_free(struct edge_store *store);

/* The newest object at `key` that suits a request with these fields, as a
 * reference, or NULL. Counts as a hit for the policy. It may be stale, and it
 * may still be filling; it is not broken. */
struct edge_object *edge_store_find(struct edge_store *store, struct fb_str key,
                                    const struct fb_headers *request);

/* True if there is any variant at `key`, whatever request it suits. */
bool edge_store_has(struct edge_store *store, struct fb_str key);

/* Takes all variants of `key` out of the index. Returns how many there were. */
size_t edge_store_purge(struct edge_store *store, struct fb_str key);

struct edge_store_stats {
    uint64_t memory_bytes; /* in use, everything counted */
    uint64_t memory_limit;
    uint64_t n_objects;  /* in the index */
    uint64_t n_trailing; /* readers whose body is still filling */
};

struct edge_store_stats edge_store_stats(const struct edge_store *store);

/* ---- for fills ----------------------------------------------------------- */

/* What a new object is made of; all is copied. */
struct edge_object_spec {
    struct fb_str key;
    const struct fb_headers *request; /* selects the variant */
    unsigned status;
    const struct fb_headers *headers; /* from edge_fields_to_keep() */
    struct edge_terms terms;
    int64_t length; /* FB_LENGTH_UNKNOWN: only the end will tell */
};

/* A new object that fills, not yet in the index; room for its head and, if the
 * length is known, its whole body is claimed. The reference is the writer's. */
FB_MUST_CHECK int edge_store_create(struct edge_store *store, const struct edge_object_spec *spec,
                                    struct edge_object **ret_object);

/* As create, but with `old`'s body, in whatever state that is; `spec.length` is
 * not read. */
FB_MUST_CHECK int edge_store_renew(struct edge_store *store, const struct edge_object_spec *spec,
                                   struct edge_object *old, struct edge_object **ret_object);

/* Puts `object` into the index, in the place of the same variant if there is
 * one. Does nothing for a broken one. */
void edge_store_publish(struct edge_store *store, struct edge_object *object);

/* Takes `object` out of the index, if it is there. */
void edge_store_remove(struct edge_store *store, struct edge_object *object);
