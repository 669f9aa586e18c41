#include "base/core/attr.h"
#include "base/core/bytes.h"
#include "base/core/err.h"
#include "edge/format/format.h"
#include "tests/support/test_random.h"
#include "tests/support/test_seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#define MIB ((uint64_t)1024 * 1024)

static struct edge_superblock sample(uint64_t size)
{
    struct edge_superblock superblock;

    assert_int_equal(edge_superblock_plan(size, &superblock), FB_OK);
    memcpy(superblock.uuid, "0123456789abcdef", sizeof(superblock.uuid));
    memcpy(superblock.node, "box-7", 6);
    superblock.created_ms = 1790000000123;
    superblock.was_logged = true;
    superblock.doubted = 1790000000456;
    return superblock;
}

static void assert_same(const struct edge_superblock *a, const struct edge_superblock *b)
{
    assert_memory_equal(a->uuid, b->uuid, sizeof(a->uuid));
    assert_string_equal(a->node, b->node);
    assert_int_equal(a->created_ms, b->created_ms);
    assert_int_equal(a->size, b->size);
    assert_int_equal(a->zone_bytes, b->zone_bytes);
    assert_int_equal(a->n_zones, b->n_zones);
    assert_int_equal(a->zones_offset, b->zones_offset);
    assert_int_equal(a->checkpoint_offset, b->checkpoint_offset);
    assert_int_equal(a->checkpoint_bytes, b->checkpoint_bytes);
    assert_int_equal(a->was_logged, b->was_logged);
    assert_int_equal(a->doubted, b->doubted);
}

static void a_superblock_comes_back(void **state)
{
    (void)state;
    char block[EDGE_FORMAT_BLOCK];
    struct edge_superblock read;
    struct edge_superblock written = sample(1000 * MIB);
    edge_superblock_encode(&written, block);
    assert_int_equal(edge_superblock_decode(block, &read), FB_OK);
    assert_same(&read, &written);
}

static void a_node_of_the_longest_name_comes_back(void **state)
{
    (void)state;
    char block[EDGE_FORMAT_BLOCK];
    struct edge_superblock read;
    struct edge_superblock written = sample(1000 * MIB);
    memset(written.node, 'n', EDGE_FORMAT_NODE_MAX);
    edge_superblock_encode(&written, block);
    assert_int_equal(edge_superblock_decode(block, &read), FB_OK);
    assert_same(&read, &written);
}

static void any_size_is_laid_out_within_its_bounds(void **state)
{
    (void)state;
    struct test_random random = test_random_new();
    unsigned n_planned = 0;
    for (unsigned i = 0; i < 20000; i++) {
        uint64_t size = test_random_next(&random) >> test_random_below(&random, 64);
        char block[EDGE_FORMAT_BLOCK];
        struct edge_superblock plan;
        struct edge_superblock read;
        if (edge_superblock_plan(size, &plan) < 0) {
            assert_true(size < 40 * MIB);
            continue;
        }
        plan.node[0] = 'n';
        edge_superblock_encode(&plan, block);
        assert_int_equal(edge_superblock_decode(block, &read), FB_OK);
        assert_same(&read, &plan);
        assert_true(plan.size <= size);
        assert_true(plan.n_zones >= EDGE_FORMAT_MIN_ZONES);
        size_t n = edge_superblock_max_entries(&plan);
        assert_true(edge_checkpoint_bytes(plan.n_zones, n) <= plan.checkpoint_bytes);
        assert_true(edge_checkpoint_bytes(plan.n_zones, n + 1) > plan.checkpoint_bytes);
        n_planned++;
    }
    assert_true(n_planned > 1000);
}

