/*
 * Encryption of whatever claims to be CMAF: the first byte chooses the scheme, the rest is boxes.
 */
#include "base/core/attr.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "origin/media/boxes.h"
#include "origin/media/cenc.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct origin_cenc *begin(enum origin_scheme scheme, struct fb_str init)
{
    FB_AUTO(fb_buf_done) struct fb_buf out = {0};
    struct origin_content_key key = {.scheme = scheme, .key = {1}};
    struct origin_cenc *cenc = NULL;

    int err = origin_cenc_new(&(struct origin_cenc_options){.key = &key}, init, &out, &cenc, NULL);
    FB_REQUIRE(err == FB_OK ? out.len > init.len : out.len == 0);
    return cenc;
}

static void encrypt(struct origin_cenc *cenc, struct fb_str clear)
{
    FB_AUTO(fb_buf_done) struct fb_buf out = {0};
    size_t moved = 0;

    int err = origin_cenc_fragment(cenc, 1, clear, &out, &moved, NULL);
    FB_REQUIRE(out.len == (err == FB_OK ? clear.len + moved : 0));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    struct fb_str rest = {(const char *)data + 1, size - 1};
    struct fb_str part = rest;
    struct origin_cenc *cenc = NULL;

    while (rest.len > 0) {
        struct origin_box box = {.type = ""};
        bool is_whole = origin_box_next(&rest, &box) == FB_OK;
        size_t n = is_whole ? part.len - rest.len : part.len;
        if (cenc == NULL && (!is_whole || origin_box_is(&box, "moov"))) {
            cenc = begin(data[0] % 2 == 0 ? ORIGIN_SCHEME_CENC : ORIGIN_SCHEME_CBCS,
                         fb_str_first(part, n));
        } else if (cenc != NULL && (!is_whole || origin_box_is(&box, "mdat"))) {
            encrypt(cenc, fb_str_first(part, n));
        } else if (is_whole) {
            continue;
        }
        if (!is_whole) {
            break;
        }
        part = rest;
    }
    origin_cenc_free(cenc);
    return 0;
}
