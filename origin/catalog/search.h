/*
 * The tables of search: an index of the videos that may be seen (SQLite FTS5), the
 * names of tags and users, and the words that occur, by their trigrams.
 *
 * They are kept in step by the functions that change what they follow, in the
 * same transaction: what is published, taken away or renamed is found, or not
 * found, from then on.
 *
 * A `match` is an FTS5 expression that origin/search builds; nobody else's text
 * may come here.
 *
 * Failures   FB_E_FOREIGN for a match that FTS5 does not understand.
 */
#pragma once

#include "base/core/arena.h"
#include "origin/catalog/catalog.h"
#include "origin/catalog/videos.h"
#include "origin/model/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* How many videos of one search are weighed at most: those that fit the words best; of more than
 * ORIGIN_SEARCH_COMPARED_MAX that have them, the newest, for it takes too long to compare all. */
enum { ORIGIN_SEARCH_WEIGHED_MAX = 1000, ORIGIN_SEARCH_COMPARED_MAX = 20000 };

struct origin_search_query {
    struct fb_str match;
    struct fb_str category; /* ptr NULL: any */
    struct fb_str tag;      /* in lower case; ptr NULL: any */
    int64_t min_ms;         /* of duration, and 0 for none, as all that follow */
    int64_t max_ms;
    int64_t since_ms; /* published then or later */
};

/* What the rank of a video is made of. */
struct origin_search_hit {
    int64_t seq;
    double text; /* how well it fits: BM25, greater is better */
    int64_t published_ms;
    int64_t views;
    int64_t likes;
    int64_t shares;
};

/* Those that fit best, best first, in `arena`. */
FB_MUST_CHECK int origin_catalog_search(struct origin_catalog *catalog, struct fb_arena *arena,
                                        const struct origin_search_query *query,
                                        struct origin_search_hit **ret_hits, size_t *ret_n);

/* The videos of `hits`, in their order, without those that are gone, in `arena`. */
FB_MUST_CHECK int origin_catalog_search_videos(struct origin_catalog *catalog,
                                               struct fb_arena *arena,
                                               const struct origin_search_hit *hits, size_t n,
                                               struct origin_video **ret_videos, size_t *ret_n);

/* Whether any video fits. */
FB_MUST_CHECK int origin_catalog_search_has(struct origin_catalog *catalog, struct fb_str match,
                                            bool *ret_has);

/* A word that occurs, and in how many videos. */
struct origin_search_word {
    struct fb_str word;
    int64_t n_videos;
};

/* Words that share trigrams with those that `match` names: those with the most and
 * rarest, at most ORIGIN_SEARCH_WORDS_MAX. */
enum { ORIGIN_SEARCH_WORDS_MAX = 100 };
FB_MUST_CHECK int origin_catalog_search_words(struct origin_catalog *catalog,
                                              struct fb_arena *arena, struct fb_str match,
                                              struct origin_search_word **ret_words, size_t *ret_n);

enum origin_name_kind { ORIGIN_NAME_TAG, ORIGIN_NAME_USER };

/* A tag that videos have, or a user with a name. */
struct origin_search_name {
    struct fb_str ref; /* the tag, or the user's id */
    struct fb_str name;
    int64_t weight; /* videos with the tag, or followers of the user */
};

struct origin_name_query {
    enum origin_name_kind kind;
    struct fb_str match;
    size_t limit;
};

/* The weightiest that fit, in `arena`. */
FB_MUST_CHECK int origin_catalog_search_names(struct origin_catalog *catalog,
                                              struct fb_arena *arena,
                                              const struct origin_name_query *query,
                                              struct origin_search_name **ret_names, size_t *ret_n);
