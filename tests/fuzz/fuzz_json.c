/*
 * JSON from hostile bytes. What parses must dump and parse again to the same
 * text.
 */
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/json/json.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { MAX_BYTES = 64 * 1024 };
    FB_AUTO(fb_json_freep) struct fb_json *json = NULL;
    FB_AUTO(fb_json_freep) struct fb_json *again = NULL;
    FB_AUTO(fb_buf_done) struct fb_buf first = {0};
    FB_AUTO(fb_buf_done) struct fb_buf second = {0};
    struct fb_diag diag;

    struct fb_str text = {(const char *)data, size};
    if (fb_json_parse(text, MAX_BYTES, &json, &diag) < 0) {
        return 0;
    }
    fb_json_dump(json, &first);
    int err = fb_json_parse(fb_buf_str(&first), SIZE_MAX, &again, &diag);
    FB_REQUIRE(err == FB_OK);
    fb_json_dump(again, &second);
    FB_REQUIRE(fb_str_equal(fb_buf_str(&first), fb_buf_str(&second)));
    return 0;
}
