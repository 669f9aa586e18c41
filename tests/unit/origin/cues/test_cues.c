#include "base/core/diag.h"
#include "base/core/err.h"
#include "origin/cues/cues.h"
#include "origin/cues/markup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* What `file` reads as, written as WebVTT; or the sentence that refuses it. */
static void assert_reads(const char *file, const char *expected)
{
    struct origin_cues cues = {0};
    struct fb_buf out = {0};
    struct fb_diag diag = {0};

    if (origin_cues_parse(fb_str_from(file), &cues, &diag) == FB_OK) {
        origin_cues_write(&out, &cues);
    } else {
        fb_buf_append(&out, fb_str_from(diag.text));
    }
    assert_string_equal(out.ptr, expected);
    fb_buf_done(&out);
    origin_cues_done(&cues);
}

static void assert_cleans(const char *markup, const char *expected)
{
    struct fb_buf out = {0};
    bool is_top = false;
    origin_markup_clean(&out, fb_str_from(markup), &is_top);
    fb_buf_append_byte(&out, '\0');
    assert_string_equal(out.ptr, expected);
    fb_buf_done(&out);
}

static void assert_ass(const char *text, const char *expected)
{
    struct fb_buf markup = {0};
    origin_markup_from_ass(&markup, fb_str_from(text));
    fb_buf_append_byte(&markup, '\0');
    assert_cleans(markup.ptr, expected);
    fb_buf_done(&markup);
}

static void subrip_becomes_webvtt(void **state)
{
    (void)state;
    assert_reads("1\n00:00:01,000 --> 00:00:02,500\nHello\nworld\n\n"
                 "2\n00:01:00,000 --> 01:00:00,000 X1:1 X2:2\n<i>Bye</i>\n",
                 "WEBVTT\n\n00:00:01.000 --> 00:00:02.500\nHello\nworld\n"
                 "\n00:01:00.000 --> 01:00:00.000\n<i>Bye</i>\n");
}

static void webvtt_stays_what_it_is_but_for_styles_and_notes(void **state)
{
    (void)state;
    assert_reads("\xef\xbb\xbfWEBVTT - a title\r\nKind: captions\r\n\r\n"
                 "NOTE\r\nnothing --> here\r\n\r\nSTYLE\r\n::cue { color: red }\r\n\r\n"
                 "intro\r\n01:02.000 --> 01:04.000 line:10% region:r align:start\r\n"
                 "<v.loud Ann Lee>Hi <c.red>there</c>\r\n",
                 "WEBVTT\n\n00:01:02.000 --> 00:01:04.000 line:10% align:start\n"
                 "<v Ann Lee>Hi there</v>\n");
}

static void what_players_forgive_is_forgiven(void **state)
{
    (void)state;
    assert_reads("\n\n00:05.5 --> 00:06\rsecond\r\r7\r00:00:01.000 --> 00:00:02.000\rfirst\r\r"
                 "8\r00:00:03.000 --> 00:00:03.000\rno time\r\r9\r",
                 "WEBVTT\n\n00:00:01.000 --> 00:00:02.000\nfirst\n"
                 "\n00:00:05.500 --> 00:00:06.000\nsecond\n");
}

static void a_refusal_names_the_line(void **state)
{
    (void)state;
    assert_reads("1\n00:00:01,000 -> 00:00:02,500\nHello\n",
                 "line 2: expected two times, such as 00:01:02.500 --> 00:01:04.000");
    assert_reads("1\n00:00:01,000 --> 00:00:72,500\nHello\n",
                 "line 2: expected two times, such as 00:01:02.500 --> 00:01:04.000");
    assert_reads("1\n00:00:03,000 --> 00:00:02,500\nHello\n",
                 "line 2: the text ends before it begins");
    assert_reads("1\n00:00:01,000 --> 00:00:02,500\nHello\n2\n00:00:03,000 --> 00:00:04,000\nyou\n",
                 "line 5: a blank line is missing before these times");
    assert_reads("1\n00:00:01,000 --> 00:00:02,500\nCaf\xe9\n", "line 3: the text is not in UTF-8");
    assert_reads("WEBVTT\n\nNOTE nothing\n", "the file has no texts with times");
    assert_reads("", "the file has no texts with times");
}

