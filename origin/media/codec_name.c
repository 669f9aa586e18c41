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
