#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/xml/xml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static int note(void *ctx, struct fb_str path, struct fb_str text)
{
    fb_buf_printf(ctx, "%.*s=%.*s;", FB_STR_ARG(path), FB_STR_ARG(text));
    return fb_str_equal(text, FB_STR("stop")) ? FB_E_CANCELED : FB_OK;
}

static int read_all(const char *document, struct fb_buf *notes)
{
    struct fb_diag diag;
    return fb_xml_read(fb_str_from(document), note, notes, &diag);
}

static void elements_are_told_from_the_inside_out(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf notes = {0};

    assert_int_equal(read_all("<?xml version='1.0'?><s:A xmlns:s='u' x='1'><B>a&amp;b</B>"
                              "<C>x<D>y</D>z</C><E/></s:A>",
                              &notes),
                     FB_OK);
    assert_string_equal(notes.ptr, "A/B=a&b;A/C/D=y;A/C=xz;A/E=;A=;");
}

static void what_is_not_whole_or_not_xml_is_malformed(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "x", "<A>", "<A></B>", "<A/><B/>", "<A>\x01</A>", "<A>&unknown;</A>"};
    FB_AUTO(fb_buf_done) struct fb_buf notes = {0};

    for (size_t i = 0; i < FB_ARRAY_LEN(bad); i++) {
        assert_int_equal(read_all(bad[i], &notes), FB_E_MALFORMED);
    }
}

static void a_document_type_is_refused(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf notes = {0};

    assert_int_equal(read_all("<!DOCTYPE A [<!ENTITY e 'x'>]><A>&e;</A>", &notes), FB_E_MALFORMED);
    assert_int_equal(notes.len, 0);
}

static void depth_path_and_text_have_limits(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf document = {0};
    FB_AUTO(fb_buf_done) struct fb_buf notes = {0};

    for (int i = 0; i <= FB_XML_DEPTH_MAX; i++) {
        fb_buf_append(&document, FB_STR("<A>"));
    }
    assert_int_equal(read_all(document.ptr, &notes), FB_E_LIMIT);

    fb_buf_clear(&document);
    fb_buf_append(&document, FB_STR("<A>"));
    for (int i = 0; i <= FB_XML_TEXT_MAX; i++) {
        fb_buf_append_byte(&document, 'x');
    }
    assert_int_equal(read_all(document.ptr, &notes), FB_E_LIMIT);

    fb_buf_clear(&document);
    fb_buf_append_byte(&document, '<');
    for (int i = 0; i < FB_XML_PATH_MAX; i++) {
        fb_buf_append_byte(&document, 'x');
    }
    fb_buf_append(&document, FB_STR("/>"));
    assert_int_equal(read_all(document.ptr, &notes), FB_E_LIMIT);
}

static void what_the_reader_says_ends_the_reading(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf notes = {0};

    assert_int_equal(read_all("<A><B>stop</B><C>x</C></A>", &notes), FB_E_CANCELED);
    assert_string_equal(notes.ptr, "A/B=stop;");
}

static void escaped_text_reads_back(void **state)
{
    (void)state;
    FB_AUTO(fb_buf_done) struct fb_buf document = {0};
    FB_AUTO(fb_buf_done) struct fb_buf notes = {0};

    fb_buf_append(&document, FB_STR("<A>"));
    fb_xml_append_text(&document, FB_STR("<&\">\r\n\t\x01 \xC3\xA4"));
    fb_buf_append(&document, FB_STR("</A>"));
    assert_int_equal(read_all(document.ptr, &notes), FB_OK);
    assert_string_equal(notes.ptr, "A=<&\">\r\n\t\xEF\xBF\xBD \xC3\xA4;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(elements_are_told_from_the_inside_out),
        cmocka_unit_test(what_is_not_whole_or_not_xml_is_malformed),
        cmocka_unit_test(a_document_type_is_refused),
        cmocka_unit_test(depth_path_and_text_have_limits),
        cmocka_unit_test(what_the_reader_says_ends_the_reading),
        cmocka_unit_test(escaped_text_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
