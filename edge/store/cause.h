/*
 * Causes: why a response had to be asked for upstream. Each miss has exactly one.
 *
 * What leaves the store leaves a note, found by the fingerprint of its key and the
 * number of its extent; the newer of two counts. The notes are a table of fixed size, in
 * which the oldest of a few neighbours gives way: what nobody remembers is a first touch.
 *
 * Threads    Any.
 * Limits     A 512th of the store's memory, in which it counts.
 */
#pragma once

#include "base/core/str.h"

#include <stdint.h>

struct edge_object;
struct edge_store;

enum edge_cause {
    EDGE_CAUSE_FIRST_TOUCH,  /* never seen, or forgotten that it was */
    EDGE_CAUSE_NOT_ADMITTED, /* left memory, and was not found worth a write */
    EDGE_CAUSE_CAPACITY,     /* had to make room, in memory or on its volume */
    EDGE_CAUSE_EXPIRED,      /* there, but no longer fresh */
    EDGE_CAUSE_PURGED,       /* there no more, or stale, because of a purge */
    EDGE_CAUSE_VOLUME_LOST,  /* on a volume that is out of service, or failed */
    EDGE_CAUSE_CORRUPT,      /* on a volume, but rotten; or it came, but was not what its
                              * digest said */
    EDGE_N_CAUSES
};

/* "first-touch", as in Cache-Status and metrics. */
const char *edge_cause_name(enum edge_cause cause);

/* Of a key that is not found, or whose bytes at `offset` are not. To be asked before what
 * comes in its place is published; edge/fill does so for its joiners, see
 * edge_fill_join.cause. */
enum edge_cause edge_store_cause(struct edge_store *store, struct fb_str key, uint64_t offset);

/* Of an object that is there and has to be validated: EXPIRED, or PURGED for a soft purge. */
enum edge_cause edge_object_cause(const struct edge_object *object);
