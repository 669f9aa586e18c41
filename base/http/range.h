/*
 * Byte ranges (RFC 9110 section 14).
 *
 * Parsing and resolving are apart, because a cache plans a fetch before it
 * knows how long the representation is.
 *
 * Threads    Pure functions, any thread.
 * Limits     FB_RANGE_MAX ranges in one field; a field with more is treated as
 *            absent, and so is one whose ranges overlap so much that they come
 *            to more than the whole (RFC 9110 sections 14.2 and 17.15).
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FB_RANGE_MAX = 16, FB_CONTENT_RANGE_MAX = 80 };

/* One range as it was asked for. */
struct fb_range_spec {
    bool is_suffix; /* the last `last` bytes */
    uint64_t first;
    uint64_t last; /* inclusive; UINT64_MAX: to the end */
};

struct fb_range_specs {
    struct fb_range_spec items[FB_RANGE_MAX];
    size_t n;
};

/* One range of a representation: first ≤ last < length. */
struct fb_range {
    uint64_t first;
    uint64_t last; /* inclusive */
};

struct fb_ranges {
    struct fb_range items[FB_RANGE_MAX];
    size_t n;
};

enum fb_range_verdict {
    FB_RANGE_WHOLE,        /* there is no usable Range: 200 */
    FB_RANGE_PARTIAL,      /* 206, with 1 or more ranges */
    FB_RANGE_UNSATISFIABLE /* 416 */
};

/* Parses the value of Range. FB_E_MALFORMED, FB_E_UNSUPPORTED for another unit,
 * FB_E_LIMIT for too many: in each case the field is to be ignored. */
FB_MUST_CHECK int fb_range_parse(struct fb_str value, struct fb_range_specs *ret_specs);

/* Resolves against a length; writes `ret_ranges` for FB_RANGE_PARTIAL only. */
enum fb_range_verdict fb_range_resolve(const struct fb_range_specs *specs, uint64_t length,
                                       struct fb_ranges *ret_ranges);

/* Both steps; an empty `value` is FB_RANGE_WHOLE. */
enum fb_range_verdict fb_range_evaluate(struct fb_str value, uint64_t length,
                                        struct fb_ranges *ret_ranges);

/* Merges ranges that overlap or lie less than `gap` bytes apart, each into the place of the
 * one that was asked for first (section 15.3.7.2). */
void fb_ranges_merge(struct fb_ranges *ranges, uint64_t gap);

/* Content-Range of a 206: "bytes 0-99/1234", with a NUL; a `length` of UINT64_MAX is "*". */
struct fb_str fb_content_range_format(struct fb_range range, uint64_t length,
                                      char text[FB_CONTENT_RANGE_MAX]);

/* Content-Range of a 416: "bytes * /1234" without the space. */
struct fb_str fb_content_range_format_unsatisfied(uint64_t length, char text[FB_CONTENT_RANGE_MAX]);

/* The value of Content-Range of a 206; *ret_length is UINT64_MAX for "*".
 * FB_E_MALFORMED. */
FB_MUST_CHECK int fb_content_range_parse(struct fb_str value, struct fb_range *ret_range,
                                         uint64_t *ret_length);

/* The value of Content-Range of a 416, which tells the whole length alone.
 * FB_E_MALFORMED. */
FB_MUST_CHECK int fb_content_range_parse_unsatisfied(struct fb_str value, uint64_t *ret_length);
