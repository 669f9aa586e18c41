/*
 * Zones: the accounting of one volume's zones. No I/O.
 *
 *     FREE ──► OPEN ──► SEALED ──► RECLAIMING ──► FREE
 *
 * Every time that a zone is opened it gets the volume's next generation: records
 * bear it, so that those of the zone's last life do not count. A free zone has none
 * (0). Zones are opened in the order in which they became free, so that all wear
 * alike.
 *
 * Whoever reads from a zone takes its generation before and compares it after: another
 * one means that the zone was reclaimed meanwhile.
 *
 * Ownership  The volume owns its zones.
 * Threads    generation, n_free, count and was_full on any thread; the rest on the
 *            volume's own loop.
 * Limits     As many zones as said when made.
 */
#pragma once

#include "base/core/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct edge_zones;

enum edge_zone_state {
    EDGE_ZONE_FREE,
    EDGE_ZONE_OPEN,
    EDGE_ZONE_SEALED,
    EDGE_ZONE_RECLAIMING /* sealed, and being emptied */
};

/* All free, in order of their numbers. `first_generation` (not 0) is what the first zone
 * opened in the volume's life has: edge_superblock_first_generation(). */
struct edge_zones *edge_zones_new(uint32_t n_zones, uint64_t first_generation);

/* Accepts NULL. */
void edge_zones_free(struct edge_zones *zones);

/* ---- recovery, before anything is opened ---------------------------------- */

/* A zone that was found in use: SEALED or OPEN, with its generation, not 0. Requires
 * that it is free. */
void edge_zones_adopt(struct edge_zones *zones, uint32_t zone, enum edge_zone_state state,
                      uint64_t generation);

/* The generations that are opened from here on are greater than `generation`, which was
 * seen on the volume, if on a zone that was not adopted. */
void edge_zones_saw(struct edge_zones *zones, uint64_t generation);

/* ---- life ------------------------------------------------------------------ */

/* Takes the zone that has been free for the longest. False if none is. */
FB_MUST_CHECK bool edge_zones_open(struct edge_zones *zones, uint32_t *ret_zone,
                                   uint64_t *ret_generation);

/* OPEN to SEALED. */
void edge_zones_seal(struct edge_zones *zones, uint32_t zone);

/* The sealed zone that was opened, or passed over, the longest ago. False if none is sealed. */
bool edge_zones_oldest_sealed(const struct edge_zones *zones, uint32_t *ret_zone);

/* A sealed zone becomes the youngest of all, as it is. Not for ever: after a restart zones are as
 * old as their generations say. */
void edge_zones_pass(struct edge_zones *zones, uint32_t zone);

/* Takes a pass back: the zone is as old as it was opened again. */
void edge_zones_unpass(struct edge_zones *zones, uint32_t zone);

/* SEALED to RECLAIMING. */
void edge_zones_reclaim(struct edge_zones *zones, uint32_t zone);

/* RECLAIMING to SEALED again: its reclaim was given up. */
void edge_zones_keep(struct edge_zones *zones, uint32_t zone);

/* RECLAIMING to FREE, or OPEN if nothing came to lie in it. Its generation goes. */
void edge_zones_release(struct edge_zones *zones, uint32_t zone);

/* Blocks of the zone that are written, header included; 0 when free. */
void edge_zones_set_used(struct edge_zones *zones, uint32_t zone, uint32_t n_blocks);
uint32_t edge_zones_used(const struct edge_zones *zones, uint32_t zone);

enum edge_zone_state edge_zones_state(const struct edge_zones *zones, uint32_t zone);

/* The greatest one given or seen; before any, the one before the first. */
uint64_t edge_zones_last_generation(const struct edge_zones *zones);

/* ---- on any thread ----------------------------------------------------------- */

/* 0: free, or there is no such zone. */
uint64_t edge_zones_generation(const struct edge_zones *zones, uint32_t zone);

uint32_t edge_zones_n_free(const struct edge_zones *zones);

/* True once more zones were opened in the volume's life than it has: one was used again. */
bool edge_zones_was_full(const struct edge_zones *zones);
