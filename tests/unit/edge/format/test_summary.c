#include "base/core/alloc.h"
#include "base/core/bytes.h"
#include "base/core/err.h"
#include "edge/format/format.h"
#include "tests/support/test_seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

enum { N = 200 }; /* listings: three blocks of them */

struct fixture {
    struct edge_listing listings[N];
    struct edge_summary summary;
    struct fb_buf blocks;
    char *footer;
};

static struct edge_listing listing_of(uint32_t i)
{
    struct edge_listing listing = {
        .kind = EDGE_RECORD_EXTENT,
        .id = {.fingerprint = i * 0x9e3779b97f4a7c15, .version = i + 7, .number = i % 3},
        .place =
            {
                .zone = 5,
                .block = 1 + i * 8,
                .n_blocks = 1 + 7,
                .title = i,
                .hour = 497222 + i,
                .n_head_blocks = 1,
                .mask = 2,
                .heat = i % (EDGE_HEAT_MAX + 1),
            },
    };
    if (i % 10 == 9) {
        listing.kind = EDGE_RECORD_PURGE;
        listing.id.version = 0;
        listing.id.number = 0;
        listing.place.n_blocks = 1;
        listing.place.mask = 0;
        listing.place.heat = 0;
        listing.place.title = 0;
    }
    return listing;
}

static int set_up(void **state)
{
    struct fixture *fixture = FB_NEW(struct fixture);

    for (uint32_t i = 0; i < N; i++) {
        fixture->listings[i] = listing_of(i);
    }
    fixture->summary = (struct edge_summary){.generation = 12, .zone = 5, .n = N};
    edge_summary_encode(&fixture->summary, fixture->listings, &fixture->blocks);
    fixture->summary.n_blocks = edge_summary_blocks(N);
    fixture->footer = fixture->blocks.ptr + fixture->blocks.len - EDGE_FORMAT_BLOCK;
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;

    fb_buf_done(&fixture->blocks);
    fb_free(fixture);
    return 0;
}

/* Puts right sums on what was changed. */
static void seal(struct fixture *fixture)
{
    test_seal_both(fixture->footer, 40, fixture->blocks.ptr,
                   fixture->blocks.len - EDGE_FORMAT_BLOCK);
}

static void assert_same(const struct edge_listing *a, const struct edge_listing *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_true(a->id.fingerprint == b->id.fingerprint && a->id.version == b->id.version);
    assert_int_equal(a->id.number, b->id.number);
    assert_int_equal(a->place.zone, b->place.zone);
    assert_int_equal(a->place.block, b->place.block);
    assert_int_equal(a->place.n_blocks, b->place.n_blocks);
    assert_int_equal(a->place.title, b->place.title);
    assert_int_equal(a->place.hour, b->place.hour);
    assert_int_equal(a->place.n_head_blocks, b->place.n_head_blocks);
    assert_int_equal(a->place.mask, b->place.mask);
    assert_int_equal(a->place.heat, b->place.heat);
}

static void a_summary_comes_back(void **state)
{
    struct fixture *fixture = *state;
    struct edge_summary read;
    assert_int_equal(fixture->blocks.len, 4 * EDGE_FORMAT_BLOCK);
    assert_int_equal(edge_summary_decode_footer(fixture->footer, &read), FB_OK);
    assert_int_equal(read.generation, 12);
    assert_int_equal(read.zone, 5);
    assert_int_equal(read.n, N);
    assert_int_equal(read.n_blocks, 4);
    assert_int_equal(edge_summary_verify(fixture->blocks.ptr, &read), FB_OK);
    for (uint32_t i = 0; i < N; i++) {
        struct edge_listing listing;
        assert_int_equal(edge_summary_get(fixture->blocks.ptr, &read, i, &listing), FB_OK);
        assert_same(&listing, &fixture->listings[i]);
    }
}

static void an_empty_summary_is_a_footer(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf blocks = {0};
    struct edge_summary read;
    struct edge_summary written = {.generation = 12, .zone = 5};
    edge_summary_encode(&written, NULL, &blocks);
    assert_int_equal(blocks.len, EDGE_FORMAT_BLOCK);
    assert_int_equal(edge_summary_decode_footer(blocks.ptr, &read), FB_OK);
    assert_int_equal(edge_summary_verify(blocks.ptr, &read), FB_OK);
}

static void it_is_appended_to_what_was_there(void **state)
{
    struct fixture *fixture = *state;
    edge_summary_encode(&fixture->summary, fixture->listings, &fixture->blocks);
    size_t n = fixture->blocks.len / 2;
    assert_memory_equal(fixture->blocks.ptr, fixture->blocks.ptr + n, n);
}

