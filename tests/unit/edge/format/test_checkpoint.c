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

enum { N_ZONES = 7, N_LISTINGS = 180 }; /* three blocks with the head's */

static const struct edge_checkpoint sample = {
    .uuid = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16},
    .sequence = 31,
    .wall_ms = 1790000000123,
    .n_zones = N_ZONES,
    .written =
        {
            .admission = 1,
            .rewriting = 2,
            .metadata = UINT64_MAX,
            .reserve = 4,
            .budget = {.ever_bytes = 5, .first_day = -6, .days = {{7, 8}, {-9, 10}, {11, 12}}},
        },
};

static struct edge_checkpoint_zone zone_of(uint32_t i)
{
    return (struct edge_checkpoint_zone){.generation = i == 2 ? 0 : UINT64_MAX - i,
                                         .n_blocks = i * 100,
                                         .is_sealed = i % 2 == 1,
                                         .has_gaps = i % 3 == 1};
}

static struct edge_listing listing_of(uint32_t i)
{
    return (struct edge_listing){
        .kind = EDGE_RECORD_EXTENT,
        .id = {.fingerprint = i, .version = (uint64_t)i << 32, .number = i},
        .place = {.zone = i % N_ZONES,
                  .block = 1 + i,
                  .n_blocks = 3,
                  .n_head_blocks = 1,
                  .mask = 1,
                  .heat = 15,
                  .hour = 497222,
                  .title = 8},
    };
}

static void write_sample(struct fb_buf *bytes)
{
    edge_checkpoint_begin(&sample, bytes);
    for (uint32_t i = 0; i < N_ZONES; i++) {
        struct edge_checkpoint_zone zone = zone_of(i);
        edge_checkpoint_add_zone(bytes, &zone);
    }
    for (uint32_t i = 0; i < N_LISTINGS; i++) {
        struct edge_listing listing = listing_of(i);
        edge_checkpoint_add_listing(bytes, &listing);
    }
    edge_checkpoint_end(bytes);
}

static int set_up(void **state)
{
    struct fb_buf *bytes = FB_NEW(struct fb_buf);

    write_sample(bytes);
    *state = bytes;
    return 0;
}

static int tear_down(void **state)
{
    fb_buf_done(*state);
    fb_free(*state);
    return 0;
}

/* Puts right sums on what was changed. */
static void seal(struct fb_buf *bytes)
{
    test_seal_both(bytes->ptr, 72, bytes->ptr + EDGE_FORMAT_BLOCK, bytes->len - EDGE_FORMAT_BLOCK);
}

static void a_checkpoint_comes_back(void **state)
{
    struct fb_buf *bytes = *state;
    struct edge_checkpoint read;
    assert_int_equal(bytes->len, edge_checkpoint_bytes(N_ZONES, N_LISTINGS));
    assert_int_equal(edge_checkpoint_decode_head(bytes->ptr, &read), FB_OK);
    assert_memory_equal(read.uuid, sample.uuid, sizeof(read.uuid));
    assert_int_equal(read.sequence, sample.sequence);
    assert_int_equal(read.wall_ms, sample.wall_ms);
    assert_memory_equal(&read.written, &sample.written, sizeof(read.written));
    assert_int_equal(read.n_zones, N_ZONES);
    assert_int_equal(read.n_listings, N_LISTINGS);
    assert_int_equal(read.n_bytes, bytes->len);
    assert_int_equal(edge_checkpoint_verify(bytes->ptr, &read), FB_OK);
    for (uint32_t i = 0; i < N_ZONES; i++) {
        struct edge_checkpoint_zone expected = zone_of(i);
        struct edge_checkpoint_zone zone;
        edge_checkpoint_zone(bytes->ptr, &read, i, &zone);
        assert_true(zone.generation == expected.generation);
        assert_int_equal(zone.n_blocks, expected.n_blocks);
        assert_int_equal(zone.is_sealed, expected.is_sealed);
        assert_int_equal(zone.has_gaps, expected.has_gaps);
    }
    for (uint32_t i = 0; i < N_LISTINGS; i++) {
        struct edge_listing expected = listing_of(i);
        struct edge_listing listing;
        assert_int_equal(edge_checkpoint_listing(bytes->ptr, &read, i, &listing), FB_OK);
        assert_true(listing.id.fingerprint == expected.id.fingerprint);
        assert_true(listing.id.version == expected.id.version);
        assert_int_equal(listing.id.number, expected.id.number);
        assert_int_equal(listing.place.zone, expected.place.zone);
        assert_int_equal(listing.place.block, expected.place.block);
        assert_int_equal(listing.place.heat, expected.place.heat);
    }
}

static void an_empty_checkpoint_comes_back(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};
    struct edge_checkpoint read;
    edge_checkpoint_begin(&(struct edge_checkpoint){.sequence = 1}, &bytes);
    edge_checkpoint_end(&bytes);
    assert_int_equal(bytes.len, EDGE_FORMAT_BLOCK);
    assert_int_equal(edge_checkpoint_decode_head(bytes.ptr, &read), FB_OK);
    assert_int_equal(edge_checkpoint_verify(bytes.ptr, &read), FB_OK);
    assert_int_equal(read.n_listings, 0);
}

