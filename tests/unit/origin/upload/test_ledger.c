#include "ledger_fixture.h"

/* A video whose file is declared to have so many bytes, and of which type. */
static struct origin_id declare(struct desk *desk, uint64_t bytes, const char *type)
{
    struct origin_upload_room room = {.left = 0};
    struct origin_video video = {
        .id = origin_id_new(),
        .owner = desk->f->user,
        .title = FB_STR("A title"),
        .description = FB_STR(""),
        .tags = FB_STR("[]"),
        .filename = FB_STR("clip.mp4"),
        .source_bytes = bytes,
    };

    must(origin_catalog_upload_video_add(desk->f->catalog, &video, fb_str_from(type),
                                         &(struct origin_upload_bounds){.per_hour = 0}, &room));
    return video.id;
}

static void expect_fault(struct desk *desk, int err, enum origin_fault_kind kind)
{
    assert_true(err < 0);
    assert_string_equal(origin_fault_code(desk->fault.kind), origin_fault_code(kind));
    assert_int_equal(desk->fault.kind, kind);
}

/* ---- whole files --------------------------------------------------------------------- */

static void the_last_whole_file_is_the_videos_until_it_is_claimed(void **state)
{
    struct desk *desk = *state;
    struct origin_id id = add_video(desk->f, &desk->f->user);
    FB_AUTO(fb_buf_done) struct fb_buf key = {0};

    expect_fault(desk, origin_ledger_claim(desk->ledger, &id, &key, &desk->fault),
                 ORIGIN_FAULT_PART);
    must(desk_put(desk, &id, NULL, 0, LEDGER_BYTES, 'a'));
    must(desk_put(desk, &id, NULL, 0, LEDGER_BYTES, 'b'));
    assert_int_equal(desk_objects(desk), 1);
    check_claimed(desk, &id, LEDGER_BYTES, 'b');
    assert_true(desk_put(desk, &id, NULL, 0, LEDGER_BYTES, 'c') < 0);
    struct origin_ledger_place place = place_of(&id);
    expect_fault(desk, origin_ledger_remove(desk->ledger, &place, &desk->fault),
                 ORIGIN_FAULT_CLOSED);
    check_claimed(desk, &id, LEDGER_BYTES, 'b');
    assert_int_equal(desk_objects(desk), 1);
}

static void what_is_cut_was_never_there(void **state)
{
    struct desk *desk = *state;
    struct origin_id id = add_video(desk->f, &desk->f->user);
    struct origin_ledger_put *put = NULL;
    struct fb_str piece = FB_STR("some");
    FB_AUTO(fb_buf_done) struct fb_buf key = {0};

    must(origin_ledger_put_begin(
        desk->ledger, &(struct origin_ledger_ask){.place = place_of(&id), .size = LEDGER_BYTES},
        &put, &desk->fault));
    must(origin_ledger_put_write(put, &piece, 1, &desk->fault));
    origin_ledger_put_abort(put);
    assert_int_equal(desk_objects(desk), 0);
    expect_fault(desk, origin_ledger_claim(desk->ledger, &id, &key, &desk->fault),
                 ORIGIN_FAULT_PART);
}

static void what_was_not_declared_is_refused(void **state)
{
    struct desk *desk = *state;
    struct origin_id id = declare(desk, LEDGER_BYTES, "video/mp4");
    struct origin_id none = origin_id_new();
    struct origin_ledger_ask ask = {.place = place_of(&id), .size = LEDGER_BYTES};
    struct origin_ledger_put *put = NULL;

    expect_fault(desk, desk_put(desk, &id, NULL, 0, LEDGER_BYTES + 1, 'a'), ORIGIN_FAULT_TOO_LARGE);
    expect_fault(desk, desk_put(desk, &id, NULL, 0, LEDGER_BYTES - 1, 'a'), ORIGIN_FAULT_TOO_SMALL);
    expect_fault(desk, desk_put(desk, &none, NULL, 0, LEDGER_BYTES, 'a'), ORIGIN_FAULT_NO_KEY);
    ask.type = FB_STR("text/html; charset=utf-8");
    expect_fault(desk, origin_ledger_put_begin(desk->ledger, &ask, &put, &desk->fault),
                 ORIGIN_FAULT_ARGUMENT);
    ask.type = FB_STR("Video/MP4; codecs=x");
    ask.place.owner = origin_id_new();
    expect_fault(desk, origin_ledger_put_begin(desk->ledger, &ask, &put, &desk->fault),
                 ORIGIN_FAULT_NO_KEY);
    ask.place.owner = desk->f->user;
    must(origin_ledger_put_begin(desk->ledger, &ask, &put, &desk->fault));
    origin_ledger_put_abort(put);
}

