/*
 * Watched: the last watch events of everybody, in memory, as the likeness of videos is made of
 * them.
 *
 * Ownership  new → free.
 * Threads    One at a time.
 * Limits     ORIGIN_WATCHED_MAX events of 24 bytes; beyond, the oldest gives way.
 */
#pragma once

#include "origin/feed/likeness.h"
#include "origin/feed/shelf.h"

#include <stddef.h>
#include <stdint.h>

enum { ORIGIN_WATCHED_MAX = 500000 };

struct origin_watched;

struct origin_watched *origin_watched_new(void);
void origin_watched_free(struct origin_watched *watched);

/* `user` stands for somebody, `video` is its number in the catalog; events come in their order. */
void origin_watched_add(struct origin_watched *watched, uint64_t user, int64_t video);

/* The likeness of the shelf's videos, finished; the caller's. What is not on the shelf is left out.
 */
struct origin_likeness *origin_watched_likeness(const struct origin_watched *watched,
                                                const struct origin_shelf *shelf);
