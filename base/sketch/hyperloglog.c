#include "base/sketch/hyperloglog.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/core/varint.h"

#include <math.h>
#include <string.h>

/*
 * An entry of the sparse form is `index << 6 | rank`: the index has FINE_BITS more bits than the
 * precision, the rank is the register's (of the coarse index). Unless the fine bits are all zero
 * they tell the rank, so that it is not encoded.
 */
enum {
    FINE_BITS = 8,
    RANK_BITS = 6,
    RANK_MASK = (1 << RANK_BITS) - 1,
    FORM_SPARSE = 0,
    FORM_DENSE = 1,
    NIBBLE_MORE = 15, /* the register is above base + 14: a byte among those behind */
    FIRST_CAPACITY = 4,
    STEP = 16
};

struct fb_hyperloglog {
    unsigned precision;
    uint8_t *registers; /* owned; NULL while sparse */
    uint32_t *entries;  /* owned; sorted, one of an index; NULL once dense */
    uint32_t n_entries;
    uint32_t capacity;
};

static size_t sketch_registers(unsigned precision)
{
    return (size_t)1 << precision;
}

static uint32_t sketch_max_sparse(unsigned precision)
{
    return (uint32_t)1 << (precision - 2);
}

/* The place of the first set bit among those behind the coarse index, from 1. */
static uint32_t sketch_rank(unsigned precision, uint64_t hash)
{
    uint64_t rest = hash << precision;
    return rest == 0 ? 64 - precision + 1 : (uint32_t)__builtin_clzll(rest) + 1;
}

static uint32_t sketch_entry(unsigned precision, uint64_t hash)
{
    uint32_t index = (uint32_t)(hash >> (64 - precision - FINE_BITS));
    return index << RANK_BITS | sketch_rank(precision, hash);
}

/* What the fine bits of an index say about the rank; 0 if they are all zero. */
static uint32_t sketch_fine_rank(uint32_t index)
{
    uint32_t fine = index & ((1U << FINE_BITS) - 1);
    return fine == 0 ? 0 : (uint32_t)__builtin_clz(fine) - (32 - FINE_BITS) + 1;
}

struct fb_hyperloglog *fb_hyperloglog_new(unsigned precision)
{
    FB_REQUIRE(precision >= FB_HYPERLOGLOG_MIN_PRECISION &&
               precision <= FB_HYPERLOGLOG_MAX_PRECISION);
    struct fb_hyperloglog *sketch = FB_NEW(struct fb_hyperloglog);
    sketch->precision = precision;
    return sketch;
}

void fb_hyperloglog_free(struct fb_hyperloglog *sketch)
{
    if (sketch != NULL) {
        fb_free(sketch->registers);
        fb_free(sketch->entries);
        fb_free(sketch);
    }
}

void fb_hyperloglog_freep(struct fb_hyperloglog **sketch)
{
    fb_hyperloglog_free(*sketch);
}

struct fb_hyperloglog *fb_hyperloglog_copy(const struct fb_hyperloglog *sketch)
{
    struct fb_hyperloglog *copy = fb_hyperloglog_new(sketch->precision);
    fb_hyperloglog_merge(copy, sketch);
    return copy;
}

/* ---- adding and merging ---------------------------------------------------- */

static void sketch_raise(struct fb_hyperloglog *sketch, uint32_t entry)
{
    uint8_t rank = (uint8_t)(entry & RANK_MASK);
    uint8_t *at = &sketch->registers[entry >> (RANK_BITS + FINE_BITS)];
    *at = FB_MAX(*at, rank);
}

static void sketch_make_dense(struct fb_hyperloglog *sketch)
{
    if (sketch->registers != NULL) {
        return;
    }
    sketch->registers = fb_alloc(sketch_registers(sketch->precision));
    for (uint32_t i = 0; i < sketch->n_entries; i++) {
        sketch_raise(sketch, sketch->entries[i]);
    }
    fb_free(sketch->entries);
    sketch->entries = NULL;
    sketch->n_entries = 0;
    sketch->capacity = 0;
}

