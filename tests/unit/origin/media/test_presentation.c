#include "origin/media/dash.h"
#include "origin/media/hls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
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
    origin_hls_master(&f->buf, &f->all, true);
    assert_string_equal(
        f->buf.ptr,
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n"
        "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"audio\",NAME=\"Deutsch  1  <&>\",LANGUAGE=\"de\","
        "DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"2\",URI=\"a/0/index.m3u8\"\n"
        "#EXT-X-STREAM-INF:BANDWIDTH=4124347,AVERAGE-BANDWIDTH=2924863,RESOLUTION=1280x720,"
        "FRAME-RATE=29.970,VIDEO-RANGE=SDR,CODECS=\"avc1.64001f,mp4a.40.2\",AUDIO=\"audio\","
        "CLOSED-CAPTIONS=NONE\nv/720p/index.m3u8\n"
        "#EXT-X-STREAM-INF:BANDWIDTH=1726745,AVERAGE-BANDWIDTH=1246542,RESOLUTION=640x360,"
        "FRAME-RATE=29.970,VIDEO-RANGE=SDR,CODECS=\"avc1.64001f,mp4a.40.2\",AUDIO=\"audio\","
        "CLOSED-CAPTIONS=NONE\nv/360p/index.m3u8\n");
}

static void a_silent_video_names_no_group(void **state)
{
    struct fixture *f = *state;
    f->all.n_audios = 0;
    origin_hls_master(&f->buf, &f->all, false);
    assert_null(strstr(f->buf.ptr, "AUDIO"));
    assert_null(strstr(f->buf.ptr, "SUBTITLES"));
    assert_non_null(strstr(f->buf.ptr, "CODECS=\"avc1.64001f\",CLOSED-CAPTIONS=NONE\nv/720p"));
}

static void a_media_playlist_sums_to_the_exact_length(void **state)
{
    struct fixture *f = *state;
    origin_hls_media(&f->buf, &f->all, &f->videos[0]);
    assert_string_equal(f->buf.ptr,
                        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:4\n"
                        "#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:VOD\n"
                        "#EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"init.mp4\"\n"
                        "#EXTINF:4.004000,\nseg-00001.m4s\n#EXTINF:4.004000,\nseg-00002.m4s\n"
                        "#EXTINF:2.002000,\nseg-00003.m4s\n#EXT-X-ENDLIST\n");
}

static void key_pictures_are_named_by_their_ranges(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < f->videos[1].n_segments; i++) {
        f->videos[1].segments[i].key_offset = 24;
        f->videos[1].segments[i].key_bytes = 10000 + i;
    }
    origin_hls_master(&f->buf, &f->all, true);
    assert_null(strstr(f->buf.ptr, "v/720p/iframes.m3u8")); /* unknown there */
    assert_non_null(strstr(f->buf.ptr, "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=39969,"
                                       "AVERAGE-BANDWIDTH=23979,RESOLUTION=640x360,"
                                       "VIDEO-RANGE=SDR,CODECS=\"avc1.64001f\","
                                       "URI=\"v/360p/iframes.m3u8\"\n"));
    fb_buf_clear(&f->buf);
    origin_hls_iframes(&f->buf, &f->all, &f->videos[1]);
    assert_non_null(strstr(f->buf.ptr, "#EXT-X-I-FRAMES-ONLY\n#EXT-X-MAP:URI=\"init.mp4\"\n"
                                       "#EXTINF:4.004000,\n#EXT-X-BYTERANGE:10000@24\n"
                                       "seg-00001.m4s\n"));
}

/* German and English text, the latter twice: plain, and for those who do not hear. */
static void add_texts(struct fixture *f, struct origin_track texts[3])
{
    static const char *const languages[] = {"de", "en", "en"};
    for (size_t i = 0; i < 3; i++) {
        texts[i] = (struct origin_track){.timescale = 1000, .head.bytes = 1000};
        (void)snprintf(texts[i].path, sizeof(texts[i].path), "t/%zu", i);
        (void)snprintf(texts[i].language, sizeof(texts[i].language), "%s", languages[i]);
        (void)snprintf(texts[i].name, sizeof(texts[i].name), "Text %zu", i);
        add(&texts[i], 4000, 500);
        add(&texts[i], 4000, 500);
    }
    texts[0].is_forced = true;
    texts[2].is_for_deaf = true;
    f->all.texts = texts;
    f->all.n_texts = 3;
}

