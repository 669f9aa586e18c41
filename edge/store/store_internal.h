/*
 * What the files of edge/store share.
 *
 *     store.c   its life, and making objects
 *     shards.c  the index: who is in it
 *     publish.c who comes into it, and who gives way
 *     room.c    the bound of memory: claiming, evicting, giving back
 *     object.c  heads and references
 *     body.c    extents and chunks
 *     buffer.c  the memory of chunks
 *     writer.c  runs of bytes on their way in
 *     pace.c    writers that wait for readers
 *     reader.c  readers that pull from a body
 *     news.c    waking them
 *     purge.c   taking a key out of both tiers
 *     judge.c   what the rules of purges say of an object
 *     sweep.c   freeing what is purged; sweeper.c when
 *     cause.c   what left, and why
 *     fetch.c   a chunk of a body from a volume
 *     freeze.c  chunks that are sent often, without a copy
 *     load.c    an object from a volume
 *     offer.c   an extent to a volume, if admission says so
 *     meta.c    heads as they stand on volumes
 *
 * Locks, in the order in which they may be held together: the room's, then a
 * shard's or a body's; inside of a shard's, the volumes'. Memory is claimed with none
 * of them held.
 *
 * A body is held by its objects, and lives while the policy has one of its nodes
 * and the room's lock is held: who frees it takes them out first.
 *
 * Reading without locks (base/loop/grace.h). A hit takes none: it looks for an object, for what a
 * body has, and for the bytes of a chunk, each in a section of its own, along these links:
 *
 *     shard ─table─► bucket ─► object ─next─► object        index: one reference each
 *     body ─table─► bucket ─► extent ─next─► extent ─chunks[i].buffer─► buffer    one reference
 *
 * They are changed under the shard's, or the body's, lock alone. Who takes something out does it
 * under the lock, then waits (edge_store_let_go(), and wherever fb_grace_wait() stands), and only
 * then gives back the reference that the link stood for, or frees what is not counted: extents
 * and tables. Until then memory counts as used. So whatever a section comes to is alive, and may be
 * given one reference more; and once nothing links to it, only those who hold references do.
 *
 * A section answers only what it is sure of: an object that is there and that every purge so far
 * has let pass, a chunk that is PRESENT. What it does not find may be moving just then (tables
 * grow): it looks again with the lock. So a miss takes the locks that it always took. What a
 * section never reads: `state`, `n_filled` and pins of chunks, lists, anything of writers.
 */
#pragma once

#include "base/core/list.h"
#include "base/disk/frozen.h"
#include "base/loop/loop.h"
#include "base/loop/reader.h"
#include "edge/policy/admission.h"
#include "edge/policy/policy.h"
#include "edge/store/cause.h"
#include "edge/store/object.h"
#include "edge/store/store.h"
#include "edge/volume/volumes.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

struct fb_metrics_table;
struct body_reader;
struct store_extent;
struct store_notes;

enum { STORE_N_SHARDS = 64, SHARD_FIRST_BUCKETS = 64 };

/* What a block of memory costs besides its bytes. */
enum { STORE_BLOCK_OVERHEAD = 32 };

/* An object's share of the index' buckets, of which there are up to four for each. */
enum { STORE_INDEX_SHARE = 4 * sizeof(void *) };

enum store_metric {
    STORE_BYTES,
    STORE_OBJECTS,
    STORE_EVICTIONS,
    STORE_READERS,
    STORE_LOADED,
    STORE_LOAD_MISSES,
    STORE_OFFERED,
    STORE_DECLINED,
    STORE_PURGED,
    STORE_FROZEN,
    STORE_N_METRICS
};

/* ---- buffers ----------------------------------------------------------- */

