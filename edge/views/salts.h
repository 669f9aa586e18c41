/*
 * Salts: what makes of an address and an agent a number that tells nothing the day after.
 *
 *     kept in memory alone    the node's salt of the day, drawn by chance at 00:00 UTC; that of
 *                             the day before for some time after it
 *     of the configuration    a key that the fleet shares, from which each day's is derived: the
 *                             same viewer is the same to every node that day, and to none the next
 *
 * Threads    One at a time.
 */
#pragma once

#include "base/core/str.h"
#include "base/net/network.h"

#include <stdbool.h>
#include <stdint.h>

enum { EDGE_SALT_SIZE = 32, EDGE_MARK_SIZE = 16 };

/* A salted hash of who or what. */
struct edge_mark_key {
    uint8_t bytes[EDGE_MARK_SIZE];
};

struct edge_salts {
    uint8_t now[EDGE_SALT_SIZE];
    uint8_t before[EDGE_SALT_SIZE]; /* while `has_before` */
    bool has_before;
    int64_t day; /* since 1970 */
    uint8_t key[EDGE_SALT_SIZE];
    uint8_t key_of_day[EDGE_SALT_SIZE];
};

/* `key` empty: drawn by chance. */
void edge_salts_init(struct edge_salts *salts, struct fb_str key, int64_t wall_ms);

/* Goes with the time: draws what is due, and forgets yesterday's `overlap_ms` after midnight. */
void edge_salts_turn(struct edge_salts *salts, int64_t wall_ms, uint64_t overlap_ms);

/* Overwrites all of it. */
void edge_salts_done(struct edge_salts *salts);

/* Who watches: a token's subject, or else an address and an agent. */
struct edge_viewer {
    struct fb_str subject;
    struct fb_network address;
    struct fb_str agent;
};

/* `kind` keeps hashes of different things apart. */
struct edge_mark_key edge_salt_text(const uint8_t salt[EDGE_SALT_SIZE], char kind,
                                    struct fb_str text, struct fb_str video);
struct edge_mark_key edge_salt_viewer(const uint8_t salt[EDGE_SALT_SIZE],
                                      const struct edge_viewer *viewer, struct fb_str video);
struct edge_mark_key edge_salt_network(const uint8_t salt[EDGE_SALT_SIZE],
                                       const struct fb_network *network, struct fb_str video);

/* For sketches. */
uint64_t edge_mark_number(const struct edge_mark_key *key);