static void text_is_a_group_and_counts_in_the_rate(void **state)
{
    struct fixture *f = *state;
    struct origin_track texts[3];
    add_texts(f, texts);
    origin_hls_master(&f->buf, &f->all, false);
    assert_non_null(strstr(f->buf.ptr,
                           "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"text\",NAME=\"Text 0\","
                           "LANGUAGE=\"de\",DEFAULT=NO,AUTOSELECT=YES,FORCED=YES,"
                           "URI=\"t/0/index.m3u8\"\n"));
    assert_non_null(strstr(f->buf.ptr,
                           "NAME=\"Text 2\",LANGUAGE=\"en\",DEFAULT=NO,AUTOSELECT=YES,"
                           "CHARACTERISTICS=\"public.accessibility.transcribes-spoken-dialog,"
                           "public.accessibility.describes-music-and-sound\","));
    assert_non_null(strstr(f->buf.ptr, "BANDWIDTH=4125347,AVERAGE-BANDWIDTH=2925863,"));
    assert_non_null(strstr(f->buf.ptr, ",AUDIO=\"audio\",SUBTITLES=\"text\",CLOSED"));

    fb_buf_clear(&f->buf);
    origin_hls_media(&f->buf, &f->all, &texts[0]);
    assert_null(strstr(f->buf.ptr, "EXT-X-MAP"));
    assert_non_null(strstr(f->buf.ptr, "#EXTINF:4.000000,\nseg-00002.vtt\n"));

    fb_buf_clear(&f->buf);
    origin_dash_manifest(&f->buf, &f->all, false);
    assert_non_null(strstr(f->buf.ptr, "mimeType=\"text/vtt\" lang=\"de\""));
    assert_non_null(strstr(f->buf.ptr, "value=\"forced-subtitle\""));
    assert_non_null(strstr(f->buf.ptr, "value=\"caption\""));
    assert_non_null(strstr(f->buf.ptr, "<BaseURL>t/2/whole.vtt</BaseURL>"));
    for (size_t i = 0; i < 3; i++) {
        origin_track_done(&texts[i]);
    }
}

static void only_the_first_of_equal_tracks_is_chosen_by_players(void **state)
{
    struct fixture *f = *state;
    struct origin_track texts[3];
    add_texts(f, texts);
    texts[2].is_for_deaf = false;
    origin_hls_master(&f->buf, &f->all, false);
    assert_non_null(
        strstr(f->buf.ptr, "NAME=\"Text 1\",LANGUAGE=\"en\",DEFAULT=NO,AUTOSELECT=YES"));
    assert_non_null(strstr(f->buf.ptr, "NAME=\"Text 2\",LANGUAGE=\"en\",DEFAULT=NO,AUTOSELECT=NO"));
    for (size_t i = 0; i < 3; i++) {
        origin_track_done(&texts[i]);
    }
}

static void each_codec_has_a_set_of_its_own(void **state)
{
    struct fixture *f = *state;
    strcpy(f->videos[1].codecs, "av01.0.01M.08");
    strcpy(f->videos[1].path, "v/720p-av1");
    origin_dash_manifest(&f->buf, &f->all, false);
    const char *first = strstr(f->buf.ptr, "contentType=\"video\"");
    const char *second = strstr(first + 1, "contentType=\"video\"");
    assert_non_null(second);
    assert_true(strstr(f->buf.ptr, "id=\"720p\"") < second);
    assert_true(strstr(f->buf.ptr, "id=\"720p-av1\"") > second);
}

static void the_storyboard_is_a_set_of_images(void **state)
{
    struct fixture *f = *state;
    struct origin_segment sheets[2] = {{.bytes = 20000}, {.bytes = 30000}};
    struct origin_storyboard_facts facts = {.tile_ms = 1000,
                                            .sheet_ms = 6000,
                                            .columns = 3,
                                            .rows = 2,
                                            .tile_width = 160,
                                            .tile_height = 90,
                                            .n_tiles = 11,
                                            .sheets = sheets,
                                            .n_sheets = 2};
    f->all.storyboard = &facts;
    origin_hls_master(&f->buf, &f->all, false);
    assert_non_null(strstr(f->buf.ptr, "#EXT-X-SESSION-DATA:DATA-ID=\"forebay.storyboard\","
                                       "VALUE=\"storyboard.vtt\"\n"));
    fb_buf_clear(&f->buf);
    origin_dash_manifest(&f->buf, &f->all, false);
    assert_non_null(strstr(f->buf.ptr, "duration=\"6000\" startNumber=\"1\""
                                       " media=\"s/$Number%05d$.jpg\"/>"));
    assert_non_null(strstr(f->buf.ptr, "bandwidth=\"40000\" width=\"480\" height=\"180\""));
    assert_non_null(strstr(f->buf.ptr, "value=\"3x2\""));
}