static void markup_is_closed_and_nothing_else_gets_through(void **state)
{
    (void)state;
    assert_cleans("<b>a<i>b</b>c</i>", "<b>a<i>b</i></b>c");
    assert_cleans("<B>open", "<b>open</b>");
    assert_cleans("<font color=\"#fff\">x</font><script>y</script>", "xy");
    assert_cleans("1 < 2 & 3 > 2 &amp; <3 &#60;", "1 &lt; 2 &amp; 3 &gt; 2 &amp; &lt;3 &amp;#60;");
    assert_cleans("<00:00:01.000>karaoke", "karaoke");
    assert_cleans("<i\n>a <b", "a &lt;b");
    assert_cleans("a --> b", "a --&gt; b");
    assert_cleans("\n\na\n \n<i>\n</i>b\n", "a\n<i></i>\nb");
    assert_cleans("<i> </i>", "");
    assert_cleans("<v A<b&c>x", "&lt;v Ax");
    assert_cleans("<v A&c>x", "<v A_c>x</v>");
    assert_cleans("{\\an8}{x}", "{x}");
}

static void overrides_of_ass_become_markup(void **state)
{
    (void)state;
    assert_ass("{\\i1}a{\\i0}\\Nb {\\b700\\u1}<c>{\\r}d\\he",
               "<i>a</i>\nb <b><u>&lt;c&gt;</u></b>d e");
    assert_ass("{comment}{\\blur3\\p1}m 0 0 l 1 1{\\p0}text", "text");
}

static void an_override_that_means_the_top_places_the_cue(void **state)
{
    (void)state;
    assert_reads("1\n00:01 --> 00:02\n{\\an8}up\n",
                 "WEBVTT\n\n00:00:01.000 --> 00:00:02.000 line:0\nup\n");
}

static void a_segment_holds_all_that_is_on_during_it(void **state)
{
    (void)state;
    struct origin_cues cues = {0};
    struct fb_buf out = {0};

    assert_int_equal(origin_cues_add(&cues, 9000, 12000, FB_STR_NONE, FB_STR("c")), FB_OK);
    assert_int_equal(origin_cues_add(&cues, 1000, 5000, FB_STR_NONE, FB_STR("a")), FB_OK);
    assert_int_equal(origin_cues_add(&cues, 2000, 4000, FB_STR_NONE, FB_STR("b")), FB_OK);
    origin_cues_sort(&cues);
    origin_cues_write_segment(&out, &cues, 4000, 9000);
    assert_string_equal(out.ptr, "WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n"
                                 "\n00:00:01.000 --> 00:00:05.000\na\n");
    fb_buf_done(&out);
    origin_cues_done(&cues);
}

static void a_list_that_would_fill_every_segment_is_refused(void **state)
{
    (void)state;
    struct origin_cues cues = {0};
    struct fb_buf text = {0};
    int err = FB_OK;
    unsigned n = 0;

    for (unsigned i = 0; i < ORIGIN_CUE_MAX_BYTES; i++) {
        fb_buf_append_byte(&text, 'x');
    }
    for (; err == FB_OK; n++) {
        err = origin_cues_add(&cues, 0, 3600000, FB_STR_NONE, fb_buf_str(&text));
    }
    assert_int_equal(err, FB_E_LIMIT);
    assert_true(n < 12);
    fb_buf_append_byte(&text, 'x');
    assert_int_equal(origin_cues_add(&cues, 0, 1, FB_STR_NONE, fb_buf_str(&text)), FB_E_LIMIT);
    fb_buf_done(&text);
    origin_cues_done(&cues);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subrip_becomes_webvtt),
        cmocka_unit_test(webvtt_stays_what_it_is_but_for_styles_and_notes),
        cmocka_unit_test(what_players_forgive_is_forgiven),
        cmocka_unit_test(a_refusal_names_the_line),
        cmocka_unit_test(markup_is_closed_and_nothing_else_gets_through),
        cmocka_unit_test(overrides_of_ass_become_markup),
        cmocka_unit_test(an_override_that_means_the_top_places_the_cue),
        cmocka_unit_test(a_segment_holds_all_that_is_on_during_it),
        cmocka_unit_test(a_list_that_would_fill_every_segment_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
