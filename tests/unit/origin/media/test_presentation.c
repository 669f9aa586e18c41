#include "origin/media/dash.h"
#include "origin/media/hls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* Two renditions of 10 s at 29.97 and one track of sound. */
struct fixture {
    struct origin_track videos[2];
    struct origin_track audios[1];
    struct origin_presentation all;
    struct fb_buf buf;
};

static void add(struct origin_track *track, uint64_t duration, uint64_t bytes)
{
    origin_track_add(track, &(struct origin_segment){.duration = duration, .bytes = bytes});
}

static void add_video(struct origin_track *track, unsigned rung, const char *path, uint64_t bytes)
{
    *track = (struct origin_track){.codecs = "avc1.64001f",
                                   .timescale = 30000,
                                   .rung = rung,
                                   .width = rung * 16 / 9 / 2 * 2,
                                   .height = rung,
                                   .frame_rate = {30000, 1001}};
    strncpy(track->path, path, sizeof(track->path) - 1);
    add(track, 120120, bytes);
    add(track, 120120, bytes * 2);
    add(track, 60060, bytes / 2);
}

static int set_up(void **state)
{
    static struct fixture f;
    f = (struct fixture){0};
    add_video(&f.videos[0], 720, "v/720p", 1000000);
    add_video(&f.videos[1], 360, "v/360p", 400000);
    f.audios[0] = (struct origin_track){.path = "a/0",
                                        .codecs = "mp4a.40.2",
                                        .timescale = 48000,
                                        .name = "Deutsch \"1\" <&>",
                                        .language = "de",
                                        .channels = 2,
                                        .sample_rate = 48000,
                                        .is_default = true};
    add(&f.audios[0], 192512, 64000);
    add(&f.audios[0], 191488, 64000);
    add(&f.audios[0], 97280, 32000);
    f.all = (struct origin_presentation){
        .videos = f.videos, .n_videos = 2, .audios = f.audios, .n_audios = 1};
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    origin_track_done(&f->videos[0]);
    origin_track_done(&f->videos[1]);
    origin_track_done(&f->audios[0]);
    fb_buf_done(&f->buf);
    return 0;
}

static void the_peak_is_the_heaviest_stretch_about_a_target_long(void **state)
{
    struct fixture *f = *state;
    /* 2,000,000 bytes in 4.004 s, rounded up. */
    assert_int_equal(origin_track_peak_rate(&f->videos[0], 4), 3996004);
    assert_int_equal(origin_track_average_rate(&f->videos[0]), 2797203);
    assert_int_equal(origin_track_target_s(&f->videos[0]), 4);
    assert_int_equal(origin_track_duration_ms(&f->videos[0]), 10010);
}

static void a_short_last_segment_does_not_make_the_peak(void **state)
{
    (void)state;
    struct origin_track track = {.timescale = 1000};
    add(&track, 4000, 1000);
    add(&track, 500, 1000); /* heavy, but only an eighth of a target */
    assert_int_equal(origin_track_peak_rate(&track, 4), 3556); /* both, in 4.5 s */
    origin_track_done(&track);
}

static void a_very_short_video_has_its_average_as_peak(void **state)
{
    (void)state;
    struct origin_track track = {.timescale = 1000};
    add(&track, 400, 50);
    assert_int_equal(origin_track_peak_rate(&track, 4), 1000);
    assert_int_equal(origin_track_target_s(&track), 1);
    origin_track_done(&track);
}

static void the_master_tells_measured_rates_with_sound(void **state)
{
    struct fixture *f = *state;
    origin_hls_master(&f->buf, &f->all);
    assert_string_equal(
        f->buf.ptr,
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n"
        "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"Deutsch  1  <&>\",LANGUAGE=\"de\","
        "DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"2\",URI=\"a/0/index.m3u8\"\n"
        "#EXT-X-STREAM-INF:BANDWIDTH=4124347,AVERAGE-BANDWIDTH=2924863,RESOLUTION=1280x720,"
        "FRAME-RATE=29.970,CODECS=\"avc1.64001f,mp4a.40.2\",AUDIO=\"audio\"\n"
        "v/720p/index.m3u8\n"
        "#EXT-X-STREAM-INF:BANDWIDTH=1726745,AVERAGE-BANDWIDTH=1246542,RESOLUTION=640x360,"
        "FRAME-RATE=29.970,CODECS=\"avc1.64001f,mp4a.40.2\",AUDIO=\"audio\"\n"
        "v/360p/index.m3u8\n");
}

static void a_silent_video_names_no_group(void **state)
{
    struct fixture *f = *state;
    f->all.n_audios = 0;
    origin_hls_master(&f->buf, &f->all);
    assert_null(strstr(f->buf.ptr, "AUDIO"));
    assert_non_null(strstr(f->buf.ptr, "CODECS=\"avc1.64001f\"\nv/720p"));
}

static void a_media_playlist_sums_to_the_exact_length(void **state)
{
    struct fixture *f = *state;
    origin_hls_media(&f->buf, &f->videos[0]);
    assert_string_equal(f->buf.ptr,
                        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n"
                        "#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:VOD\n"
                        "#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"init.mp4\"\n"
                        "#EXTINF:4.004000,\nseg-00001.m4s\n#EXTINF:4.004000,\nseg-00002.m4s\n"
                        "#EXTINF:2.002000,\nseg-00003.m4s\n#EXT-X-ENDLIST\n");
}

static void the_manifest_runs_equal_segments_together(void **state)
{
    struct fixture *f = *state;
    origin_dash_manifest(&f->buf, &f->all);
    assert_non_null(strstr(f->buf.ptr, "mediaPresentationDuration=\"PT10.010S\""));
    assert_non_null(strstr(f->buf.ptr, "<S t=\"0\" d=\"120120\" r=\"1\"/>\n          "
                                       "<S d=\"60060\"/>"));
    assert_non_null(strstr(f->buf.ptr, "media=\"v/$RepresentationID$/seg-$Number%05d$.m4s\""));
    assert_non_null(strstr(f->buf.ptr, "<Representation id=\"360p\""));
    assert_non_null(strstr(f->buf.ptr, "frameRate=\"30000/1001\""));
}

static void names_in_the_manifest_are_escaped(void **state)
{
    struct fixture *f = *state;
    origin_dash_manifest(&f->buf, &f->all);
    assert_non_null(strstr(f->buf.ptr, "<Label>Deutsch &quot;1&quot; &lt;&amp;></Label>"));
    assert_non_null(strstr(f->buf.ptr, "lang=\"de\""));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_peak_is_the_heaviest_stretch_about_a_target_long),
        TEST(a_short_last_segment_does_not_make_the_peak),
        TEST(a_very_short_video_has_its_average_as_peak),
        TEST(the_master_tells_measured_rates_with_sound),
        TEST(a_silent_video_names_no_group),
        TEST(a_media_playlist_sums_to_the_exact_length),
        TEST(the_manifest_runs_equal_segments_together),
        TEST(names_in_the_manifest_are_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
