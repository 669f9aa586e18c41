/*
 * Bits of a NAL unit (ITU-T H.264 and H.265, 7.2 and 9.1): big-endian, with the bytes that keep
 * start codes away (00 00 03) passed over.
 *
 * Reading past the end gives zeros and is remembered, so that a parser asks once, at its end.
 *
 * Ownership  A view; the caller's storage.
 * Threads    One at a time.
 */
#pragma once

#include "base/core/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct origin_bits {
    struct fb_str bytes;
    size_t at;        /* bytes taken, those passed over among them */
    unsigned n_left;  /* bits of the last byte taken that are still to be read */
    unsigned n_zeros; /* zero bytes in a row behind which we stand */
    uint8_t byte;
    bool is_over; /* more was read than there is */
};

static inline struct origin_bits origin_bits_of(struct fb_str bytes)
{
    return (struct origin_bits){.bytes = bytes};
}

/* `n` ≤ 32 bits as a number. */
uint32_t origin_bits_take(struct origin_bits *bits, unsigned n);

/* Exp-Golomb codes: ue(v), and se(v) whose value nobody needs. */
uint32_t origin_bits_ue(struct origin_bits *bits);
void origin_bits_skip_se(struct origin_bits *bits);
int32_t origin_bits_se(struct origin_bits *bits);

static inline bool origin_bits_flag(struct origin_bits *bits)
{
    return origin_bits_take(bits, 1) != 0;
}

/* Bytes that hold what was read. */
static inline size_t origin_bits_bytes(const struct origin_bits *bits)
{
    return bits->at;
}
