/*
 * Marks: what is remembered of viewers and networks between sessions, as salted hashes.
 *
 * A table of small records, of which the one that was not asked for the longest goes when there is
 * no room.
 *
 * Ownership  new → free.
 * Threads    One at a time.
 * Limits     `max` marks.
 */
#pragma once

#include "edge/views/salts.h"

#include <stddef.h>
#include <stdint.h>

struct edge_marks;

/* All zero when new; what the numbers mean is the owner's. */
struct edge_mark {
    uint64_t at[2];
    uint32_t n[2];
};

struct edge_marks *edge_marks_new(size_t max, uint64_t seed);
void edge_marks_free(struct edge_marks *marks); /* accepts NULL */

/* The mark of `key`, made if there is none. It holds until the next call. */
struct edge_mark *edge_marks_touch(struct edge_marks *marks, const struct edge_mark_key *key);

/* The mark, or NULL. */
const struct edge_mark *edge_marks_find(const struct edge_marks *marks,
                                        const struct edge_mark_key *key);
size_t edge_marks_count(const struct edge_marks *marks);
