#include "base/core/diag.h"
#include "base/core/err.h"
#include "base/sys/file.h"
#include "origin/media/storyboard.h"
#include "tests/support/test_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { WIDTH = 320, HEIGHT = 180, SHEET_MS = 8000, FRAME_MS = 500 };

struct fixture {
    struct test_folder folder;
    struct origin_output output;
    struct origin_storyboard_options options;
    AVFrame *frame;
};

static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){.output = ORIGIN_OUTPUT_NONE};
    origin_av_log_open();
    f.folder = test_folder_new();
    assert_int_equal(origin_output_open(f.folder.path, &f.output, NULL), FB_OK);
    f.options = (struct origin_storyboard_options){
        .output = &f.output,
        .width = WIDTH,
        .height = HEIGHT,
        .duration_ms = 13000,
        .segment_ms = 4000,
        .sheet_ms = SHEET_MS,
        .has_sheets = true,
        .n_sheets = 1,
    };
    f.frame = origin_av_frame_new();
    f.frame->format = AV_PIX_FMT_YUV420P;
    f.frame->width = WIDTH;
    f.frame->height = HEIGHT;
    assert_int_equal(av_frame_get_buffer(f.frame, 0), 0);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    av_frame_free(&f->frame);
    origin_output_done(&f->output);
    test_folder_done(&f->folder);
    return 0;
}

/* A grey picture whose luma tells its time. */
static void paint(AVFrame *frame, int luma)
{
    assert_int_equal(av_frame_make_writable(frame), 0);
    memset(frame->data[0], luma, (size_t)frame->linesize[0] * HEIGHT);
    memset(frame->data[1], 128, (size_t)frame->linesize[1] * HEIGHT / 2);
    memset(frame->data[2], 128, (size_t)frame->linesize[2] * HEIGHT / 2);
}

/* Shows sheets whose picture at t ms has the luma 40 + t / 100. */
static struct origin_part make_sheets(struct fixture *f, unsigned first, unsigned n)
{
    struct origin_storyboard *storyboard = NULL;
    struct origin_part part = {0};
    int64_t begin = (int64_t)first * SHEET_MS;
    int64_t end = FB_MIN(begin + (int64_t)n * SHEET_MS, (int64_t)f->options.duration_ms);

    f->options.first_sheet = first;
    f->options.n_sheets = n;
    assert_int_equal(origin_storyboard_new(&f->options, &storyboard, NULL), FB_OK);
    for (int64_t ms = begin; ms < end; ms += FRAME_MS) {
        paint(f->frame, (int)(40 + ms / 100));
        assert_int_equal(origin_storyboard_show(storyboard, f->frame, ms * 1000, NULL), FB_OK);
    }
    assert_int_equal(origin_storyboard_finish(storyboard, &part, NULL), FB_OK);
    origin_storyboard_free(storyboard);
    return part;
}

static AVFrame *decode(struct fixture *f, const char *path)
{
    struct fb_buf bytes = {0};
    AVCodecContext *decoder = avcodec_alloc_context3(avcodec_find_decoder(AV_CODEC_ID_MJPEG));
    AVPacket *packet = origin_av_packet_new();
    AVFrame *frame = origin_av_frame_new();

    assert_int_equal(fb_file_read(f->output.dir_fd, path, 65536, &bytes, NULL), FB_OK);
    assert_int_equal(avcodec_open2(decoder, NULL, NULL), 0);
    assert_int_equal(av_new_packet(packet, (int)bytes.len), 0);
    memcpy(packet->data, bytes.ptr, bytes.len);
    fb_buf_done(&bytes);
    assert_int_equal(avcodec_send_packet(decoder, packet), 0);
    assert_int_equal(avcodec_receive_frame(decoder, frame), 0);
    avcodec_free_context(&decoder);
    av_packet_free(&packet);
    return frame;
}

