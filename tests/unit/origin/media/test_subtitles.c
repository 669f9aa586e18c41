#include "base/core/diag.h"
#include "base/core/err.h"
#include "base/sys/file.h"
#include "origin/media/output.h"
#include "origin/media/subtitles.h"
#include "origin/media/text_tracks.h"
#include "tests/support/test_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct test_folder folder;
    struct origin_output output;
    AVFormatContext *format; /* holds the stream */
    AVStream *stream;
    struct origin_subtitles *subtitles;
};

static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){.output = ORIGIN_OUTPUT_NONE};
    origin_av_log_open();
    f.folder = test_folder_new();
    assert_int_equal(origin_output_open(f.folder.path, &f.output, NULL), FB_OK);
    f.format = avformat_alloc_context();
    f.stream = avformat_new_stream(f.format, NULL);
    f.stream->time_base = (AVRational){1, 1000};
    f.stream->codecpar->codec_type = AVMEDIA_TYPE_SUBTITLE;
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    origin_subtitles_free(f->subtitles);
    avformat_free_context(f->format);
    origin_output_done(&f->output);
    test_folder_done(&f->folder);
    return 0;
}

static void open_as(struct fixture *f, enum AVCodecID id)
{
    f->stream->codecpar->codec_id = id;
    assert_true(origin_subtitles_is_readable(f->stream));
    assert_int_equal(origin_subtitles_new(f->stream, &f->subtitles, NULL), FB_OK);
}

static void push(struct fixture *f, int64_t begin_ms, int64_t on_ms, struct fb_str bytes)
{
    AVPacket *packet = origin_av_packet_new();
    assert_int_equal(av_new_packet(packet, (int)bytes.len), 0);
    memcpy(packet->data, bytes.ptr, bytes.len);
    packet->pts = begin_ms;
    packet->dts = begin_ms;
    packet->duration = on_ms;
    origin_subtitles_push(f->subtitles, packet);
    av_packet_free(&packet);
}

static void assert_reads(struct fixture *f, const char *expected)
{
    struct fb_buf out = {0};
    origin_cues_write(&out, origin_subtitles_cues(f->subtitles));
    assert_string_equal(out.ptr, expected);
    fb_buf_done(&out);
}

static void subrip_in_a_container_is_read(void **state)
{
    struct fixture *f = *state;
    open_as(f, AV_CODEC_ID_SUBRIP);
    push(f, 2000, 1000, FB_STR("<i>two</i> & <b>more\nbelow"));
    push(f, 1000, 500, FB_STR("one < 2"));
    assert_reads(f, "WEBVTT\n\n00:00:01.000 --> 00:00:01.500\none &lt; 2\n"
                    "\n00:00:02.000 --> 00:00:03.000\n<i>two</i> &amp; <b>more\nbelow</b>\n");
}

static void text_of_quicktime_is_read_and_its_gaps_are_none(void **state)
{
    struct fixture *f = *state;
    open_as(f, AV_CODEC_ID_MOV_TEXT);
    push(f, 0, 1000, FB_STR("\0\0"));
    push(f, 1000, 1000, FB_STR("\0\6H\xc3\xa9llo"));
    assert_reads(f, "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nH\xc3\xa9llo\n");
}

static void ass_is_read_without_its_styles(void **state)
{
    struct fixture *f = *state;
    open_as(f, AV_CODEC_ID_ASS);
    push(f, 500, 0, FB_STR("0,0,Default,Someone,0,0,0,,{\\an8\\i1}Up, {\\i0}there\\Nand on"));
    push(f, 500, 10, FB_STR("damage"));
    assert_reads(f, "WEBVTT\n\n00:00:00.500 --> 00:00:05.500 line:0\n<i>Up, </i>there\nand on\n");
}

static void webvtt_in_a_container_is_read(void **state)
{
    struct fixture *f = *state;
    open_as(f, AV_CODEC_ID_WEBVTT);
    push(f, 0, 1000, FB_STR("a <b>b</b> &amp; c"));
    assert_reads(f, "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\na <b>b</b> &amp; c\n");
}

