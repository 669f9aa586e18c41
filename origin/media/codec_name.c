#include "origin/media/codec_name.h"

#include "base/core/err.h"

#include <stdio.h>
#include <string.h>

enum { NAL_TYPE_MASK = 0x1f, NAL_SPS = 7 };

/* The three bytes profile, constraints, level; NULL if there are none. */
static const unsigned char *avc_find_profile(const unsigned char *bytes, size_t len)
{
    if (len >= 4 && bytes[0] == 1) {
        return bytes + 1; /* avcC repeats them up front */
    }
    for (size_t i = 0; i + 7 <= len; i++) {
        if (memcmp(bytes + i, "\0\0\1", 3) == 0 && (bytes[i + 3] & NAL_TYPE_MASK) == NAL_SPS) {
            return bytes + i + 4;
        }
    }
    return NULL;
}

int origin_codec_name_avc(struct fb_str headers, char ret_name[ORIGIN_TRANSCODE_CODECS_MAX])
{
    const unsigned char *p = avc_find_profile((const unsigned char *)headers.ptr, headers.len);
    if (p == NULL) {
        return FB_E_MALFORMED;
    }
    (void)snprintf(ret_name, ORIGIN_TRANSCODE_CODECS_MAX, "avc1.%02x%02x%02x", p[0], p[1], p[2]);
    return FB_OK;
}

/* ---- HEVC -------------------------------------------------------------- */

enum {
    HEVC_NAL_SPS = 33,
    HEVC_NAL_HEAD = 2,
    HEVC_PROFILE_BYTES = 12, /* profile, compatibility, constraints, level */
    HEVC_RECORD_HEAD = 13,
};

/* The twelve bytes out of a parameter set, without those that keep start codes
 * from appearing in it. */
static bool hevc_copy_profile(const unsigned char *nal, size_t len,
                              unsigned char profile[HEVC_PROFILE_BYTES])
{
    size_t n = 0;
    unsigned n_zeros = 0;

    /* One byte of ids lies before the profile. */
    for (size_t i = HEVC_NAL_HEAD; i < len && n < HEVC_PROFILE_BYTES + 1; i++) {
        if (n_zeros == 2 && nal[i] == 3) {
            n_zeros = 0;
            continue;
        }
        n_zeros = nal[i] == 0 ? n_zeros + 1 : 0;
        if (n > 0) {
            profile[n - 1] = nal[i];
        }
        n++;
    }
    return n == HEVC_PROFILE_BYTES + 1;
}

static bool hevc_find_profile(const unsigned char *bytes, size_t len,
                              unsigned char profile[HEVC_PROFILE_BYTES])
{
    if (len >= HEVC_RECORD_HEAD && bytes[0] == 1) {
        memcpy(profile, bytes + 1, HEVC_PROFILE_BYTES);
        return true;
    }
    for (size_t i = 0; i + 4 <= len; i++) {
        if (memcmp(bytes + i, "\0\0\1", 3) == 0 && bytes[i + 3] >> 1 == HEVC_NAL_SPS) {
            return hevc_copy_profile(bytes + i + 3, len - i - 3, profile);
        }
    }
    return false;
}

int origin_codec_name_hevc(struct fb_str headers, char ret_name[ORIGIN_TRANSCODE_CODECS_MAX])
{
    enum { SPACE_SHIFT = 6, TIER_BIT = 0x20, PROFILE_MASK = 0x1f, FLAGS = 32, LEVEL = 11 };
    unsigned char p[HEVC_PROFILE_BYTES] = {0};
    uint32_t reversed = 0;

    if (!hevc_find_profile((const unsigned char *)headers.ptr, headers.len, p)) {
        return FB_E_MALFORMED;
    }
    for (unsigned bit = 0; bit < FLAGS; bit++) {
        reversed |= (uint32_t)(p[1 + bit / 8] >> (7 - bit % 8) & 1) << bit;
    }
    static const char *const spaces[] = {"", "A", "B", "C"};
    int n = snprintf(ret_name, ORIGIN_TRANSCODE_CODECS_MAX, "hvc1.%s%u.%x.%c%u",
                     spaces[p[0] >> SPACE_SHIFT], (unsigned)(p[0] & PROFILE_MASK), reversed,
                     (p[0] & TIER_BIT) != 0 ? 'H' : 'L', p[LEVEL]);
    unsigned last = LEVEL - 1;
    while (last > 4 && p[last] == 0) {
        last--;
    }
    for (unsigned i = 5; i <= last && n < ORIGIN_TRANSCODE_CODECS_MAX; i++) {
        n += snprintf(ret_name + n, (size_t)(ORIGIN_TRANSCODE_CODECS_MAX - n), ".%X", p[i]);
    }
    return n < ORIGIN_TRANSCODE_CODECS_MAX ? FB_OK : FB_E_MALFORMED;
}

