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

static struct fb_validators condition_validators(const struct edge_object_head *object,
                                                 int64_t now_s)
{
    struct fb_validators validators = fb_validators_of(&object->headers, now_s);
    int64_t seconds = 0;

    validators.etag = object->etag;
    validators.last_modified =
        object->last_modified.ptr != NULL &&
                fb_date_parse(object->last_modified, now_s, &seconds) == FB_OK
            ? seconds
            : FB_DATE_NONE;
    return validators;
}

static bool condition_counts(const struct edge_object_head *object)
{
    return object->status >= 200 && object->status <= 299;
}

bool edge_conditions_hold(const struct edge_conditions *conditions,
                          const struct fb_request_head *request,
                          const struct edge_object_head *object, int64_t now_s,
                          struct fb_arena *arena)
{
    if (!conditions->has_strict || !condition_counts(object)) {
        return true;
    }
    struct fb_validators validators = condition_validators(object, now_s);
    return fb_condition_evaluate(request, &validators, now_s, arena) != FB_CONDITION_FAILED;
}

/* Does the client have it already? */
static bool condition_is_known(const struct fb_request_head *request,
                               const struct fb_validators *validators, int64_t now_s,
                               struct fb_arena *arena)
{
    struct fb_validators dated = *validators;

    if (dated.last_modified == FB_DATE_NONE) {
        dated.last_modified = dated.date; /* RFC 9111 section 4.3.2 */
    }
    return fb_condition_is_known(request, &dated, now_s, arena);
}

/* ---- ranges ------------------------------------------------------------ */

static void condition_select_one(struct edge_selection *selection, struct fb_range range,
                                 uint64_t length, struct fb_arena *arena)
{
    char *text = fb_arena_alloc(arena, FB_CONTENT_RANGE_MAX);

    selection->status = 206;
    selection->offset = range.first;
    selection->length = (int64_t)(range.last - range.first + 1);
    selection->content_range = fb_content_range_format(range, length, text);
}

static void condition_select_several(struct edge_selection *selection,
                                     const struct fb_ranges *ranges, struct fb_arena *arena)
{
    struct fb_ranges *parts = fb_arena_alloc(arena, sizeof(*parts));

    *parts = *ranges;
    selection->status = 206;
    selection->offset = parts->items[0].first;
    selection->length = 0;
    for (size_t i = 0; i < parts->n; i++) {
        selection->length += (int64_t)(parts->items[i].last - parts->items[i].first + 1);
    }
    selection->parts = parts;
}

static void condition_select_range(struct edge_selection *selection, struct fb_str range,
                                   bool is_encoded, struct fb_arena *arena)
{
    uint64_t length = (uint64_t)selection->length;
    struct fb_ranges ranges;
    char *text = NULL;

    switch (fb_range_evaluate(range, length, &ranges)) {
    case FB_RANGE_WHOLE:
        return;
    case FB_RANGE_PARTIAL:
        fb_ranges_merge(&ranges, EDGE_RANGES_GAP);
        if (ranges.n == 1) {
            condition_select_one(selection, ranges.items[0], length, arena);
        } else if (!is_encoded) { /* would the parts be encoded, or all of them together? */
            condition_select_several(selection, &ranges, arena);
        }
        return;
    case FB_RANGE_UNSATISFIABLE:
        text = fb_arena_alloc(arena, FB_CONTENT_RANGE_MAX);
        selection->status = 416;
        selection->length = 0;
        selection->content_range = fb_content_range_format_unsatisfied(length, text);
        return;
    }
}

/* Of a body that is still arriving, what is there can be told of without its length. */
static void condition_select_arrived(struct edge_selection *selection, struct fb_str range,
                                     uint64_t n_arrived, struct fb_arena *arena)
{
    struct fb_range_specs specs;

    if (fb_range_parse(range, &specs) < 0 || specs.n != 1 || specs.items[0].is_suffix) {
        return;
    }
    struct fb_range wanted = {specs.items[0].first, specs.items[0].last};
    if (wanted.last < n_arrived) {
        condition_select_one(selection, wanted, UINT64_MAX, arena);
    } else if (wanted.last - n_arrived < EDGE_RANGE_AHEAD) {
        selection->awaited = wanted.last + 1;
    }
}

/* ---- both -------------------------------------------------------------- */

struct edge_selection edge_conditions_select(const struct edge_conditions *conditions,
                                             const struct fb_request_head *request,
                                             const struct edge_object_head *object,
                                             struct edge_size size, int64_t now_s,
                                             struct fb_arena *arena)
{
    struct edge_selection selection = {.status = object->status, .length = size.length};
    bool has_range =
        conditions->range.ptr != NULL && request->method == FB_METHOD_GET && object->status == 200;

    if (!condition_counts(object) || (!conditions->has_match && !has_range)) {
        return selection;
    }
    struct fb_validators validators = condition_validators(object, now_s);
    if (conditions->has_match && condition_is_known(request, &validators, now_s, arena)) {
        selection.status = 304;
        return selection;
    }
    if (!has_range || (conditions->has_if_range &&
                       !fb_if_range_holds(fb_headers_find(&request->headers, FB_STR("if-range")),
                                          &validators, now_s))) {
        return selection;
    }
    if (size.length != FB_LENGTH_UNKNOWN) {
        condition_select_range(&selection, conditions->range,
                               fb_headers_count(&object->headers, FB_STR("content-encoding")) > 0,
                               arena);
    } else {
        condition_select_arrived(&selection, conditions->range, size.n_arrived, arena);
    }
    return selection;
}
