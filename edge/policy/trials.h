/*
 * Trials: what became of extents, told to the chances.
 *
 * A request opens a trial of its extent: was it asked for again before as much was written
 * as the volumes hold? Whether it was admitted does not matter. A ring in order of time; one
 * hand per interval passes along it and reports those that lived through it.
 *
 * Ownership  The chances are borrowed for the trials' life.
 * Threads    One at a time.
 * Limits     EDGE_TRIALS_MAX open; one more closes the oldest without a verdict.
 */
#pragma once

#include "edge/policy/chance.h"

#include <stddef.h>
#include <stdint.h>

enum { EDGE_TRIALS_MAX = 1 << 16 };

struct edge_trial;

struct edge_trials {
    struct edge_chance *chance;
    uint64_t window;
    struct edge_trial *ring;               /* owned */
    uint32_t *heads;                       /* owned; of chains by identity: place + 1 */
    uint64_t n_begun;                      /* ever */
    uint64_t hands[EDGE_CHANCE_INTERVALS]; /* trials passed, ever */
};

void edge_trials_init(struct edge_trials *trials, struct edge_chance *chance, uint64_t window);
void edge_trials_done(struct edge_trials *trials);

/* `id` is asked for at `clock` (bytes written), seen as `view`: a trial of it that is open ends,
 * and another one begins. */
void edge_trials_ask(struct edge_trials *trials, uint64_t id, uint64_t clock,
                     const struct edge_chance_view *view);

size_t edge_trials_bytes(void);
