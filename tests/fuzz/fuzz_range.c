/*
 * Range and Content-Range; the first byte chooses the length.
 */
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/http/range.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { GAP = 100 };

/* What is merged lies apart, and has all that was there. */
static void check_merged(const struct fb_ranges *ranges, uint64_t length)
{
    struct fb_ranges merged = *ranges;

    fb_ranges_merge(&merged, GAP);
    FB_REQUIRE(merged.n >= 1 && merged.n <= ranges->n);
    for (size_t i = 0; i < ranges->n; i++) {
        bool is_in = false;
        for (size_t k = 0; k < merged.n; k++) {
            is_in |= merged.items[k].first <= ranges->items[i].first &&
                     ranges->items[i].last <= merged.items[k].last;
        }
        FB_REQUIRE(is_in);
    }
    for (size_t i = 0; i < merged.n; i++) {
        FB_REQUIRE(merged.items[i].last < length);
        for (size_t k = i + 1; k < merged.n; k++) {
            struct fb_range a = merged.items[i];
            struct fb_range b = merged.items[k];
            FB_REQUIRE(a.first > b.last ? a.first - b.last > GAP
                                        : b.first > a.last && b.first - a.last > GAP);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint64_t lengths[] = {0, 1, 10, 1000, (uint64_t)1 << 40, UINT64_MAX};
    struct fb_ranges ranges;
    struct fb_range range;
    uint64_t total = 0;

    if (size == 0) {
        return 0;
    }
    struct fb_str value = {(const char *)data + 1, size - 1};
    uint64_t length = lengths[data[0] % FB_ARRAY_LEN(lengths)];
    if (fb_range_evaluate(value, length, &ranges) == FB_RANGE_PARTIAL) {
        FB_REQUIRE(ranges.n >= 1 && ranges.n <= FB_RANGE_MAX);
        for (size_t i = 0; i < ranges.n; i++) {
            FB_REQUIRE(ranges.items[i].first <= ranges.items[i].last);
            FB_REQUIRE(ranges.items[i].last < length);
            total += ranges.items[i].last - ranges.items[i].first + 1;
        }
        FB_REQUIRE(total <= length);
        check_merged(&ranges, length);
    }
    if (fb_content_range_parse(value, &range, &length) == FB_OK) {
        FB_REQUIRE(range.first <= range.last && range.last < length);
        FB_REQUIRE(fb_content_range_parse_unsatisfied(value, &total) < 0);
    }
    if (fb_content_range_parse_unsatisfied(value, &total) == FB_OK) {
        char text[FB_CONTENT_RANGE_MAX];
        FB_REQUIRE(fb_content_range_format_unsatisfied(total, text).len <= value.len);
    }
    return 0;
}
