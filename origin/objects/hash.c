/*
 * What an object or a file hashes to.
 */
#include "base/crypto/hash.h"

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "origin/objects/objects_internal.h"

_Static_assert(FB_SHA256_SIZE == sizeof(((struct origin_stored *)NULL)->sha256), "one digest");

static int range_hash(const struct origin_object *object, uint64_t offset, uint64_t n,
                      uint8_t sha256[FB_SHA256_SIZE])
{
    size_t piece_bytes = (size_t)FB_MIN(FB_MAX(n, (uint64_t)1), (uint64_t)ORIGIN_OBJECT_READ);
    FB_AUTO(fb_freep) char *piece = fb_alloc(piece_bytes);
    FB_AUTO(fb_sha256_done) struct fb_sha256 hash;

    fb_sha256_init(&hash);
    while (n > 0) {
        size_t now = (size_t)FB_MIN(n, (uint64_t)piece_bytes);
        int err = origin_object_read(object, offset, piece, now);
        if (err < 0) {
            return err;
        }
        fb_sha256_update(&hash, (struct fb_str){piece, now});
        offset += now;
        n -= now;
    }
    fb_sha256_finish(&hash, sha256);
    return FB_OK;
}

int origin_object_hash(const struct origin_object *object, uint8_t sha256[FB_SHA256_SIZE])
{
    return range_hash(object, 0, object->size, sha256);
}

int origin_file_hash(int fd, uint64_t offset, uint64_t n, uint8_t sha256[FB_SHA256_SIZE])
{
    const struct origin_object file = origin_object_of_file(fd, offset + n, 0);

    return range_hash(&file, offset, n, sha256); /* the descriptor stays the caller's */
}
