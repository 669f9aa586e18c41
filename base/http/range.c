#include "base/http/range.h"

#include "base/core/err.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Digits; a number that does not fit is as large as can be. */
static bool read_position(struct fb_str text, uint64_t *ret_position)
{
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] < '0' || text.ptr[i] > '9') {
            return false;
        }
    }
    if (fb_str_to_u64(text, ret_position) < 0) {
        *ret_position = UINT64_MAX;
    }
    return true;
}

/* "0-99", "100-" or "-5", with no white space inside. */
static bool read_spec(struct fb_str text, struct fb_range_spec *ret_spec)
{
    size_t dash = fb_str_find(text, '-');
    struct fb_str first = fb_str_first(text, dash);
    struct fb_str last = fb_str_skip(text, dash + 1);
    struct fb_range_spec spec = {.last = UINT64_MAX};

    if (dash == text.len || (first.len == 0 && last.len == 0)) {
        return false;
    }
    spec.is_suffix = first.len == 0;
    if ((first.len > 0 && !read_position(first, &spec.first)) ||
        (last.len > 0 && !read_position(last, &spec.last)) || spec.first > spec.last) {
        return false;
    }
    *ret_spec = spec;
    return true;
}

int fb_range_parse(struct fb_str value, struct fb_range_specs *ret_specs)
{
    struct fb_range_specs specs = {.n = 0};
    size_t equals = fb_str_find(value, '=');
    struct fb_str rest = fb_str_skip(value, equals + 1);
    struct fb_str part;

    if (equals == value.len) {
        return FB_E_MALFORMED;
    }
    if (!fb_str_equal_nocase(fb_str_first(value, equals), FB_STR("bytes"))) {
        return FB_E_UNSUPPORTED;
    }
    while (fb_str_cut(&rest, ',', &part)) {
        part = fb_str_trim(part);
        if (part.len == 0) {
            continue;
        }
        if (specs.n == FB_RANGE_MAX) {
            return FB_E_LIMIT;
        }
        if (!read_spec(part, &specs.items[specs.n])) {
            return FB_E_MALFORMED;
        }
        specs.n++;
    }
    if (specs.n == 0) {
        return FB_E_MALFORMED;
    }
    *ret_specs = specs;
    return FB_OK;
}

/* False if nothing of the range is there. */
static bool resolve_one(struct fb_range_spec spec, uint64_t length, struct fb_range *ret_range)
{
    if (spec.is_suffix) {
        if (spec.last == 0 || length == 0) {
            return false;
        }
        *ret_range = (struct fb_range){length - FB_MIN(spec.last, length), length - 1};
        return true;
    }
    if (spec.first >= length) {
        return false;
    }
    *ret_range = (struct fb_range){spec.first, FB_MIN(spec.last, length - 1)};
    return true;
}

enum fb_range_verdict fb_range_resolve(const struct fb_range_specs *specs, uint64_t length,
                                       struct fb_ranges *ret_ranges)
{
    struct fb_ranges ranges = {.n = 0};
    uint64_t left = length;

    for (size_t i = 0; i < specs->n; i++) {
        struct fb_range range;
        /* Of nothing the last bytes are there, but cannot be told of (section 14.1.2). */
        if (length == 0 && specs->items[i].is_suffix && specs->items[i].last > 0) {
            return FB_RANGE_WHOLE;
        }
        if (!resolve_one(specs->items[i], length, &range)) {
            continue;
        }
        uint64_t n_bytes = range.last - range.first + 1;
        if (n_bytes > left) {
            return FB_RANGE_WHOLE;
        }
        left -= n_bytes;
        ranges.items[ranges.n++] = range;
    }
    if (ranges.n == 0) {
        return FB_RANGE_UNSATISFIABLE;
    }
    *ret_ranges = ranges;
    return FB_RANGE_PARTIAL;
}

enum fb_range_verdict fb_range_evaluate(struct fb_str value, uint64_t length,
                                        struct fb_ranges *ret_ranges)
{
    struct fb_range_specs specs;

