/*
 * What the files of common encryption share.
 *
 *     cenc.c            segments: samples found, encrypted, and told of in senc, saiz, saio
 *     cenc_init.c       init segments: what the track is, and sinf around its entry
 *     cenc_ranges.c     which bytes of a sample are protected
 */
#pragma once

#include "base/crypto/aes.h"
#include "origin/media/cenc.h"
#include "origin/media/slice.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    CENC_IV = 8,            /* bytes, of cenc */
    CENC_RANGES_MAX = 40,   /* of a sample: what saiz can count, 8 + 2 + 6 × 40 */
    CENC_PATTERN_CRYPT = 1, /* blocks of ten, of cbcs on video */
    CENC_PATTERN_SKIP = 9,
};

enum cenc_codec { CENC_WHOLE, CENC_AVC, CENC_HEVC, CENC_AV1 };

struct origin_cenc {
    enum origin_scheme scheme;
    struct fb_aes128 aes;
    uint8_t key[FB_AES128_KEY];
    uint8_t iv[FB_AES_BLOCK]; /* of cbcs */
    unsigned track;

    enum cenc_codec codec;
    unsigned length_size; /* of NAL units */
    struct origin_slices slices;
    uint32_t default_size; /* of samples, from trex */
};

/* So many bytes that stay clear, and those behind them that do not. */
struct cenc_range {
    uint16_t n_clear;
    uint32_t n_protected;
};

struct cenc_ranges {
    struct cenc_range items[CENC_RANGES_MAX];
    unsigned n;
    uint64_t n_clear; /* not yet told of */
    bool is_over;     /* there were more */
};

/* The ranges of a picture, which cover it. Learns parameter sets that it brings. */
FB_MUST_CHECK int origin_cenc_find_ranges(struct origin_cenc *cenc, struct fb_str sample,
                                          struct cenc_ranges *ret_ranges);

static inline bool origin_cenc_has_ranges(const struct origin_cenc *cenc)
{
    return cenc->codec != CENC_WHOLE;
}
