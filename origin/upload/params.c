/*
 * Queries as signatures see them.
 */
#include "base/core/err.h"
#include "base/core/text.h"
#include "origin/upload/sigv4.h"

#include <stdlib.h>

static struct fb_str arena_keep(struct fb_arena *arena, struct fb_buf *buf)
{
    struct fb_str kept = fb_arena_dup(arena, fb_buf_str(buf));

    fb_buf_clear(buf);
    return kept;
}

static int param_compare(const void *a, const void *b)
{
    const struct origin_param *left = a;
    const struct origin_param *right = b;

    return fb_str_compare(left->canonical, right->canonical);
}

static int param_read(struct origin_param *param, struct fb_str text, struct fb_arena *arena)
{
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
    size_t equals = fb_str_find(text, '=');

    if (fb_text_percent_decode(&buf, fb_str_first(text, equals)) < 0) {
        return FB_E_MALFORMED;
    }
    param->name = arena_keep(arena, &buf);
    if (fb_text_percent_decode(&buf, fb_str_skip(text, equals + 1)) < 0) {
        return FB_E_MALFORMED;
    }
    param->value = arena_keep(arena, &buf);
    fb_text_percent_encode(&buf, param->name, "");
    fb_buf_append_byte(&buf, '=');
    fb_text_percent_encode(&buf, param->value, "");
    param->canonical = arena_keep(arena, &buf);
    return FB_OK;
}

int origin_params_read(struct fb_str query, struct fb_arena *arena, struct origin_params *params)
{
    struct fb_str text;

    params->n = 0;
    while (fb_str_cut(&query, '&', &text)) {
        if (text.len == 0) {
            continue;
        }
        if (params->n == ORIGIN_SIGV4_MAX_PARAMS) {
            return FB_E_LIMIT;
        }
        int err = param_read(&params->items[params->n++], text, arena);
        if (err < 0) {
            return err;
        }
    }
    if (params->n > 0) {
        qsort(params->items, params->n, sizeof(params->items[0]), param_compare);
    }
    return FB_OK;
}

struct fb_str origin_params_find(const struct origin_params *params, const char *name)
{
    struct fb_str value = FB_STR_NONE;
    size_t n = 0;

    for (size_t i = 0; i < params->n; i++) {
        if (fb_str_equal(params->items[i].name, fb_str_from(name))) {
            value = params->items[i].value;
            n++;
        }
    }
    return n == 1 ? value : FB_STR_NONE;
}
