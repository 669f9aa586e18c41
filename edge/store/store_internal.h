/*
 * What the files of edge/store share.
 *
 *     store.c   the shards of the index, and who is in it
 *     room.c    the bound of memory: claiming and giving back
 *     object.c  heads and references
 *     body.c    chunks, the writer, waking
 *     reader.c  readers that trail a body
 *
 * Locks, in the order in which they may be held together: the room's, then one
 * shard's. A body's lock is held alone.
 */
#pragma once

#include "base/core/list.h"
#include "base/loop/loop.h"
#include "base/loop/reader.h"
#include "edge/policy/policy.h"
#include "edge/store/object.h"
#include "edge/store/store.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct fb_metrics_table;

enum { STORE_N_SHARDS = 64 };

/* What a block of memory costs besides its bytes. */
enum { STORE_BLOCK_OVERHEAD = 32 };

enum store_metric { STORE_BYTES, STORE_OBJECTS, STORE_EVICTIONS, STORE_READERS };

/* ---- bodies ------------------------------------------------------------ */

enum { BODY_CHUNK_BYTES = 128 * 1024, BODY_FIRST_CHUNK_BYTES = 4096, BODY_N_RAMP = 5 };

/* Where the chunks are. A table that grew is replaced by a larger one and lives
 * on until the body goes, because readers may still look at it. */
struct body_table {
    struct body_table *older; /* owned */
    size_t n;
    char *chunks[]; /* owned; NULL where nothing has come yet */
};

struct edge_body {
    struct edge_store *store; /* borrowed */
    _Atomic unsigned refs;

    _Atomic(struct body_table *) table; /* owned; written by the writer alone */
    _Atomic uint64_t filled;            /* bytes that readers may take */
    _Atomic int64_t length;             /* FB_LENGTH_UNKNOWN until known */
    _Atomic int state;                  /* enum edge_object_state, after `result` */
    int result;                         /* what readers of a broken body get */
    bool is_ramped;                     /* chunks begin small: length not announced */
    _Atomic uint64_t charge;            /* claimed; changed by the writer alone */

    pthread_mutex_t lock;
    struct fb_list waiters; /* of struct body_reader, under lock */
};

/* One place in a body: the chunk, and what of it lies at and after an offset. */
struct body_place {
    size_t chunk;
    size_t offset; /* within the chunk */
    size_t n_left; /* of the chunk, from there on */
};

/* Bytes to claim for a body before its first append. */
uint64_t edge_body_cost(int64_t length);

/* A body whose `charge` bytes were claimed already; one reference. */
struct edge_body *edge_body_new(struct edge_store *store, int64_t length, uint64_t charge);
struct edge_body *edge_body_ref(struct edge_body *body);
void edge_body_unref(struct edge_body *body);

/* Bytes claimed so far. */
uint64_t edge_body_charge(const struct edge_body *body);

FB_MUST_CHECK int edge_body_append(struct edge_body *body, struct fb_str bytes);
void edge_body_finish(struct edge_body *body, int result);

struct body_place edge_body_place(const struct edge_body *body, uint64_t offset);

/* ---- objects ----------------------------------------------------------- */

struct edge_object {
    struct edge_store *store; /* borrowed */
    _Atomic unsigned refs;
    struct edge_body *body; /* counted */
    struct edge_object_head head;
    uint64_t charge; /* claimed for this block, the body not counted */
    uint64_t hash;   /* of the key */

    struct edge_object *next;     /* in its bucket, under the shard's lock */
    bool is_indexed;              /* under the shard's lock */
    struct edge_policy_node node; /* under the room's lock, but for hits */
};

/* Bytes to claim for an object's own block. */
uint64_t edge_object_cost(const struct edge_object_spec *spec);

/* Takes over a claim of `charge` bytes and the reference to `body`. */
struct edge_object *edge_object_new(struct edge_store *store, const struct edge_object_spec *spec,
                                    uint64_t charge, struct edge_body *body);

/* ---- the store --------------------------------------------------------- */

struct store_shard {
    pthread_mutex_t lock;
    struct edge_object **buckets; /* owned; chains, newest first */
    size_t n_buckets;             /* a power of two */
    size_t n_objects;
    char padding[64]; /* no two shards' locks in one cache line */
};

struct edge_store {
    uint64_t seed;
    uint64_t limit;
    struct fb_metrics_table *metrics; /* borrowed, may be NULL */

    pthread_mutex_t room_lock;
    struct edge_policy *policy; /* owned */
    _Atomic uint64_t used;      /* grows under room_lock, shrinks anywhere */
    _Atomic uint64_t n_indexed;
    _Atomic uint64_t n_trailing;

    struct store_shard shards[STORE_N_SHARDS];
};

/* Takes `object` out of its bucket. Returns false if it was not there; else the
 * caller has the index' reference. Holds the shard's lock for a moment. */
bool edge_store_unlink(struct edge_store *store, struct edge_object *object);

/* Claims `n` bytes, evicting as needed. FB_E_BUSY. */
FB_MUST_CHECK int edge_room_claim(struct edge_store *store, uint64_t n);

/* Gives `n` bytes back. */
void edge_room_release(struct edge_store *store, uint64_t n);

/* A reader of a body that still fills came (1) or went (-1). */
void edge_store_count_trailing(struct edge_store *store, int n);

void edge_store_count(struct edge_store *store, enum store_metric metric, int64_t n);
