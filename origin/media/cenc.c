#include "origin/media/cenc.h"

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "base/crypto/hash.h"
#include "origin/media/boxes.h"
#include "origin/media/cenc_internal.h"

#include <string.h>

enum {
    TFHD_BASE_OFFSET = 0x1,
    TFHD_DESCRIPTION = 0x2,
    TFHD_DURATION = 0x8,
    TFHD_SIZE = 0x10,
    TFHD_BASE_IS_MOOF = 0x20000,
    TRUN_OFFSET = 0x1,
    TRUN_FIRST_FLAGS = 0x4,
    TRUN_DURATION = 0x100,
    TRUN_SIZE = 0x200,
    TRUN_FLAGS = 0x400,
    TRUN_COMPOSITION = 0x800,
    FLAGS_MASK = 0xffffff,
    TRUN_HEAD = 8, /* version and flags, count */
    FIELD = 4,
    FULL_HEAD = 12,
    SENC_SUBSAMPLES = 2,
    SENC_HEAD = 16,
    SAIZ_HEAD = 17,
    SAIO_BYTES = 20,
    IV_SEGMENT_SHIFT = 13,
    IV_TRACK_SHIFT = 31,
    IV_DIGEST_SHIFT = 37,
};

/* A segment while it is encrypted. */
struct segment {
    struct origin_cenc *cenc;
    struct origin_box moof;
    struct origin_box mdat;
    struct fb_str before;  /* boxes that stand before moof */
    struct fb_str between; /* and before mdat */
    struct fb_str behind;

    uint64_t iv; /* of sample 0, for cenc */
    uint32_t default_size;
    bool has_head; /* tfhd was there */
    unsigned n_trafs;
    size_t next; /* of media data, where the next sample may begin */
    uint32_t n_samples;
    struct fb_buf media;   /* of mdat, encrypted as samples are found */
    struct fb_buf entries; /* of senc */
    struct fb_buf sizes;   /* of saiz: a byte for each sample */
};

static void segment_done(struct segment *segment)
{
    fb_buf_done(&segment->media);
    fb_buf_done(&segment->entries);
    fb_buf_done(&segment->sizes);
}

/* ---- one sample ------------------------------------------------------------------------ */

static void put_be64(uint8_t *bytes, uint64_t value)
{
    for (unsigned i = 0; i < CENC_IV; i++) {
        bytes[i] = (uint8_t)(value >> (56 - 8 * i));
    }
}

static void encrypt_range(const struct origin_cenc *cenc, uint8_t counter[FB_AES_BLOCK],
                          uint8_t *bytes, size_t len, bool has_pattern)
{
    if (cenc->scheme == ORIGIN_SCHEME_CENC) {
        fb_aes128_ctr(&cenc->aes, counter, bytes, len);
        return;
    }
    uint8_t iv[FB_AES_BLOCK];
    size_t n = has_pattern ? (size_t)CENC_PATTERN_CRYPT * FB_AES_BLOCK : len - len % FB_AES_BLOCK;
    size_t step = has_pattern ? n + (size_t)CENC_PATTERN_SKIP * FB_AES_BLOCK : len + 1;
    memcpy(iv, cenc->iv, sizeof(iv));
    for (size_t at = 0; at + n <= len; at += step) {
        fb_aes128_cbc(&cenc->aes, iv, bytes + at, n);
    }
}

static int encrypt_sample(struct segment *segment, size_t at, size_t size)
{
    struct origin_cenc *cenc = segment->cenc;
    uint8_t *bytes = (uint8_t *)segment->media.ptr + at;
    uint8_t counter[FB_AES_BLOCK] = {0};
    size_t entry = segment->entries.len;

    put_be64(counter, segment->iv + segment->n_samples);
    if (cenc->scheme == ORIGIN_SCHEME_CENC) {
        fb_buf_append(&segment->entries, (struct fb_str){(const char *)counter, CENC_IV});
    }
    if (!origin_cenc_has_ranges(cenc)) {
        encrypt_range(cenc, counter, bytes, size, false);
    } else {
        struct cenc_ranges ranges;
        int err =
            origin_cenc_find_ranges(cenc, (struct fb_str){(const char *)bytes, size}, &ranges);
        if (err < 0) {
            return err;
        }
        origin_box_put_u16(&segment->entries, (uint16_t)ranges.n);
        for (unsigned i = 0; i < ranges.n; i++) {
            const struct cenc_range *range = &ranges.items[i];
            origin_box_put_u16(&segment->entries, range->n_clear);
            origin_box_put_u32(&segment->entries, range->n_protected);
            encrypt_range(cenc, counter, bytes + range->n_clear, range->n_protected, true);
            bytes += (size_t)range->n_clear + range->n_protected;
        }
    }
    fb_buf_append_byte(&segment->sizes, (char)(segment->entries.len - entry));
    segment->n_samples++;
    return FB_OK;
}

