#include "edge/fill/part.h"

#include "base/core/err.h"

#include <inttypes.h>
#include <stdio.h>

enum { PART_TEXT_MAX = 64 };

bool edge_part_of(struct fb_range_spec wanted, struct fb_range_spec *ret_part)
{
    if (wanted.is_suffix) {
        if (wanted.last == 0 || wanted.last > UINT64_MAX - EDGE_CHUNK_BYTES) {
            return false;
        }
        *ret_part =
            (struct fb_range_spec){.is_suffix = true, .last = wanted.last + EDGE_CHUNK_BYTES};
        return true;
    }
    uint64_t first = edge_chunk_floor(wanted.first);
    uint64_t end = wanted.last == UINT64_MAX ? UINT64_MAX : edge_chunk_ceil(wanted.last + 1);
    if (first == 0 && end == UINT64_MAX) {
        return false;
    }
    *ret_part =
        (struct fb_range_spec){.first = first, .last = end == UINT64_MAX ? UINT64_MAX : end - 1};
    return true;
}

uint64_t edge_part_offset(const struct fb_range_spec *wanted)
{
    return wanted != NULL && !wanted->is_suffix ? wanted->first : 0;
}

struct fb_str edge_part_text(struct fb_range_spec part, struct fb_arena *arena)
{
    char *text = fb_arena_alloc(arena, PART_TEXT_MAX);
    int n = 0;

    if (part.is_suffix) {
        n = snprintf(text, PART_TEXT_MAX, "bytes=-%" PRIu64, part.last);
    } else if (part.last == UINT64_MAX) {
        n = snprintf(text, PART_TEXT_MAX, "bytes=%" PRIu64 "-", part.first);
    } else {
        n = snprintf(text, PART_TEXT_MAX, "bytes=%" PRIu64 "-%" PRIu64, part.first, part.last);
    }
    return (struct fb_str){text, (size_t)n};
}

/* True if `range` of `length` bytes is what `part` asks for, or the beginning of it. */
static bool answers(struct fb_range_spec part, struct fb_range range, uint64_t length)
{
    if (part.is_suffix) {
        return range.last == length - 1 && range.first == length - FB_MIN(part.last, length);
    }
    return range.first == part.first && range.last <= part.last;
}

int edge_part_read(struct fb_range_spec part, const struct fb_response_head *response,
                   int64_t n_bytes, struct edge_part_answer *ret_answer)
{
    struct fb_range range;
    uint64_t length = 0;

    /* Several ranges come as multipart/byteranges, with no Content-Range here. */
    if (fb_headers_count(&response->headers, FB_STR("content-range")) != 1 ||
        fb_content_range_parse(fb_headers_find(&response->headers, FB_STR("content-range")), &range,
                               &length) < 0) {
        return FB_E_MALFORMED;
    }
    if (length > INT64_MAX || !answers(part, range, length)) {
        return FB_E_MALFORMED;
    }
    if (n_bytes != FB_LENGTH_UNKNOWN && (uint64_t)n_bytes != range.last - range.first + 1) {
        return FB_E_MALFORMED;
    }
    *ret_answer =
        (struct edge_part_answer){.first = range.first, .end = range.last + 1, .length = length};
    return FB_OK;
}
