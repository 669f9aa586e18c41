/*
 * Admission: may what is in RAM be written to a volume?
 *
 * A write must be worth it: most of what is asked for is never asked for
 * again. Admission keeps a bounded memory of what was asked for lately, and of
 * each title how often its requests found their object known. The stricter,
 * the nearer the day's budget is to its line (edge/policy/budget.h) and the
 * more was written per byte served.
 *
 * The unit is the extent: `id` is its identity, the same for the same bytes'
 * place, ever. The caller tells of
 *
 *   - each fill that ended: found MISS;
 *   - the first two hits in RAM after a fill, while it is not on a volume: RAM;
 *   - each read from a volume: VOLUME (edge_admission_seen);
 *   - what was served and written, in sums, now and then: edge_admission_tell().
 *
 * Ownership  The ask is the caller's.
 * Threads    One at a time: the caller holds a lock of its own.
 * Limits     Memory is taken at the start and stays: edge_admission_bytes().
 */
#pragma once

#include "base/core/attr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edge_admission;

struct edge_admission_options {
    uint64_t volume_bytes; /* of all volumes; sizes the memory */
};

enum edge_admission_found { EDGE_FOUND_MISS, EDGE_FOUND_RAM, EDGE_FOUND_VOLUME };

struct edge_admission_ask {
    uint64_t id;
    uint64_t size;  /* bytes in RAM, of this extent */
    uint32_t title; /* hash of what it is a part of; of its key if nothing is known */
    enum edge_admission_found found;
    unsigned hits;   /* in RAM since its fill */
    bool is_live;    /* of a stream that is going on, or a manifest: soon useless */
    bool is_planned; /* the pre-warm plan names it */
    bool has_room;   /* the volume was never full yet: nothing goes for it */
    double pressure; /* edge_budget_pressure() of the volume it would go to */
    int64_t now_ms;  /* monotonic */
};

struct edge_admission *edge_admission_new(const struct edge_admission_options *options);

/* Accepts NULL. */
void edge_admission_free(struct edge_admission *admission);

/* True: write it. A plan is always followed; the budget itself is the volume's to hold. */
FB_MUST_CHECK bool edge_admission_ask(struct edge_admission *admission,
                                      const struct edge_admission_ask *ask);

/* The same request, of what needs no answer: it is on a volume already. */
void edge_admission_seen(struct edge_admission *admission, const struct edge_admission_ask *ask);

/* Bytes served to clients and written to volumes (admission and rewriting) since the last call.
 * Every second or so is enough. */
void edge_admission_tell(struct edge_admission *admission, uint64_t served_bytes,
                         uint64_t written_bytes);

/* 0: write freely, 1: only what is surely worth it. From what was told; for rewriting. */
double edge_admission_strictness(const struct edge_admission *admission);

/* Memory taken. */
size_t edge_admission_bytes(const struct edge_admission *admission);
