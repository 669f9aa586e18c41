/*
 * Admission: is what was just fetched worth a write to a volume?
 *
 * Most of what is asked for is never asked for again, and every write wears the drive
 * and takes the room of something else. So each extent is given the chance that it is asked for
 * again while it would lie on the volume, and is written if that chance is good enough.
 * What the chance rests on:
 *
 *   - how often the extent itself was asked for lately, and when (edge/policy/recall.h):
 *     also if it was refused then;
 *   - of its title's requests, the share whose extent was known; and how many requests
 *     each of the title's extents gets at present (edge/policy/titles.h).
 *
 * What these are worth is learned from the traffic (edge/policy/chance.h): nothing is
 * assumed of titles, crawlers or live streams. What RAM serves does not count,
 * since a volume would not be read for it: that is why live streams are not written.
 *
 *     chance needed = 0.6
 *                     0.3 while the volume was never full: the write costs no room
 *                     rising to 1 over the last quarter of the budget's line
 *
 * Told of each fill that ends and of each read from a volume, once per extent and stay in
 * RAM: a chunk that comes later follows the answer that its extent got.
 *
 * Threads    One at a time: the caller holds a lock of its own.
 * Limits     Memory is taken at the start and stays: edge_admission_bytes().
 */
#pragma once

#include "base/core/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edge_admission;

struct edge_admission_ask {
    uint64_t id;     /* of the extent: the same for the same place of the same key, ever */
    uint64_t size;   /* bytes that would be written */
    uint32_t title;  /* hash of what it is a part of; of its key if nothing is known */
    bool is_planned; /* the pre-warm plan names it */
    bool has_room;   /* the volume was never full yet */
    double pressure; /* edge_budget_pressure() of the volume it would go to */
    int64_t now_ms;  /* monotonic */
};

/* `volume_bytes`: of all volumes together, not 0. */
struct edge_admission *edge_admission_new(uint64_t volume_bytes);

/* Accepts NULL. */
void edge_admission_free(struct edge_admission *admission);

/* A fill ended. True: write it. A plan is always followed; the budget is the volume's to keep. */
FB_MUST_CHECK bool edge_admission_ask(struct edge_admission *admission,
                                      const struct edge_admission_ask *ask);

/* It was not in RAM, but on a volume. Only id, title and now_ms matter. */
void edge_admission_seen(struct edge_admission *admission, const struct edge_admission_ask *ask);

/* Memory taken. */
size_t edge_admission_bytes(const struct edge_admission *admission);
