/*
 * Pages: where one begins and how long it is, from a query to a query.
 */
#include "base/core/text.h"
#include "origin/api/api_internal.h"
#include "origin/model/cursor.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

int origin_api_limit(struct fb_call *call, size_t *ret_limit)
{
    struct fb_str text = fb_query_param(call->request->query, call->arena, FB_STR("limit"));
    uint64_t number = ORIGIN_API_PAGE_DEFAULT;

    if (text.ptr != NULL &&
        (fb_str_to_u64(text, &number) < 0 || number < 1 || number > ORIGIN_API_PAGE_MAX)) {
        fb_call_problem(call, 400, "bad-limit", "The limit must be 1 to %d.", ORIGIN_API_PAGE_MAX);
        return FB_E_MALFORMED;
    }
    *ret_limit = (size_t)number;
    return FB_OK;
}

int origin_api_bad_cursor(struct fb_call *call)
{
    fb_call_problem(call, 400, "bad-cursor", "The cursor is not one of ours.");
    return FB_E_MALFORMED;
}

int origin_api_cursor(struct fb_call *call, struct fb_str kind, struct fb_str *ret_place)
{
    struct fb_str cursor = fb_query_param(call->request->query, call->arena, FB_STR("cursor"));
    FB_AUTO(fb_buf_done) struct fb_buf place = {0};

    if (cursor.ptr == NULL) {
        *ret_place = FB_STR_NONE;
        return FB_OK;
    }
    if (origin_cursor_read(cursor, kind, &place) < 0) {
        return origin_api_bad_cursor(call);
    }
    *ret_place = fb_arena_dup(call->arena, fb_buf_str(&place));
    return FB_OK;
}

void origin_api_next_cursor(struct fb_json *root, const char *fmt, ...)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    char plain[ORIGIN_CURSOR_MAX];
    va_list args;

    va_start(args, fmt);
    int n = vsnprintf(plain, sizeof(plain), fmt, args);
    va_end(args);
    origin_cursor_write(&text, (struct fb_str){plain, (size_t)n});
    fb_json_set_str(root, "next_cursor", fb_buf_str(&text));
}

int origin_api_number_page(struct fb_call *call, struct fb_str kind, int64_t *ret_number,
                           size_t *ret_limit)
{
    struct fb_str place;
    uint64_t number = 0;

    int err = origin_api_cursor(call, kind, &place);
    if (err < 0) {
        return err;
    }
    if (place.ptr != NULL &&
        (fb_str_to_u64(place, &number) < 0 || number == 0 || number > INT64_MAX)) {
        return origin_api_bad_cursor(call);
    }
    err = origin_api_limit(call, ret_limit);
    if (err == FB_OK) {
        *ret_number = (int64_t)number;
    }
    return err;
}

int origin_api_time_page(struct fb_call *call, struct fb_str kind, struct origin_page *page)
{
    struct fb_str place;
    struct fb_str ms;
    uint64_t number = 0;

    int err = origin_api_cursor(call, kind, &place);
    if (err < 0) {
        return err;
    }
    if (place.ptr != NULL) {
        if (!fb_str_cut(&place, ':', &ms) || fb_str_to_u64(ms, &number) < 0 || number == 0 ||
            number > INT64_MAX || origin_id_parse(place, &page->before_id) < 0) {
            return origin_api_bad_cursor(call);
        }
        page->before_ms = (int64_t)number;
    }
    return origin_api_limit(call, &page->limit);
}