static void pictures_are_no_text(void **state)
{
    struct fixture *f = *state;
    f->stream->codecpar->codec_id = AV_CODEC_ID_DVD_SUBTITLE;
    assert_false(origin_subtitles_is_readable(f->stream));
}

static void a_stream_that_is_endless_gives_no_track(void **state)
{
    struct fixture *f = *state;
    open_as(f, AV_CODEC_ID_SUBRIP);
    for (int i = 0; i <= ORIGIN_CUES_MAX; i++) {
        push(f, i, 10, FB_STR("x"));
    }
    assert_int_equal(origin_subtitles_cues(f->subtitles)->n_cues, 0);
}

static void segments_are_aligned_and_hold_what_is_on(void **state)
{
    struct fixture *f = *state;
    struct origin_cues cues = {0};
    struct origin_track track = {.path = "t/0"};
    struct fb_buf bytes = {0};
    struct origin_subtitles_options options = {
        .output = &f->output, .segment_ms = 4000, .duration_ms = 9500};

    assert_int_equal(origin_cues_add(&cues, 3000, 5000, FB_STR_NONE, FB_STR("both")), FB_OK);
    assert_int_equal(origin_subtitles_write(&options, &cues, &track, NULL), FB_OK);
    assert_int_equal(track.n_segments, 3);
    assert_int_equal(track.segments[2].duration, 1500);
    assert_int_equal(track.timescale, 1000);
    for (unsigned i = 0; i < 3; i++) {
        const char *names[] = {"t/0/seg-00001.vtt", "t/0/seg-00002.vtt", "t/0/seg-00003.vtt"};
        assert_int_equal(fb_file_read(f->output.dir_fd, names[i], 4096, &bytes, NULL), FB_OK);
        assert_int_equal(track.segments[i].bytes, bytes.len);
        assert_int_equal(strstr(bytes.ptr, "both") != NULL, i < 2);
        fb_buf_done(&bytes);
    }
    assert_int_equal(fb_file_read(f->output.dir_fd, "t/0/whole.vtt", 4096, &bytes, NULL), FB_OK);
    assert_string_equal(bytes.ptr, "WEBVTT\n\n00:00:03.000 --> 00:00:05.000\nboth\n");
    assert_int_equal(track.head.bytes, bytes.len);
    fb_buf_done(&bytes);
    origin_track_done(&track);
    origin_cues_done(&cues);
}

static void tracks_are_described_by_what_the_container_says(void **state)
{
    struct fixture *f = *state;
    struct origin_track tracks[3] = {0};

    av_dict_set(&f->stream->metadata, "language", "ger", 0);
    f->stream->disposition = AV_DISPOSITION_FORCED | AV_DISPOSITION_HEARING_IMPAIRED;
    for (unsigned i = 0; i < 3; i++) {
        origin_subtitles_describe(f->stream, &tracks[i]);
    }
    origin_tracks_name_apart(tracks, 3);
    assert_string_equal(tracks[0].language, "de");
    assert_true(tracks[0].is_forced && tracks[0].is_for_deaf && !tracks[0].is_default);
    assert_string_equal(tracks[0].name, "Deutsch");
    assert_string_equal(tracks[1].name, "Deutsch 2");
    assert_string_equal(tracks[2].name, "Deutsch 3");
}

static void what_a_container_says_is_shown_in_one_plain_line(void **state)
{
    struct fixture *f = *state;
    struct origin_track tracks[2] = {0};

    av_dict_set(&f->stream->metadata, "language", "heb", 0);
    av_dict_set(&f->stream->metadata, "title",
                "\xe2\x80\xae<script>alert(\"1\")</script>\r\n#EXT-X-KEY: and all that follows", 0);
    for (unsigned i = 0; i < 2; i++) {
        origin_subtitles_describe(f->stream, &tracks[i]);
    }
    origin_tracks_name_apart(tracks, 2);
    assert_string_equal(tracks[0].name,
                        "עברית (<script>alert(\"1\")</script> #EXT-X-KEY: and all)");
    assert_string_equal(tracks[1].name,
                        "עברית (<script>alert(\"1\")</script> #EXT-X-KEY: and all) 2");
    av_dict_set(&f->stream->metadata, "title", "latin\xe9", 0);
    origin_subtitles_describe(f->stream, &tracks[0]);
    assert_string_equal(tracks[0].name, "עברית");
}

