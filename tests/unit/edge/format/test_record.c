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

enum { HEAD_MAX = EDGE_FORMAT_MAX_HEAD_BLOCKS * EDGE_FORMAT_BLOCK };

static char long_text[HEAD_MAX];
static char blocks[HEAD_MAX]; /* what is read and written */

/* Fills in what follows from head and strings. */
static void settle(struct edge_record *record)
{
    record->n_head_blocks =
        (uint8_t)edge_record_head_blocks(record->head.key.len, record->head.meta.len);
    record->n_blocks = record->n_head_blocks;
    for (unsigned i = 0; i < EDGE_EXTENT_CHUNKS; i++) {
        uint64_t chunk = (uint64_t)record->head.id.number * EDGE_EXTENT_CHUNKS + i;
        bool is_there = (record->head.mask >> i & 1) != 0;
        record->chunk_bytes[i] = is_there ? edge_chunk_bytes(record->head.length, chunk) : 0;
        record->chunk_sums[i] = is_there ? 0x1234567890abcdef + i : 0;
        record->n_blocks += edge_record_chunk_blocks(record->chunk_bytes[i]);
    }
}

/* Chunks 1 and 3 of the second extent of a body that ends in chunk 3. */
static struct edge_record sample(void)
{
    struct edge_record record = {
        .kind = EDGE_RECORD_EXTENT,
        .generation = 77,
        .block = 9,
        .previous = 5,
        .is_rewritten = true,
        .head =
            {
                .id = {.fingerprint = 0xfedcba9876543210, .version = 42, .number = 1},
                .key = FB_STR("https://v.example/a/seg-1.m4s"),
                .meta = FB_STR("status 200"),
                .length = 7 * (uint64_t)EDGE_CHUNK_BYTES + 4097,
                .title = 99,
                .mask = 0xa,
                .wall_ms = 1790000000123,
            },
    };
    settle(&record);
    return record;
}

static void assert_same(const struct edge_record *a, const struct edge_record *b)
{
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->generation, b->generation);
    assert_int_equal(a->block, b->block);
    assert_int_equal(a->n_blocks, b->n_blocks);
    assert_int_equal(a->n_head_blocks, b->n_head_blocks);
    assert_int_equal(a->is_rewritten, b->is_rewritten);
    assert_true(a->previous == b->previous && a->sum == b->sum);
    assert_true(a->head.id.fingerprint == b->head.id.fingerprint);
    assert_true(a->head.id.version == b->head.id.version);
    assert_int_equal(a->head.id.number, b->head.id.number);
    assert_true(fb_str_equal(a->head.key, b->head.key));
    assert_true(fb_str_equal(a->head.meta, b->head.meta));
    assert_true(a->head.length == b->head.length);
    assert_int_equal(a->head.title, b->head.title);
    assert_int_equal(a->head.mask, b->head.mask);
    assert_int_equal(a->head.wall_ms, b->head.wall_ms);
    assert_memory_equal(a->chunk_bytes, b->chunk_bytes, sizeof(a->chunk_bytes));
    assert_memory_equal(a->chunk_sums, b->chunk_sums, sizeof(a->chunk_sums));
}

static void an_extent_comes_back(void **state)
{
    (void)state;
    struct edge_record read;
    struct edge_record written = sample();
    edge_record_encode(&written, blocks);
    assert_true(written.sum != 0);
    assert_int_equal(edge_record_decode(blocks, EDGE_FORMAT_BLOCK, &read), FB_OK);
    assert_same(&read, &written);
    assert_int_equal(edge_record_decode(blocks, sizeof(blocks), &read), FB_OK);
}

static void chunks_follow_the_head_in_order(void **state)
{
    (void)state;
    struct edge_record record = sample();
    assert_int_equal(edge_record_chunk_block(&record, 1), 1);
    assert_int_equal(edge_record_chunk_block(&record, 3), 1 + 256);
    assert_int_equal(record.n_blocks, 1 + 256 + 2);
}