static void every_flipped_bit_is_found(void **state)
{
    struct fixture *fixture = *state;
    char *bytes = fixture->blocks.ptr;
    size_t begin = fixture->blocks.len - EDGE_FORMAT_BLOCK;
    for (size_t bit = 0; bit < fixture->blocks.len * 8; bit++) {
        struct edge_summary read;
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
        bool is_magic = bit / 8 >= begin && bit / 8 < begin + 8;
        assert_int_equal(edge_summary_verify(bytes, &fixture->summary),
                         is_magic ? FB_E_MALFORMED : FB_E_CORRUPT);
        if (bit / 8 >= begin) {
            assert_true(edge_summary_decode_footer(fixture->footer, &read) < 0);
        }
        bytes[bit / 8] = (char)(bytes[bit / 8] ^ (1 << bit % 8));
    }
}

static void a_summary_torn_at_any_block_is_damage(void **state)
{
    struct fixture *fixture = *state;
    for (size_t at = 0; at < fixture->blocks.len; at += EDGE_FORMAT_BLOCK) {
        char kept[EDGE_FORMAT_BLOCK];
        memcpy(kept, fixture->blocks.ptr + at, sizeof(kept));
        memset(fixture->blocks.ptr + at, 0, sizeof(kept));
        assert_true(edge_summary_verify(fixture->blocks.ptr, &fixture->summary) < 0);
        memcpy(fixture->blocks.ptr + at, kept, sizeof(kept));
    }
    assert_int_equal(edge_summary_verify(fixture->blocks.ptr, &fixture->summary), FB_OK);
}

static void another_zone_or_life_is_not_this_one(void **state)
{
    struct fixture *fixture = *state;
    struct edge_summary other = fixture->summary;
    other.generation++;
    assert_int_equal(edge_summary_verify(fixture->blocks.ptr, &other), FB_E_CORRUPT);
    other = fixture->summary;
    other.zone++;
    assert_int_equal(edge_summary_verify(fixture->blocks.ptr, &other), FB_E_CORRUPT);
    other = fixture->summary;
    other.n--;
    assert_int_equal(edge_summary_verify(fixture->blocks.ptr, &other), FB_E_CORRUPT);
}

static void counts_that_do_not_fit_each_other_are_damage(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        size_t at;
        uint32_t value;
    } cases[] = {
        {20, EDGE_FORMAT_MAX_ZONES}, /* zone */
        {24, 0},                     /* generation */
        {32, 0},
        {32, UINT32_MAX}, /* n */
        {32, 65536},      /* more than a zone has blocks */
        {32, 89478486},   /* its bytes are 2 to the 32nd */
        {36, 0},
        {36, 3}, /* n_blocks */
        {36, UINT32_MAX},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char kept[EDGE_FORMAT_BLOCK];
        struct edge_summary read;
        memcpy(kept, fixture->footer, sizeof(kept));
        fb_put_u32(fixture->footer + cases[i].at, cases[i].value);
        seal(fixture);
        assert_int_equal(edge_summary_decode_footer(fixture->footer, &read), FB_E_CORRUPT);
        memcpy(fixture->footer, kept, sizeof(kept));
    }
}

static void impossible_listings_are_damage(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        size_t at;
        uint32_t value;
    } cases[] = {
        {20, 4},                         /* of another zone */
        {24, 0},                         /* block */
        {24, 65536},                     /* beyond any zone */
        {24, 65536 - 7},                 /* ends beyond any zone */
        {28, 2U << 24 | 1U << 16 | 1},   /* no room for its chunk */
        {28, 2U << 24 | 1U << 16 | 258}, /* too many blocks for its chunk */
        {28, 2U << 24 | 0U << 16 | 8},   /* no head */
        {28, 2U << 24 | 5U << 16 | 8},   /* too long a head */
        {28, 0U << 24 | 1U << 16 | 8},   /* no chunk */
        {28, 16U << 24 | 1U << 16 | 8},  /* a chunk that no extent has */
        {40, 1U << 8 | 16},              /* heat */
        {40, 0},                         /* kind */
        {40, 2U << 8},                   /* a purge with chunks */
        {40, 3U << 8},                   /* ledgers are not listed */
        {40, 255U << 8},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char kept[EDGE_LISTING_BYTES];
        char *bytes = fixture->blocks.ptr + (size_t)3 * EDGE_LISTING_BYTES;
        struct edge_listing read;
        memcpy(kept, bytes, sizeof(kept));
        fb_put_u32(bytes + cases[i].at, cases[i].value);
        seal(fixture);
        assert_int_equal(edge_summary_verify(fixture->blocks.ptr, &fixture->summary), FB_OK);
        assert_int_equal(edge_summary_get(fixture->blocks.ptr, &fixture->summary, 3, &read),
                         FB_E_CORRUPT);
        memcpy(bytes, kept, sizeof(kept));
    }
}

#define WITH_FIXTURE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(a_summary_comes_back),
        cmocka_unit_test(an_empty_summary_is_a_footer),
        WITH_FIXTURE(it_is_appended_to_what_was_there),
        WITH_FIXTURE(every_flipped_bit_is_found),
        WITH_FIXTURE(a_summary_torn_at_any_block_is_damage),
        WITH_FIXTURE(another_zone_or_life_is_not_this_one),
        WITH_FIXTURE(counts_that_do_not_fit_each_other_are_damage),
        WITH_FIXTURE(impossible_listings_are_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
