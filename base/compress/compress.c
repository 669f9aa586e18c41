#include "base/compress/compress.h"

#include "base/core/err.h"

#include <errno.h>
#include <zstd.h>

enum { LEVEL = 6 };

struct contexts {
    ZSTD_CCtx *compress;
    ZSTD_DCtx *decompress;
};

static void contexts_done(struct contexts *contexts)
{
    (void)ZSTD_freeCCtx(contexts->compress);
    (void)ZSTD_freeDCtx(contexts->decompress);
}

int fb_compress(struct fb_str bytes, struct fb_buf *to)
{
    FB_AUTO(contexts_done) struct contexts contexts = {.compress = ZSTD_createCCtx()};
    if (contexts.compress == NULL) {
        return -ENOMEM;
    }
    (void)ZSTD_CCtx_setParameter(contexts.compress, ZSTD_c_compressionLevel, LEVEL);
    (void)ZSTD_CCtx_setParameter(contexts.compress, ZSTD_c_checksumFlag, 1);

    size_t room = ZSTD_compressBound(bytes.len);
    size_t n =
        ZSTD_compress2(contexts.compress, fb_buf_reserve(to, room), room, bytes.ptr, bytes.len);
    if (ZSTD_isError(n) != 0) {
        return -ENOMEM; /* there was room, and the parameters are in their bounds */
    }
    fb_buf_add(to, n);
    return FB_OK;
}

int fb_decompress(struct fb_str frame, size_t max, struct fb_buf *to)
{
    unsigned long long len = ZSTD_getFrameContentSize(frame.ptr, frame.len);
    if (len == ZSTD_CONTENTSIZE_ERROR) {
        return FB_E_MALFORMED;
    }
    if (len == ZSTD_CONTENTSIZE_UNKNOWN || len > max) {
        return FB_E_LIMIT;
    }
    if (ZSTD_findFrameCompressedSize(frame.ptr, frame.len) != frame.len) {
        return FB_E_MALFORMED; /* another frame behind it, or a piece of one */
    }
    FB_AUTO(contexts_done) struct contexts contexts = {.decompress = ZSTD_createDCtx()};
    if (contexts.decompress == NULL) {
        return -ENOMEM;
    }
    size_t n = ZSTD_decompressDCtx(contexts.decompress, fb_buf_reserve(to, (size_t)len),
                                   (size_t)len, frame.ptr, frame.len);
    if (ZSTD_isError(n) != 0 || n != len) {
        return FB_E_MALFORMED;
    }
    fb_buf_add(to, n);
    return FB_OK;
}
