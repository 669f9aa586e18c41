/*
 * Numbers as bytes, little-endian, at any address: for formats on disk.
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include <endian.h>
#include <stdint.h>
#include <string.h>

static inline void fb_put_u16(char *bytes, uint16_t value)
{
    uint16_t le = htole16(value);
    memcpy(bytes, &le, sizeof(le));
}

static inline void fb_put_u32(char *bytes, uint32_t value)
{
    uint32_t le = htole32(value);
    memcpy(bytes, &le, sizeof(le));
}

static inline void fb_put_u64(char *bytes, uint64_t value)
{
    uint64_t le = htole64(value);
    memcpy(bytes, &le, sizeof(le));
}

static inline uint16_t fb_get_u16(const char *bytes)
{
    uint16_t le;
    memcpy(&le, bytes, sizeof(le));
    return le16toh(le);
}

static inline uint32_t fb_get_u32(const char *bytes)
{
    uint32_t le;
    memcpy(&le, bytes, sizeof(le));
    return le32toh(le);
}

static inline uint64_t fb_get_u64(const char *bytes)
{
    uint64_t le;
    memcpy(&le, bytes, sizeof(le));
    return le64toh(le);
}
