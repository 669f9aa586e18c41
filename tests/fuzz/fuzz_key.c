/*
 * Keys: two requests of one key ask the upstream for one thing, which means the same to
 * whoever decodes it; and whoever asks for that thing gets the same key.
 *
 * The input is two requests, "policy host target" each, with a line feed between them.
 */
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "edge/fresh/key.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_PARAMS = 64 };

static const struct fb_str names[] = {FB_STR("a"), FB_STR("token"), FB_STR("t k")};

static const struct edge_key_policy policies[] = {
    {.query = EDGE_KEY_WHOLE}, {.query = EDGE_KEY_WHOLE, .excluded = names, .n_excluded = 3},
    {.query = EDGE_KEY_ALL},   {.query = EDGE_KEY_ALL, .excluded = names, .n_excluded = 3},
    {.query = EDGE_KEY_NONE},  {.query = EDGE_KEY_NONE, .included = names, .n_included = 3},
};

static struct fb_request_head request_of(struct fb_str host, struct fb_str target)
{
    size_t question = fb_str_find(target, '?');

    return (struct fb_request_head){
        .host = host,
        .target = target,
        .path = fb_str_first(target, question),
        .query = question < target.len ? fb_str_skip(target, question + 1) : FB_STR_NONE};
}

/* What base/http1 lets through. */
static bool may_come(struct fb_str target)
{
    for (size_t i = 0; i < target.len; i++) {
        unsigned char c = (unsigned char)target.ptr[i];
        if (c <= ' ' || c >= 0x7f || c == '#') {
            return false;
        }
    }
    return target.len > 0 && target.ptr[0] == '/';
}

static bool key_of(struct fb_arena *arena, struct fb_str text, struct edge_target *target,
                   const struct edge_key_policy **ret_policy)
{
    struct fb_str number;
    struct fb_str host;

    if (!fb_str_cut(&text, ' ', &number) || !fb_str_cut(&text, ' ', &host) || number.len == 0 ||
        !may_come(text)) {
        return false;
    }
    *ret_policy = &policies[(unsigned char)number.ptr[0] % FB_ARRAY_LEN(policies)];
    struct fb_request_head request = request_of(host, text);
    return edge_key_of(arena, &request, *ret_policy, target) == FB_OK;
}

/* ---- what a query means ------------------------------------------------ */

static struct fb_str decoded(struct fb_arena *arena, struct fb_str text)
{
    char *out = fb_arena_alloc(arena, text.len + 1);
    size_t n = 0;

    for (size_t i = 0; i < text.len; i++) {
        int high = i + 2 < text.len ? fb_text_hex_digit(text.ptr[i + 1]) : -1;
        int low = i + 2 < text.len ? fb_text_hex_digit(text.ptr[i + 2]) : -1;
        bool is_escape = text.ptr[i] == '%' && high >= 0 && low >= 0;
        out[n++] = (char)(is_escape ? high << 4 | low : text.ptr[i]);
        i += is_escape ? 2 : 0;
    }
    return (struct fb_str){out, n};
}

static bool is_among(struct fb_str name, const struct fb_str *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (fb_str_equal(name, list[i])) {
            return true;
        }
    }
    return false;
}

/* The values of `name` in `query`, decoded, each with a NUL before it: what a server would
 * find under it. */
static struct fb_str values_of(struct fb_arena *arena, struct fb_str query, struct fb_str name)
{
    char *out = fb_arena_alloc(arena, 2 * query.len + 2);
    struct fb_str text;
    size_t n = 0;

    while (fb_str_cut(&query, '&', &text)) {
        size_t equals = fb_str_find(text, '=');
        if (!fb_str_equal(decoded(arena, fb_str_first(text, equals)), name)) {
            continue;
        }
        struct fb_str value = decoded(arena, fb_str_skip(text, equals));
        out[n++] = '\0';
        if (value.len > 0) {
            memcpy(out + n, value.ptr, value.len);
        }
        n += value.len;
    }
    return (struct fb_str){out, n};
}

/* What counts of `written` means in `wanted` what it meant, and nothing else is there. */
static void check_meaning(struct fb_arena *arena, const struct edge_key_policy *policy,
                          struct fb_str written, struct fb_str wanted)
{
    static const struct fb_str always[] = {FB_STR("_HLS_msn"), FB_STR("_HLS_part"),
                                           FB_STR("_HLS_skip")};
    struct fb_str rest = written;
    struct fb_str text;

    for (int i = 0; i < MAX_PARAMS && fb_str_cut(&rest, '&', &text); i++) {
        struct fb_str name = decoded(arena, fb_str_first(text, fb_str_find(text, '=')));
        bool is_cmcd =
            fb_str_equal(name, FB_STR("CMCD")) || fb_str_starts_with(name, FB_STR("CMCD-"));
        bool is_chosen = policy->query == EDGE_KEY_NONE
                             ? is_among(name, policy->included, policy->n_included)
                             : !is_among(name, policy->excluded, policy->n_excluded);
        bool counts = is_among(name, always, FB_ARRAY_LEN(always)) || (is_chosen && !is_cmcd);
        if (text.len == 0) {
            continue;
        }
        struct fb_str is = values_of(arena, wanted, name);
        struct fb_str was = values_of(arena, written, name);
        /* Of an empty name, empty parameters may be gone. */
        FB_REQUIRE(name.len == 0 || fb_str_equal(is, counts ? was : FB_STR("")));
    }
    FB_REQUIRE(wanted.len <= 3 * written.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fb_str second = {(const char *)data, size};
    struct fb_arena arena = {0};
    struct edge_target targets[2];
    const struct edge_key_policy *used[2];
    struct fb_str first;

    if (size > 4096 || !fb_str_cut(&second, '\n', &first)) {
        return 0;
    }
    bool has_first = key_of(&arena, first, &targets[0], &used[0]);
    bool has_second = key_of(&arena, second, &targets[1], &used[1]);
    if (has_first) {
        struct edge_target *target = &targets[0];
        struct edge_target again;
        struct fb_request_head request = request_of(target->host, target->target);
        FB_REQUIRE(edge_key_of(&arena, &request, used[0], &again) == FB_OK);
        FB_REQUIRE(fb_str_equal(again.key, target->key));
        FB_REQUIRE(target->host.len + target->target.len == target->key.len);
        FB_REQUIRE(may_come(target->target));
        struct fb_str written = fb_str_skip(first, fb_str_find(first, ' ') + 1);
        struct fb_request_head asked =
            request_of(FB_STR("h"), fb_str_skip(written, fb_str_find(written, ' ') + 1));
        check_meaning(&arena, used[0], asked.query, target->query);
    }
    if (has_first && has_second) {
        bool is_one_key = fb_str_equal(targets[0].key, targets[1].key);
        bool is_one_thing = fb_str_equal(targets[0].host, targets[1].host) &&
                            fb_str_equal(targets[0].target, targets[1].target);
        FB_REQUIRE(is_one_key == is_one_thing);
    }
    fb_arena_done(&arena);
    return 0;
}
