/*
 * The shelf: what the feed knows of every video that it may show.
 *
 * It is made anew every minute, whole, and never changes afterwards; videos are numbers, in the
 * order in which they were added. Tags are hashes of their text in lower case; the sound that a
 * video bears is one more.
 *
 *     new ──► add … ──► seal ──► any number of readers
 *
 * Ownership  new → free.
 * Threads    One at a time until it is sealed; then any.
 * Limits     ORIGIN_SHELF_MAX videos: the caller adds the likeliest first.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"
#include "origin/model/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ORIGIN_SHELF_MAX = 200000, ORIGIN_SHELF_TAGS_MAX = 8 };

struct origin_shelf_video {
    int64_t seq; /* its number in the catalog */
    struct origin_id id;
    struct origin_id owner;
    uint32_t tags[ORIGIN_SHELF_TAGS_MAX];
    size_t n_tags;
    uint32_t category;    /* a hash; 0: none */
    int64_t published_ms; /* Unix time */
    uint64_t duration_ms;
    uint64_t views;       /* ever, capped ones */
    uint64_t views_today; /* of the last 24 hours */
    uint64_t likes;
    uint64_t shares;
    double completion; /* 0 to 1: of what was watched of it, on average; below 0: nobody knows */
    double trend;      /* its score among what trends; 0: does not */

    uint32_t owner_number; /* set by the shelf: the same for the same owner, from 0 */
};

struct origin_shelf;

struct origin_shelf *origin_shelf_new(int64_t now_ms);
void origin_shelf_free(struct origin_shelf *shelf);

/* Its number, or ORIGIN_SHELF_MAX if the shelf is full or has it already. */
uint32_t origin_shelf_add(struct origin_shelf *shelf, const struct origin_shelf_video *video);

/* No more come: orders what follows. */
void origin_shelf_seal(struct origin_shelf *shelf);

uint32_t origin_shelf_count(const struct origin_shelf *shelf);
int64_t origin_shelf_now_ms(const struct origin_shelf *shelf); /* when it was made */

/* `number` is below the count. */
const struct origin_shelf_video *origin_shelf_at(const struct origin_shelf *shelf, uint32_t number);

/* False if the shelf has none of that number in the catalog. */
bool origin_shelf_find_seq(const struct origin_shelf *shelf, int64_t seq, uint32_t *ret_number);

/* Numbers in an order, borrowed. */
enum origin_shelf_order {
    ORIGIN_SHELF_NEWEST,
    ORIGIN_SHELF_WATCHED,  /* most views of the last 24 hours, then ever */
    ORIGIN_SHELF_TRENDING, /* only those that do */
    ORIGIN_SHELF_N_ORDERS
};
const uint32_t *origin_shelf_in(const struct origin_shelf *shelf, enum origin_shelf_order order,
                                size_t *ret_n);

/* Of one tag (a hash), most watched first, at most ORIGIN_SHELF_TAGGED_MAX. */
enum { ORIGIN_SHELF_TAGGED_MAX = 64 };
const uint32_t *origin_shelf_tagged(const struct origin_shelf *shelf, uint32_t tag, size_t *ret_n);

/* Of one owner, newest first, at most ORIGIN_SHELF_TAGGED_MAX. */
const uint32_t *origin_shelf_owned(const struct origin_shelf *shelf, const struct origin_id *owner,
                                   size_t *ret_n);

/* The hash of a tag, a category or the like; never 0. */
uint32_t origin_shelf_hash(struct fb_str text);