static void twice_the_declared_size_is_under_way_at_most(void **state)
{
    struct desk *desk = *state;
    struct origin_id id = add_video(desk->f, &desk->f->user);
    struct origin_ledger_ask ask = {.place = place_of(&id), .size = LEDGER_BYTES};
    struct origin_ledger_put *puts[3] = {NULL};

    must(origin_ledger_put_begin(desk->ledger, &ask, &puts[0], &desk->fault));
    must(origin_ledger_put_begin(desk->ledger, &ask, &puts[1], &desk->fault));
    expect_fault(desk, origin_ledger_put_begin(desk->ledger, &ask, &puts[2], &desk->fault),
                 ORIGIN_FAULT_BUSY);
    origin_ledger_put_abort(puts[0]);
    must(origin_ledger_put_begin(desk->ledger, &ask, &puts[2], &desk->fault));
    origin_ledger_put_abort(puts[1]);
    origin_ledger_put_abort(puts[2]);
}

/* ---- parts ----------------------------------------------------------------------------- */

static void parts_become_the_file_once_however_often_that_is_asked(void **state)
{
    struct desk *desk = *state;
    struct origin_id id = declare(desk, ORIGIN_PART_LEAST + 7, "");
    struct origin_id upload;
    struct origin_ledger_place place = place_of(&id);
    struct origin_upload_row first;
    struct origin_upload_row again;

    must(desk_begin(desk, &id, &upload));
    must(desk_put(desk, &id, &upload, 2, 7, 'a'));
    expect_fault(desk, desk_complete(desk, &id, &upload), ORIGIN_FAULT_TOO_SMALL);
    must(desk_put(desk, &id, &upload, 1, ORIGIN_PART_LEAST, 'b'));
    must(desk_put(desk, &id, &upload, 1, ORIGIN_PART_LEAST, 'a')); /* instead of the other */
    expect_fault(desk, desk_put(desk, &id, &upload, 3, 1, 'a'), ORIGIN_FAULT_TOO_LARGE);
    const struct origin_ledger_completion all = {.place = &place, .upload = &upload};
    must(origin_ledger_complete(desk->ledger, &desk->f->arena, &all, &first, &desk->fault));
    must(origin_ledger_complete(desk->ledger, &desk->f->arena, &all, &again, &desk->fault));
    assert_true(fb_str_equal(first.etag, again.etag) && first.etag.len == 34);
    assert_int_equal(first.bytes, again.bytes);
    check_claimed(desk, &id, ORIGIN_PART_LEAST + 7, 'a');
    assert_int_equal(desk_objects(desk), 1);
    assert_int_equal(desk_multiparts(desk), 0);
}

