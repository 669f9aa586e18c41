#include "origin/model/cursor.h"

#include "base/core/err.h"
#include "base/crypto/base64.h"

void origin_cursor_write(struct fb_buf *text, struct fb_str plain)
{
    fb_base64_encode(text, FB_BASE64_URL, plain);
}

int origin_cursor_read(struct fb_str cursor, struct fb_str kind, struct fb_buf *place)
{
    FB_AUTO(fb_buf_done) struct fb_buf plain = {0};

    if (cursor.len > ORIGIN_CURSOR_MAX || fb_base64_decode(&plain, FB_BASE64_URL, cursor) < 0 ||
        !fb_str_starts_with(fb_buf_str(&plain), kind)) {
        return FB_E_MALFORMED;
    }
    fb_buf_append(place, fb_str_skip(fb_buf_str(&plain), kind.len));
    return FB_OK;
}
