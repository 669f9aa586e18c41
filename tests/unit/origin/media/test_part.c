#include "base/core/err.h"
#include "origin/media/part.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void fill(struct origin_part *part)
{
    *part = (struct origin_part){.kind = ORIGIN_PART_SOUND, .n_packets = 9, .n_damaged = 1};
    struct origin_part_track *one = origin_part_add_track(part);
    one->first_segment = 16;
    one->track.timescale = 48000;
    one->track.head = (struct origin_segment){.bytes = 800};
    (void)snprintf(one->track.path, sizeof(one->track.path), "a/0");
    (void)snprintf(one->track.name, sizeof(one->track.name), "Français");
    origin_track_add(&one->track, &(struct origin_segment){.duration = 192000,
                                                           .bytes = 64000,
                                                           .key_offset = 100,
                                                           .key_bytes = 200,
                                                           .sha256 = {7}});
}

static void a_part_travels_whole(void **state)
{
    (void)state;
    FB_AUTO(origin_part_done) struct origin_part part;
    FB_AUTO(origin_part_done) struct origin_part loaded = {.tracks = NULL};
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    fill(&part);
    origin_part_dump(&text, &part);
    assert_int_equal(origin_part_parse(fb_buf_str(&text), &loaded, NULL), FB_OK);
    assert_int_equal(loaded.kind, ORIGIN_PART_SOUND);
    assert_int_equal(loaded.n_tracks, 1);
    assert_int_equal(loaded.tracks[0].first_segment, 16);
    assert_string_equal(loaded.tracks[0].track.name, "Français");
    assert_int_equal(loaded.tracks[0].track.head.bytes, 800);
    assert_memory_equal(loaded.tracks[0].track.segments, part.tracks[0].track.segments,
                        sizeof(struct origin_segment));
}

static void a_key_picture_outside_its_segment_is_refused(void **state)
{
    (void)state;
    FB_AUTO(origin_part_done) struct origin_part part;
    FB_AUTO(origin_part_done) struct origin_part loaded = {.tracks = NULL};
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    fill(&part);
    part.tracks[0].track.segments[0].key_bytes = 64000;
    origin_part_dump(&text, &part);
    assert_int_equal(origin_part_parse(fb_buf_str(&text), &loaded, NULL), FB_E_MALFORMED);
}

static void a_path_that_leaves_the_folder_is_refused(void **state)
{
    (void)state;
    FB_AUTO(origin_part_done) struct origin_part part;
    FB_AUTO(origin_part_done) struct origin_part loaded = {.tracks = NULL};
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    fill(&part);
    (void)snprintf(part.tracks[0].track.path, sizeof(part.tracks[0].track.path), "../x");
    origin_part_dump(&text, &part);
    assert_int_equal(origin_part_parse(fb_buf_str(&text), &loaded, NULL), FB_E_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_part_travels_whole),
        cmocka_unit_test(a_key_picture_outside_its_segment_is_refused),
        cmocka_unit_test(a_path_that_leaves_the_folder_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