/* Counted memory of one chunk, or of its beginning. */
struct store_buffer {
    struct edge_store *store; /* borrowed */
    _Atomic unsigned refs;
    _Atomic uint32_t n_shown; /* bytes that a PRESENT chunk has in it, which are final; else 0 */
    uint32_t cap;             /* bytes at `bytes` */
    size_t charge;            /* what it weighs; claimed, but for a run of store->memory */
    char *bytes;              /* in this very block, or in `memory`; NULL if it is frozen */
    char *memory;             /* owned; NULL, or what was read from a volume */
    size_t n_run; /* `memory` is a run of store->memory of that length; 0: a block of its own */
    struct fb_slice_file file; /* of store->frozen, if `begin` is not NULL */
};

/* Where its bytes are for whoever reads them. */
static inline const char *edge_buffer_bytes(const struct store_buffer *buffer)
{
    return buffer->file.begin != NULL ? buffer->file.begin : buffer->bytes;
}

/* Memory that a buffer of `cap` bytes takes. */
size_t edge_buffer_cost(size_t cap);

/* Claims room. FB_E_BUSY, -ENOMEM. */
FB_MUST_CHECK int edge_buffer_new(struct edge_store *store, size_t cap,
                                  struct store_buffer **ret_buffer);

/* The same with `memory` of `n` bytes for a read from a volume, which tells where in it
 * `bytes` lie. */
FB_MUST_CHECK int edge_buffer_new_aligned(struct edge_store *store, size_t n,
                                          struct store_buffer **ret_buffer);

/* The same with a frozen copy of `bytes`, which are in `extent`; that is not given up for it. */
FB_MUST_CHECK int edge_buffer_new_frozen(struct edge_store *store, struct fb_str bytes,
                                         const struct store_extent *extent,
                                         struct store_buffer **ret_buffer);
struct store_buffer *edge_buffer_ref(struct store_buffer *buffer);

/* Accepts NULL. */
void edge_buffer_unref(struct store_buffer *buffer);

/* ---- bodies ------------------------------------------------------------ */

/* A node of the policy, and what it stands for. */
struct store_node {
    struct edge_policy_node node; /* under the room's lock, but for hits */
    struct edge_body *body;
    struct store_extent *extent; /* NULL: the heads of a body without extents */
};

enum chunk_state { CHUNK_ABSENT, CHUNK_LOADING, CHUNK_FILLING, CHUNK_PRESENT };

struct store_chunk {
    struct store_buffer *_Atomic buffer; /* counted; NULL while ABSENT and LOADING */
    uint32_t n_filled;
    uint8_t state;
};

/* Whether it is worth a write: asked once. */
enum extent_verdict { EXTENT_UNASKED, EXTENT_DECLINED, EXTENT_ADMITTED };

/* All under the body's lock, but for the node, and for what sections read or count. */
struct store_extent {
    struct store_node node;
    struct store_extent *_Atomic next; /* in its bucket */
    uint32_t number;
    uint32_t n_pins;        /* writers and loads that are in it */
    _Atomic uint8_t unread; /* bit i: nobody has taken of chunk i since it came */
    _Atomic uint8_t n_hits; /* readers since then, but for the first; of two at once, one may be
                             * lost */
    uint8_t verdict;        /* enum extent_verdict */
    uint8_t given;          /* bit i: chunk i was given to a volume, and may yet be on its way */
    struct store_chunk chunks[EDGE_EXTENT_CHUNKS];
};

/* The extents of a body by number. A table never changes its size: another takes its place. */
struct store_table {
    uint32_t n_buckets; /* a power of two */
    struct store_extent *_Atomic *buckets;
};

struct edge_body {
    struct edge_store *store; /* borrowed */
    _Atomic unsigned refs;    /* objects */
    uint64_t hash;            /* of the key */
    uint64_t fingerprint;     /* of the key, for volumes */
    struct fb_list heads;     /* objects in the index, under the shard's lock */
    struct store_node anchor; /* linked while there may be heads but no extents */