static void protection_is_told_of_in_both(void **state)
{
    struct fixture *f = *state;
    struct origin_protection_system systems[] = {
        {.uuid = ORIGIN_PROTECTION_CLEARKEY,
         .name = "ClearKey1.0",
         .licence_url = "/licence?a=1&b=2",
         .hls_format = "identity",
         .hls_url = "/key"},
        {.uuid = "1077efec-c0b2-4d02-ace3-3c1e52e2fb4b", .pssh = FB_STR("pssh")},
    };
    struct origin_protection protection = {
        .scheme = ORIGIN_PROTECTION_CENC, .systems = systems, .n_systems = 2};
    memcpy(protection.key_id, "0123456789abcdef", ORIGIN_KEY_ID_SIZE);
    f->all.protection = &protection;

    origin_hls_media(&f->buf, &f->all, &f->videos[0]);
    assert_non_null(strstr(f->buf.ptr,
                           "#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,URI=\"/key\","
                           "KEYID=0x30313233343536373839616263646566,KEYFORMAT=\"identity\","
                           "KEYFORMATVERSIONS=\"1\"\n"
                           "#EXT-X-KEY:METHOD=SAMPLE-AES-CTR,"
                           "URI=\"data:text/plain;base64,cHNzaA==\","
                           "KEYID=0x30313233343536373839616263646566,"
                           "KEYFORMAT=\"urn:uuid:1077efec-c0b2-4d02-ace3-3c1e52e2fb4b\","));
    fb_buf_clear(&f->buf);
    origin_dash_manifest(&f->buf, &f->all, false);
    assert_non_null(strstr(f->buf.ptr, "value=\"cenc\" cenc:default_KID=\""
                                       "30313233-3435-3637-3839-616263646566\"/>"));
    assert_non_null(strstr(f->buf.ptr, "<cenc:pssh>cHNzaA==</cenc:pssh>"));
    assert_non_null(strstr(f->buf.ptr, "<dashif:Laurl>/licence?a=1&amp;b=2</dashif:Laurl>"));

    protection.scheme = ORIGIN_PROTECTION_CBCS;
    fb_buf_clear(&f->buf);
    origin_hls_media(&f->buf, &f->all, &f->audios[0]);
    assert_non_null(strstr(f->buf.ptr, "METHOD=SAMPLE-AES,"));
}

static void the_manifest_runs_equal_segments_together(void **state)
{
    struct fixture *f = *state;
    origin_dash_manifest(&f->buf, &f->all, false);
    assert_non_null(strstr(f->buf.ptr, "mediaPresentationDuration=\"PT10.010S\""));
    assert_non_null(strstr(f->buf.ptr, "<S t=\"0\" d=\"120120\" r=\"1\"/>\n          "
                                       "<S d=\"60060\"/>"));
    assert_non_null(strstr(f->buf.ptr, "media=\"v/$RepresentationID$/seg-$Number%05d$.m4s\""));
    assert_non_null(strstr(f->buf.ptr, "<Representation id=\"360p\""));
    assert_non_null(strstr(f->buf.ptr, "frameRate=\"30000/1001\""));
}

static void on_demand_each_representation_is_one_file_with_an_index(void **state)
{
    struct fixture *f = *state;
    f->videos[0].head.bytes = 800;
    f->videos[1].head.bytes = 801;
    f->audios[0].head.bytes = 700;
    origin_dash_manifest(&f->buf, &f->all, true);
    assert_non_null(strstr(f->buf.ptr, "profiles=\"urn:mpeg:dash:profile:isoff-on-demand:2011\""));
    assert_non_null(strstr(f->buf.ptr, "mediaPresentationDuration=\"PT10.010S\""));
    assert_null(strstr(f->buf.ptr, "SegmentT"));
    assert_null(strstr(f->buf.ptr, " startWithSAP"));
    assert_non_null(
        strstr(f->buf.ptr, " subsegmentAlignment=\"true\" subsegmentStartsWithSAP=\"1\""));
    assert_non_null(strstr(f->buf.ptr, /* 32 bytes and 12 for each of three segments */
                           "        <BaseURL>v/720p/whole.mp4</BaseURL>\n"
                           "        <SegmentBase timescale=\"30000\" indexRange=\"800-867\""
                           " indexRangeExact=\"true\">\n"
                           "          <Initialization range=\"0-799\"/>\n"
                           "        </SegmentBase>\n"
                           "      </Representation>\n"));
    assert_non_null(strstr(f->buf.ptr, "v/360p/whole.mp4</BaseURL>\n        <SegmentBase"
                                       " timescale=\"30000\" indexRange=\"801-868\""));
    assert_non_null(strstr(f->buf.ptr, "a/0/whole.mp4</BaseURL>\n        <SegmentBase"
                                       " timescale=\"48000\" indexRange=\"700-767\""));
}

static void names_in_the_manifest_are_escaped(void **state)
{
    struct fixture *f = *state;
    origin_dash_manifest(&f->buf, &f->all, false);
    assert_non_null(strstr(f->buf.ptr, "<Label>Deutsch &quot;1&quot; &lt;&amp;&gt;</Label>"));
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
        TEST(key_pictures_are_named_by_their_ranges),
        TEST(text_is_a_group_and_counts_in_the_rate),
        TEST(only_the_first_of_equal_tracks_is_chosen_by_players),
        TEST(each_codec_has_a_set_of_its_own),
        TEST(the_storyboard_is_a_set_of_images),
        TEST(protection_is_told_of_in_both),
        TEST(the_manifest_runs_equal_segments_together),
        TEST(on_demand_each_representation_is_one_file_with_an_index),
        TEST(names_in_the_manifest_are_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