/* ---- the samples of a fragment ----------------------------------------------------------- */

static int read_tfhd(struct segment *segment, struct fb_str body)
{
    uint32_t flags = origin_box_u32(body, 0) & FLAGS_MASK;
    size_t at = 8; /* behind the track's id */

    if (body.len < at || segment->has_head) {
        return FB_E_MALFORMED;
    }
    if ((flags & TFHD_BASE_IS_MOOF) == 0 || (flags & TFHD_BASE_OFFSET) != 0) {
        return FB_E_UNSUPPORTED;
    }
    at += (flags & TFHD_DESCRIPTION) != 0 ? FIELD : 0;
    at += (flags & TFHD_DURATION) != 0 ? FIELD : 0;
    if ((flags & TFHD_SIZE) != 0) {
        if (body.len < at + FIELD) {
            return FB_E_MALFORMED;
        }
        segment->default_size = origin_box_u32(body, at);
    }
    segment->has_head = true;
    return FB_OK;
}

static size_t count_fields(uint32_t flags)
{
    size_t n = 0;

    for (uint32_t flag = TRUN_DURATION; flag <= TRUN_COMPOSITION; flag <<= 1) {
        n += (flags & flag) != 0 ? 1 : 0;
    }
    return n;
}

/* Where the samples of a run begin, in media data. */
static int find_start(struct segment *segment, uint32_t flags, struct fb_str body)
{
    if ((flags & TRUN_OFFSET) == 0) {
        return segment->n_samples > 0 ? FB_OK : FB_E_UNSUPPORTED;
    }
    size_t base = (size_t)(segment->mdat.body.ptr - segment->moof.whole.ptr);
    size_t offset = origin_box_u32(body, TRUN_HEAD);
    if (offset < base || offset - base < segment->next) {
        return FB_E_MALFORMED; /* before the data, or in the middle of an earlier run */
    }
    segment->next = offset - base;
    return FB_OK;
}

static int encrypt_run(struct segment *segment, struct fb_str body)
{
    uint32_t flags = origin_box_u32(body, 0) & FLAGS_MASK;
    uint32_t n = origin_box_u32(body, 4);
    size_t stride = count_fields(flags) * FIELD;
    size_t at = TRUN_HEAD;

    at += (flags & TRUN_OFFSET) != 0 ? FIELD : 0;
    at += (flags & TRUN_FIRST_FLAGS) != 0 ? FIELD : 0;
    if (body.len < at || !segment->has_head) {
        return FB_E_MALFORMED;
    }
    if (n > ORIGIN_CENC_SAMPLES_MAX - segment->n_samples) {
        return FB_E_LIMIT;
    }
    if (body.len - at < n * stride) {
        return FB_E_MALFORMED;
    }
    int err = find_start(segment, flags, body);
    for (uint32_t i = 0; err == FB_OK && i < n; i++, at += stride) {
        size_t size_at = at + ((flags & TRUN_DURATION) != 0 ? FIELD : 0);
        size_t size =
            (flags & TRUN_SIZE) != 0 ? origin_box_u32(body, size_at) : segment->default_size;
        if (segment->next > segment->media.len || size > segment->media.len - segment->next) {
            return FB_E_MALFORMED;
        }
        err = encrypt_sample(segment, segment->next, size);
        segment->next += size;
    }
    return err;
}

static int encrypt_traf(struct segment *segment, struct fb_str rest)
{
    if (++segment->n_trafs > 1) {
        return FB_E_UNSUPPORTED;
    }
    while (rest.len > 0) {
        struct origin_box box;
        int err = origin_box_next(&rest, &box);
        if (err == FB_OK && origin_box_is(&box, "tfhd")) {
            err = read_tfhd(segment, box.body);
        } else if (err == FB_OK && origin_box_is(&box, "trun")) {
            err = encrypt_run(segment, box.body);
        } else if (err == FB_OK && origin_box_is(&box, "senc")) {
            err = FB_E_UNSUPPORTED; /* it is encrypted already */
        }
        if (err < 0) {
            return err;
        }
    }
    return FB_OK;
}

