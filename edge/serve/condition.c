#include "edge/serve/condition.h"

#include "base/core/err.h"
#include "base/http/conditional.h"
#include "base/http/date.h"

struct edge_conditions edge_conditions_of(const struct fb_headers *request)
{
    struct edge_conditions conditions = {0};

    for (size_t i = 0; i < request->n; i++) {
        struct fb_str name = request->items[i].name;
        if (name.len == 5 && fb_str_equal_nocase(name, FB_STR("range"))) {
            if (conditions.range.ptr == NULL) {
                conditions.range = request->items[i].value;
            }
            continue;
        }
        if (name.len < 8 || (name.ptr[0] | 0x20) != 'i' || name.ptr[2] != '-') {
            continue;
        }
        conditions.has_if_range |= fb_str_equal_nocase(name, FB_STR("if-range"));
        conditions.has_match |= fb_str_equal_nocase(name, FB_STR("if-none-match")) ||
                                fb_str_equal_nocase(name, FB_STR("if-modified-since"));
        conditions.has_strict |= fb_str_equal_nocase(name, FB_STR("if-match")) ||
                                 fb_str_equal_nocase(name, FB_STR("if-unmodified-since"));
    }
    return conditions;
}

static int64_t condition_date(struct fb_str text, int64_t now_s)
{
    int64_t seconds = 0;

    return text.ptr != NULL && fb_date_parse(text, now_s, &seconds) == FB_OK ? seconds
                                                                             : FB_DATE_NONE;
}

static void condition_select_range(struct edge_selection *selection, struct fb_str range,
                                   struct fb_arena *arena)
{
    uint64_t length = (uint64_t)selection->length;
    struct fb_ranges ranges;
    char *text = NULL;

    switch (fb_range_evaluate(range, length, &ranges)) {
    case FB_RANGE_WHOLE:
        return;
    case FB_RANGE_PARTIAL:
        if (ranges.n > 1) {
            return;
        }
        text = fb_arena_alloc(arena, FB_CONTENT_RANGE_MAX);
        selection->status = 206;
        selection->offset = ranges.items[0].first;
        selection->length = (int64_t)(ranges.items[0].last - ranges.items[0].first + 1);
        selection->content_range = fb_content_range_format(ranges.items[0], length, text);
        return;
    case FB_RANGE_UNSATISFIABLE:
        text = fb_arena_alloc(arena, FB_CONTENT_RANGE_MAX);
        selection->status = 416;
        selection->length = 0;
        selection->content_range = fb_content_range_format_unsatisfied(length, text);
        return;
    }
}

struct edge_selection edge_conditions_select(const struct edge_conditions *conditions,
                                             const struct fb_request_head *request,
                                             const struct edge_object_head *object, int64_t length,
                                             int64_t now_s, struct fb_arena *arena)
{
    struct edge_selection selection = {.status = object->status, .length = length};

    bool has_range =
        conditions->range.ptr != NULL && request->method == FB_METHOD_GET && length >= 0;
    if (object->status != 200 || (!conditions->has_match && !has_range)) {
        return selection;
    }
    struct fb_validators validators = {
        .etag = object->etag,
        .last_modified = condition_date(object->last_modified, now_s),
        .date = condition_date(fb_headers_find(&object->headers, FB_STR("date")), now_s),
    };
    if (conditions->has_match &&
        fb_condition_evaluate(request, &validators, now_s, arena) == FB_CONDITION_NOT_MODIFIED) {
        selection.status = 304;
        return selection;
    }
    if (has_range && (!conditions->has_if_range ||
                      fb_if_range_holds(fb_headers_find(&request->headers, FB_STR("if-range")),
                                        &validators, now_s))) {
        condition_select_range(&selection, conditions->range, arena);
    }
    return selection;
}