static void zones_are_a_sixty_fourth_between_8_and_256_mib(void **state)
{
    (void)state;
    static const struct {
        uint64_t size;
        uint64_t zone_bytes;
    } cases[] = {
        {64, 8}, {512, 8}, {1023, 8}, {1024, 16}, {8192, 128}, {16384, 256}, {4000000, 256},
    };
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        struct edge_superblock plan = sample(cases[i].size * MIB);
        assert_int_equal(plan.zone_bytes, cases[i].zone_bytes * MIB);
        assert_true(plan.zones_offset + (plan.n_zones + 1) * plan.zone_bytes > plan.size);
    }
}

static void a_volume_of_8_gib_holds_a_million_entries(void **state)
{
    (void)state;
    struct edge_superblock plan = sample(8192 * MIB);
    assert_true(edge_superblock_max_entries(&plan) >= 1000000);
    assert_true(plan.zones_offset < plan.size / 50);
}

static void too_little_room_is_no_volume(void **state)
{
    (void)state;
    struct edge_superblock plan;
    assert_int_equal(edge_superblock_plan(0, &plan), FB_E_LIMIT);
    assert_int_equal(edge_superblock_plan(32 * MIB, &plan), FB_E_LIMIT);
    assert_int_equal(edge_superblock_plan(33 * MIB, &plan), FB_OK);
    assert_int_equal(plan.n_zones, EDGE_FORMAT_MIN_ZONES);
}

static void every_flipped_bit_is_found(void **state)
{
    (void)state;
    char block[EDGE_FORMAT_BLOCK];
    struct edge_superblock read;
    struct edge_superblock written = sample(1000 * MIB);
    edge_superblock_encode(&written, block);
    for (size_t bit = 0; bit < sizeof(block) * 8; bit++) {
        block[bit / 8] = (char)(block[bit / 8] ^ (1 << bit % 8));
        assert_int_equal(edge_superblock_decode(block, &read),
                         bit / 8 < 8 ? FB_E_MALFORMED : FB_E_CORRUPT);
        block[bit / 8] = (char)(block[bit / 8] ^ (1 << bit % 8));
    }
}

static void blank_and_foreign_blocks_are_no_superblocks(void **state)
{
    (void)state;
    char block[EDGE_FORMAT_BLOCK] = {0};
    struct edge_superblock read;
    assert_int_equal(edge_superblock_decode(block, &read), FB_E_MALFORMED);
    memset(block, 0xff, sizeof(block));
    assert_int_equal(edge_superblock_decode(block, &read), FB_E_MALFORMED);
}

static void another_version_or_unit_is_not_supported(void **state)
{
    (void)state;
    static const size_t places[] = {16, 88, 92, 96};
    struct edge_superblock written = sample(1000 * MIB);
    for (size_t i = 0; i < FB_ARRAY_LEN(places); i++) {
        char block[EDGE_FORMAT_BLOCK];
        struct edge_superblock read;
        edge_superblock_encode(&written, block);
        block[places[i]]++;
        test_seal(block, sizeof(block));
        assert_int_equal(edge_superblock_decode(block, &read), FB_E_UNSUPPORTED);
    }
}

static void a_layout_beyond_the_volume_is_damage(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint64_t value;
    } cases[] = {
        {48, 0},                        /* size */
        {48, UINT64_MAX},               /**/
        {48, 900 * MIB},                /* fewer than the zones need */
        {56, 0},                        /* zone_bytes */
        {56, 4 * MIB},                  /* too small */
        {56, 12 * MIB},                 /* no power of two */
        {56, 512 * MIB},                /* too large */
        {56, UINT64_MAX},               /**/
        {64, 0},                        /* zones_offset: over the slots */
        {64, UINT64_MAX - 4095},        /**/
        {64, 16 * MIB + 1},             /* no whole block */
        {64, 999 * MIB},                /* zones end outside */
        {72, 4096},                     /* checkpoint_offset: over the copy */
        {72, 16 * MIB},                 /* over the zones */
        {72, UINT64_MAX - 4095},        /**/
        {72, 8193},                     /* no whole block */
        {80, 0},                        /* checkpoint_bytes */
        {80, 4096},                     /* no room for the zones */
        {80, (uint64_t)1 << 63},        /* doubled, it would be 0 */
        {80, 1000 * MIB},               /**/
        {80, 8191},                     /* no whole block */
        {100, 0},                       /* no node */
        {100, EDGE_FORMAT_NODE_MAX + 1} /* a node too long */
    };
    struct edge_superblock written = sample(1000 * MIB);
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        char block[EDGE_FORMAT_BLOCK];
        struct edge_superblock read;
        edge_superblock_encode(&written, block);
        if (cases[i].at == 100) {
            fb_put_u32(block + cases[i].at, (uint32_t)cases[i].value);
        } else {
            fb_put_u64(block + cases[i].at, cases[i].value);
        }
        test_seal(block, sizeof(block));
        assert_int_equal(edge_superblock_decode(block, &read), FB_E_CORRUPT);
    }
}

