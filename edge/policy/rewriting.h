/*
 * Rewriting: when a zone is reclaimed, is this extent written again or dropped?
 *
 * Zones are reclaimed oldest first, so what is written again lives one more
 * round of the volume and what is dropped has to be fetched again when somebody
 * asks. Heat says which: hits since the extent was written, saturating at
 * EDGE_HEAT_MAX. A hit is a read from the volume, or a hit in RAM that RAM told
 * of when it evicted the extent.
 *
 * Ownership  The ask is the caller's.
 * Threads    Any: nothing is kept.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum { EDGE_HEAT_MAX = 15 };

struct edge_rewriting_ask {
    unsigned heat;
    uint64_t size;
    int64_t age_ms; /* since it was written, here or the last time */
    uint32_t title;
    bool is_in_ram;    /* RAM holds it now */
    double pressure;   /* edge_budget_pressure() of the volume */
    double strictness; /* edge_admission_strictness() */
};

/* True: write it again. */
bool edge_rewriting_ask(const struct edge_rewriting_ask *ask);

/* The heat that the new copy starts with. */
unsigned edge_rewriting_heat(unsigned heat);
