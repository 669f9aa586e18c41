#include "edge/format/extent.h"

#include "base/crypto/hash.h"

uint64_t edge_fingerprint_of(struct fb_str key)
{
    uint8_t hash[FB_SHA256_SIZE];
    uint64_t fingerprint = 0;

    fb_sha256(key, hash);
    for (unsigned i = 8; i > 0; i--) {
        fingerprint = fingerprint << 8 | hash[i - 1];
    }
    return fingerprint;
}
