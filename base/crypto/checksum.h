/*
 * Checksums that protocols ask for and that protect against accidents only: MD5 (RFC 1321, by
 * Nettle), CRC-32 (of ISO-HDLC, as gzip has it) and CRC-32C (Castagnoli's, RFC 3720).
 *
 * Threads    Pure functions, any thread; a struct fb_md5 one at a time.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"

#include <stdint.h>

enum { FB_MD5_SIZE = 16 };

/* A hash in progress: init → update … → finish. */
struct fb_md5 {
    uint64_t state[16]; /* private */
};

void fb_md5_init(struct fb_md5 *hash);
void fb_md5_update(struct fb_md5 *hash, struct fb_str bytes);
void fb_md5_finish(struct fb_md5 *hash, uint8_t digest[FB_MD5_SIZE]);

/* Go on from `crc`, which is 0 to begin with. */
uint32_t fb_crc32(uint32_t crc, struct fb_str bytes);
uint32_t fb_crc32c(uint32_t crc, struct fb_str bytes);