/* Luma in the middle of a tile, brought back to the range of video. */
static int tile_luma(const AVFrame *sheet, unsigned column, unsigned row)
{
    int full = sheet->data[0][(row * 90 + 45) * (unsigned)sheet->linesize[0] + column * 160 + 80];
    return 16 + full * 219 / 255;
}

static void every_sheet_has_the_layout_of_the_first(void **state)
{
    struct fixture *f = *state;
    struct origin_storyboard_facts facts;
    origin_storyboard_describe(&f->options, &facts);
    assert_int_equal(facts.tile_ms, 2000);
    assert_int_equal(facts.columns, 4);
    assert_int_equal(facts.rows, 1);
    assert_int_equal(facts.n_tiles, 7);
    assert_int_equal(facts.n_sheets, 2);
    assert_int_equal(facts.tile_width, 160);
    assert_int_equal(facts.tile_height, 90);

    struct origin_part part = make_sheets(f, 0, 2);
    assert_int_equal(part.n_sheets, 2);
    for (unsigned i = 0; i < 2; i++) {
        AVFrame *picture = decode(f, i == 0 ? "s/00001.jpg" : "s/00002.jpg");
        assert_int_equal(picture->width, 640);
        assert_int_equal(picture->height, 90);
        av_frame_free(&picture);
    }
    origin_part_done(&part);
}

static void a_tile_shows_the_first_picture_at_its_time(void **state)
{
    struct fixture *f = *state;
    struct origin_part part = make_sheets(f, 1, 1);
    AVFrame *picture = decode(f, "s/00002.jpg");

    assert_int_equal(part.first_sheet, 1);
    assert_in_range(tile_luma(picture, 0, 0), 118, 122); /* 8 s */
    assert_in_range(tile_luma(picture, 1, 0), 138, 142);
    assert_in_range(tile_luma(picture, 2, 0), 158, 162); /* 12 s */
    assert_in_range(tile_luma(picture, 3, 0), 14, 18);   /* after the end: black */
    av_frame_free(&picture);
    origin_part_done(&part);
}

/* Sheet by sheet or all at once, by one worker or by two: the same bytes. */
static void it_does_not_matter_how_sheets_lie_in_source_chunks(void **state)
{
    struct fixture *f = *state;
    struct origin_part all = make_sheets(f, 0, 2);
    struct origin_part one = make_sheets(f, 0, 1);
    struct origin_part two = make_sheets(f, 1, 1);
    assert_memory_equal(all.sheets[0].sha256, one.sheets[0].sha256, FB_SHA256_SIZE);
    assert_memory_equal(all.sheets[1].sha256, two.sheets[0].sha256, FB_SHA256_SIZE);
    assert_memory_equal(all.poster.sha256, one.poster.sha256, FB_SHA256_SIZE);
    assert_int_equal(two.poster.bytes, 0);
    origin_part_done(&all);
    origin_part_done(&one);
    origin_part_done(&two);
}

static void pictures_further_apart_than_tiles_fill_them_all(void **state)
{
    struct fixture *f = *state;
    struct origin_storyboard *storyboard = NULL;
    struct origin_part part = {0};

    assert_int_equal(origin_storyboard_new(&f->options, &storyboard, NULL), FB_OK);
    paint(f->frame, 60);
    assert_int_equal(origin_storyboard_show(storyboard, f->frame, 0, NULL), FB_OK);
    paint(f->frame, 160);
    assert_int_equal(origin_storyboard_show(storyboard, f->frame, 5000000, NULL), FB_OK);
    assert_int_equal(origin_storyboard_finish(storyboard, &part, NULL), FB_OK);
    AVFrame *picture = decode(f, "s/00001.jpg");
    assert_in_range(tile_luma(picture, 0, 0), 58, 62);
    assert_in_range(tile_luma(picture, 1, 0), 158, 162);
    assert_in_range(tile_luma(picture, 2, 0), 158, 162);
    assert_in_range(tile_luma(picture, 3, 0), 158, 162);
    av_frame_free(&picture);
    origin_storyboard_free(storyboard);
    origin_part_done(&part);
}

