/*
 * What the files of edge/purge share.
 *
 *     purge.c   calls, and the lock between those who add and those who judge
 *     rules.c   rules in memory: hashes and epochs
 *     log.c     rules on disk
 *     tags.c    Cache-Tag
 */
#pragma once

#include "edge/purge/purge.h"

struct fb_db;

/* ---- rules.c ------------------------------------------------------------- */

/* All purges of one text. */
struct purge_rule {
    uint64_t hash; /* of kind and text; 0: free */
    uint64_t hard; /* epoch of the last, or 0 */
    uint64_t soft;
};

/* Rules that can be judged by. */
struct edge_purge_rules {
    uint64_t seed;
    uint64_t floor;
    struct purge_rule *table; /* owned; open addressing */
    size_t size;              /* a power of two */
    size_t n;
    struct purge_rule any_tag; /* the newest of all tags, for who has too many */
    uint64_t *lengths;         /* owned; bit n: a prefix of n bytes is among them; NULL: none */
};

void edge_purge_rules_init(struct edge_purge_rules *rules, uint64_t seed, uint64_t floor);
void edge_purge_rules_done(struct edge_purge_rules *rules);

/* Makes a copy without what is not newer than `floor`, and with room for `n` rules more, if
 * either asks for one: else false. */
bool edge_purge_rules_remake(const struct edge_purge_rules *rules, size_t n, uint64_t floor,
                             struct edge_purge_rules *ret_copy);

/* The epoch that the oldest `n` rules reached. */
uint64_t edge_purge_rules_oldest(const struct edge_purge_rules *rules, size_t n);

/* Grows the table if need be. */
void edge_purge_rules_add(struct edge_purge_rules *rules, const struct edge_purge *purge,
                          uint64_t epoch);

enum edge_purge_verdict edge_purge_rules_judge(const struct edge_purge_rules *rules,
                                               const struct edge_purge_subject *subject,
                                               uint64_t *ret_epoch);

/* ---- log.c --------------------------------------------------------------- */

/* What the log says of all rules together. */
struct purge_log_state {
    uint64_t epoch;
    uint64_t floor;
    uint64_t n; /* rules */
};

/* Opens the log in `folder`, or begins one whose floor is `now`. One that is broken is put aside.
 * Blocks, as all here. */
FB_MUST_CHECK int edge_purge_log_open(const char *folder, uint64_t now, struct fb_db **ret_db,
                                      struct purge_log_state *ret_state, struct fb_diag *diag);

/* Appends a call's purges as of `epoch`, and folds the oldest rules if there are more than `max`
 * then. Durable when it returns FB_OK; else nothing has changed. */
FB_MUST_CHECK int edge_purge_log_add(struct fb_db *db, const struct edge_purge *purges, size_t n,
                                     uint64_t epoch, size_t max, struct purge_log_state *state);

/* What an open log says now. */
FB_MUST_CHECK int edge_purge_log_state(struct fb_db *db, struct purge_log_state *ret_state);

/* Gives the rules that are left, oldest first. */
FB_MUST_CHECK int edge_purge_log_read(struct fb_db *db, void *ctx,
                                      void (*visit)(void *ctx, const struct edge_purge *purge,
                                                    uint64_t epoch));