static void impossible_numbers_of_zones_are_damage(void **state)
{
    (void)state;
    static const uint32_t counts[] = {0, 3, 1000, EDGE_FORMAT_MAX_ZONES + 1, UINT32_MAX};
    struct edge_superblock written = sample(1000 * MIB);
    for (size_t i = 0; i < FB_ARRAY_LEN(counts); i++) {
        char block[EDGE_FORMAT_BLOCK];
        struct edge_superblock read;
        written.n_zones = counts[i];
        edge_superblock_encode(&written, block);
        assert_int_equal(edge_superblock_decode(block, &read), FB_E_CORRUPT);
    }
}

static void places_outside_of_their_zone_are_not_held(void **state)
{
    (void)state;
    struct edge_superblock superblock = sample(1000 * MIB);
    uint32_t n = edge_superblock_zone_blocks(&superblock);
    struct edge_place good = {.zone = 1, .block = 1, .n_blocks = n - 1};
    assert_int_equal(n, superblock.zone_bytes / EDGE_FORMAT_BLOCK);
    assert_true(edge_superblock_holds(&superblock, &good));
    const struct edge_place bad[] = {
        {.zone = superblock.n_zones, .block = 1, .n_blocks = 2},
        {.zone = 0, .block = 0, .n_blocks = 2},
        {.zone = 0, .block = 1, .n_blocks = 0},
        {.zone = 0, .block = 1, .n_blocks = n},
        {.zone = 0, .block = n, .n_blocks = 1},
        {.zone = 0, .block = UINT32_MAX, .n_blocks = 2},
        {.zone = 0, .block = 2, .n_blocks = UINT32_MAX},
    };
    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        assert_false(edge_superblock_holds(&superblock, &bad[i]));
    }
}

static void generations_of_two_lives_do_not_meet(void **state)
{
    (void)state;
    struct edge_superblock a = sample(1000 * MIB);
    struct edge_superblock b = a;
    b.uuid[0] ^= 1;
    uint64_t first = edge_superblock_first_generation(&a);
    uint64_t second = edge_superblock_first_generation(&b);
    assert_true(first > 0 && first <= INT64_MAX);
    assert_true((first > second ? first - second : second - first) >= UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_superblock_comes_back),
        cmocka_unit_test(a_node_of_the_longest_name_comes_back),
        cmocka_unit_test(any_size_is_laid_out_within_its_bounds),
        cmocka_unit_test(zones_are_a_sixty_fourth_between_8_and_256_mib),
        cmocka_unit_test(a_volume_of_8_gib_holds_a_million_entries),
        cmocka_unit_test(too_little_room_is_no_volume),
        cmocka_unit_test(every_flipped_bit_is_found),
        cmocka_unit_test(blank_and_foreign_blocks_are_no_superblocks),
        cmocka_unit_test(another_version_or_unit_is_not_supported),
        cmocka_unit_test(a_layout_beyond_the_volume_is_damage),
        cmocka_unit_test(impossible_numbers_of_zones_are_damage),
        cmocka_unit_test(places_outside_of_their_zone_are_not_held),
        cmocka_unit_test(generations_of_two_lives_do_not_meet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
