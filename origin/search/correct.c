/*
 * From words that occur nowhere to the nearest that do.
 */
#include "base/core/err.h"
#include "origin/search/search_internal.h"
#include "origin/search/typo.h"

/* The nearest of `words`; of those that are as near, what more videos have. */
static const struct origin_search_word *nearest(const struct origin_search_word *words, size_t n,
                                                struct fb_str word)
{
    unsigned most = origin_typo_most(word);
    const struct origin_search_word *found = NULL;

    for (size_t i = 0; i < n; i++) {
        unsigned distance = origin_typo_distance(word, words[i].word, most);
        if (distance < most ||
            (distance == most && (found == NULL || words[i].n_videos > found->n_videos))) {
            if (distance < most) {
                most = distance;
            }
            found = &words[i];
        }
    }
    return found;
}

static int correct_word(struct origin_catalog *catalog, struct fb_arena *arena, struct fb_str word,
                        bool is_last, struct fb_str *ret_word)
{
    FB_AUTO(fb_buf_done) struct fb_buf match = {0};
    struct origin_search_word *words = NULL;
    bool has = false;
    size_t n = 0;

    origin_query_quote(&match, word);
    fb_buf_append(&match, is_last ? FB_STR("*") : FB_STR(""));
    int err = origin_catalog_search_has(catalog, fb_buf_str(&match), &has);
    if (err < 0 || has) {
        *ret_word = word;
        return err;
    }
    fb_buf_clear(&match);
    err = origin_query_trigrams(word, &match);
    if (err == FB_OK) {
        err = origin_catalog_search_words(catalog, arena, fb_buf_str(&match), &words, &n);
    }
    if (err < 0) {
        return err;
    }
    const struct origin_search_word *found = nearest(words, n, word);
    if (found == NULL) {
        return FB_E_NOT_FOUND;
    }
    *ret_word = found->word;
    return FB_OK;
}

int origin_search_correct(struct origin_catalog *catalog, struct fb_arena *arena,
                          const struct origin_query *query, struct origin_query *ret_query)
{
    struct origin_query corrected = *query;
    int err = FB_OK;

    for (size_t i = 0; i < query->n && err == FB_OK; i++) {
        err = correct_word(catalog, arena, query->words[i], i + 1 == query->n, &corrected.words[i]);
    }
    if (err == FB_OK) {
        *ret_query = corrected;
    }
    return err;
}
