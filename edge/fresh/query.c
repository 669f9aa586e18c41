#include "base/core/err.h"
#include "base/core/order.h"
#include "base/core/text.h"
#include "edge/fresh/fresh_internal.h"

#include <stdlib.h>
#include <string.h>

/* The ranks by which parameters stand: HLS's own behind all others, in the order of
 * their names. */
enum query_rank { RANK_PLAIN, RANK_HLS_MSN, RANK_HLS_PART, RANK_HLS_SKIP };

struct query_param {
    struct fb_str text; /* with its value */
    struct fb_str name; /* what it is sorted by; empty: by its place */
    enum query_rank rank;
};

/* ---- names ------------------------------------------------------------- */

/* The byte at `*at` of a name, decoded; moves past it. */
static char name_next(struct fb_str name, size_t *at)
{
    size_t i = *at;
    int high = name.ptr[i] == '%' && i + 2 < name.len ? fb_text_hex_digit(name.ptr[i + 1]) : -1;
    int low = high >= 0 ? fb_text_hex_digit(name.ptr[i + 2]) : -1;

    if (low < 0) {
        *at = i + 1;
        return name.ptr[i];
    }
    *at = i + 3;
    return (char)(high << 4 | low);
}

/* True if `name`, decoded, begins with `plain`; `*ret_rest` is what follows, as it is
 * written. */
static bool name_begins_with(struct fb_str name, struct fb_str plain, struct fb_str *ret_rest)
{
    size_t at = 0;

    for (size_t i = 0; i < plain.len; i++) {
        if (at == name.len || name_next(name, &at) != plain.ptr[i]) {
            return false;
        }
    }
    *ret_rest = fb_str_skip(name, at);
    return true;
}

static bool name_is(struct fb_str name, struct fb_str plain)
{
    struct fb_str rest;

    return name_begins_with(name, plain, &rest) && rest.len == 0;
}

static bool name_is_among(struct fb_str name, const struct fb_str *names, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (name_is(name, names[i])) {
            return true;
        }
    }
    return false;
}

/* Common Media Client Data (CTA-5004), in one parameter or in several. */
static bool name_is_cmcd(struct fb_str name)
{
    struct fb_str rest;

    return name_begins_with(name, FB_STR("CMCD"), &rest) &&
           (rest.len == 0 || name_begins_with(rest, FB_STR("-"), &rest));
}

static enum query_rank name_rank(struct fb_str name)
{
    static const struct fb_str names[] = {[RANK_HLS_MSN] = FB_STR("_HLS_msn"),
                                          [RANK_HLS_PART] = FB_STR("_HLS_part"),
                                          [RANK_HLS_SKIP] = FB_STR("_HLS_skip")};

    for (enum query_rank rank = RANK_HLS_MSN; rank <= RANK_HLS_SKIP; rank++) {
        if (name_is(name, names[rank])) {
            return rank;
        }
    }
    return RANK_PLAIN;
}

enum edge_parameter edge_parameter_of(struct fb_str name)
{
    if (name_is_cmcd(name)) {
        return EDGE_PARAMETER_NEVER;
    }
    return name_rank(name) == RANK_PLAIN ? EDGE_PARAMETER_BY_POLICY : EDGE_PARAMETER_ALWAYS;
}

/* ---- escapes ----------------------------------------------------------- */

static bool is_unreserved(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

/* What need not be escaped is not, the rest in upper case (RFC 3986 section 6.2.2). A
 * `%` that begins no escape is escaped itself, so that it cannot become the
 * beginning of one. */
static struct fb_str query_normalise(struct fb_arena *arena, struct fb_str query)
{
    static const char digits[] = "0123456789ABCDEF";
    char *out = fb_arena_alloc(arena, 3 * query.len);
    size_t n = 0;

    for (size_t at = 0; at < query.len;) {
        size_t start = at;
        char c = name_next(query, &at);
        bool is_escape = at - start == 3;
        if (query.ptr[start] != '%' || (is_escape && is_unreserved(c))) {
            out[n++] = c;
            continue;
        }
        unsigned char byte = (unsigned char)c;
        out[n++] = '%';
        out[n++] = digits[byte >> 4];
        out[n++] = digits[byte & 15];
    }
    return (struct fb_str){out, n};
}

/* ---- the whole --------------------------------------------------------- */

static int compare_params(const void *a, const void *b)
{
    const struct query_param *first = a;
    const struct query_param *second = b;

    if (first->rank != second->rank) {
        return first->rank < second->rank ? -1 : 1;
    }
    int order = fb_str_compare(first->name, second->name);
    if (order != 0) {
        return order;
    }
    /* All are views into one query. */
    return FB_ORDER(first->text.ptr, second->text.ptr);
}

static bool param_counts(const struct edge_key_policy *policy, struct fb_str text,
                         struct fb_str name, enum query_rank rank)
{
    if (rank != RANK_PLAIN) {
        return true;
    }
    if (name_is_cmcd(name)) {
        return false;
    }
    if (policy->query == EDGE_KEY_NONE) {
        return name_is_among(name, policy->included, policy->n_included);
    }
    return !name_is_among(name, policy->excluded, policy->n_excluded) &&
           (policy->query == EDGE_KEY_WHOLE || text.len > 0);
}

/* The parameters that count, in order; and whether that is what is written. */
static size_t query_read(const struct edge_key_policy *policy, struct fb_str query,
                         struct query_param *params, bool *ret_is_same)
{
    struct fb_str rest = query;
    struct fb_str text;
    size_t n = 0;
    bool is_same = policy->query == EDGE_KEY_WHOLE;

    while (fb_str_cut(&rest, '&', &text)) {
        struct fb_str name = fb_str_first(text, fb_str_find(text, '='));
        enum query_rank rank = name_rank(name);
        if (!param_counts(policy, text, name, rank)) {
            is_same = false;
            continue;
        }
        is_same &= rank == RANK_PLAIN;
        params[n].text = text;
        params[n].rank = rank;
        params[n].name = policy->query == EDGE_KEY_WHOLE ? FB_STR_NONE : name;
        n++;
    }
    *ret_is_same = is_same;
    return n;
}

static size_t count_params(struct fb_str query)
{
    size_t n = 1;

    for (size_t i = 0; i < query.len; i++) {
        n += query.ptr[i] == '&';
    }
    return n;
}

struct fb_str edge_query_of(struct fb_arena *arena, struct fb_str query,
                            const struct edge_key_policy *policy)
{
    bool is_same = false;

    if (query.ptr == NULL) {
        return FB_STR_NONE;
    }
    struct fb_str from = policy->query == EDGE_KEY_WHOLE ? query : query_normalise(arena, query);
    struct query_param *params =
        fb_arena_alloc(arena, count_params(from) * sizeof(struct query_param));
    size_t n = query_read(policy, from, params, &is_same);
    if (is_same) {
        return query;
    }
    if (n == 0) {
        return FB_STR_NONE;
    }
    if (n > 1) {
        qsort(params, n, sizeof(*params), compare_params);
    }
    char *out = fb_arena_alloc(arena, from.len + 1);
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        if (i > 0) {
            out[len++] = '&';
        }
        if (params[i].text.len > 0) {
            memcpy(out + len, params[i].text.ptr, params[i].text.len);
        }
        len += params[i].text.len;
    }
    return (struct fb_str){out, len};
}
