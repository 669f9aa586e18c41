/*
 * What a player will ask for next, as far as a request tells.
 *
 *     told       CMCD (CTA-5004): `nor`, the next object, relative to this one; `nrr`, the next
 * range, of it or of this one guessed    the path with the last number in its name one higher:
 * seg-009.m4s, seg-010.m4s
 *
 * What a player tells is the player's word: it may name nothing of another title (the path without
 * its last two components), and nothing of another host.
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/str.h"
#include "base/http/range.h"
#include "edge/cmcd/cmcd.h"

#include <stdbool.h>
#include <stdint.h>

struct edge_next {
    struct fb_str path; /* normalised, without query; in the arena */
    bool has_range;
    struct fb_range_spec range;
};

/* False if the player says nothing that can be used. `path` is that of the request, normalised. */
bool edge_next_told(struct fb_arena *arena, const struct edge_cmcd *cmcd, struct fb_str path,
                    struct edge_next *ret_next);

/* False if there is no number in the name, or one that is too long to be counted up. `ret_number`
 * is that of `path` itself. */
bool edge_next_guessed(struct fb_arena *arena, struct fb_str path, struct edge_next *ret_next,
                       uint64_t *ret_number);

/* The path without its last two components: of "/v/7/720p/3.m4s" "/v/7". */
struct fb_str edge_next_title(struct fb_str path);