static void parts_that_are_not_as_they_are_named_make_no_file(void **state)
{
    struct desk *desk = *state;
    struct origin_id id = add_video(desk->f, &desk->f->user);
    struct origin_id upload;
    struct origin_ledger_place place = place_of(&id);
    struct origin_upload_row row;
    const struct origin_ledger_part wrong_tag = {.number = 1, .etag = FB_STR("00")};
    const struct origin_ledger_part absent = {.number = 2};
    const struct origin_ledger_part falling[] = {{.number = 2}, {.number = 1}};
    struct origin_ledger_completion asked = {.place = &place, .upload = &upload, .n = 1};

    must(desk_begin(desk, &id, &upload));
    expect_fault(desk, desk_complete(desk, &id, &upload), ORIGIN_FAULT_PART);
    expect_fault(desk, desk_put(desk, &id, &upload, 0, 10, 'a'), ORIGIN_FAULT_ARGUMENT);
    must(desk_put(desk, &id, &upload, 1, LEDGER_BYTES, 'a'));
    asked.parts = &wrong_tag;
    expect_fault(desk,
                 origin_ledger_complete(desk->ledger, &desk->f->arena, &asked, &row, &desk->fault),
                 ORIGIN_FAULT_PART);
    asked.parts = &absent;
    expect_fault(desk,
                 origin_ledger_complete(desk->ledger, &desk->f->arena, &asked, &row, &desk->fault),
                 ORIGIN_FAULT_PART);
    asked.parts = falling;
    asked.n = 2;
    assert_true(origin_ledger_complete(desk->ledger, &desk->f->arena, &asked, &row, &desk->fault) <
                0);
    must(desk_complete(desk, &id, &upload));
    check_claimed(desk, &id, LEDGER_BYTES, 'a');
}

static void one_upload_too_many_ends_the_oldest(void **state)
{
    struct desk *desk = *state;
    struct origin_id id = add_video(desk->f, &desk->f->user);
    struct origin_id uploads[ORIGIN_OPEN_AT_ONCE + 1];

    for (size_t i = 0; i < FB_ARRAY_LEN(uploads); i++) {
        must(desk_begin(desk, &id, &uploads[i]));
        test_clock_advance_ms(&desk->f->clock, 1000);
    }
    expect_fault(desk, desk_put(desk, &id, &uploads[0], 1, 10, 'a'), ORIGIN_FAULT_NO_UPLOAD);
    assert_int_equal(desk_multiparts(desk), ORIGIN_OPEN_AT_ONCE);
    struct origin_ledger_place place = place_of(&id);
    must(origin_ledger_abort(desk->ledger, &place, &uploads[1], &desk->fault));
    must(origin_ledger_end_open(desk->ledger, &id));
    assert_int_equal(desk_multiparts(desk), 0);
}

/* ---- the sweep ----------------------------------------------------------------------------- */

static void what_nobody_touches_is_forgotten_and_what_is_claimed_stays(void **state)
{
    struct desk *desk = *state;
    struct origin_id claimed = add_video(desk->f, &desk->f->user);
    struct origin_id left = add_video(desk->f, &desk->f->user);
    struct origin_id upload;

    must(desk_put(desk, &claimed, NULL, 0, LEDGER_BYTES, 'a'));
    check_claimed(desk, &claimed, LEDGER_BYTES, 'a');
    must(desk_begin(desk, &left, &upload));
    must(desk_put(desk, &left, &upload, 1, 10, 'a'));
    test_clock_advance_ms(&desk->f->clock, LEDGER_DAY_MS - 1);
    must(origin_ledger_sweep(desk->ledger));
    assert_int_equal(desk_multiparts(desk), 1);
    test_clock_advance_ms(&desk->f->clock, 2);
    must(origin_ledger_sweep(desk->ledger));
    assert_int_equal(desk_multiparts(desk), 0);
    assert_int_equal(get_video(desk->f, &left).status, ORIGIN_VIDEO_FAILED);
    check_claimed(desk, &claimed, LEDGER_BYTES, 'a');
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, desk_set_up, desk_tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_last_whole_file_is_the_videos_until_it_is_claimed),
        TEST(what_is_cut_was_never_there),
        TEST(what_was_not_declared_is_refused),
        TEST(twice_the_declared_size_is_under_way_at_most),
        TEST(parts_become_the_file_once_however_often_that_is_asked),
        TEST(parts_that_are_not_as_they_are_named_make_no_file),
        TEST(one_upload_too_many_ends_the_oldest),
        TEST(what_nobody_touches_is_forgotten_and_what_is_claimed_stays),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
