/*
 * The format is what these bytes say (docs/store-format.md). A test that fails here
 * means that volumes in the field cannot be read any more: another format version.
 */
#include "base/core/text.h"
#include "edge/format/format.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const char golden_superblock[] =
    "4642564f4c554d45f0df9133ec585f88010000007b0000001011121314151617"
    "18191a1b1c1d1e1f7b6c50c4a00100000000803e000000000000800000000000"
    "0000c00000000000002000000000000000e05d00000000000010000000001000"
    "0400000005000000626f782d37";

static const char golden_zone_header[] =
    "46425a4f4e45000075f82be5fd2cbb3601000000110000002a00000010111213"
    "101112131415161718191a1b1c1d1e1f7b6c50c4a00100000700000010111213"
    "0605040302010000222200000000000033330000000000004444000000000000"
    "0906050302010000dc5000000000000028510000000000005505000000000000"
    "2751000000000000660600000000000026510000000000007707";

static const char golden_extent[] =
    "4642455854454e54f4673fd757af956b01000101090000002a00000010111213"
    "0301000001000000f8f7f6f5f4f3f2f1e8e7e6e5e4e3e2e10110700000000000"
    "7b6c50c4a0010000a4a3a2a10a001c000a000000000000008877665544332211"
    "000000000000100000000000011000000000000000000000b8b7b6b5b4b3b2b1"
    "0000000000000000c8c7c6c5c4c3c2c1687474703a2f2f762e6578616d706c65"
    "2f612f7365672d312e6d347373746174757320323030";

static const char golden_purge[] =
    "4642505552474500fca786a49e36c321010001000c0100002a00000010111213"
    "0100000000000000f8f7f6f5f4f3f2f100000000000000000000000000000000"
    "7b6c50c4a001000000000000000000000000000000000000f4673fd757af956b";

static const char golden_ledger[] =
    "46424c4544474552f85c9e90429fd592010001000d0100002a00000010111213"
    "0100000000000000000000000000000000000000000000000000000000000000"
    "7b6c50c4a001000000000000000000000000000000000000fca786a49e36c321"
    "0000000000000000000000000000000000000000000000000000000000000000"
    "0000000000000000000000000000000006050403020100002222000000000000"
    "333300000000000044440000000000000906050302010000dc50000000000000"
    "2851000000000000550500000000000027510000000000006606000000000000"
    "26510000000000007707";

static const char golden_footer[] =
    "464253554d4d5259a3630ab2f17ee59801000000110000002a00000010111213"
    "02000000020000009cca9c3ee5bd7867";

static const char golden_listings[] =
    "f8f7f6f5f4f3f2f1e8e7e6e5e4e3e2e10100000011000000090000000301010a"
    "a4a3a2a1469607000701000000000000f8f7f6f5f4f3f2f10000000000000000"
    "00000000110000000c0100000100010000000000469607000002";

static const char golden_checkpoint_head[] =
    "4642434845434b50eefeb3231622cb3401000000120000001f00000000000000"
    "101112131415161718191a1b1c1d1e1f7b6c50c4a00100000100000000000000"
    "0020000000000000a174f8cca883774306050403020100002222000000000000"
    "333300000000000044440000000000000906050302010000dc50000000000000"
    "2851000000000000550500000000000027510000000000006606000000000000"
    "26510000000000007707";

static const char golden_checkpoint_body[] =
    "0000000000000000000000000000000000000000000000000000000000000000"
    "0000000000000000000000000000000000000000000000000000000000000000"
    "0000000000000000000000000000000000000000000000000000000000000000"
    "0000000000000000000000000000000000000000000000000000000000000000"
    "0000000000000000000000000000000000000000000000000000000000000000"
    "0000000000000000000000000000000000000000000000000000000000000000"
    "0000000000000000000000000000000000000000000000000000000000000000"
    "0000000000000000000000000000000000000000000000000000000000000000"
    "000000000000000000000000010000002a000000101112130e01000000000000"
    "f8f7f6f5f4f3f2f1e8e7e6e5e4e3e2e10100000011000000090000000301010a"
    "a4a3a2a1469607000701";

static const struct edge_written written = {
    .admission = 0x10203040506,
    .rewriting = 0x2222,
    .metadata = 0x3333,
    .reserve = 0x4444,
    .budget = {.ever_bytes = 0x10203050609,
               .first_day = 20700,
               .days = {{20776, 0x555}, {20775, 0x666}, {20774, 0x777}}},
};

static const uint8_t uuid[16] = {0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17,
                                 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f};

enum { WALL_HOUR = 497222, ZONE = 17, N_ZONES = 18 };

static const int64_t wall_ms = 1790000000123;
static const uint64_t generation = 0x131211100000002a;

static const struct edge_listing listings[] = {
    {.kind = EDGE_RECORD_EXTENT,
     .id = {.fingerprint = 0xf1f2f3f4f5f6f7f8, .version = 0xe1e2e3e4e5e6e7e8, .number = 1},
     .place = {.zone = ZONE,
               .block = 9,
               .n_blocks = 259,
               .title = 0xa1a2a3a4,
               .hour = WALL_HOUR,
               .n_head_blocks = 1,
               .mask = 0xa,
               .heat = 7}},
    {.kind = EDGE_RECORD_PURGE,
     .id = {.fingerprint = 0xf1f2f3f4f5f6f7f8},
     .place = {.zone = ZONE, .block = 268, .n_blocks = 1, .hour = WALL_HOUR, .n_head_blocks = 1}},
};

