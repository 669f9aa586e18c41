#include "origin/search/query.h"

#include "base/core/err.h"
#include "base/core/text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { WORD_MAX = 40, TRIGRAM = 3 };

/* ---- words ------------------------------------------------------------------- */

static bool is_between(char c)
{
    return (uint8_t)c <= ' ' || c == '"' || c == 0x7f;
}

/* What the tokenizer may find a token in: it takes all letters and digits, of any script. */
static bool has_substance(struct fb_str word)
{
    for (size_t i = 0; i < word.len; i++) {
        char c = word.ptr[i];
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
            (uint8_t)c >= 0x80) {
            return true;
        }
    }
    return false;
}

int origin_query_parse(struct fb_str text, struct origin_query *ret_query)
{
    struct origin_query query = {.n = 0};
    size_t at = 0;

    if (text.len > ORIGIN_QUERY_BYTES_MAX) {
        return FB_E_LIMIT;
    }
    if (!fb_text_is_utf8(text)) {
        return FB_E_MALFORMED;
    }
    while (at < text.len && query.n < ORIGIN_QUERY_WORDS_MAX) {
        size_t begin = at;
        while (at < text.len && !is_between(text.ptr[at])) {
            at++;
        }
        struct fb_str word = {text.ptr + begin, at - begin};
        if (has_substance(word)) {
            query.words[query.n++] = word;
        }
        at++;
    }
    if (query.n == 0) {
        return FB_E_NOT_FOUND;
    }
    *ret_query = query;
    return FB_OK;
}

void origin_query_normal(const struct origin_query *query, struct fb_buf *text)
{
    for (size_t i = 0; i < query->n; i++) {
        char lower[ORIGIN_QUERY_BYTES_MAX];
        fb_str_put_lower(lower, query->words[i]);
        fb_buf_append(text, i > 0 ? FB_STR(" ") : FB_STR(""));
        fb_buf_append(text, (struct fb_str){lower, query->words[i].len});
    }
}

/* ---- matches ----------------------------------------------------------------- */

void origin_query_quote(struct fb_buf *match, struct fb_str word)
{
    fb_buf_append_byte(match, '"');
    fb_buf_append(match, word);
    fb_buf_append_byte(match, '"');
}

/* A space between two is FTS5's AND, but passes over what has no token, such as a dash. */
static void quote_all(const struct origin_query *query, struct fb_buf *match)
{
    for (size_t i = 0; i < query->n; i++) {
        fb_buf_append(match, i > 0 ? FB_STR(" ") : FB_STR(""));
        origin_query_quote(match, query->words[i]);
    }
}

/* All that begins with one letter would be gone through, at great cost, and be of little use. */
void origin_query_match(const struct origin_query *query, struct fb_buf *match)
{
    quote_all(query, match);
    fb_buf_append(match, query->words[query->n - 1].len > 1 ? FB_STR("*") : FB_STR(""));
}

void origin_query_match_names(const struct origin_query *query, struct fb_buf *match)
{
    quote_all(query, match);
    fb_buf_append_byte(match, '*');
}

void origin_query_match_titles(const struct origin_query *query, struct fb_buf *match)
{
    fb_buf_append(match, FB_STR("title : ("));
    origin_query_match(query, match);
    fb_buf_append_byte(match, ')');
}

/* The length of the UTF-8 character that begins with `byte`. */
static size_t character_len(char byte)
{
    uint8_t lead = (uint8_t)byte;
    return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
}

int origin_query_trigrams(struct fb_str word, struct fb_buf *match)
{
    char text[WORD_MAX * 4 + 2];
    size_t starts[WORD_MAX + 3];
    size_t n = 0;
    size_t len = word.len + 2; /* as the words are indexed: ^word$ */

    if (len > sizeof(text)) {
        return FB_E_NOT_FOUND;
    }
    text[0] = '^';
    fb_str_put_lower(text + 1, word);
    text[len - 1] = '$';
    for (size_t at = 0; at < len; at += character_len(text[at])) {
        if (n == WORD_MAX + 2) {
            return FB_E_NOT_FOUND;
        }
        starts[n++] = at;
    }
    starts[n] = len;
    if (n < TRIGRAM + 2) {
        return FB_E_NOT_FOUND;
    }
    for (size_t i = 0; i + TRIGRAM <= n; i++) {
        fb_buf_append(match, i > 0 ? FB_STR(" OR ") : FB_STR(""));
        origin_query_quote(match,
                           (struct fb_str){text + starts[i], starts[i + TRIGRAM] - starts[i]});
    }
    return FB_OK;
}
