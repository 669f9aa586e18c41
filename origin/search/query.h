/*
 * Queries: from what a person typed to what SQLite's FTS5 understands, and to
 * nothing else, whatever was typed.
 *
 * A query is cut at white space, control characters and quotation marks into words,
 * each of which stands quoted in the match, so that no operator of FTS5's can be
 * written by a person. A word that has nothing to search for is left out.
 *
 *     cheese "fond      "cheese" "fond"*        all words, the last one begun
 *     cheese f          "cheese" "f"            a letter begins too much
 *
 * Threads    Pure functions, any thread.
 * Limits     ORIGIN_QUERY_BYTES_MAX; of the words the first ORIGIN_QUERY_WORDS_MAX.
 * Failures   FB_E_LIMIT, FB_E_MALFORMED (no UTF-8), FB_E_NOT_FOUND (no word).
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/str.h"

#include <stddef.h>

enum { ORIGIN_QUERY_BYTES_MAX = 256, ORIGIN_QUERY_WORDS_MAX = 12 };

struct origin_query {
    struct fb_str words[ORIGIN_QUERY_WORDS_MAX]; /* views into the text */
    size_t n;
};

FB_MUST_CHECK int origin_query_parse(struct fb_str text, struct origin_query *ret_query);

/* Appends the match of all words, the last of them perhaps only begun. */
void origin_query_match(const struct origin_query *query, struct fb_buf *match);

/* The same where one letter may begin a word, too: for names. */
void origin_query_match_names(const struct origin_query *query, struct fb_buf *match);

/* As origin_query_match(), among titles alone. */
void origin_query_match_titles(const struct origin_query *query, struct fb_buf *match);

/* Appends `word` quoted. */
void origin_query_quote(struct fb_buf *match, struct fb_str word);

/* Appends the match of the words that share trigrams with `word`, as
 * origin_catalog_search_words() has them; FB_E_NOT_FOUND if the word is too short. */
FB_MUST_CHECK int origin_query_trigrams(struct fb_str word, struct fb_buf *match);

/* The words in lower case (of ASCII) with a space between: what queries that ask for
 * the same have in common. */
void origin_query_normal(const struct origin_query *query, struct fb_buf *text);