static struct edge_record extent_record(void)
{
    return (struct edge_record){
        .kind = EDGE_RECORD_EXTENT,
        .generation = generation,
        .block = 9,
        .previous = 0x1122334455667788,
        .is_rewritten = true,
        .n_head_blocks = 1,
        .n_blocks = 1 + 256 + 2,
        .head = {.id = listings[0].id,
                 .key = FB_STR("http://v.example/a/seg-1.m4s"),
                 .meta = FB_STR("status 200"),
                 .length = 7 * EDGE_CHUNK_BYTES + 4097,
                 .title = 0xa1a2a3a4,
                 .mask = 0xa,
                 .wall_ms = wall_ms},
        .chunk_bytes = {0, EDGE_CHUNK_BYTES, 0, 4097},
        .chunk_sums = {0, 0xb1b2b3b4b5b6b7b8, 0, 0xc1c2c3c4c5c6c7c8},
    };
}

/* The block is `hex`, then zeros. */
static void assert_block(const char *block, const char *hex)
{
    char expected[EDGE_FORMAT_BLOCK] = {0};
    struct fb_str digits = fb_str_from(hex);

    assert_int_equal(fb_text_unhex(digits, expected, digits.len / 2), 0);
    assert_memory_equal(block, expected, sizeof(expected));
}

static void a_superblock_has_these_bytes(void **state)
{
    (void)state;
    char block[EDGE_FORMAT_BLOCK];
    struct edge_superblock superblock = {
        .node = "box-7",
        .created_ms = wall_ms,
        .size = 1000 << 20,
        .zone_bytes = 8 << 20,
        .n_zones = 123,
        .zones_offset = 12 << 20,
        .checkpoint_offset = 8192,
        .checkpoint_bytes = 0x5de000,
    };
    memcpy(superblock.uuid, uuid, sizeof(uuid));
    edge_superblock_encode(&superblock, block);
    assert_block(block, golden_superblock);
}

static void a_zone_header_has_these_bytes(void **state)
{
    (void)state;
    char block[EDGE_FORMAT_BLOCK];
    struct edge_zone_header header = {
        .zone = ZONE,
        .generation = generation,
        .oldest = 0x1312111000000007,
        .wall_ms = wall_ms,
        .written = written,
    };
    memcpy(header.uuid, uuid, sizeof(uuid));
    edge_zone_header_encode(&header, block);
    assert_block(block, golden_zone_header);
}

static void records_have_these_bytes(void **state)
{
    (void)state;
    char block[EDGE_FORMAT_BLOCK];
    struct edge_record extent = extent_record();
    edge_record_encode(&extent, block);
    assert_block(block, golden_extent);

    struct edge_record purge = {
        .kind = EDGE_RECORD_PURGE,
        .generation = generation,
        .block = 268,
        .previous = extent.sum,
        .n_head_blocks = 1,
        .n_blocks = 1,
        .head = {.id.fingerprint = 0xf1f2f3f4f5f6f7f8, .wall_ms = wall_ms},
    };
    edge_record_encode(&purge, block);
    assert_block(block, golden_purge);

    struct edge_record ledger = {
        .kind = EDGE_RECORD_LEDGER,
        .generation = generation,
        .block = 269,
        .previous = purge.sum,
        .n_head_blocks = 1,
        .n_blocks = 1,
        .head.wall_ms = wall_ms,
        .written = written,
    };
    edge_record_encode(&ledger, block);
    assert_block(block, golden_ledger);
}

static void a_summary_has_these_bytes(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf blocks = {0};
    struct edge_summary summary = {.generation = generation, .zone = ZONE, .n = 2};
    edge_summary_encode(&summary, listings, &blocks);
    assert_int_equal(blocks.len, 2 * EDGE_FORMAT_BLOCK);
    assert_block(blocks.ptr, golden_listings);
    assert_block(blocks.ptr + EDGE_FORMAT_BLOCK, golden_footer);
}

static void a_checkpoint_has_these_bytes(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};
    struct edge_checkpoint checkpoint = {
        .sequence = 31, .wall_ms = wall_ms, .written = written, .n_zones = N_ZONES};
    memcpy(checkpoint.uuid, uuid, sizeof(uuid));
    edge_checkpoint_begin(&checkpoint, &bytes);
    for (uint32_t i = 0; i < N_ZONES; i++) {
        edge_checkpoint_add_zone(
            &bytes, &(struct edge_checkpoint_zone){.generation = i == ZONE ? generation : 0,
                                                   .n_blocks = i == ZONE ? 270 : 0,
                                                   .is_sealed = i == ZONE - 1});
    }
    edge_checkpoint_add_listing(&bytes, &listings[0]);
    edge_checkpoint_end(&bytes);
    assert_int_equal(bytes.len, 2 * EDGE_FORMAT_BLOCK);
    assert_block(bytes.ptr, golden_checkpoint_head);
    assert_block(bytes.ptr + EDGE_FORMAT_BLOCK, golden_checkpoint_body);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_superblock_has_these_bytes),
        cmocka_unit_test(a_zone_header_has_these_bytes),
        cmocka_unit_test(records_have_these_bytes),
        cmocka_unit_test(a_summary_has_these_bytes),
        cmocka_unit_test(a_checkpoint_has_these_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
