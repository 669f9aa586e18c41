#include "edge/admin/ask.h"

#include "base/core/err.h"
#include "base/json/json.h"
#include "base/server/router.h"
#include "edge/purge/tags.h"

static int ask_check(const struct edge_purge *purge, struct fb_diag *diag)
{
    if (purge->text.len > EDGE_PURGE_TEXT_MAX) {
        return fb_diag_set(diag, FB_E_LIMIT, "What is to be purged is longer than %d bytes.",
                           EDGE_PURGE_TEXT_MAX);
    }
    if (purge->kind == EDGE_PURGE_TAG && !edge_tag_is_valid(purge->text)) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "A tag is 1 to %d visible characters without comma and space.",
                           EDGE_TAG_MAX);
    }
    return FB_OK;
}

static int ask_fail_to_choose(struct fb_diag *diag)
{
    return fb_diag_set(diag, FB_E_MALFORMED, "One of 'url', 'prefix' and 'tag' is expected.");
}

/* ---- in the query -------------------------------------------------------- */

/* Of a purge that was meant otherwise, part would be ignored. */
static int ask_check_names(struct fb_arena *arena, struct fb_str query, struct fb_diag *diag)
{
    static const char *const known[] = {"url", "prefix", "tag", "soft"};
    unsigned n_given[FB_ARRAY_LEN(known)] = {0};
    struct fb_str pair;

    while (fb_str_cut(&query, '&', &pair)) {
        struct fb_str name = fb_str_first(pair, fb_str_find(pair, '='));
        bool is_known = pair.len == 0;
        for (size_t i = 0; i < FB_ARRAY_LEN(known) && !is_known; i++) {
            is_known = fb_query_param(pair, arena, fb_str_from(known[i])).ptr != NULL;
            if (is_known && n_given[i]++ > 0) {
                return fb_diag_set(diag, FB_E_MALFORMED, "'%s' is given twice.", known[i]);
            }
        }
        if (!is_known) {
            return fb_diag_set(diag, FB_E_MALFORMED,
                               "A purge has no parameter '%.*s', but 'url', 'prefix', 'tag', "
                               "'soft'.",
                               FB_STR_ARG(name));
        }
    }
    return FB_OK;
}

static int ask_read_soft(struct fb_arena *arena, struct fb_str query, bool *ret_is_soft,
                         struct fb_diag *diag)
{
    struct fb_str soft = fb_query_param(query, arena, FB_STR("soft"));
    bool is_soft = fb_str_equal(soft, FB_STR("1")) || fb_str_equal(soft, FB_STR("true"));
    bool is_hard =
        soft.ptr == NULL || fb_str_equal(soft, FB_STR("0")) || fb_str_equal(soft, FB_STR("false"));

    if (!is_soft && !is_hard) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'soft' is 1 or 0, or true or false.");
    }
    *ret_is_soft = is_soft;
    return FB_OK;
}

int edge_ask_read_query(struct fb_arena *arena, struct fb_str query, struct edge_ask *ret_ask,
                        struct fb_diag *diag)
{
    struct edge_purge *purge = fb_arena_alloc(arena, sizeof(*purge));
    unsigned n = 0;

    int err = ask_check_names(arena, query, diag);
    if (err < 0) {
        return err;
    }
    for (unsigned kind = 0; kind < EDGE_PURGE_N_KINDS; kind++) {
        const char *name = edge_purge_kind_name((enum edge_purge_kind)kind);
        struct fb_str text = fb_query_param(query, arena, fb_str_from(name));
        if (text.ptr != NULL) {
            purge->kind = (enum edge_purge_kind)kind;
            purge->text = text;
            n++;
        }
    }
    if (n != 1) {
        return ask_fail_to_choose(diag);
    }
    err = ask_read_soft(arena, query, &purge->is_soft, diag);
    if (err < 0) {
        return err;
    }
    *ret_ask = (struct edge_ask){.purges = purge, .n = 1};
    return ask_check(purge, diag);
}

/* ---- in a body ----------------------------------------------------------- */

static int ask_read_member(struct fb_arena *arena, struct fb_str key, const struct fb_json *value,
                           struct edge_purge *purge, struct fb_diag *diag)
{
    if (fb_str_equal(key, FB_STR("soft"))) {
        purge->is_soft = fb_json_bool(value, false);
        return fb_json_type(value) == FB_JSON_BOOL
                   ? FB_OK
                   : fb_diag_set(diag, FB_E_MALFORMED, "'soft' is true or false.");
    }
    for (unsigned kind = 0; kind < EDGE_PURGE_N_KINDS; kind++) {
        const char *name = edge_purge_kind_name((enum edge_purge_kind)kind);
        if (!fb_str_equal(key, fb_str_from(name))) {
            continue;
        }
        if (purge->text.ptr != NULL || fb_json_type(value) != FB_JSON_STR) {
            return ask_fail_to_choose(diag);
        }
        purge->kind = (enum edge_purge_kind)kind;
        purge->text = fb_arena_dup(arena, fb_json_str(value));
        return FB_OK;
    }
    return fb_diag_set(diag, FB_E_MALFORMED, "A purge has no member '%.*s'.", FB_STR_ARG(key));
}

static int ask_read_object(struct fb_arena *arena, const struct fb_json *object,
                           struct edge_purge *purge, struct fb_diag *diag)
{
    const struct fb_json *value = NULL;
    struct fb_str key = FB_STR_NONE;
    void *cursor = NULL;
    int err = FB_OK;

    while (err == FB_OK && fb_json_next(object, &cursor, &key, &value)) {
        err = ask_read_member(arena, key, value, purge, diag);
    }
    if (err == FB_OK && purge->text.ptr == NULL) {
        err = ask_fail_to_choose(diag);
    }
    return err < 0 ? err : ask_check(purge, diag);
}

int edge_ask_read_json(struct fb_arena *arena, struct fb_str body, struct edge_ask *ret_ask,
                       struct fb_diag *diag)
{
    FB_AUTO(fb_json_freep) struct fb_json *root = NULL;

    int err = fb_json_parse(body, EDGE_ASK_MAX_BODY, &root, diag);
    if (err < 0) {
        return err;
    }
    const struct fb_json *list = fb_json_find(root, "purges");
    size_t n = fb_json_count(list);
    if (fb_json_type(list) != FB_JSON_ARRAY || n == 0 || n > EDGE_PURGES_MAX_CALL) {
        return fb_diag_set(diag, n > EDGE_PURGES_MAX_CALL ? FB_E_LIMIT : FB_E_MALFORMED,
                           "'purges' is a list of 1 to %d.", EDGE_PURGES_MAX_CALL);
    }
    struct edge_purge *purges = fb_arena_alloc(arena, n * sizeof(*purges));
    for (size_t i = 0; i < n; i++) {
        purges[i] = (struct edge_purge){0};
        err = ask_read_object(arena, fb_json_at(list, i), &purges[i], diag);
        if (err < 0) {
            return err;
        }
    }
    *ret_ask = (struct edge_ask){.purges = purges, .n = n};
    return FB_OK;
}