/* ---- AV1 --------------------------------------------------------------- */

struct bits {
    const unsigned char *bytes;
    size_t len;
    size_t at; /* in bits */
    bool is_short;
};

static unsigned bits_take(struct bits *bits, unsigned n)
{
    unsigned value = 0;
    for (; n > 0; n--, bits->at++) {
        bool is_there = bits->at / 8 < bits->len;
        bits->is_short = bits->is_short || !is_there;
        value = value << 1 | (is_there ? bits->bytes[bits->at / 8] >> (7 - bits->at % 8) & 1U : 0);
    }
    return value;
}

struct av1_level {
    unsigned profile;
    unsigned level;
    unsigned tier;
};

/* AV1 specification, 5.5.1, up to the first operating point. False for what no
 * encoder of ours writes: timing information. */
static bool av1_read_sequence(struct bits *bits, struct av1_level *level)
{
    enum { TIER_LEVELS = 7 };
    level->profile = bits_take(bits, 3);
    (void)bits_take(bits, 1); /* a still picture */
    if (bits_take(bits, 1) != 0) {
        level->level = bits_take(bits, 5);
        return !bits->is_short;
    }
    if (bits_take(bits, 1) != 0) {
        return false;
    }
    (void)bits_take(bits, 1 + 5 + 12); /* delay, points less one, the first one's layers */
    level->level = bits_take(bits, 5);
    level->tier = level->level > TIER_LEVELS ? bits_take(bits, 1) : 0;
    return !bits->is_short;
}

static bool av1_find_level(struct fb_str headers, struct av1_level *level)
{
    enum { RECORD = 0x81, OBU_TYPE_SHIFT = 3, OBU_TYPE_MASK = 15, SEQUENCE = 1, EXTENDED = 4 };
    const unsigned char *bytes = (const unsigned char *)headers.ptr;

    if (headers.len >= 4 && bytes[0] == RECORD) {
        *level = (struct av1_level){bytes[1] >> 5, bytes[1] & 31U, bytes[2] >> 7};
        return true;
    }
    if (headers.len < 3 || (bytes[0] >> OBU_TYPE_SHIFT & OBU_TYPE_MASK) != SEQUENCE) {
        return false;
    }
    size_t skip = (bytes[0] & EXTENDED) != 0 ? 3 : 2; /* a size of one byte */
    struct bits bits = {.bytes = bytes + skip, .len = headers.len - skip};
    return av1_read_sequence(&bits, level);
}

int origin_codec_name_av1(struct fb_str headers, char ret_name[ORIGIN_TRANSCODE_CODECS_MAX])
{
    struct av1_level level = {0};
    if (!av1_find_level(headers, &level)) {
        return FB_E_MALFORMED;
    }
    (void)snprintf(ret_name, ORIGIN_TRANSCODE_CODECS_MAX, "av01.%u.%02u%c.08", level.profile,
                   level.level, level.tier != 0 ? 'H' : 'M');
    return FB_OK;
}

/* ---- sound ------------------------------------------------------------- */

int origin_codec_name_aac(struct fb_str headers, char ret_name[ORIGIN_TRANSCODE_CODECS_MAX])
{
    enum { TYPE_SHIFT = 3, TYPE_ESCAPE = 31 };
    if (headers.len < 2) {
        return FB_E_MALFORMED;
    }
    unsigned type = (unsigned char)headers.ptr[0] >> TYPE_SHIFT;
    if (type == 0 || type == TYPE_ESCAPE) {
        return FB_E_MALFORMED;
    }
    (void)snprintf(ret_name, ORIGIN_TRANSCODE_CODECS_MAX, "mp4a.40.%u", type);
    return FB_OK;
}
