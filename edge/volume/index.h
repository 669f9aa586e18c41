/*
 * The index of one volume: where each extent lies, in little memory.
 *
 * An extent costs one entry of 40 bytes and one bucket of 4. Of a key it keeps
 * the fingerprint and half of the version, so what the index finds is proved by
 * the record on the volume. Several entries may bear one id: chunks that came
 * later, other variants of the key. The newest is found first.
 *
 * Entries of one zone are chained, so that a zone can be dropped without reading
 * it. What is added last counts as the newest, so recovery adds the oldest first.
 *
 * Ownership  The volume owns its index.
 * Threads    find, has, touch, count and bytes on any thread; the rest on the
 *            volume's own loop.
 * Limits     `max_entries`, fixed when made and below 2^31; memory grows as needed. At most
 *            2^21 zones, blocks up to 65535 in a zone, records up to 2047 blocks.
 * Failures   add: FB_E_LIMIT; FB_E_EXISTS if another entry lies at the very place;
 *            FB_E_CORRUPT if the place cannot be (bytes from a drive may ask for it).
 */
#pragma once

#include "base/core/attr.h"
#include "edge/format/extent.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edge_index;

struct edge_index *edge_index_new(size_t max_entries, uint32_t n_zones);

/* Accepts NULL. */
void edge_index_free(struct edge_index *index);

/* The entry of `id` (of any version if that is 0) that holds chunk `chunk` of
 * the extent, 0 to 3 (any if negative): the newest, or the `nth` after it. */
bool edge_index_find(const struct edge_index *index, const struct edge_extent_id *id, int chunk,
                     unsigned nth, struct edge_place *ret_place);

/* True if the index still has an entry of `id` at the zone and block of `place`. */
bool edge_index_has(const struct edge_index *index, const struct edge_extent_id *id,
                    const struct edge_place *place);

/* `hits` more for the entry at `place`; harmless if it went. */
void edge_index_touch(struct edge_index *index, const struct edge_extent_id *id,
                      const struct edge_place *place, unsigned hits);

/* Records of a zone are best added as they lie, front to back. */
FB_MUST_CHECK int edge_index_add(struct edge_index *index, const struct edge_extent_id *id,
                                 const struct edge_place *place);

/* Takes out entries of `id` elsewhere than at `place` whose chunks are all in place->mask: the
 * same bytes twice. */
void edge_index_supersede(struct edge_index *index, const struct edge_extent_id *id,
                          const struct edge_place *place);

/* Takes the entry at `place` out. Returns false if it was not there. */
bool edge_index_remove(struct edge_index *index, const struct edge_extent_id *id,
                       const struct edge_place *place);

/* Takes out all extents of a key, whatever number or version. Returns how many
 * there were. */
size_t edge_index_purge(struct edge_index *index, uint64_t fingerprint);

/* Visits the entries of a zone, front to back; false at the end. Start with
 * *cursor = 0. The index may change meanwhile in any way: what was added behind the cursor is
 * visited too. The version of *ret_id has its upper half only, which is what find()
 * compares. */
bool edge_index_next_of_zone(const struct edge_index *index, uint32_t zone, uint32_t *cursor,
                             struct edge_extent_id *ret_id, struct edge_place *ret_place);

/* A record of the zone has no entry (any more), though it may be whole: it was purged, removed,
 * or never added. Until the zone is dropped. purge and remove note it themselves. */
void edge_index_note_gap(struct edge_index *index, uint32_t zone);
bool edge_index_has_gaps(const struct edge_index *index, uint32_t zone);

/* Takes the heat from all of a zone; a hit at that very moment may be lost. */
void edge_index_cool_zone(struct edge_index *index, uint32_t zone);

/* Takes out all of a zone. Returns how many there were. */
size_t edge_index_drop_zone(struct edge_index *index, uint32_t zone);

size_t edge_index_count(const struct edge_index *index);

/* Everything that it holds of memory. */
size_t edge_index_bytes(const struct edge_index *index);
