/*
 * XML: what was read, written with its text escaped, reads the same.
 */
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/xml/xml.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int read_again(void *ctx, struct fb_str path, struct fb_str text)
{
    FB_REQUIRE(fb_str_equal(path, FB_STR("A")) && fb_str_equal(text, *(const struct fb_str *)ctx));
    return FB_OK;
}

static int take(void *ctx, struct fb_str path, struct fb_str text)
{
    FB_AUTO(fb_buf_done) struct fb_buf document = {0};

    (void)ctx;
    FB_REQUIRE(path.len > 0 && path.len <= FB_XML_PATH_MAX && text.len <= FB_XML_TEXT_MAX);
    fb_buf_append(&document, FB_STR("<A>"));
    fb_xml_append_text(&document, text);
    fb_buf_append(&document, FB_STR("</A>"));
    FB_REQUIRE(fb_xml_read(fb_buf_str(&document), read_again, &text, NULL) == FB_OK);
    return FB_OK;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fb_diag diag;

    (void)(fb_xml_read((struct fb_str){(const char *)data, size}, take, NULL, &diag) == FB_OK);
    return 0;
}