    if (value.len == 0 || fb_range_parse(value, &specs) < 0) {
        return FB_RANGE_WHOLE;
    }
    return fb_range_resolve(&specs, length, ret_ranges);
}

static bool is_near(struct fb_range a, struct fb_range b, uint64_t gap)
{
    const struct fb_range *lower = a.first <= b.first ? &a : &b;
    const struct fb_range *upper = a.first <= b.first ? &b : &a;

    return upper->first <= lower->last || upper->first - lower->last - 1 < gap;
}

/* Takes range `i` out and merges it into an earlier one; false if none is near. */
static bool merge_one(struct fb_ranges *ranges, size_t i, uint64_t gap)
{
    struct fb_range *late = &ranges->items[i];

    for (size_t k = 0; k < i; k++) {
        struct fb_range *early = &ranges->items[k];
        if (is_near(*early, *late, gap)) {
            early->first = FB_MIN(early->first, late->first);
            early->last = FB_MAX(early->last, late->last);
            ranges->n--;
            memmove(late, late + 1, (ranges->n - i) * sizeof(*late));
            return true;
        }
    }
    return false;
}

void fb_ranges_merge(struct fb_ranges *ranges, uint64_t gap)
{
    size_t i = 1;

    while (i < ranges->n) {
        /* What has grown may have come near to others. */
        i = merge_one(ranges, i, gap) ? 1 : i + 1;
    }
}

struct fb_str fb_content_range_format(struct fb_range range, uint64_t length,
                                      char text[FB_CONTENT_RANGE_MAX])
{
    if (length == UINT64_MAX) {
        int len = snprintf(text, FB_CONTENT_RANGE_MAX, "bytes %" PRIu64 "-%" PRIu64 "/*",
                           range.first, range.last);
        return (struct fb_str){text, (size_t)len};
    }
    int n = snprintf(text, FB_CONTENT_RANGE_MAX, "bytes %" PRIu64 "-%" PRIu64 "/%" PRIu64,
                     range.first, range.last, length);
    return (struct fb_str){text, (size_t)n};
}

struct fb_str fb_content_range_format_unsatisfied(uint64_t length, char text[FB_CONTENT_RANGE_MAX])
{
    int n = snprintf(text, FB_CONTENT_RANGE_MAX, "bytes */%" PRIu64, length);
    return (struct fb_str){text, (size_t)n};
}

int fb_content_range_parse(struct fb_str value, struct fb_range *ret_range, uint64_t *ret_length)
{
    struct fb_range range = {0};
    uint64_t length = UINT64_MAX;

    if (!fb_str_equal_nocase(fb_str_first(value, 6), FB_STR("bytes "))) {
        return FB_E_MALFORMED;
    }
    struct fb_str rest = fb_str_skip(value, 6);
    size_t slash = fb_str_find(rest, '/');
    struct fb_str whole = fb_str_skip(rest, slash + 1);
    struct fb_str span = fb_str_first(rest, slash);
    size_t dash = fb_str_find(span, '-');

    if (fb_str_to_u64(fb_str_first(span, dash), &range.first) < 0 ||
        fb_str_to_u64(fb_str_skip(span, dash + 1), &range.last) < 0) {
        return FB_E_MALFORMED;
    }
    if (!fb_str_equal(whole, FB_STR("*")) && fb_str_to_u64(whole, &length) < 0) {
        return FB_E_MALFORMED;
    }
    if (range.first > range.last || range.last >= length) {
        return FB_E_MALFORMED;
    }
    *ret_range = range;
    *ret_length = length;
    return FB_OK;
}

int fb_content_range_parse_unsatisfied(struct fb_str value, uint64_t *ret_length)
{
    uint64_t length = 0;

    if (!fb_str_equal_nocase(fb_str_first(value, 6), FB_STR("bytes ")) ||
        !fb_str_equal(fb_str_first(fb_str_skip(value, 6), 2), FB_STR("*/")) ||
        fb_str_to_u64(fb_str_skip(value, 8), &length) < 0) {
        return FB_E_MALFORMED;
    }
    *ret_length = length;
    return FB_OK;
}