    _Atomic int64_t length;      /* FB_LENGTH_UNKNOWN until known */
    _Atomic int state;           /* enum edge_object_state, after `result` */
    _Atomic uint64_t version;    /* for volumes; 0 until the length is known */
    _Atomic bool is_on_volumes;  /* came from there, or was given to them */
    _Atomic unsigned n_unproven; /* writers whose bytes may yet turn out wrong */
    int result;                  /* of a broken one */

    struct store_table *_Atomic table;
    struct store_table first; /* the only one, until there are many extents */
    struct store_extent *_Atomic bucket;

    pthread_mutex_t lock; /* of all that follows */
    uint32_t n_extents;
    struct fb_list readers; /* that ever waited; of a long body, all that met a writer */
    struct fb_list writers;
    _Atomic unsigned n_writing; /* in `writers` */
    unsigned n_paced;           /* writers that wait for readers */
};

/* Bytes to claim for a body without extents. */
uint64_t edge_body_cost(void);

/* A body whose cost was claimed already; one reference. */
struct edge_body *edge_body_new(struct edge_store *store, struct fb_str key, int64_t length);
struct edge_body *edge_body_ref(struct edge_body *body);
void edge_body_unref(struct edge_body *body);

/* Longer ones are fetched at the pace of their readers. */
bool edge_body_is_long(const struct edge_body *body);

/* The extent with one pin more, made if need be. Claims. FB_E_BUSY. */
FB_MUST_CHECK int edge_body_pin(struct edge_body *body, uint32_t number,
                                struct store_extent **ret_extent);

/* One pin less: without any, the policy gets it, or it goes if it has no chunk. */
void edge_body_unpin(struct edge_body *body, struct store_extent *extent);

/* Hands all extents without pins to the policy: an unknown length is known now. */
void edge_body_settle(struct edge_body *body);

/* ---- in a section, or under the body's lock ------------------------------- */

/* The extent that `chunk` is of. In a section, NULL may also mean that it moves just now. */
struct store_extent *edge_body_extent(const struct edge_body *body, uint64_t chunk);

/* The bytes of `chunk`, if it is PRESENT: how many there are, and the buffer in *ret_buffer (no
 * reference, may be NULL); else 0. */
uint32_t edge_extent_shown(const struct store_extent *extent, uint64_t chunk,
                           struct store_buffer **ret_buffer);

/* The first chunk from `first` to `end` that is not PRESENT, or not seen. Without locks or
 * sections. */
uint64_t edge_body_skip_shown(const struct edge_body *body, uint64_t first, uint64_t end);

/* ---- under the body's lock ------------------------------------------------ */

/* What is in a chunk from now on; `buffer`, whose reference is the chunk's, may be NULL. Returns
 * what was in it. */
struct store_buffer *edge_chunk_set(struct store_chunk *chunk, struct store_buffer *buffer,
                                    uint32_t n_filled, enum chunk_state state);

/* A chunk that was filled is PRESENT. */
void edge_chunk_show(struct store_chunk *chunk);

/* NULL if its extent is not there. */
struct store_chunk *edge_body_chunk(const struct edge_body *body, uint64_t chunk);

enum chunk_state edge_body_chunk_state(const struct edge_body *body, uint64_t chunk);

/* True if a writer that runs stands at `chunk`. */
bool edge_body_has_writer_at(const struct edge_body *body, uint64_t chunk);

/* How far the writer that stands at `chunk` will come; 0: there is none. */
uint64_t edge_body_written_until(const struct edge_body *body, uint64_t chunk);

/* True if a writer is about to come to `offset`. */
bool edge_body_is_coming(const struct edge_body *body, uint64_t offset);

/* Which extent `chunk` is of, for volumes. */
struct edge_extent_id edge_body_extent_id(const struct edge_body *body, uint64_t chunk);

/* Takes `extent` out of the table, with its chunks. Its memory is the caller's, after a wait. */
void edge_body_remove(struct edge_body *body, struct store_extent *extent);

