#include "origin/media/sidx.h"

#include "base/core/attr.h"
#include "base/core/err.h"
#include "origin/media/boxes.h"

#include <stdint.h>

enum {
    SIDX_HEAD = 32,
    SIDX_REFERENCE = 12,
    SIDX_REFERENCES_MAX = UINT16_MAX,
    SIDX_TRACK = 1, /* the id that our muxer gives */
};

/* Begins with a key picture, and nothing after it builds on what was before. */
#define SIDX_SAP 0x90000000U

static size_t sidx_segments_each(const struct origin_track *track)
{
    return FB_MAX((track->n_segments + SIDX_REFERENCES_MAX - 1) / SIDX_REFERENCES_MAX, (size_t)1);
}

static size_t sidx_n_references(const struct origin_track *track)
{
    size_t each = sidx_segments_each(track);
    return (track->n_segments + each - 1) / each;
}

size_t origin_sidx_size(const struct origin_track *track)
{
    return SIDX_HEAD + SIDX_REFERENCE * sidx_n_references(track);
}

static int sidx_reference(struct fb_buf *buf, const struct origin_track *track, size_t first,
                          size_t n)
{
    uint64_t bytes = 0;
    uint64_t duration = 0;

    for (size_t i = first; i < first + n; i++) {
        bytes += track->segments[i].bytes;
        duration += track->segments[i].duration;
    }
    if (bytes > INT32_MAX || duration > UINT32_MAX) { /* the first bit tells of another index */
        return FB_E_LIMIT;
    }
    origin_box_put_u32(buf, (uint32_t)bytes);
    origin_box_put_u32(buf, (uint32_t)duration);
    origin_box_put_u32(buf, SIDX_SAP);
    return FB_OK;
}

int origin_sidx_write(struct fb_buf *buf, const struct origin_track *track)
{
    size_t each = sidx_segments_each(track);
    size_t begin = origin_box_begin_full(buf, "sidx", 0, 0);
    int err = FB_OK;

    origin_box_put_u32(buf, SIDX_TRACK);
    origin_box_put_u32(buf, track->timescale);
    origin_box_put_u32(buf, 0); /* when the first picture is shown, edit list and all */
    origin_box_put_u32(buf, 0); /* bytes between this box and the first segment */
    origin_box_put_u16(buf, 0);
    origin_box_put_u16(buf, (uint16_t)sidx_n_references(track));
    for (size_t i = 0; err == FB_OK && i < track->n_segments; i += each) {
        err = sidx_reference(buf, track, i, FB_MIN(each, track->n_segments - i));
    }
    origin_box_end(buf, begin);
    return err;
}
