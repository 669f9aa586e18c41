/*
 * Arenas: many small pieces that die together.
 *
 * One arena serves one HTTP exchange and is reset at its end; nothing in it
 * outlives the exchange. Pieces are 16-byte aligned. In sanitizer builds each
 * piece is a block of its own, so that an overrun is seen.
 *
 * Ownership  The arena owns all its pieces.
 * Threads    One at a time.
 */
#pragma once

#include "base/core/str.h"

#include <stddef.h>

struct fb_arena {
    /* Private to arena.c. */
    struct fb_arena_block *blocks; /* owned, newest first */
    size_t n_bytes;                /* handed out since the last reset */
};

/* Frees all; leaves the arena zero and usable. A zero arena is empty. */
void fb_arena_done(struct fb_arena *arena);

/* Forgets all pieces but keeps one block for the next exchange. */
void fb_arena_reset(struct fb_arena *arena);

/* `size` zeroed bytes. The caller bounds what peers can make it ask for. */
void *fb_arena_alloc(struct fb_arena *arena, size_t size);

/* A copy of `str`, with a NUL behind it. */
struct fb_str fb_arena_dup(struct fb_arena *arena, struct fb_str str);

/* Bytes handed out since the last reset. */
size_t fb_arena_bytes(const struct fb_arena *arena);