/* Bytes of memory of an extent. */
uint64_t edge_extent_charge(const struct store_extent *extent);

bool edge_extent_is_empty(const struct store_extent *extent);

/* Frees an extent that is in no table. Without locks. */
void edge_extent_free(struct edge_store *store, struct store_extent *extent);

/* ---- objects ----------------------------------------------------------- */

/* What a look-up reads stands first, and what every hit writes last, in other cache lines. */
struct edge_object {
    struct edge_object *_Atomic next; /* in its bucket */
    uint64_t hash;                    /* of the key */
    _Atomic uint64_t checked;   /* epoch up to which it was judged, and found not to be gone */
    _Atomic int64_t soft_at_ms; /* when it became stale by a purge, monotonic; INT64_MAX: never */
    uint64_t birth;             /* epoch at which it was asked for, or validated */
    struct edge_store *store;   /* borrowed */
    struct edge_body *body;     /* counted */
    bool is_strong;
    atomic_bool is_dropped; /* by its key: see edge_object_is_dropped() */
    bool is_indexed;        /* under the shard's lock */
    struct edge_object_head head;

    uint64_t charge;            /* claimed for this block, the body not counted */
    struct fb_list of_body;     /* in body->heads, under the shard's lock */
    struct edge_object *left;   /* the next of those that left the index together */
    _Atomic unsigned n_writers; /* references that are writers' */
    _Atomic unsigned refs;
};

/* Bytes to claim for an object's own block. */
uint64_t edge_object_cost(const struct edge_object_spec *spec);

/* Takes over a claim of `charge` bytes and the reference to `body`. */
struct edge_object *edge_object_new(struct edge_store *store, const struct edge_object_spec *spec,
                                    uint64_t charge, struct edge_body *body);

/* Names the bytes of the object's body, whose length is known now. */
void edge_object_set_version(struct edge_object *object);

/* True if the index or anybody but writers has the object or its body. */
bool edge_object_is_needed(const struct edge_object *object);

/* The same without the index. Takes the shard's lock. */
bool edge_object_has_clients(const struct edge_object *object);

/* ---- the store --------------------------------------------------------- */

/* Chains of objects, newest first. A table never changes its size: another takes its place. */
struct shard_table {
    size_t n_buckets; /* a power of two */
    struct edge_object *_Atomic buckets[];
};

struct store_shard {
    _Alignas(64) pthread_mutex_t lock;
    size_t n_objects;
    uint64_t n_purges;                              /* of keys of this shard */
    _Alignas(64) struct shard_table *_Atomic table; /* owned; apart from what locking writes */
};

struct edge_store {
    uint64_t seed;
    uint64_t limit;
    uint64_t own_bytes;               /* of `used`, what an empty store takes */
    struct fb_metrics_table *metrics; /* borrowed, may be NULL */
    struct edge_volumes *volumes;     /* borrowed, may be NULL */
    struct edge_purges *rules;        /* borrowed, may be NULL */
    struct store_notes *notes;        /* owned */
    const struct fb_clock *clock;     /* borrowed */
    struct fb_disk_memory *memory;    /* owned; NULL: no huge pages */
    struct fb_frozen_pool *frozen;    /* owned; NULL: all is copied when it is sent */
    struct edge_policy *policy;       /* owned */

    /* What stands above every hit reads; what follows is written, in other cache lines. */
    _Alignas(64) _Atomic uint64_t n_versions; /* made of objects that are not strong */

    pthread_mutex_t purge_lock;
    struct fb_list purges; /* that volumes have yet to hear of; of struct store_purge */

    pthread_mutex_t admission_lock;
    struct edge_admission *admission; /* owned; NULL until a volume is in service */
    _Atomic uint64_t n_loaded;
    _Atomic uint64_t n_offered;
    _Atomic uint64_t n_declined;

