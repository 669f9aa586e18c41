/* The opening handshake (RFC 6455 section 4.2). */
#include "base/core/err.h"
#include "base/crypto/base64.h"
#include "base/crypto/hash.h"
#include "base/websocket/websocket.h"

enum { KEY_BYTES = 16, KEY_CHARACTERS = 24 };

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"

static bool key_is_good(struct fb_str key)
{
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};

    return key.len == KEY_CHARACTERS && fb_base64_decode(&bytes, FB_BASE64_STD, key) == FB_OK &&
           bytes.len == KEY_BYTES;
}

int fb_websocket_accept(const struct fb_request_head *request, struct fb_arena *arena,
                        struct fb_headers *headers)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    struct fb_str key = fb_headers_find(&request->headers, FB_STR("Sec-WebSocket-Key"));
    struct fb_str version = fb_headers_find(&request->headers, FB_STR("Sec-WebSocket-Version"));
    uint8_t digest[FB_SHA1_SIZE];

    if (version.ptr != NULL && !fb_str_equal(version, FB_STR("13"))) {
        fb_headers_add(headers, arena, FB_STR("Sec-WebSocket-Version"), FB_STR("13"));
        return FB_E_UNSUPPORTED;
    }
    if (version.ptr == NULL || !key_is_good(key)) {
        return FB_E_MALFORMED;
    }
    fb_buf_append(&text, key);
    fb_buf_append(&text, FB_STR(GUID));
    fb_sha1(fb_buf_str(&text), digest);
    fb_buf_clear(&text);
    fb_base64_encode(&text, FB_BASE64_STD, (struct fb_str){(const char *)digest, sizeof(digest)});
    fb_headers_add(headers, arena, FB_STR("Sec-WebSocket-Accept"),
                   fb_arena_dup(arena, fb_buf_str(&text)));
    return FB_OK;
}
