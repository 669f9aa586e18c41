#include "base/http/cache_control.h"

#include "base/core/attr.h"
#include "base/http/head.h"

int64_t fb_delta_parse(struct fb_str text)
{
    int64_t number = 0;

    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return 0;
        }
        number = FB_MIN(10 * number + (text.ptr[i] - '0'), FB_DELTA_MAX);
    }
    return number;
}

/* The argument of a directive, without the quotes that some senders add. */
static struct fb_str unquote(struct fb_str text)
{
    if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"') {
        return fb_str_first(fb_str_skip(text, 1), text.len - 2);
    }
    return text;
}

static void note_delta(int64_t *delta, int64_t value)
{
    if (*delta == FB_DELTA_NONE || value < *delta) {
        *delta = value;
    }
}

static void note_flag(struct fb_cache_control *cc, struct fb_str name)
{
    const struct {
        struct fb_str name;
        bool *flag;
    } flags[] = {
        {FB_STR("no-store"), &cc->no_store},
        {FB_STR("no-cache"), &cc->no_cache},
        {FB_STR("no-transform"), &cc->no_transform},
        {FB_STR("only-if-cached"), &cc->only_if_cached},
        {FB_STR("private"), &cc->is_private},
        {FB_STR("public"), &cc->is_public},
        {FB_STR("must-revalidate"), &cc->must_revalidate},
        {FB_STR("proxy-revalidate"), &cc->proxy_revalidate},
        {FB_STR("must-understand"), &cc->must_understand},
        {FB_STR("immutable"), &cc->immutable},
    };

    for (size_t i = 0; i < FB_ARRAY_LEN(flags); i++) {
        if (fb_str_equal_nocase(name, flags[i].name)) {
            *flags[i].flag = true;
            return;
        }
    }
}

/* True if `name` is a directive with a number. */
static bool note_number(struct fb_cache_control *cc, struct fb_str name, struct fb_str argument,
                        bool has_argument)
{
    const struct {
        struct fb_str name;
        int64_t *delta;
    } deltas[] = {
        {FB_STR("max-age"), &cc->max_age},
        {FB_STR("s-maxage"), &cc->s_maxage},
        {FB_STR("stale-while-revalidate"), &cc->stale_while_revalidate},
        {FB_STR("stale-if-error"), &cc->stale_if_error},
        {FB_STR("min-fresh"), &cc->min_fresh},
        {FB_STR("max-stale"), &cc->max_stale},
    };

    for (size_t i = 0; i < FB_ARRAY_LEN(deltas); i++) {
        if (fb_str_equal_nocase(name, deltas[i].name)) {
            bool is_any = deltas[i].delta == &cc->max_stale && !has_argument;
            note_delta(deltas[i].delta, is_any ? FB_DELTA_MAX : fb_delta_parse(argument));
            return true;
        }
    }
    return false;
}

struct fb_cache_control fb_cache_control_parse(struct fb_str value)
{
    struct fb_cache_control cc = {
        .max_age = FB_DELTA_NONE,
        .s_maxage = FB_DELTA_NONE,
        .stale_while_revalidate = FB_DELTA_NONE,
        .stale_if_error = FB_DELTA_NONE,
        .min_fresh = FB_DELTA_NONE,
        .max_stale = FB_DELTA_NONE,
    };
    struct fb_str member;

    while (fb_list_member(&value, &member)) {
        size_t equals = fb_str_find(member, '=');
        struct fb_str name = fb_str_trim(fb_str_first(member, equals));
        struct fb_str argument = unquote(fb_str_trim(fb_str_skip(member, equals + 1)));
        if (!note_number(&cc, name, argument, equals < member.len)) {
            note_flag(&cc, name);
        }
    }
    return cc;
}
