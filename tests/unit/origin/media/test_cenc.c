/*
 * Sizes, limits and refusals; that others can undo it is for
 * tests/scenario/test_media_encryption.py.
 */
#include "base/core/attr.h"
#include "base/core/err.h"
#include "origin/media/boxes.h"
#include "origin/media/cenc.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum {
    AUDIO_FIELDS = 28,
    SAMPLE = 40,
    TFHD_BASE_IS_MOOF = 0x20000,
    TRUN_OFFSET = 1,
    TRUN_SIZE = 0x200
};

static void put_zeros(struct fb_buf *buf, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        fb_buf_append_byte(buf, '\0');
    }
}

/* moov → trak → stbl → stsd → an entry of so many bytes. */
static void put_init(struct fb_buf *buf, const char *entry_type, size_t entry_bytes)
{
    size_t moov = origin_box_begin(buf, "moov");
    size_t trak = origin_box_begin(buf, "trak");
    size_t stbl = origin_box_begin(buf, "stbl");
    size_t stsd = origin_box_begin_full(buf, "stsd", 0, 0);
    origin_box_put_u32(buf, 1);
    size_t entry = origin_box_begin(buf, entry_type);
    put_zeros(buf, entry_bytes);
    origin_box_end(buf, entry);
    origin_box_end(buf, stsd);
    origin_box_end(buf, stbl);
    origin_box_end(buf, trak);
    origin_box_end(buf, moov);
}

/* A fragment of `n` samples of SAMPLE bytes each, before `n_bytes` of media data. */
static void put_fragment(struct fb_buf *buf, uint32_t n, size_t n_bytes)
{
    size_t moof = origin_box_begin(buf, "moof");
    size_t traf = origin_box_begin(buf, "traf");
    size_t tfhd = origin_box_begin_full(buf, "tfhd", 0, TFHD_BASE_IS_MOOF);
    origin_box_put_u32(buf, 1);
    origin_box_end(buf, tfhd);
    size_t trun = origin_box_begin_full(buf, "trun", 0, TRUN_OFFSET | TRUN_SIZE);
    origin_box_put_u32(buf, n);
    size_t offset = buf->len;
    origin_box_put_u32(buf, 0);
    for (uint32_t i = 0; i < n; i++) {
        origin_box_put_u32(buf, SAMPLE);
    }
    origin_box_end(buf, trun);
    origin_box_end(buf, traf);
    origin_box_end(buf, moof);
    size_t mdat = origin_box_begin(buf, "mdat");
    origin_box_set_u32(buf, offset, (uint32_t)(buf->len - moof));
    put_zeros(buf, n_bytes);
    origin_box_end(buf, mdat);
}

struct world {
    struct origin_content_key key;
    struct fb_buf out;
    struct fb_buf clear;
    struct origin_cenc *cenc;
    struct fb_diag diag;
    size_t moved;
};

static int begin(struct world *world, enum origin_scheme scheme, unsigned track, const char *entry)
{
    FB_AUTO(fb_buf_done) struct fb_buf init = {0};

    world->key = (struct origin_content_key){.scheme = scheme, .key = {7}};
    put_init(&init, entry, AUDIO_FIELDS);
    return origin_cenc_new(&(struct origin_cenc_options){.key = &world->key, .track = track},
                           fb_buf_str(&init), &world->out, &world->cenc, &world->diag);
}

static int encrypt(struct world *world, uint32_t number)
{
    fb_buf_clear(&world->out);
    return origin_cenc_fragment(world->cenc, number, fb_buf_str(&world->clear), &world->out,
                                &world->moved, &world->diag);
}

static int set_up(void **state)
{
    static struct world world;

    world = (struct world){.moved = 0};
    *state = &world;
    return 0;
}

static int tear_down(void **state)
{
    struct world *world = *state;

    origin_cenc_free(world->cenc);
    fb_buf_done(&world->out);
    fb_buf_done(&world->clear);
    return 0;
}

static void sound_is_encrypted_whole_and_told_of_in_three_boxes(void **state)
{
    struct world *world = *state;

    assert_int_equal(begin(world, ORIGIN_SCHEME_CENC, 1, "mp4a"), FB_OK);
    put_fragment(&world->clear, 3, 3 * SAMPLE);
    assert_int_equal(encrypt(world, 5), FB_OK);

    assert_int_equal(world->moved, 16 + 3 * 8 + 17 + 20);
    assert_int_equal(world->out.len, world->clear.len + world->moved);
    const char *sample = world->out.ptr + world->out.len - 3 * (size_t)SAMPLE;
    assert_memory_not_equal(sample, sample + SAMPLE, SAMPLE);
    for (size_t at = 0; at < 3 * SAMPLE; at += 16) {
        assert_memory_not_equal(sample + at, (char[8]){0}, 8);
    }
}

static void of_sound_under_cbcs_there_is_nothing_to_tell(void **state)
{
    struct world *world = *state;

    assert_int_equal(begin(world, ORIGIN_SCHEME_CBCS, 1, "mp4a"), FB_OK);
    put_fragment(&world->clear, 3, 3 * SAMPLE);
    assert_int_equal(encrypt(world, 5), FB_OK);

    assert_int_equal(world->moved, 0);
    const char *last = world->out.ptr + world->out.len - SAMPLE;
    assert_memory_not_equal(last, (char[32]){0}, 32);
    assert_memory_equal(last + 32, (char[8]){0}, 8); /* less than a block stays */
}