    pthread_mutex_t room_lock;
    pthread_cond_t room_made; /* n_evicting went down */
    unsigned n_evicting;      /* threads that free what they evicted, without the lock */
    _Atomic uint64_t used;    /* grows under room_lock, shrinks anywhere */
    _Atomic uint64_t n_indexed;
    _Atomic uint64_t indexed_bytes; /* of heads */
    _Atomic uint64_t n_trailing;

    struct store_shard shards[STORE_N_SHARDS];
};

/* ---- shards.c ------------------------------------------------------------ */

void edge_shard_init(struct store_shard *shard);

/* Requires that it is empty. */
void edge_shard_done(struct store_shard *shard);

struct store_shard *edge_store_shard(struct edge_store *store, uint64_t hash);

/* Under the shard's lock, or in a section: the table. */
struct shard_table *edge_shard_table(const struct store_shard *shard);

/* The same: the first of the chain in which objects of `hash` are, and who follows. */
struct edge_object *edge_shard_first(const struct store_shard *shard, uint64_t hash);

static inline struct edge_object *edge_object_next(const struct edge_object *object)
{
    return atomic_load_explicit(&object->next, memory_order_acquire);
}

bool edge_object_has_key(const struct edge_object *object, uint64_t hash, struct fb_str key);

/* Under the shard's lock: `object` is in the index, as the newest; takes the reference over. */
void edge_store_link(struct edge_store *store, struct store_shard *shard,
                     struct edge_object *object);

/* Takes `object` out of its shard, under that one's lock; the index' reference is the caller's, who
 * gives it to edge_store_let_go(). Where it stood, readers in sections go on to who follows. */
void edge_store_unlink(struct edge_store *store, struct store_shard *shard,
                       struct edge_object *object);

/* Takes all heads of `body` out of the index; with `only_unused`, none of them if anybody uses
 * one. Returns them, chained by `left`, with the index' references. Takes the shard's
 * lock. */
struct edge_object *edge_store_unlink_body(struct edge_store *store, struct edge_body *body,
                                           bool only_unused);

/* Takes all variants of `key` out of the index. Returns how many there were. */
size_t edge_store_purge_memory(struct edge_store *store, struct fb_str key);

/* Gives the index' references of such a chain back, once nobody can come to them any more. Accepts
 * NULL. Without locks. */
void edge_store_let_go(struct edge_object *chain);

/* The same of what purges took: notes and counts it. Returns how many there were. */
size_t edge_store_let_purged_go(struct edge_store *store, struct edge_object *chain);

/* ---- publish.c ----------------------------------------------------------- */

/* Publishes `object`, which came from a volume, unless the same variant is there already, or
 * a purge came since there were `n_purges`. Returns what is in the index now, as a
 * reference, or NULL. */
struct edge_object *edge_store_publish_loaded(struct edge_store *store, struct edge_object *object,
                                              uint64_t n_purges);

/* ---- room.c -------------------------------------------------------------- */

/* Claims `n` bytes, evicting as needed. FB_E_BUSY. Without locks. */
FB_MUST_CHECK int edge_room_claim(struct edge_store *store, uint64_t n);

/* The same, but FB_E_BUSY too if `extent`, which is pinned, is what would have to go next. */
FB_MUST_CHECK int edge_room_claim_beside(struct edge_store *store, uint64_t n,
                                         const struct store_extent *extent);

/* The same as claim, and takes a run of `n_run` bytes of store->memory, which counts by the huge
 * pages that are held. */
FB_MUST_CHECK int edge_room_claim_run(struct edge_store *store, uint64_t n, size_t n_run,
                                      char **ret_run);

/* Gives `n` bytes back. */
void edge_room_release(struct edge_store *store, uint64_t n);
void edge_room_release_run(struct edge_store *store, uint64_t n, size_t n_run, char *run);

/* Makes the heads of a body without extents known to the policy. Without locks. */
void edge_room_anchor(struct edge_body *body);

