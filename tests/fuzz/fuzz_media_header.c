/*
 * What is judged of a file that would not open, and of an encoder's headers.
 */
#include "base/core/attr.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "origin/media/codec_name.h"
#include "origin/media/intact.h"

#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t next(void *ctx, uint64_t offset, char bytes[16])
{
    const struct fb_str *file = ctx;
    size_t n = offset < file->len ? FB_MIN(file->len - offset, 16U) : 0;
    if (n > 0) {
        memcpy(bytes, file->ptr + offset, n);
    }
    return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fb_str file = {(const char *)data, size};
    char name[ORIGIN_TRANSCODE_CODECS_MAX];

    enum origin_intact verdict = origin_intact_judge(size, &file, next);
    FB_REQUIRE((verdict == ORIGIN_INTACT_EMPTY) == (size == 0));
    if (origin_codec_name_avc(file, name) == FB_OK) {
        FB_REQUIRE(strlen(name) == strlen("avc1.PPCCLL"));
    }
    if (origin_codec_name_aac(file, name) == FB_OK) {
        FB_REQUIRE(strncmp(name, "mp4a.40.", 8) == 0);
    }
    return 0;
}
