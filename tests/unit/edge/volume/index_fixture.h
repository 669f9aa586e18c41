/*
 * What the tests of the index share.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/err.h"
#include "edge/volume/index.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { ZONES = 8, BLOCKS_A_RECORD = 3 };

static inline struct edge_extent_id id_of(uint64_t key, uint64_t version, uint32_t number)
{
    return (struct edge_extent_id){
        .fingerprint = key * UINT64_C(0x9e3779b97f4a7c15),
        .version = version << 32,
        .number = number,
    };
}

static inline struct edge_place place_at(uint32_t zone, uint32_t block, uint8_t mask)
{
    return (struct edge_place){
        .zone = zone,
        .block = block,
        .n_blocks = BLOCKS_A_RECORD,
        .title = block * 7,
        .hour = 490000,
        .n_head_blocks = (uint8_t)(1 + block % 4),
        .mask = mask,
        .heat = (uint8_t)(block % 16),
    };
}

static inline void add(struct edge_index *index, const struct edge_extent_id *id,
                       const struct edge_place *place)
{
    assert_int_equal(edge_index_add(index, id, place), FB_OK);
}

static inline void assert_same_place(const struct edge_place *got, const struct edge_place *want)
{
    assert_int_equal(got->zone, want->zone);
    assert_int_equal(got->block, want->block);
    assert_int_equal(got->n_blocks, want->n_blocks);
    assert_int_equal(got->title, want->title);
    assert_int_equal(got->hour, want->hour);
    assert_int_equal(got->n_head_blocks, want->n_head_blocks);
    assert_int_equal(got->mask, want->mask);
    assert_int_equal(got->heat, want->heat);
}