static void any_extent_comes_back(void **state)
{
    (void)state;
    struct test_random random = test_random_new();
    for (unsigned i = 0; i < 2000; i++) {
        struct edge_record read;
        struct edge_record written = sample();
        written.head.length =
            1 + (test_random_next(&random) >> (10 + test_random_below(&random, 54)));
        uint64_t n_chunks = (written.head.length - 1) / EDGE_CHUNK_BYTES + 1;
        uint64_t n_extents = (n_chunks - 1) / EDGE_EXTENT_CHUNKS + 1;
        written.head.id.number =
            (uint32_t)test_random_below(&random, FB_MIN(n_extents, (uint64_t)UINT32_MAX));
        written.head.mask = 1;
        for (unsigned c = 1; c < EDGE_EXTENT_CHUNKS; c++) {
            uint64_t chunk = (uint64_t)written.head.id.number * EDGE_EXTENT_CHUNKS + c;
            if (chunk < n_chunks && test_random_below(&random, 2) == 0) {
                written.head.mask = (uint8_t)(written.head.mask | 1U << c);
            }
        }
        written.head.key = (struct fb_str){long_text, test_random_below(&random, 3000)};
        written.head.meta = (struct fb_str){long_text, test_random_below(&random, 13000)};
        settle(&written);
        edge_record_encode(&written, blocks);
        assert_int_equal(edge_record_decode(blocks, sizeof(blocks), &read), FB_OK);
        assert_same(&read, &written);
    }
}

static void purges_and_ledgers_come_back(void **state)
{
    (void)state;
    char block[EDGE_FORMAT_BLOCK];
    struct edge_record read;
    struct edge_record purge = {
        .kind = EDGE_RECORD_PURGE,
        .generation = 3,
        .block = 12,
        .n_blocks = 1,
        .n_head_blocks = 1,
        .previous = 8,
        .head = {.id.fingerprint = UINT64_MAX, .wall_ms = -5},
    };
    edge_record_encode(&purge, block);
    assert_int_equal(edge_record_decode(block, sizeof(block), &read), FB_OK);
    assert_same(&read, &purge);

    struct edge_record ledger = purge;
    ledger.kind = EDGE_RECORD_LEDGER;
    ledger.head.id.fingerprint = 0;
    ledger.written = (struct edge_written){
        .admission = 1,
        .rewriting = 2,
        .metadata = UINT64_MAX,
        .reserve = 4,
        .budget = {.ever_bytes = 5, .first_day = -6, .days = {{7, 8}, {-9, 10}, {11, 12}}},
    };
    edge_record_encode(&ledger, block);
    assert_int_equal(edge_record_decode(block, sizeof(block), &read), FB_OK);
    assert_same(&read, &ledger);
    assert_memory_equal(&read.written, &ledger.written, sizeof(read.written));
}

static void heads_take_four_blocks_at_most(void **state)
{
    (void)state;
    size_t room = EDGE_FORMAT_BLOCK - 144;
    assert_int_equal(edge_record_head_blocks(0, 0), 1);
    assert_int_equal(edge_record_head_blocks(room, 0), 1);
    assert_int_equal(edge_record_head_blocks(room, 1), 2);
    assert_int_equal(edge_record_head_blocks(1, HEAD_MAX - 145), 4);
    assert_int_equal(edge_record_head_blocks(1, HEAD_MAX - 144), 0);
    assert_int_equal(edge_record_head_blocks(SIZE_MAX, 1), 0);
    assert_int_equal(edge_record_head_blocks(1, SIZE_MAX), 0);
}

static void every_flipped_bit_of_a_head_is_found(void **state)
{
    (void)state;
    struct edge_record read;
    struct edge_record written = sample();
    written.head.meta = (struct fb_str){long_text, EDGE_FORMAT_BLOCK};
    settle(&written);
    edge_record_encode(&written, blocks);
    assert_int_equal(written.n_head_blocks, 2);
    for (size_t bit = 0; bit < (size_t)2 * EDGE_FORMAT_BLOCK * 8; bit++) {
        blocks[bit / 8] = (char)(blocks[bit / 8] ^ (1 << bit % 8));
        int err = edge_record_decode(blocks, HEAD_MAX, &read);
        assert_true(err == (bit / 8 < 8 ? FB_E_MALFORMED : FB_E_CORRUPT));
        blocks[bit / 8] = (char)(blocks[bit / 8] ^ (1 << bit % 8));
    }
}

static void a_head_cut_at_any_block_asks_for_the_rest(void **state)
{
    (void)state;
    struct edge_record written = sample();
    written.head.meta = (struct fb_str){long_text, 3 * EDGE_FORMAT_BLOCK};
    settle(&written);
    edge_record_encode(&written, blocks);
    for (size_t n = 1; n < 4; n++) {
        struct edge_record read = {.n_head_blocks = 0};
        assert_int_equal(edge_record_decode(blocks, n * EDGE_FORMAT_BLOCK, &read), FB_E_LIMIT);
        assert_int_equal(read.n_head_blocks, 4);
    }
}