static void texts_of_a_file_and_beside_it_become_tracks_of_a_part(void **state)
{
    struct fixture *f = *state;
    struct origin_text_tracks *texts = NULL;
    struct origin_part part = {0};
    struct fb_diag diag = {0};
    struct origin_subtitles_options options = {
        .output = &f->output, .segment_ms = 4000, .duration_ms = 4000};
    struct origin_request_subtitle german = {.language = "de-AT"};
    struct origin_request_subtitle other = {.language = "x-mine", .name = "Mine"};
    char path[TEST_PATH_MAX + 16];

    f->stream->codecpar->codec_id = AV_CODEC_ID_SUBRIP;
    av_dict_set(&f->stream->metadata, "language", "deu", 0);
    AVStream *silent = avformat_new_stream(f->format, NULL);
    silent->codecpar->codec_type = AVMEDIA_TYPE_SUBTITLE;
    silent->codecpar->codec_id = AV_CODEC_ID_SUBRIP;
    assert_int_equal(origin_text_tracks_new(f->format, &texts, NULL), FB_OK);

    (void)snprintf(path, sizeof(path), "%s/upload", f->folder.path);
    assert_int_equal(fb_file_write(f->output.dir_fd, "upload",
                                   FB_STR("1\n00:00:01,000 --> 00:00:02,000\nHallo\n"), 0644, NULL),
                     FB_OK);
    assert_int_equal(origin_text_tracks_add_file(texts, path, &german, NULL), FB_OK);
    assert_int_equal(origin_text_tracks_add_file(texts, path, &other, NULL), FB_OK);
    assert_int_equal(
        fb_file_write(f->output.dir_fd, "upload", FB_STR("1\nnever\nHallo\n"), 0644, NULL), FB_OK);
    assert_int_equal(origin_text_tracks_add_file(texts, path, &german, &diag), FB_E_MALFORMED);
    assert_non_null(strstr(diag.text, "line 2"));

    AVPacket *packet = origin_av_packet_new();
    packet->stream_index = 7;
    assert_null(origin_text_tracks_stream(texts, packet));
    packet->stream_index = f->stream->index;
    assert_ptr_equal(origin_text_tracks_stream(texts, packet), f->stream);
    assert_int_equal(av_new_packet(packet, 2), 0);
    memcpy(packet->data, "Hi", 2);
    packet->stream_index = f->stream->index;
    packet->pts = 100;
    packet->duration = 100;
    origin_text_tracks_push(texts, packet);
    av_packet_free(&packet);

    assert_int_equal(origin_text_tracks_finish(texts, &options, &part, NULL), FB_OK);
    assert_int_equal(part.n_tracks, 3); /* the silent one is not among them */
    assert_string_equal(part.tracks[0].track.path, "t/0");
    assert_string_equal(part.tracks[0].track.name, "Deutsch");
    assert_string_equal(part.tracks[1].track.name, "Deutsch 2");
    assert_string_equal(part.tracks[1].track.language, "de-AT");
    assert_string_equal(part.tracks[1].track.iso639, "deu");
    assert_string_equal(part.tracks[2].track.name, "Mine");
    assert_int_equal(part.tracks[2].track.n_segments, 1);
    origin_part_done(&part);
    origin_text_tracks_free(texts);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(subrip_in_a_container_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(text_of_quicktime_is_read_and_its_gaps_are_none, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(ass_is_read_without_its_styles, set_up, tear_down),
        cmocka_unit_test_setup_teardown(webvtt_in_a_container_is_read, set_up, tear_down),
        cmocka_unit_test_setup_teardown(pictures_are_no_text, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_stream_that_is_endless_gives_no_track, set_up, tear_down),
        cmocka_unit_test_setup_teardown(segments_are_aligned_and_hold_what_is_on, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(texts_of_a_file_and_beside_it_become_tracks_of_a_part,
                                        set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_a_container_says_is_shown_in_one_plain_line, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(tracks_are_described_by_what_the_container_says, set_up,
                                        tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
