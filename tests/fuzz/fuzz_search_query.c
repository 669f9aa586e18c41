/*
 * Hostile searches. Whatever was typed, FTS5 understands what is made of it, and
 * words are as far from each other in both directions.
 */
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/db/db.h"
#include "origin/search/query.h"
#include "origin/search/typo.h"

#include <stddef.h>
#include <stdint.h>

static struct fb_db *database(void)
{
    static struct fb_db *db = NULL;

    if (db == NULL) {
        FB_REQUIRE(fb_db_open(":memory:", NULL, &db, NULL) == FB_OK);
        FB_REQUIRE(fb_db_exec(db,
                              "CREATE VIRTUAL TABLE videos USING fts5(title, tags, prefix ="
                              " '2 3', tokenize = \"unicode61 remove_diacritics 2\");"
                              "INSERT INTO videos VALUES ('a title of one', 'b c');"
                              "CREATE VIRTUAL TABLE words USING fts5(word, content = '',"
                              " tokenize = 'trigram');"
                              "INSERT INTO words (rowid, word) VALUES (1, '^title$')") == FB_OK);
    }
    return db;
}

static void must_be_understood(const char *sql, struct fb_str match)
{
    FB_AUTO(fb_db_query_done) struct fb_db_query q = fb_db_query(database(), sql);

    fb_db_bind_str(&q, 1, match);
    int err = fb_db_step(&q);
    FB_REQUIRE(err == FB_OK || err == FB_E_END);
}

static void check_word(struct fb_str word, struct fb_str other)
{
    FB_AUTO(fb_buf_done) struct fb_buf match = {0};

    if (origin_query_trigrams(word, &match) == FB_OK) {
        must_be_understood("SELECT rowid FROM words WHERE words MATCH ?1", fb_buf_str(&match));
    }
    for (unsigned most = 0; most <= origin_typo_most(word); most++) {
        unsigned distance = origin_typo_distance(word, other, most);
        FB_REQUIRE(distance <= most + 1);
        FB_REQUIRE(distance == origin_typo_distance(other, word, most));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FB_AUTO(fb_buf_done) struct fb_buf match = {0};
    struct origin_query query;

    if (origin_query_parse((struct fb_str){(const char *)data, size}, &query) < 0) {
        return 0;
    }
    FB_REQUIRE(query.n > 0 && query.n <= ORIGIN_QUERY_WORDS_MAX);
    origin_query_match(&query, &match);
    must_be_understood("SELECT rowid FROM videos WHERE videos MATCH ?1", fb_buf_str(&match));
    fb_buf_clear(&match);
    origin_query_match_names(&query, &match);
    must_be_understood("SELECT rowid FROM videos WHERE videos MATCH ?1", fb_buf_str(&match));
    fb_buf_clear(&match);
    origin_query_match_titles(&query, &match);
    must_be_understood("SELECT rowid FROM videos WHERE videos MATCH ?1", fb_buf_str(&match));
    for (size_t i = 0; i < query.n; i++) {
        check_word(query.words[i], query.words[query.n - 1]);
    }
    return 0;
}
