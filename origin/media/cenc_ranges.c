#include "base/core/attr.h"
#include "base/core/err.h"
#include "origin/media/cenc_internal.h"

enum {
    AVC_TYPE = 31,
    AVC_SLICE_FIRST = 1,
    AVC_SLICE_LAST = 5,
    AVC_PARTITION_FIRST = 2,
    AVC_PARTITION_LAST = 4,
    HEVC_TYPE_SHIFT = 1,
    HEVC_TYPE = 63,
    HEVC_VCL_LAST = 31,
    HEVC_NAL_HEAD = 2,
    OBU_TYPE_SHIFT = 3,
    OBU_TYPE = 15,
    OBU_HAS_EXTENSION = 4,
    OBU_HAS_SIZE = 2,
    OBU_TILE_GROUP = 4,
    OBU_FRAME = 6,
    OBU_TILE_LIST = 8,
    LEB128_MAX = 8,
    PROTECTED_MIN = FB_AES_BLOCK,
};

/* ---- the list -------------------------------------------------------------------- */

static void ranges_add(struct cenc_ranges *ranges, uint32_t n_protected)
{
    do {
        if (ranges->n == CENC_RANGES_MAX) {
            ranges->is_over = true;
            return;
        }
        uint16_t n_clear = (uint16_t)FB_MIN(ranges->n_clear, (uint64_t)UINT16_MAX);
        ranges->n_clear -= n_clear;
        ranges->items[ranges->n++] =
            (struct cenc_range){n_clear, ranges->n_clear == 0 ? n_protected : 0};
    } while (ranges->n_clear > 0);
}

/* A unit of `len` bytes, of which the first `n_clear` have to stay: of cenc only whole blocks are
 * protected, and what is over stays clear before them. */
static void ranges_add_unit(struct cenc_ranges *ranges, enum origin_scheme scheme, size_t len,
                            size_t n_clear)
{
    size_t n = len > n_clear ? len - n_clear : 0;

    n = n < PROTECTED_MIN ? 0 : n;
    n -= scheme == ORIGIN_SCHEME_CENC ? n % FB_AES_BLOCK : 0;
    ranges->n_clear += len - n;
    if (n > 0) {
        ranges_add(ranges, (uint32_t)n);
    }
}

/* ---- NAL units --------------------------------------------------------------------- */

static int avc_clear_bytes(struct origin_cenc *cenc, struct fb_str nal, size_t *ret_n)
{
    unsigned type = (uint8_t)nal.ptr[0] & AVC_TYPE;

    if (type < AVC_SLICE_FIRST || type > AVC_SLICE_LAST) {
        *ret_n = nal.len;
        return origin_slices_learn(&cenc->slices, nal);
    }
    if (type >= AVC_PARTITION_FIRST && type <= AVC_PARTITION_LAST) {
        return FB_E_UNSUPPORTED;
    }
    return origin_slices_header(&cenc->slices, nal, ret_n);
}

static int hevc_clear_bytes(struct fb_str nal, size_t *ret_n)
{
    unsigned type = (uint8_t)nal.ptr[0] >> HEVC_TYPE_SHIFT & HEVC_TYPE;

    *ret_n = type <= HEVC_VCL_LAST ? FB_MIN(nal.len, (size_t)ORIGIN_CENC_LEAD) : nal.len;
    return nal.len >= HEVC_NAL_HEAD ? FB_OK : FB_E_MALFORMED;
}

static int find_nal_ranges(struct origin_cenc *cenc, struct fb_str sample,
                           struct cenc_ranges *ranges)
{
    while (sample.len > 0) {
        size_t len = 0;
        if (sample.len < cenc->length_size) {
            return FB_E_MALFORMED;
        }
        for (unsigned i = 0; i < cenc->length_size; i++) {
            len = len << 8 | (uint8_t)sample.ptr[i];
        }
        struct fb_str nal = fb_str_first(fb_str_skip(sample, cenc->length_size), len);
        if (len == 0 || nal.len < len) {
            return FB_E_MALFORMED;
        }
        size_t n_clear = 0;
        int err = cenc->codec == CENC_AVC ? avc_clear_bytes(cenc, nal, &n_clear)
                                          : hevc_clear_bytes(nal, &n_clear);
        if (err < 0) {
            return err;
        }
        ranges_add_unit(ranges, cenc->scheme, cenc->length_size + len, cenc->length_size + n_clear);
        sample = fb_str_skip(sample, cenc->length_size + len);
    }
    return FB_OK;
}

/* ---- OBUs (AV1, 5.3) ------------------------------------------------------------- */

/* Bytes of the OBU at the start of `sample`, 0 if it is none. */
static size_t obu_bytes(struct fb_str sample)
{
    uint8_t head = (uint8_t)sample.ptr[0];
    size_t at = (head & OBU_HAS_EXTENSION) != 0 ? 2 : 1;
    uint64_t len = 0;

    if ((head & OBU_HAS_SIZE) == 0) {
        return sample.len;
    }
    for (unsigned i = 0; i < LEB128_MAX && at < sample.len; i++) {
        uint8_t byte = (uint8_t)sample.ptr[at++];
        len |= (uint64_t)(byte & 127) << (7 * i);
        if ((byte & 128) == 0) {
            return len <= sample.len - at ? at + (size_t)len : 0;
        }
    }
    return 0;
}

static int find_obu_ranges(const struct origin_cenc *cenc, struct fb_str sample,
                           struct cenc_ranges *ranges)
{
    while (sample.len > 0) {
        unsigned type = (uint8_t)sample.ptr[0] >> OBU_TYPE_SHIFT & OBU_TYPE;
        bool has_tiles = type == OBU_TILE_GROUP || type == OBU_FRAME || type == OBU_TILE_LIST;
        size_t len = obu_bytes(sample);
        if (len == 0) {
            return FB_E_MALFORMED;
        }
        ranges_add_unit(ranges, cenc->scheme, len, has_tiles ? ORIGIN_CENC_LEAD : len);
        sample = fb_str_skip(sample, len);
    }
    return FB_OK;
}

int origin_cenc_find_ranges(struct origin_cenc *cenc, struct fb_str sample,
                            struct cenc_ranges *ret_ranges)
{
    ret_ranges->n = 0;
    ret_ranges->n_clear = 0;
    ret_ranges->is_over = false;
    int err = cenc->codec == CENC_AV1 ? find_obu_ranges(cenc, sample, ret_ranges)
                                      : find_nal_ranges(cenc, sample, ret_ranges);
    if (err == FB_OK && ret_ranges->n_clear > 0) {
        ranges_add(ret_ranges, 0);
    }
    return err == FB_OK && ret_ranges->is_over ? FB_E_UNSUPPORTED : err;
}
