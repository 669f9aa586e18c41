#include "origin/media/bits.h"

enum { EMULATION = 3, MAX_PREFIX = 31, BITS = 8 };

static void bits_next_byte(struct origin_bits *bits)
{
    bits->n_left = BITS;
    bits->byte = 0;
    if (bits->at < bits->bytes.len && bits->n_zeros >= 2 &&
        (uint8_t)bits->bytes.ptr[bits->at] == EMULATION) {
        bits->at++;
        bits->n_zeros = 0;
    }
    if (bits->at >= bits->bytes.len) {
        bits->is_over = true;
        return;
    }
    bits->byte = (uint8_t)bits->bytes.ptr[bits->at++];
    bits->n_zeros = bits->byte == 0 ? bits->n_zeros + 1 : 0;
}

uint32_t origin_bits_take(struct origin_bits *bits, unsigned n)
{
    uint32_t value = 0;

    for (unsigned i = 0; i < n; i++) {
        if (bits->n_left == 0) {
            bits_next_byte(bits);
        }
        bits->n_left--;
        value = value << 1 | (bits->byte >> bits->n_left & 1U);
    }
    return value;
}

uint32_t origin_bits_ue(struct origin_bits *bits)
{
    unsigned n = 0;

    while (n <= MAX_PREFIX && !bits->is_over && !origin_bits_flag(bits)) {
        n++;
    }
    if (n > MAX_PREFIX) {
        bits->is_over = true; /* no code is as long */
        return 0;
    }
    return (uint32_t)((1ULL << n) - 1 + origin_bits_take(bits, n));
}

int32_t origin_bits_se(struct origin_bits *bits)
{
    uint32_t code = origin_bits_ue(bits);
    int64_t half = ((int64_t)code + 1) / 2;
    return (int32_t)(code % 2 == 1 ? half : -half);
}

void origin_bits_skip_se(struct origin_bits *bits)
{
    (void)origin_bits_ue(bits);
}
