/*
 * Hostile chunked content, with signatures and without. However it is cut into pieces, the same
 * comes out; and never more than went in.
 */
#include "base/core/buf.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "origin/upload/chunked.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int decode(struct fb_str text, unsigned form, size_t step, struct fb_buf *buf)
{
    static const struct origin_sigv4_chain chain = {.signature = "00"};
    struct origin_chunked chunked;
    int err = FB_E_LATER;

    origin_chunked_init(&chunked, &(struct origin_chunked_options){
                                      .is_signed = (form & 1U) != 0,
                                      .has_trailer = (form & 2U) != 0,
                                      .chain = &chain,
                                      .moment = FB_STR("20130524T000000Z"),
                                      .scope = FB_STR("20130524/us-east-1/s3/aws4_request"),
                                  });
    while (err == FB_E_LATER && text.len > 0) {
        struct fb_str rest = fb_str_first(text, step);
        struct fb_str piece;
        text = fb_str_skip(text, rest.len);
        while ((err = origin_chunked_next(&chunked, &rest, &piece)) == FB_OK) {
            fb_buf_append(buf, piece);
        }
    }
    FB_IGNORE(origin_chunked_trailer(&chunked, FB_STR("x-amz-checksum-crc32c")));
    origin_chunked_done(&chunked);
    return err;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FB_AUTO(fb_buf_done) struct fb_buf whole = {0};
    FB_AUTO(fb_buf_done) struct fb_buf cut = {0};

    if (size < 2) {
        return 0;
    }
    struct fb_str text = {(const char *)data + 2, size - 2};
    int err = decode(text, data[0], SIZE_MAX, &whole);
    FB_REQUIRE(decode(text, data[0], 1 + (size_t)data[1] % 16, &cut) == err);
    FB_REQUIRE(fb_str_equal(fb_buf_str(&whole), fb_buf_str(&cut)) && whole.len <= size);
    return 0;
}
