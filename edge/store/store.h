/*
 * Stores: objects found by key, in memory over volumes.
 *
 * One store serves all loops. What is in memory is found at once: a hit takes no lock and crosses
 * no thread, whoever may be changing the store meanwhile. What changes the index takes the lock of
 * one of the shards it is cut into, and waits until nobody can look at what it took out
 * (base/loop/grace.h). What is only on a volume is loaded first, which is an operation.
 * Room is claimed before bytes are kept: the eviction policy, under a lock of its
 * own, names the extents that have to go. Memory in use counts until the last
 * reader is done, so the bound is hard.
 *
 *     find ── in memory ──► object
 *      └─ may_load ── load ──► object, with the chunk that was asked for
 *          └─ create ── publish ──► object that fills ── admission ──► a volume
 *
 * Ownership  The caller frees the store after every object reference, reader,
 *            writer and slice, and before its volumes.
 * Threads    Any; with volumes those of loops that are attached to them.
 * Limits     `memory_bytes` bounds, at every moment: bodies and heads, also those that have left
 *            the index while somebody reads them; chunks on their way from or to a volume; what the
 *            allocator adds to each block; huge pages that are held, whether in use or idle; the
 *            index, and all that the policy may remember. Beside it are what volumes need
 *            (edge/volume/volumes.h, edge/policy/admission.h), which goes by their size; readers
 *            and loads, a few hundred bytes for each request; and what of the C library's heap
 *            lies idle between blocks below 128 KiB.
 *            EDGE_STORE_MAX_VARIANTS per key in memory, of which the oldest gives way.
 *            What the kernel has yet to deliver of a chunk that left memory is the kernel's, as
 *            it is where bytes are copied: each connection's send buffer bounds it.
 * Failures   FB_E_BUSY: nothing left to evict.
 */
#pragma once

#include "base/core/attr.h"
#include "base/loop/op.h"
#include "edge/policy/policy.h"
#include "edge/store/object.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edge_purges;
struct edge_store;
struct edge_volumes;
struct fb_clock;
struct fb_loop;
struct fb_metrics;

enum {
    EDGE_STORE_MAX_VARIANTS = 16,
    EDGE_STORE_MIN_BYTES = 4 * 1024 * 1024,
    EDGE_STORE_HUGE_FROM = 256 * 1024 * 1024,
    EDGE_STORE_FREEZE_FROM = 64 * 1024 * 1024
};

struct edge_store_options {
    uint64_t memory_bytes; /* at least EDGE_STORE_MIN_BYTES */
    uint64_t huge_from;    /* [EDGE_STORE_HUGE_FROM] memory_bytes from which on large chunks are in
                            * huge pages */
    uint64_t freeze_from;  /* [EDGE_STORE_FREEZE_FROM] memory_bytes from which chunks that are sent
                            * often are frozen (base/disk/frozen.h) */
    enum edge_policy_kind policy;
    uint64_t seed;                /* of the index' hash; drawn by the program */
    struct edge_volumes *volumes; /* borrowed; NULL: memory alone */
    struct edge_purges *purges;   /* borrowed; NULL: no rules, only what is taken out at once */
    const struct fb_clock *clock; /* borrowed */
    struct fb_metrics *metrics;   /* borrowed, may be NULL */
};

struct edge_store *edge_store_new(const struct edge_store_options *options);

/* Drops what is indexed; requires that nothing is in use. Accepts NULL. */
void edge_store_free(struct edge_store *store);

/* The newest object in memory at `key` that suits a request with these fields, as a
 * reference, or NULL. It may be stale, still be filling, and lack chunks; it is not
 * broken, and no purge took it. A hit for the policy is what readers take from it. */
struct edge_object *edge_store_find(struct edge_store *store, struct fb_str key,
                                    const struct fb_headers *request);

/* True if there is any variant at `key`, in either tier, whatever request it suits. */
bool edge_store_has(struct edge_store *store, struct fb_str key);

/* True if a volume may have `key`, worth a load. No I/O. */
bool edge_store_may_load(struct edge_store *store, struct fb_str key, uint64_t offset);

/* Brings an object from a volume into memory: its head, and the chunk at `offset` or, if
 * that is not there, any. It may be stale. FB_E_NOT_FOUND: no volume has what suits
 * the request (or what it had was rotten). FB_E_BUSY: no room. */
struct edge_store_load {
    struct fb_op op;

    /* In; borrowed until done. */
    struct fb_str key;
    const struct fb_headers *request;
    uint64_t offset;

    /* Out: a reference, the caller's. */
    struct edge_object *object;
};

void edge_store_load(struct edge_store *store, struct edge_store_load *load);