static void other_segments_tracks_and_keys_have_other_streams(void **state)
{
    struct world *world = *state;
    FB_AUTO(fb_buf_done) struct fb_buf first = {0};

    assert_int_equal(begin(world, ORIGIN_SCHEME_CENC, 1, "mp4a"), FB_OK);
    put_fragment(&world->clear, 1, SAMPLE);
    assert_int_equal(encrypt(world, 5), FB_OK);
    fb_buf_append(&first, fb_buf_str(&world->out));
    assert_int_equal(encrypt(world, 5), FB_OK);
    assert_memory_equal(world->out.ptr, first.ptr, first.len);

    assert_int_equal(encrypt(world, 6), FB_OK);
    assert_memory_not_equal(world->out.ptr + first.len - SAMPLE, first.ptr + first.len - SAMPLE,
                            SAMPLE);
    origin_cenc_free(world->cenc);
    world->cenc = NULL;
    assert_int_equal(begin(world, ORIGIN_SCHEME_CENC, 2, "mp4a"), FB_OK);
    assert_int_equal(encrypt(world, 5), FB_OK);
    assert_memory_not_equal(world->out.ptr + first.len - SAMPLE, first.ptr + first.len - SAMPLE,
                            SAMPLE);
}

static void numbers_that_do_not_fit_are_refused(void **state)
{
    struct world *world = *state;

    assert_int_equal(begin(world, ORIGIN_SCHEME_CENC, ORIGIN_CENC_TRACKS_MAX, "mp4a"), FB_E_LIMIT);
    assert_int_equal(begin(world, ORIGIN_SCHEME_CENC, ORIGIN_CENC_TRACKS_MAX - 1, "mp4a"), FB_OK);
    put_fragment(&world->clear, 1, SAMPLE);
    assert_int_equal(encrypt(world, ORIGIN_CENC_SEGMENTS_MAX), FB_E_LIMIT);
    assert_int_equal(encrypt(world, ORIGIN_CENC_SEGMENTS_MAX - 1), FB_OK);
    fb_buf_clear(&world->clear);
    put_fragment(&world->clear, ORIGIN_CENC_SAMPLES_MAX + 1,
                 (ORIGIN_CENC_SAMPLES_MAX + 1) * (size_t)SAMPLE);
    assert_int_equal(encrypt(world, 1), FB_E_LIMIT);
    assert_int_equal(world->out.len, 0);
}

static void what_does_not_lie_in_its_box_is_refused(void **state)
{
    struct world *world = *state;

    assert_int_equal(begin(world, ORIGIN_SCHEME_CENC, 1, "mp4a"), FB_OK);
    put_fragment(&world->clear, 3, 3 * SAMPLE - 1);
    assert_int_equal(encrypt(world, 1), FB_E_MALFORMED);
    fb_buf_clear(&world->clear);
    put_fragment(&world->clear, 1, SAMPLE);
    put_fragment(&world->clear, 1, SAMPLE);
    assert_int_equal(encrypt(world, 1), FB_E_MALFORMED); /* two of them */
    fb_buf_clear(&world->clear);
    size_t sidx = origin_box_begin(&world->clear, "sidx");
    origin_box_end(&world->clear, sidx);
    put_fragment(&world->clear, 1, SAMPLE);
    assert_int_equal(encrypt(world, 1), FB_E_UNSUPPORTED);
    assert_int_equal(world->out.len, 0);
    assert_string_equal(world->diag.text, "encrypt segment 1: not supported");
}

static void a_track_without_a_rule_is_refused(void **state)
{
    struct world *world = *state;

    assert_int_equal(begin(world, ORIGIN_SCHEME_CENC, 1, "enca"), FB_E_UNSUPPORTED);
    assert_int_equal(begin(world, ORIGIN_SCHEME_CENC, 1, "vp09"), FB_E_UNSUPPORTED);
    assert_int_equal(begin(world, ORIGIN_SCHEME_CENC, 1, "avc1"), FB_E_MALFORMED); /* cut */
    assert_int_equal(world->out.len, 0);
}

static void the_common_systems_box_lists_the_key(void **state)
{
    struct world *world = *state;
    struct origin_box box;
    uint8_t id[ORIGIN_CONTENT_KEY_BYTES];

    memset(id, 9, sizeof(id));
    origin_cenc_pssh(&world->out, id);
    struct fb_str rest = fb_buf_str(&world->out);
    assert_int_equal(origin_box_next(&rest, &box), FB_OK);
    assert_true(origin_box_is(&box, "pssh"));
    assert_int_equal(box.whole.len, 52);
    assert_memory_equal(box.body.ptr + 24, id, sizeof(id));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sound_is_encrypted_whole_and_told_of_in_three_boxes),
        TEST(of_sound_under_cbcs_there_is_nothing_to_tell),
        TEST(other_segments_tracks_and_keys_have_other_streams),
        TEST(numbers_that_do_not_fit_are_refused),
        TEST(what_does_not_lie_in_its_box_is_refused),
        TEST(a_track_without_a_rule_is_refused),
        TEST(the_common_systems_box_lists_the_key),
    };
    return cmocka_run_group_tests_name("cenc", tests, NULL, NULL);
}
