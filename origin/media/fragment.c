#include "origin/media/fragment.h"

#include "base/core/err.h"

#include <stdbool.h>
#include <string.h>

enum {
    BOX_HEAD = 8,
    FULL_HEAD = 12, /* with version and flags */
    WIDE = 8,
    NARROW = 4,
    /* ISO/IEC 14496-12, 8.8.7 and 8.8.8 */
    TFHD_BASE_OFFSET = 0x1,
    TFHD_DESCRIPTION = 0x2,
    TFHD_DURATION = 0x8,
    TFHD_SIZE = 0x10,
    TRUN_DATA_OFFSET = 0x1,
    TRUN_FIRST_FLAGS = 0x4,
    TRUN_DURATION = 0x100,
    TRUN_SIZE = 0x200,
};

static uint64_t get(const char *at, size_t n)
{
    uint64_t value = 0;
    for (size_t i = 0; i < n; i++) {
        value = value << 8 | (unsigned char)at[i];
    }
    return value;
}

static void put(char *at, size_t n, uint64_t value)
{
    while (n-- > 0) {
        at[n] = (char)(value & 0xff);
        value >>= 8;
    }
}

/* The whole box `type` among those that follow each other in `boxes`, which holds
 * at least `min` bytes; ptr NULL if there is none. */
static struct fb_str box_find(struct fb_str boxes, const char *type, size_t min)
{
    while (boxes.len >= BOX_HEAD) {
        uint64_t size = get(boxes.ptr, NARROW);
        if (size < BOX_HEAD || size > boxes.len) {
            break;
        }
        if (memcmp(boxes.ptr + NARROW, type, NARROW) == 0) {
            return size >= min ? fb_str_first(boxes, (size_t)size) : FB_STR_NONE;
        }
        boxes = fb_str_skip(boxes, (size_t)size);
    }
    return FB_STR_NONE;
}

static struct fb_str box_body(struct fb_str box)
{
    return fb_str_skip(box, BOX_HEAD);
}

int origin_fragment_place(struct fb_buf *fragment, uint32_t number, uint64_t ticks)
{
    struct fb_str moof = box_body(box_find(fb_buf_str(fragment), "moof", BOX_HEAD));
    struct fb_str traf = box_body(box_find(moof, "traf", BOX_HEAD));
    struct fb_str mfhd = box_find(moof, "mfhd", FULL_HEAD + NARROW);
    struct fb_str tfdt = box_find(traf, "tfdt", FULL_HEAD + WIDE);

    if (mfhd.ptr == NULL || tfdt.ptr == NULL || tfdt.ptr[BOX_HEAD] != 1) {
        return FB_E_MALFORMED;
    }
    char *time = fragment->ptr + (tfdt.ptr - fragment->ptr) + FULL_HEAD;
    put(time, WIDE, get(time, WIDE) + ticks);
    put(fragment->ptr + (mfhd.ptr - fragment->ptr) + FULL_HEAD, NARROW, number);
    return FB_OK;
}

/* The size that samples have which say nothing of it; 0 if that is not told. */
static uint64_t tfhd_size(struct fb_str tfhd)
{
    uint64_t flags = get(tfhd.ptr + BOX_HEAD, NARROW);
    size_t at = FULL_HEAD + NARROW;

    at += (flags & TFHD_BASE_OFFSET) != 0 ? WIDE : 0;
    at += (flags & TFHD_DESCRIPTION) != 0 ? NARROW : 0;
    at += (flags & TFHD_DURATION) != 0 ? NARROW : 0;
    bool has_size = (flags & TFHD_SIZE) != 0 && at + NARROW <= tfhd.len;
    return has_size ? get(tfhd.ptr + at, NARROW) : 0;
}

int origin_fragment_first_end(struct fb_str fragment, uint64_t *ret_end)
{
    struct fb_str moof = box_find(fragment, "moof", BOX_HEAD);
    struct fb_str traf = box_body(box_find(box_body(moof), "traf", BOX_HEAD));
    struct fb_str tfhd = box_find(traf, "tfhd", FULL_HEAD + NARROW);
    struct fb_str trun = box_find(traf, "trun", FULL_HEAD + 2 * NARROW);

    if (tfhd.ptr == NULL || trun.ptr == NULL) {
        return FB_E_MALFORMED;
    }
    uint64_t flags = get(trun.ptr + BOX_HEAD, NARROW);
    if ((flags & TRUN_DATA_OFFSET) == 0) {
        return FB_E_MALFORMED;
    }
    uint64_t begin =
        (uint64_t)(moof.ptr - fragment.ptr) + get(trun.ptr + FULL_HEAD + NARROW, NARROW);
    size_t at = FULL_HEAD + 2 * NARROW;
    at += (flags & TRUN_FIRST_FLAGS) != 0 ? NARROW : 0;
    at += (flags & TRUN_DURATION) != 0 ? NARROW : 0;
    uint64_t size = tfhd_size(tfhd);
    if ((flags & TRUN_SIZE) != 0) {
        size = at + NARROW <= trun.len ? get(trun.ptr + at, NARROW) : 0;
    }
    if (size == 0 || begin > fragment.len || size > fragment.len - begin) {
        return FB_E_MALFORMED;
    }
    *ret_end = begin + size;
    return FB_OK;
}