static void sketch_make_room(struct fb_hyperloglog *sketch)
{
    if (sketch->n_entries == sketch->capacity) {
        sketch->capacity = FB_MAX(FIRST_CAPACITY, 2 * sketch->capacity);
        sketch->entries = fb_realloc(sketch->entries, sketch->capacity * sizeof(uint32_t));
    }
}

/* Where an entry of this index is, or would be. */
static uint32_t sketch_place(const struct fb_hyperloglog *sketch, uint32_t index)
{
    uint32_t low = 0;
    uint32_t high = sketch->n_entries;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (sketch->entries[middle] >> RANK_BITS < index) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static void sketch_insert(struct fb_hyperloglog *sketch, uint32_t entry)
{
    uint32_t at = sketch_place(sketch, entry >> RANK_BITS);

    if (at < sketch->n_entries && sketch->entries[at] >> RANK_BITS == entry >> RANK_BITS) {
        sketch->entries[at] = FB_MAX(sketch->entries[at], entry);
        return;
    }
    if (sketch->n_entries == sketch_max_sparse(sketch->precision)) {
        sketch_make_dense(sketch);
        sketch_raise(sketch, entry);
        return;
    }
    sketch_make_room(sketch);
    memmove(sketch->entries + at + 1, sketch->entries + at,
            (sketch->n_entries - at) * sizeof(uint32_t));
    sketch->entries[at] = entry;
    sketch->n_entries++;
}

static void sketch_take_in(struct fb_hyperloglog *sketch, uint32_t entry)
{
    if (sketch->registers != NULL) {
        sketch_raise(sketch, entry);
    } else {
        sketch_insert(sketch, entry);
    }
}

void fb_hyperloglog_add(struct fb_hyperloglog *sketch, uint64_t hash)
{
    sketch_take_in(sketch, sketch_entry(sketch->precision, hash));
}

/* A number of registers that compilers make one instruction of, and that any precision has. */
static void sketch_raise_all(uint8_t *restrict into, const uint8_t *restrict from)
{
    for (size_t i = 0; i < STEP; i++) {
        into[i] = FB_MAX(into[i], from[i]);
    }
}

void fb_hyperloglog_merge(struct fb_hyperloglog *into, const struct fb_hyperloglog *from)
{
    if (from == NULL || from == into) {
        return;
    }
    FB_REQUIRE(into->precision == from->precision);
    if (from->registers == NULL) {
        for (uint32_t i = 0; i < from->n_entries; i++) {
            sketch_take_in(into, from->entries[i]);
        }
        return;
    }
    sketch_make_dense(into);
    for (size_t i = 0; i < sketch_registers(into->precision); i += STEP) {
        sketch_raise_all(into->registers + i, from->registers + i);
    }
}

/* ---- the estimate ---------------------------------------------------------- */

/* Of Ertl's paper, section 4.2: sums that converge, so that each ends at the first term that is
 * too small to change it. sigma(1) is infinite: no register was set. */
static double sketch_sigma(double x)
{
    double y = 1;
    double z = x;
    double before = -1;

    while (z > before) {
        x *= x;
        before = z;
        z += x * y;
        y += y;
    }
    return z;
}

static double sketch_tau(double x)
{
    if (x <= 0 || x >= 1) {
        return 0;
    }
    double y = 1;
    double z = 1 - x;
    double before = 2;

    while (z < before) {
        x = sqrt(x);
        before = z;
        y *= 0.5;
        z -= (1 - x) * (1 - x) * y;
    }
    return z / 3;
}

static double sketch_dense_estimate(const struct fb_hyperloglog *sketch)
{
    unsigned counts[1 << RANK_BITS] = {0};
    unsigned top = 64 - sketch->precision; /* ranks are at most one more */
    size_t n = sketch_registers(sketch->precision);
    double m = (double)n;

    for (size_t i = 0; i < n; i++) {
        counts[sketch->registers[i]]++;
    }
    double z = m * sketch_tau(1 - counts[top + 1] / m);
    for (unsigned k = top; k >= 1; k--) {
        z = 0.5 * (z + counts[k]);
    }
    /* dense sketches have registers that are set, so this is finite */
    z += m * sketch_sigma(counts[0] / m);
    return m * m / (2 * M_LN2 * z);
}

uint64_t fb_hyperloglog_estimate(const struct fb_hyperloglog *sketch)
{
    if (fb_hyperloglog_is_empty(sketch)) {
        return 0;
    }
    if (sketch->registers != NULL) {
        return (uint64_t)llround(sketch_dense_estimate(sketch));
    }
    /* as many balls as leave so many of the fine bins empty */
    size_t n = sketch_registers(sketch->precision) << FINE_BITS;
    double bins = (double)n;
    return (uint64_t)llround(-bins * log1p(-(double)sketch->n_entries / bins));
}

unsigned fb_hyperloglog_precision(const struct fb_hyperloglog *sketch)
{
    return sketch->precision;
}

bool fb_hyperloglog_is_empty(const struct fb_hyperloglog *sketch)
{
    return sketch == NULL || (sketch->registers == NULL && sketch->n_entries == 0);
}

size_t fb_hyperloglog_memory(const struct fb_hyperloglog *sketch)
{
    if (sketch == NULL) {
        return 0;
    }
    size_t registers = sketch->registers != NULL ? sketch_registers(sketch->precision) : 0;
    return sizeof(*sketch) + registers + sketch->capacity * sizeof(uint32_t);
}

/* ---- bytes ------------------------------------------------------------------ */

static void sketch_encode_sparse(const struct fb_hyperloglog *sketch, struct fb_buf *to)
{
    uint32_t next = 0;

    fb_varint_append(to, sketch->n_entries);
    for (uint32_t i = 0; i < sketch->n_entries; i++) {
        uint32_t index = sketch->entries[i] >> RANK_BITS;

        fb_varint_append(to, index - next);
        if (sketch_fine_rank(index) == 0) {
            fb_buf_append_byte(to, (char)(sketch->entries[i] & RANK_MASK));
        }
        next = index + 1;
    }
}

static void sketch_encode_dense(const struct fb_hyperloglog *sketch, struct fb_buf *to)
{
    size_t n = sketch_registers(sketch->precision);
    uint8_t base = UINT8_MAX;

    for (size_t i = 0; i < n; i++) {
        base = FB_MIN(base, sketch->registers[i]);
    }
    fb_buf_append_byte(to, (char)base);
    char *nibbles = fb_buf_reserve(to, n / 2);
    for (size_t i = 0; i < n; i += 2) {
        unsigned low = FB_MIN(sketch->registers[i] - base, NIBBLE_MORE);
        unsigned high = FB_MIN(sketch->registers[i + 1] - base, NIBBLE_MORE);
        nibbles[i / 2] = (char)(unsigned char)(high << 4 | low);
    }
    fb_buf_add(to, n / 2);
    for (size_t i = 0; i < n; i++) {
        if (sketch->registers[i] - base >= NIBBLE_MORE) {
            fb_buf_append_byte(to, (char)sketch->registers[i]);
        }
    }
}

void fb_hyperloglog_encode(const struct fb_hyperloglog *sketch, struct fb_buf *to)
{
    bool dense = sketch->registers != NULL;

    fb_buf_append_byte(to, (char)(sketch->precision << 1 | (dense ? FORM_DENSE : FORM_SPARSE)));
    if (dense) {
        sketch_encode_dense(sketch, to);
    } else {
        sketch_encode_sparse(sketch, to);
    }
}

static int sketch_take_byte(struct fb_str *bytes, uint32_t *ret_byte)
{
    if (bytes->len == 0) {
        return FB_E_MALFORMED;
    }
    *ret_byte = (unsigned char)bytes->ptr[0];
    *bytes = fb_str_skip(*bytes, 1);
    return FB_OK;
}

/* The rank that stands behind an index whose fine bits are zero. */
static int sketch_take_rank(unsigned precision, struct fb_str *bytes, uint32_t *ret_rank)
{
    int err = sketch_take_byte(bytes, ret_rank);
    if (err < 0) {
        return err;
    }
    bool possible = *ret_rank > FINE_BITS && *ret_rank <= 64 - precision + 1;
    return possible ? FB_OK : FB_E_MALFORMED;
}

static int sketch_decode_sparse(struct fb_hyperloglog *sketch, struct fb_str *bytes)
{
    uint64_t n = 0;
    uint64_t next = 0;
    uint64_t end = (uint64_t)sketch_registers(sketch->precision) << FINE_BITS;

    int err = fb_varint_take(bytes, &n);
    if (err < 0 || n > sketch_max_sparse(sketch->precision) || n > bytes->len) {
        return FB_E_MALFORMED;
    }
    sketch->capacity = (uint32_t)n;
    sketch->entries = n > 0 ? fb_alloc_array((size_t)n, sizeof(uint32_t)) : NULL;
    for (; sketch->n_entries < n; sketch->n_entries++) {
        uint64_t skip = 0;

        err = fb_varint_take(bytes, &skip);
        if (err < 0 || skip >= end - next) {
            return FB_E_MALFORMED;
        }
        uint32_t index = (uint32_t)(next + skip);
        uint32_t rank = sketch_fine_rank(index);
        if (rank == 0) {
            err = sketch_take_rank(sketch->precision, bytes, &rank);
            if (err < 0) {
                return err;
            }
        }
        sketch->entries[sketch->n_entries] = index << RANK_BITS | rank;
        next = (uint64_t)index + 1;
    }
    return FB_OK;
}

/* Whether the registers are possible, something was seen, and the base is the least of them. */
static bool sketch_is_dense(const struct fb_hyperloglog *sketch, uint32_t base)
{
    uint32_t least = UINT8_MAX;
    uint32_t most = 0;

    for (size_t i = 0; i < sketch_registers(sketch->precision); i++) {
        least = FB_MIN(least, sketch->registers[i]);
        most = FB_MAX(most, sketch->registers[i]);
    }
    return least == base && most > 0 && most <= 64 - sketch->precision + 1;
}

static int sketch_decode_dense(struct fb_hyperloglog *sketch, struct fb_str *bytes)
{
    size_t n = sketch_registers(sketch->precision);
    uint32_t base = 0;

    int err = sketch_take_byte(bytes, &base);
    if (err < 0 || bytes->len < n / 2 || base > 64 - sketch->precision + 1) {
        return FB_E_MALFORMED;
    }
    struct fb_str nibbles = fb_str_first(*bytes, n / 2);
    *bytes = fb_str_skip(*bytes, n / 2);
    sketch->registers = fb_alloc(n);
    for (size_t i = 0; i < n; i++) {
        uint32_t rank = (unsigned char)nibbles.ptr[i / 2] >> (i % 2 == 0 ? 0 : 4) & 0xf;

        if (rank == NIBBLE_MORE) {
            err = sketch_take_byte(bytes, &rank);
            if (err < 0 || rank < base + NIBBLE_MORE) {
                return FB_E_MALFORMED;
            }
        } else {
            rank += base;
        }
        sketch->registers[i] = (uint8_t)rank;
    }
    return sketch_is_dense(sketch, base) ? FB_OK : FB_E_MALFORMED;
}

int fb_hyperloglog_decode(struct fb_str *bytes, unsigned precision,
                          struct fb_hyperloglog **ret_sketch)
{
    struct fb_str rest = *bytes;
    uint32_t head = 0;

    int err = sketch_take_byte(&rest, &head);
    if (err < 0) {
        return err;
    }
    if (head >> 1 != precision) {
        return FB_E_UNSUPPORTED;
    }
    struct fb_hyperloglog *sketch = fb_hyperloglog_new(precision);
    err = (head & 1) == FORM_DENSE ? sketch_decode_dense(sketch, &rest)
                                   : sketch_decode_sparse(sketch, &rest);
    if (err < 0) {
        fb_hyperloglog_free(sketch);
        return err;
    }
    *bytes = rest;
    *ret_sketch = sketch;
    return FB_OK;
}