static void a_head_torn_at_any_block_is_damage(void **state)
{
    (void)state;
    struct edge_record read;
    struct edge_record written = sample();
    memset(long_text, 'x', sizeof(long_text));
    written.head.meta = (struct fb_str){long_text, 3 * EDGE_FORMAT_BLOCK};
    settle(&written);
    for (size_t n = 0; n < 4; n++) {
        edge_record_encode(&written, blocks);
        memset(blocks + n * EDGE_FORMAT_BLOCK, 0, (4 - n) * EDGE_FORMAT_BLOCK);
        assert_int_equal(edge_record_decode(blocks, HEAD_MAX, &read),
                         n == 0 ? FB_E_MALFORMED : FB_E_CORRUPT);
    }
}

static void numbers_that_do_not_fit_each_other_are_damage(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint32_t value;
    } cases[] = {
        {20, 0},                        /* block: that of the zone's header */
        {20, 65536},                    /* beyond any zone */
        {20, 65536 - 258},              /* ends beyond any zone */
        {32, 0},                        /* n_blocks */
        {32, 258},                      /* one less than there are */
        {32, UINT32_MAX},               /**/
        {36, 2},                        /* number: begins behind the body */
        {36, 0},                        /* the last chunk is whole there */
        {36, UINT32_MAX},               /**/
        {56, 0},                        /* length */
        {56, 7 * EDGE_CHUNK_BYTES},     /* without the last chunk */
        {56, 7 * EDGE_CHUNK_BYTES + 1}, /* with another last chunk */
        {76, 0},                        /* no chunk (with the key's length below) */
        {76, 29 << 16 | 0x1a},          /* chunks that no extent has */
        {76, 29 << 16 | 0xb},           /* a chunk without bytes */
        {76, 29 << 16 | 0x8},           /* bytes without a chunk */
        {76, 0xffffU << 16 | 0xa},      /* a key longer than the head */
        {80, UINT32_MAX},               /* meta longer than the head */
        {80, EDGE_FORMAT_BLOCK},        /* another number of head blocks */
        {96, 1},                        /* bytes of the absent chunk 0 */
        {100, EDGE_CHUNK_BYTES + 1},    /* too many bytes */
        {108, 4096},                    /* too few */
    };
    for (size_t i = 0; i < FB_ARRAY_LEN(cases); i++) {
        struct edge_record read;
        struct edge_record written = sample();
        edge_record_encode(&written, blocks);
        fb_put_u32(blocks + cases[i].at, cases[i].value);
        test_seal(blocks, EDGE_FORMAT_BLOCK);
        assert_int_equal(edge_record_decode(blocks, EDGE_FORMAT_BLOCK, &read), FB_E_CORRUPT);
    }
}

static void impossible_counts_of_head_blocks_are_damage(void **state)
{
    (void)state;
    static const unsigned char counts[] = {0, 5, 255};
    for (size_t i = 0; i < sizeof(counts); i++) {
        struct edge_record read;
        struct edge_record written = sample();
        edge_record_encode(&written, blocks);
        blocks[18] = (char)counts[i];
        test_seal(blocks, EDGE_FORMAT_BLOCK);
        assert_int_equal(edge_record_decode(blocks, sizeof(blocks), &read), FB_E_CORRUPT);
    }
}

static void another_version_is_not_supported(void **state)
{
    (void)state;
    struct edge_record read;
    struct edge_record written = sample();
    edge_record_encode(&written, blocks);
    blocks[16]++;
    test_seal(blocks, EDGE_FORMAT_BLOCK);
    assert_int_equal(edge_record_decode(blocks, sizeof(blocks), &read), FB_E_UNSUPPORTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_extent_comes_back),
        cmocka_unit_test(chunks_follow_the_head_in_order),
        cmocka_unit_test(any_extent_comes_back),
        cmocka_unit_test(purges_and_ledgers_come_back),
        cmocka_unit_test(heads_take_four_blocks_at_most),
        cmocka_unit_test(every_flipped_bit_of_a_head_is_found),
        cmocka_unit_test(a_head_cut_at_any_block_asks_for_the_rest),
        cmocka_unit_test(a_head_torn_at_any_block_is_damage),
        cmocka_unit_test(numbers_that_do_not_fit_each_other_are_damage),
        cmocka_unit_test(impossible_counts_of_head_blocks_are_damage),
        cmocka_unit_test(another_version_is_not_supported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
