#include "base/crypto/checksum.h"

#include <assert.h>
#include <nettle/md5.h>
#include <pthread.h>
#include <string.h>

static_assert(sizeof(struct md5_ctx) <= sizeof(struct fb_md5),
              "the library's state fits into ours");

/* ---- MD5 ------------------------------------------------------------------------ */

static struct md5_ctx *md5_state(struct fb_md5 *hash)
{
    return (struct md5_ctx *)(void *)hash->state;
}

void fb_md5_init(struct fb_md5 *hash)
{
    md5_init(md5_state(hash));
}

void fb_md5_update(struct fb_md5 *hash, struct fb_str bytes)
{
    if (bytes.len > 0) {
        md5_update(md5_state(hash), bytes.len, (const uint8_t *)bytes.ptr);
    }
}

void fb_md5_finish(struct fb_md5 *hash, uint8_t digest[FB_MD5_SIZE])
{
    md5_digest(md5_state(hash), FB_MD5_SIZE, digest);
}

/* ---- CRC: eight bytes at a time, by eight tables ----------------------------------- */

enum { N_SLICES = 8, N_BYTES = 256 };

struct tables {
    uint32_t of[N_SLICES][N_BYTES];
};

static struct tables ieee;
static struct tables castagnoli;
static pthread_once_t are_made = PTHREAD_ONCE_INIT;

/* `polynomial` has its bits reversed. */
static void tables_fill(struct tables *tables, uint32_t polynomial)
{
    for (uint32_t byte = 0; byte < N_BYTES; byte++) {
        uint32_t crc = byte;
        for (unsigned bit = 0; bit < 8; bit++) {
            crc = (crc & 1U) != 0 ? crc >> 1 ^ polynomial : crc >> 1;
        }
        tables->of[0][byte] = crc;
    }
    for (size_t slice = 1; slice < N_SLICES; slice++) {
        for (size_t byte = 0; byte < N_BYTES; byte++) {
            uint32_t crc = tables->of[slice - 1][byte];
            tables->of[slice][byte] = crc >> 8 ^ tables->of[0][crc & 0xffU];
        }
    }
}

static void tables_make(void)
{
    tables_fill(&ieee, 0xedb88320U);
    tables_fill(&castagnoli, 0x82f63b78U);
}

static uint32_t get_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint32_t crc_update(const struct tables *t, uint32_t crc, struct fb_str bytes)
{
    const uint8_t *p = (const uint8_t *)bytes.ptr;
    size_t n = bytes.len;

    crc = ~crc;
    for (; n >= N_SLICES; n -= N_SLICES, p += N_SLICES) {
        uint32_t low = crc ^ get_le32(p);
        uint32_t high = get_le32(p + 4);
        crc = t->of[7][low & 0xffU] ^ t->of[6][low >> 8 & 0xffU] ^ t->of[5][low >> 16 & 0xffU] ^
              t->of[4][low >> 24] ^ t->of[3][high & 0xffU] ^ t->of[2][high >> 8 & 0xffU] ^
              t->of[1][high >> 16 & 0xffU] ^ t->of[0][high >> 24];
    }
    for (; n > 0; n--, p++) {
        crc = crc >> 8 ^ t->of[0][(crc ^ *p) & 0xffU];
    }
    return ~crc;
}

uint32_t fb_crc32(uint32_t crc, struct fb_str bytes)
{
    (void)pthread_once(&are_made, tables_make);
    return crc_update(&ieee, crc, bytes);
}

uint32_t fb_crc32c(uint32_t crc, struct fb_str bytes)
{
    (void)pthread_once(&are_made, tables_make);
    return crc_update(&castagnoli, crc, bytes);
}
