/*
 * Pacers: how many beacons one client may send.
 *
 * A table of buckets of tokens, of which a client has the one that its hash names; two that share
 * one share its tokens.
 *
 * Ownership  new → free.
 * Threads    One at a time.
 * Limits     EDGE_PACER_SLOTS buckets of EDGE_PACER_BURST seconds' tokens.
 */
#pragma once

#include "base/net/network.h"

#include <stdbool.h>
#include <stdint.h>

enum { EDGE_PACER_SLOTS = 4096, EDGE_PACER_BURST = 5 };

struct edge_pacer;

/* `per_s` 0: no bound. */
struct edge_pacer *edge_pacer_new(uint32_t per_s, uint64_t seed);
void edge_pacer_free(struct edge_pacer *pacer); /* accepts NULL */

/* True if `client` has a token left, which is taken. */
bool edge_pacer_take(struct edge_pacer *pacer, const struct fb_network *client, uint64_t mono_ms);