static int encrypt_moof(struct segment *segment)
{
    struct fb_str rest = segment->moof.body;

    while (rest.len > 0) {
        struct origin_box box;
        int err = origin_box_next(&rest, &box);
        if (err == FB_OK && origin_box_is(&box, "traf")) {
            err = encrypt_traf(segment, box.body);
        }
        if (err < 0) {
            return err;
        }
    }
    return segment->n_samples > 0 ? FB_OK : FB_E_MALFORMED;
}

/* ---- the fragment, written anew ------------------------------------------------------------ */

/* True if samples have entries in senc: of sound under cbcs there is nothing to tell. */
static bool has_entries(const struct segment *segment)
{
    return segment->entries.len > 0;
}

/* The size of all samples' entries if it is one, else 0: then there is a table. */
static uint8_t common_size(const struct segment *segment)
{
    char first = segment->sizes.ptr[0];

    for (size_t i = 1; i < segment->sizes.len; i++) {
        if (segment->sizes.ptr[i] != first) {
            return 0;
        }
    }
    return (uint8_t)first;
}

static size_t grown_by(const struct segment *segment)
{
    size_t table = common_size(segment) == 0 ? segment->sizes.len : 0;

    return has_entries(segment) ? SENC_HEAD + segment->entries.len + SAIZ_HEAD + table + SAIO_BYTES
                                : 0;
}

/* `moof` is where the box begins in `buf`. */
static void put_info(const struct segment *segment, struct fb_buf *buf, size_t moof)
{
    uint8_t size = common_size(segment);

    size_t senc = origin_box_begin_full(
        buf, "senc", 0, origin_cenc_has_ranges(segment->cenc) ? SENC_SUBSAMPLES : 0);
    origin_box_put_u32(buf, segment->n_samples);
    fb_buf_append(buf, fb_buf_str(&segment->entries));
    origin_box_end(buf, senc);
    size_t saiz = origin_box_begin_full(buf, "saiz", 0, 0);
    fb_buf_append_byte(buf, (char)size);
    origin_box_put_u32(buf, segment->n_samples);
    if (size == 0) {
        fb_buf_append(buf, fb_buf_str(&segment->sizes));
    }
    origin_box_end(buf, saiz);
    size_t saio = origin_box_begin_full(buf, "saio", 0, 0);
    origin_box_put_u32(buf, 1);
    origin_box_put_u32(buf, (uint32_t)(senc + SENC_HEAD - moof));
    origin_box_end(buf, saio);
}

/* A run, whose data lies further back now. */
static void put_run(struct fb_buf *buf, const struct origin_box *box, size_t grown)
{
    size_t body = buf->len + (size_t)(box->body.ptr - box->whole.ptr);

    fb_buf_append(buf, box->whole);
    if ((origin_box_u32(box->body, 0) & TRUN_OFFSET) != 0) {
        uint32_t offset = origin_box_u32(box->body, TRUN_HEAD);
        origin_box_set_u32(buf, body + TRUN_HEAD, offset + (uint32_t)grown);
    }
}

static int put_moof(const struct segment *segment, struct fb_buf *buf, size_t grown)
{
    struct fb_str rest = segment->moof.body;
    size_t moof = origin_box_begin(buf, "moof");
    int err = FB_OK;

    while (err == FB_OK && rest.len > 0) {
        struct origin_box box;
        err = origin_box_next(&rest, &box);
        if (err < 0 || !origin_box_is(&box, "traf")) {
            fb_buf_append(buf, err == FB_OK ? box.whole : FB_STR_NONE);
            continue;
        }
        struct fb_str inner = box.body;
        size_t traf = origin_box_begin(buf, "traf");
        while (err == FB_OK && inner.len > 0) {
            err = origin_box_next(&inner, &box);
            if (err == FB_OK && origin_box_is(&box, "trun")) {
                put_run(buf, &box, grown);
            } else if (err == FB_OK) {
                fb_buf_append(buf, box.whole);
            }
        }
        if (grown > 0) {
            put_info(segment, buf, moof);
        }
        origin_box_end(buf, traf);
    }
    origin_box_end(buf, moof);
    return err;
}

