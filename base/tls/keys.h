/*
 * Traffic keys: what a handshake leaves to whoever seals records.
 *
 * Threads    Plain data.
 */
#pragma once

#include <stdint.h>

enum fb_tls_version { FB_TLS_1_2 = 0x0303, FB_TLS_1_3 = 0x0304 };

enum fb_tls_aead { FB_TLS_AES_128_GCM, FB_TLS_AES_256_GCM, FB_TLS_CHACHA20_POLY1305 };

enum { FB_TLS_N_AEADS = FB_TLS_CHACHA20_POLY1305 + 1 };

enum { FB_TLS_KEY_MAX = 32, FB_TLS_IV_SIZE = 12, FB_TLS_TAG_SIZE = 16, FB_TLS_SECRET_MAX = 48 };

/* One direction. */
struct fb_tls_traffic {
    uint8_t key[FB_TLS_KEY_MAX]; /* 16 bytes of it for FB_TLS_AES_128_GCM */
    /* Of GCM in TLS 1.2 the first 4 bytes, the salt: the other 8 stand in each record. Else all,
     * which the record's number is added to by XOR (RFC 7905 section 2, RFC 8446 section 5.3). */
    uint8_t iv[FB_TLS_IV_SIZE];
    uint64_t sequence; /* of the next record */
    /* Of TLS 1.3: what the key and those after it follow from (keys13.h). */
    uint8_t secret[FB_TLS_SECRET_MAX];
};

struct fb_tls_keys {
    enum fb_tls_version version;
    enum fb_tls_aead aead;
    uint16_t max_content; /* of a record to the peer, which may have asked for less than 16 KiB */
    struct fb_tls_traffic in;  /* opens what the peer sends */
    struct fb_tls_traffic out; /* seals */
};

static inline unsigned fb_tls_key_size(enum fb_tls_aead aead)
{
    return aead == FB_TLS_AES_128_GCM ? 16 : 32;
}

/* Overwrites them in a way that no compiler leaves out. */
void fb_tls_keys_wipe(struct fb_tls_keys *keys);
