#include "base/core/bytes.h"
#include "base/core/err.h"
#include "edge/format/format.h"
#include "tests/support/test_seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct edge_zone_header sample = {
    .uuid = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
    .zone = 17,
    .generation = 1000,
    .oldest = 940,
    .wall_ms = 1790000000123,
    .written =
        {
            .admission = 1,
            .rewriting = 2,
            .metadata = UINT64_MAX,
            .reserve = 4,
            .budget = {.ever_bytes = 5, .first_day = -6, .days = {{7, 8}, {-9, 10}, {11, 12}}},
        },
};

static void a_header_comes_back(void **state)
{
    (void)state;
    char block[EDGE_FORMAT_BLOCK];
    struct edge_zone_header read;
    edge_zone_header_encode(&sample, block);
    assert_int_equal(edge_zone_header_decode(block, &read), FB_OK);
    assert_memory_equal(read.uuid, sample.uuid, sizeof(read.uuid));
    assert_int_equal(read.zone, sample.zone);
    assert_int_equal(read.generation, sample.generation);
    assert_int_equal(read.oldest, sample.oldest);
    assert_int_equal(read.wall_ms, sample.wall_ms);
    assert_memory_equal(&read.written, &sample.written, sizeof(read.written));
}

static void every_flipped_bit_is_found(void **state)
{
    (void)state;
    char block[EDGE_FORMAT_BLOCK];
    struct edge_zone_header read;
    edge_zone_header_encode(&sample, block);
    for (size_t bit = 0; bit < sizeof(block) * 8; bit++) {
        block[bit / 8] = (char)(block[bit / 8] ^ (1 << bit % 8));
        assert_int_equal(edge_zone_header_decode(block, &read),
                         bit / 8 < 8 ? FB_E_MALFORMED : FB_E_CORRUPT);
        block[bit / 8] = (char)(block[bit / 8] ^ (1 << bit % 8));
    }
}

static void impossible_numbers_are_damage(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint64_t value;
    } cases[] = {
        {24, 0},          /* generation */
        {24, 939},        /* older than the oldest */
        {56, 1001},       /* an oldest that is newer */
        {56, UINT64_MAX}, /**/
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char block[EDGE_FORMAT_BLOCK];
        struct edge_zone_header read;
        edge_zone_header_encode(&sample, block);
        fb_put_u64(block + cases[i].at, cases[i].value);
        test_seal(block, sizeof(block));
        assert_int_equal(edge_zone_header_decode(block, &read), FB_E_CORRUPT);
    }
    char block[EDGE_FORMAT_BLOCK];
    struct edge_zone_header read;
    edge_zone_header_encode(&sample, block);
    fb_put_u32(block + 20, EDGE_FORMAT_MAX_ZONES);
    test_seal(block, sizeof(block));
    assert_int_equal(edge_zone_header_decode(block, &read), FB_E_CORRUPT);
}

static void another_version_is_not_supported(void **state)
{
    (void)state;
    char block[EDGE_FORMAT_BLOCK];
    struct edge_zone_header read;
    edge_zone_header_encode(&sample, block);
    block[16]++;
    test_seal(block, sizeof(block));
    assert_int_equal(edge_zone_header_decode(block, &read), FB_E_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_header_comes_back),
        cmocka_unit_test(every_flipped_bit_is_found),
        cmocka_unit_test(impossible_numbers_are_damage),
        cmocka_unit_test(another_version_is_not_supported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
