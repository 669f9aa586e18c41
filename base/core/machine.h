/*
 * State machines with declared transitions.
 *
 * Each machine has a constant table that names its states and lists where
 * each may go. fb_machine_move() stops the process on a move that is not in
 * the table, so the diagram in the module's header cannot drift from the code.
 *
 * Threads    One at a time.
 */
#pragma once

#include <stdint.h>

/* Result of one step: run again, wait for a callback, or the object is gone. */
enum fb_step { FB_STEP_AGAIN, FB_STEP_WAIT, FB_STEP_GONE };

#define FB_TO(state) (1U << (state))

struct fb_state {
    const char *name;
    uint32_t next; /* FB_TO() bits of the states allowed to follow */
};

struct fb_machine {
    const struct fb_state *table; /* borrowed, static */
    unsigned state;               /* index into the table, < 32 */
};

void fb_machine_init(struct fb_machine *machine, const struct fb_state *table, unsigned state);
void fb_machine_move(struct fb_machine *machine, unsigned next);

/* The name of the current state, for logs. */
const char *fb_machine_name(const struct fb_machine *machine);