static void every_flipped_bit_is_found(void **state)
{
    struct fb_buf *bytes = *state;
    struct edge_checkpoint head;
    assert_int_equal(edge_checkpoint_decode_head(bytes->ptr, &head), FB_OK);
    for (size_t bit = 0; bit < bytes->len * 8; bit++) {
        bytes->ptr[bit / 8] = (char)(bytes->ptr[bit / 8] ^ (1 << bit % 8));
        assert_int_equal(edge_checkpoint_verify(bytes->ptr, &head),
                         bit / 8 < 8 ? FB_E_MALFORMED : FB_E_CORRUPT);
        bytes->ptr[bit / 8] = (char)(bytes->ptr[bit / 8] ^ (1 << bit % 8));
    }
}

static void a_checkpoint_torn_at_any_block_is_damage(void **state)
{
    struct fb_buf *bytes = *state;
    struct edge_checkpoint head;
    assert_int_equal(edge_checkpoint_decode_head(bytes->ptr, &head), FB_OK);
    for (size_t at = 0; at < bytes->len; at += EDGE_FORMAT_BLOCK) {
        char kept[EDGE_FORMAT_BLOCK];
        memcpy(kept, bytes->ptr + at, sizeof(kept));
        memset(bytes->ptr + at, 0, sizeof(kept));
        assert_true(edge_checkpoint_verify(bytes->ptr, &head) < 0);
        memcpy(bytes->ptr + at, kept, sizeof(kept));
    }
    assert_int_equal(edge_checkpoint_verify(bytes->ptr, &head), FB_OK);
}

static void a_head_over_the_body_of_an_older_one_is_damage(void **state)
{
    struct fb_buf *bytes = *state;
    FB_AUTO(fb_buf_done) struct fb_buf older = {0};
    struct edge_checkpoint head;
    write_sample(&older);
    older.ptr[EDGE_FORMAT_BLOCK]++;
    seal(&older);
    assert_int_equal(edge_checkpoint_decode_head(bytes->ptr, &head), FB_OK);
    assert_int_equal(edge_checkpoint_verify(older.ptr, &head), FB_OK);
    memcpy(older.ptr, bytes->ptr, EDGE_FORMAT_BLOCK);
    assert_int_equal(edge_checkpoint_verify(older.ptr, &head), FB_E_CORRUPT);
}

static void counts_that_do_not_fit_each_other_are_damage(void **state)
{
    (void)state;
    static const struct {
        size_t at;
        uint64_t value;
    } cases[] = {
        {56, 0},                         /* n_listings */
        {56, UINT64_MAX},                /**/
        {56, (uint64_t)1 << 60},         /* its bytes are 0 */
        {56, (uint64_t)UINT32_MAX + 1},  /* more than an index numbers */
        {64, 0},                         /* n_bytes */
        {64, UINT64_MAX},                /**/
        {64, 4 * EDGE_FORMAT_BLOCK + 1}, /* no whole block */
        {20, EDGE_FORMAT_MAX_ZONES + 1}, /* n_zones (and the version's neighbour) */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};
        struct edge_checkpoint read;
        write_sample(&bytes);
        if (cases[i].at == 20) {
            fb_put_u32(bytes.ptr + 20, (uint32_t)cases[i].value);
        } else {
            fb_put_u64(bytes.ptr + cases[i].at, cases[i].value);
        }
        seal(&bytes);
        assert_int_equal(edge_checkpoint_decode_head(bytes.ptr, &read), FB_E_CORRUPT);
    }
}

static void a_listing_of_no_zone_of_it_is_damage(void **state)
{
    struct fb_buf *bytes = *state;
    struct edge_checkpoint head;
    struct edge_listing listing;
    fb_put_u32(bytes->ptr + EDGE_FORMAT_BLOCK + N_ZONES * 16 + 20, N_ZONES);
    seal(bytes);
    assert_int_equal(edge_checkpoint_decode_head(bytes->ptr, &head), FB_OK);
    assert_int_equal(edge_checkpoint_verify(bytes->ptr, &head), FB_OK);
    assert_int_equal(edge_checkpoint_listing(bytes->ptr, &head, 0, &listing), FB_E_CORRUPT);
    assert_int_equal(edge_checkpoint_listing(bytes->ptr, &head, 1, &listing), FB_OK);
}

#define WITH_FIXTURE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_FIXTURE(a_checkpoint_comes_back),
        cmocka_unit_test(an_empty_checkpoint_comes_back),
        WITH_FIXTURE(every_flipped_bit_is_found),
        WITH_FIXTURE(a_checkpoint_torn_at_any_block_is_damage),
        WITH_FIXTURE(a_head_over_the_body_of_an_older_one_is_damage),
        cmocka_unit_test(counts_that_do_not_fit_each_other_are_damage),
        WITH_FIXTURE(a_listing_of_no_zone_of_it_is_damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
