/*
 * Search: videos by words, and what to suggest while somebody types.
 *
 *     words ──► index ──► the 1000 that fit best ──► score ──► a page
 *       ▲          │ nothing fits
 *       └─ the nearest words that occur ◄┘
 *
 * All words must occur in a video's title, description, tags or owner's name; the
 * last of them may only be begun. Case and diacritics do not matter. If nothing
 * fits, each word that occurs nowhere is replaced by the nearest one that does
 * (typo.h), and the page says what was searched for instead.
 *
 *     score = text × (1 + log10(1 + views + 10 likes + 50 shares) / 4)
 *                  × (1 + 2^(-age / 30 days) / 2)
 *
 * with text = BM25 over title ×10, tags ×5, owner's name ×4, description ×1. So of two
 * that fit as well, an old one with a hundred views and a new one with none are even.
 *
 * A place says after which video a page begins, as of which moment ages are taken,
 * and which query it belongs to, so that pages of one search fit together.
 *
 * Ownership  new → free; everything given is borrowed.
 * Threads    Blocking; any thread.
 * Limits     Those of queries (query.h); ORIGIN_SEARCH_*_MAX videos per search; a
 *            token bucket per address.
 * Failures   What query.h says; FB_E_LIMIT; else what the catalog gives.
 */
#pragma once

#include "base/core/arena.h"
#include "origin/auth/limiter.h"
#include "origin/catalog/search.h"
#include "origin/catalog/videos.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fb_address;
struct fb_clock;
struct fb_metrics;
struct origin_search;

struct origin_search_options {
    struct origin_catalog *catalog;
    const struct fb_clock *clock;
    struct fb_metrics *metrics;
    uint32_t burst; /* searches from one address at once … */
    uint32_t refill_ms;
};

struct origin_search *origin_search_new(const struct origin_search_options *options);
void origin_search_free(struct origin_search *search);

/* Spends one search of `peer`; FB_E_LIMIT. *ret_quota is written in both cases. */
FB_MUST_CHECK int origin_search_spend(struct origin_search *search, const struct fb_address *peer,
                                      struct origin_quota *ret_quota);

/* Where a page begins: behind this video of that score. */
struct origin_search_place {
    uint64_t query; /* the hash of what was asked; 0: from the first */
    int64_t now_ms; /* as of when ages are taken */
    uint64_t score; /* the bits of it */
    int64_t seq;
};

struct origin_search_ask {
    struct fb_str text;
    struct origin_search_query filter; /* but for the match and the moment */
    int64_t age_ms;                    /* published so long ago at most; 0: ever */
    struct origin_search_place place;
    size_t limit;
};

struct origin_search_page {
    struct origin_video *videos; /* in the arena, best first */
    size_t n;
    bool has_more;
    struct origin_search_place next; /* if there is more */
    struct fb_str corrected;         /* what was searched for instead; ptr NULL: what was asked */
};

/* FB_E_EXPIRED if the place belongs to another query. */
FB_MUST_CHECK int origin_search_find(struct origin_search *search, struct fb_arena *arena,
                                     const struct origin_search_ask *ask,
                                     struct origin_search_page *ret_page);

enum { ORIGIN_SUGGEST_MAX = 8 };

struct origin_suggestions {
    struct origin_video *videos; /* in the arena, as all of these; their titles fit */
    size_t n_videos;
    struct origin_search_name *tags;
    size_t n_tags;
    struct origin_search_name *users;
    size_t n_users;
};

/* At most ORIGIN_SUGGEST_MAX of each. */
FB_MUST_CHECK int origin_search_suggest(struct origin_search *search, struct fb_arena *arena,
                                        struct fb_str text,
                                        struct origin_suggestions *ret_suggestions);
