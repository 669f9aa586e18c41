/*
 * Sources: the files that tasks read, on this machine.
 *
 * Where objects are files of this machine, a source is read where it is. Else it is fetched
 * once for all tasks of its video here, at the same time or one after another, and kept until
 * others need the room.
 *
 *     get ──► local: its path
 *         ──► kept: its path          (who comes while another fetches it waits)
 *         ──► fetch ──► kept, or as it failed
 *
 * Ownership  new → free, when all that was got is put back. The folder is the caller's, and empty.
 * Threads    Any. get blocks.
 * Limits     What is kept and in nobody's use makes room beyond `max_bytes`; what is in use may
 *            be more. A source that would leave less than `reserve_bytes` of the file system is
 *            not fetched.
 * Failures   -ENOSPC when there is no room now; FB_E_CANCELED; the objects'.
 */
#pragma once

#include "base/core/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct origin_objects;
struct origin_source;
struct origin_sources;

struct origin_sources_options {
    const char *folder; /* copied */
    uint64_t max_bytes;
    uint64_t reserve_bytes;
};

struct origin_sources *origin_sources_new(const struct origin_sources_options *options);
void origin_sources_free(struct origin_sources *sources); /* accepts NULL */

/* A waiter's end: asked several times a second. May be NULL. */
struct origin_sources_wait {
    void *ctx;
    bool (*is_canceled)(void *ctx);
};

/* The source of that key, from `objects`. */
FB_MUST_CHECK int origin_sources_get(struct origin_sources *sources, struct origin_objects *objects,
                                     const char *key, const struct origin_sources_wait *wait,
                                     struct origin_source **ret_source);
const char *origin_source_path(const struct origin_source *source);
void origin_source_put(struct origin_source *source); /* accepts NULL */