static void the_poster_can_be_had_alone(void **state)
{
    struct fixture *f = *state;
    f->options.has_sheets = false;
    struct origin_part part = make_sheets(f, 0, 1);
    assert_int_equal(part.n_sheets, 0);
    AVFrame *picture = decode(f, "poster.jpg");
    assert_int_equal(picture->width, WIDTH);
    av_frame_free(&picture);
    origin_part_done(&part);
}

static void a_chunk_without_a_picture_has_no_sheet(void **state)
{
    struct fixture *f = *state;
    struct origin_storyboard *storyboard = NULL;
    struct origin_part part = {0};
    assert_int_equal(origin_storyboard_new(&f->options, &storyboard, NULL), FB_OK);
    assert_int_equal(origin_storyboard_finish(storyboard, &part, NULL), FB_OK);
    assert_int_equal(part.n_sheets, 0);
    assert_int_equal(part.poster.bytes, 0);
    origin_storyboard_free(storyboard);
}

static void tiles_are_few_enough_and_divide_a_sheet(void **state)
{
    (void)state;
    assert_int_equal(origin_storyboard_tile_ms(60000, 4000, 60000), 2000);
    assert_int_equal(origin_storyboard_tile_ms(3600000, 4000, 60000), 4000);
    assert_int_equal(origin_storyboard_tile_ms(60000, 1000, 60000), 500);
    assert_int_equal(origin_storyboard_tile_ms(60000, 1000, 600000), 5000);
    assert_int_equal(origin_storyboard_tile_ms(60000, 1002, 14 * 1002), 501);
}

static void several_sheets_leave_no_place_unused(void **state)
{
    struct fixture *f = *state;
    struct origin_storyboard_facts facts;
    f->options.sheet_ms = 28000; /* 14 tiles */
    f->options.duration_ms = 60000;
    origin_storyboard_describe(&f->options, &facts);
    assert_int_equal(facts.columns * facts.rows, 14);
    f->options.duration_ms = 13000;
    origin_storyboard_describe(&f->options, &facts);
    assert_int_equal(facts.columns, 5);
    assert_int_equal(facts.rows, 2);
}

static void the_index_points_into_the_sheets(void **state)
{
    struct fixture *f = *state;
    struct origin_storyboard_facts facts;
    struct origin_segment sheets[2] = {{.bytes = 1}, {.bytes = 1}};
    struct fb_buf buf = {0};

    origin_storyboard_describe(&f->options, &facts);
    facts.sheets = sheets;
    facts.n_sheets = 2;
    origin_storyboard_vtt(&buf, &facts, f->options.duration_ms);
    const char *first = "WEBVTT\n\n00:00:00.000 --> 00:00:02.000\ns/00001.jpg#xywh=0,0,160,90\n"
                        "\n00:00:02.000 --> 00:00:04.000\ns/00001.jpg#xywh=160,0,160,90\n";
    const char *last = "\n00:00:12.000 --> 00:00:13.000\ns/00002.jpg#xywh=320,0,160,90\n";
    assert_true(fb_str_starts_with(fb_buf_str(&buf), fb_str_from(first)));
    assert_true(fb_str_ends_with(fb_buf_str(&buf), fb_str_from(last)));
    fb_buf_done(&buf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(every_sheet_has_the_layout_of_the_first, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_tile_shows_the_first_picture_at_its_time, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(pictures_further_apart_than_tiles_fill_them_all, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(it_does_not_matter_how_sheets_lie_in_source_chunks, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(the_poster_can_be_had_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_chunk_without_a_picture_has_no_sheet, set_up, tear_down),
        cmocka_unit_test(tiles_are_few_enough_and_divide_a_sheet),
        cmocka_unit_test_setup_teardown(several_sheets_leave_no_place_unused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_index_points_into_the_sheets, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