/* ---- the segment ------------------------------------------------------------------------------
 */

/* Finds moof and mdat, one of each and in this order. */
static int find_parts(struct segment *segment, struct fb_str clear)
{
    struct fb_str rest = clear;
    bool has_moof = false;
    bool has_mdat = false;

    while (rest.len > 0) {
        struct origin_box box;
        int err = origin_box_next(&rest, &box);
        bool is_moof = err == FB_OK && origin_box_is(&box, "moof");
        bool is_mdat = err == FB_OK && origin_box_is(&box, "mdat");
        if (err < 0 || (is_moof && has_moof) || (is_mdat && (has_mdat || !has_moof))) {
            return FB_E_MALFORMED;
        }
        if (origin_box_is(&box, "sidx")) {
            return FB_E_UNSUPPORTED; /* it would tell the sizes of before */
        }
        if (is_moof) {
            has_moof = true;
            segment->moof = box;
        } else if (is_mdat) {
            has_mdat = true;
            segment->mdat = box;
        }
    }
    if (!has_mdat || segment->moof.body.ptr != segment->moof.whole.ptr + 8) {
        return FB_E_MALFORMED;
    }
    size_t moof_at = (size_t)(segment->moof.whole.ptr - clear.ptr);
    size_t moof_end = moof_at + segment->moof.whole.len;
    size_t mdat_at = (size_t)(segment->mdat.whole.ptr - clear.ptr);
    segment->before = fb_str_first(clear, moof_at);
    segment->between = fb_str_skip(fb_str_first(clear, mdat_at), moof_end);
    segment->behind = fb_str_skip(clear, mdat_at + segment->mdat.whole.len);
    return FB_OK;
}

/* The IV of a segment's first sample (cenc.h). */
static uint64_t first_iv(const struct origin_cenc *cenc, uint32_t number, struct fb_str clear)
{
    uint8_t digest[FB_SHA256_SIZE];
    uint8_t mac[FB_SHA256_SIZE];
    uint64_t high = 0;

    fb_sha256(clear, digest);
    fb_hmac_sha256((struct fb_str){(const char *)cenc->key, sizeof(cenc->key)},
                   fb_sha256_str(digest), mac);
    for (unsigned i = 0; i < 4; i++) {
        high = high << 8 | mac[i];
    }
    return high << IV_DIGEST_SHIFT | (uint64_t)cenc->track << IV_TRACK_SHIFT |
           (uint64_t)number << IV_SEGMENT_SHIFT;
}

static int write_segment(const struct segment *segment, struct fb_buf *buf, size_t grown)
{
    fb_buf_append(buf, segment->before);
    int err = put_moof(segment, buf, grown);
    if (err == FB_OK) {
        size_t head = segment->mdat.whole.len - segment->mdat.body.len;
        fb_buf_append(buf, segment->between);
        fb_buf_append(buf, fb_str_first(segment->mdat.whole, head));
        fb_buf_append(buf, fb_buf_str(&segment->media));
        fb_buf_append(buf, segment->behind);
    }
    return err;
}

int origin_cenc_fragment(struct origin_cenc *cenc, uint32_t number, struct fb_str clear,
                         struct fb_buf *buf, size_t *ret_moved, struct fb_diag *diag)
{
    FB_AUTO(segment_done)
    struct segment segment = {.cenc = cenc, .default_size = cenc->default_size};
    size_t before = buf->len;

    if (number >= ORIGIN_CENC_SEGMENTS_MAX || clear.len > ORIGIN_CENC_SEGMENT_MAX) {
        return fb_diag_set(diag, FB_E_LIMIT, "encrypt segment %u: too long, or too many", number);
    }
    int err = find_parts(&segment, clear);
    if (err == FB_OK) {
        segment.iv = first_iv(cenc, number, clear);
        fb_buf_append(&segment.media, segment.mdat.body);
        err = encrypt_moof(&segment);
    }
    size_t grown = err == FB_OK ? grown_by(&segment) : 0;
    err = err == FB_OK ? write_segment(&segment, buf, grown) : err;
    if (err < 0) {
        fb_buf_truncate(buf, before);
        return fb_diag_set(diag, err, "encrypt segment %u: %s", number, fb_err_text(err));
    }
    *ret_moved = grown;
    return FB_OK;
}
