/*
 * Base64 from hostile bytes, the form chosen by the first one. What decodes must
 * encode to the very same text.
 */
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/crypto/base64.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    if (size == 0) {
        return 0;
    }
    enum fb_base64 form = (enum fb_base64)(data[0] % 3);
    struct fb_str input = {(const char *)data + 1, size - 1};
    if (fb_base64_decode(&bytes, form, input) == FB_OK) {
        fb_base64_encode(&text, form, fb_buf_str(&bytes));
        FB_REQUIRE(fb_str_equal(fb_buf_str(&text), input));
    } else {
        FB_REQUIRE(bytes.len == 0);
    }
    return 0;
}