/* Takes all variants of `key` out of both tiers, at once for whoever looks from
 * now on. `op` finishes, with FB_OK, when they would not come back after a crash
 * either, or when a volume cannot be told that now. */
struct edge_store_purge {
    struct fb_op op;
    struct fb_str key; /* borrowed until done */

    /* Out. */
    size_t n_objects; /* in memory; if there were none, 1 if a volume had any */
    bool is_durable;  /* false: after a crash, a volume that is out of service now may still
                       * have them */
};

void edge_store_purge(struct edge_store *store, struct edge_store_purge *purge);

/* The same on `loop` with nobody waiting. */
void edge_store_invalidate(struct edge_store *store, struct fb_loop *loop, struct fb_str key);

struct edge_store_stats {
    uint64_t memory_bytes; /* in use, everything counted */
    uint64_t memory_limit;
    uint64_t own_bytes;         /* of memory_bytes, what an empty store takes */
    uint64_t frozen_page_bytes; /* of what is sent without a copy; 0: all is copied */
    uint64_t n_objects;         /* in the index */
    uint64_t n_trailing;        /* readers that wait for a chunk */
    uint64_t n_loaded;          /* chunks that came from volumes */
    uint64_t n_offered;         /* extents that admission let pass */
    uint64_t n_declined;
};

struct edge_store_stats edge_store_stats(const struct edge_store *store);

/* ---- purged by rules ------------------------------------------------------- */

/* The epoch of the last purge: it does not touch what is asked for from here on. */
uint64_t edge_store_epoch(const struct edge_store *store);

/* True if who came when edge_store_epoch() was `epoch` may be given `object`: no purge that was
 * there already took it. With `allows_soft`, one that has to be validated will do. */
bool edge_object_is_current(struct edge_object *object, uint64_t epoch, bool allows_soft);

/* The same of what is on its way, asked for at `birth`, before anybody knows its tags. */
bool edge_store_is_current(struct edge_store *store, struct fb_str key, uint64_t birth,
                           uint64_t epoch);

/* Takes what is purged out of memory, a little at a time, so that nobody waits for it. */
struct edge_store_sweep {
    uint64_t epoch;   /* out: of the last purge when it began */
    uint64_t n_freed; /* out: objects, by this sweep so far */

    /* Private to edge/store. */
    unsigned shard;
    size_t bucket;
    size_t n_buckets; /* of the shard, when it was last looked at */
};

/* At most so many objects are looked at in one step, and so many buckets with a lock held. */
enum { EDGE_STORE_SWEEP_STEP = 512, EDGE_STORE_SWEEP_LOCKED = 64 };

/* Begins a sweep. */
void edge_store_sweep_init(struct edge_store *store, struct edge_store_sweep *sweep);

/* Goes on; false at the end. `ret_n_looked` (may be NULL): objects. Any thread, without locks. */
bool edge_store_sweep_step(struct edge_store *store, struct edge_store_sweep *sweep,
                           size_t *ret_n_looked);

/* ---- for fills ----------------------------------------------------------- */

/* What a new object is made of; all is copied. */
struct edge_object_spec {
    struct fb_str key;
    const struct fb_headers *request; /* selects the variant */
    unsigned status;
    const struct fb_headers *headers; /* from edge_fields_to_keep(); Cache-Tag becomes `tags` */
    struct fb_str tags;               /* if the headers have none */
    struct edge_terms terms;
    int64_t length;  /* FB_LENGTH_UNKNOWN: only the end will tell */
    uint64_t birth;  /* edge_store_epoch() when the request was sent upstream */
    bool is_planned; /* by a plan: admission lets it pass */
    bool is_prefetched;
};

/* A new object without a byte, not yet in the index; room for its head is claimed. The
 * reference is the caller's. FB_E_LIMIT: longer than EDGE_BODY_MAX_BYTES. */
FB_MUST_CHECK int edge_store_create(struct edge_store *store, const struct edge_object_spec *spec,
                                    struct edge_object **ret_object);

/* As create, but with `old`'s body, in whatever state that is; `spec.length` is
 * not read. */
FB_MUST_CHECK int edge_store_renew(struct edge_store *store, const struct edge_object_spec *spec,
                                   struct edge_object *old, struct edge_object **ret_object);

/* On the thread of `loop`: puts `object` into the index, in the place of the same variant if there
 * is one; of what that has on volumes nothing is found any more unless it is of the same version.
 * Does nothing for a broken one. */
void edge_store_publish(struct edge_store *store, struct fb_loop *loop, struct edge_object *object);

/* Takes `object` out of the index, if it is there. What volumes have of it stays: see
 * edge_store_invalidate(). */
void edge_store_remove(struct edge_store *store, struct edge_object *object);