/* Counts a use of extent `number`, or if that is not there, of the heads. Without locks. */
void edge_room_hit(struct edge_body *body, uint64_t number);

/* ---- purge.c ------------------------------------------------------------- */

/* True while the volumes may still have what was purged. */
bool edge_store_is_purging(struct edge_store *store, uint64_t fingerprint);

/* Has the volumes forget all of a key, with nobody waiting. */
void edge_store_forget(struct edge_store *store, struct fb_loop *loop, uint64_t fingerprint);

/* ---- judge.c ------------------------------------------------------------- */

/* True if it was judged by every purge so far, and none took it. One comparison. */
bool edge_object_is_judged(const struct edge_object *object);

/* True if a purge says that the object is as if it had never been; marks one that a soft
 * purge says to be stale. One comparison unless there was a purge since it was last asked. */
bool edge_object_is_gone(struct edge_object *object);

/* The same of what a record on a volume tells of. Meta that cannot be read is gone. */
bool edge_store_record_is_gone(struct edge_store *store, const struct edge_extent_head *head);

/* ---- cause.c ------------------------------------------------------------- */

struct store_notes *edge_notes_new(uint64_t memory_bytes);
void edge_notes_free(struct store_notes *notes);
size_t edge_notes_bytes(const struct store_notes *notes);

/* Says why an extent, or a whole key, is not there any more. Without locks but the shard's. */
void edge_note_extent(struct edge_store *store, const struct edge_extent_id *id,
                      enum edge_cause cause);
void edge_note_key(struct edge_store *store, uint64_t fingerprint, enum edge_cause cause);

/* The cause that a volume gave with the failure `err` of a read. */
enum edge_cause edge_cause_of_read(int err);

/* Of an extent that had to make room in memory. */
void edge_note_left_memory(struct edge_store *store, const struct edge_extent_id *id,
                           bool is_on_volumes, bool was_declined);

/* ---- fetch.c ------------------------------------------------------------- */

/* True if a volume has `chunk`, as far as the index knows. Without locks. */
bool edge_chunk_is_on_volume(struct edge_object *object, uint64_t chunk);

/* Begins to read `chunk` from a volume, on the thread of `loop`; FB_OK also if it is there or
 * on its way. FB_E_NOT_FOUND, FB_E_BUSY. Without locks. */
FB_MUST_CHECK int edge_chunk_fetch(struct edge_object *object, struct fb_loop *loop,
                                   uint64_t chunk);

/* Puts `buffer`, of which the first `n` bytes are those of `chunk`, in its place, unless it is
 * there or on its way; takes the reference over. */
void edge_chunk_install(struct edge_object *object, uint64_t chunk, struct store_buffer *buffer,
                        uint32_t n);

/* ---- freeze.c ------------------------------------------------------------ */

/* In a section, or under the body's lock: are the `n` bytes in `buffer`, a PRESENT chunk of
 * `extent`, sent so often that a frozen copy of them pays? */
bool edge_chunk_is_hot(const struct edge_store *store, const struct store_extent *extent,
                       const struct store_buffer *buffer, uint32_t n);

/* Puts a frozen copy in the place of `chunk`. False if there was no room for it. Without locks. */
bool edge_chunk_freeze(struct edge_object *object, uint64_t chunk);

/* ---- offer.c ------------------------------------------------------------- */

/* A writer ended in extent `number`, or left it: asks admission, if the object may be on
 * volumes at all and the extent was not asked for since it came to memory, and writes
 * what of it is not there yet. On the thread of an attached loop, without locks. */
void edge_extent_offer(struct edge_object *object, uint64_t number);

/* Tells admission of a read from a volume; what else comes of the extent belongs there too. */
void edge_extent_seen(struct edge_object *object, uint64_t number);

/* A reader that waits for chunks came (1) or went (-1). */
void edge_store_count_trailing(struct edge_store *store, int n);

void edge_store_count(struct edge_store *store, enum store_metric metric, int64_t n);
