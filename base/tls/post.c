#include "base/tls/post.h"

#include "base/core/check.h"
#include "base/core/err.h"

#include <stdint.h>

/* RFC 8446 section 4. */
enum { NEW_SESSION_TICKET = 4, KEY_UPDATE = 24, HEADER_SIZE = 4 };

const struct fb_str fb_tls_key_update = {"\x18\0\0\1\0", FB_TLS_KEY_UPDATE_SIZE};

void fb_tls_post_done(struct fb_tls_post *post)
{
    fb_buf_done(&post->begun);
    post->is_whole = false;
}

bool fb_tls_post_has_begun(const struct fb_tls_post *post)
{
    return post->begun.len > 0 && !post->is_whole;
}

/* The size of the message that `bytes` begin with. */
static int measure(struct fb_str bytes, bool is_client, size_t *ret_size)
{
    const uint8_t *header = (const uint8_t *)bytes.ptr;

    if (header[0] != KEY_UPDATE && (header[0] != NEW_SESSION_TICKET || !is_client)) {
        return FB_E_UNSUPPORTED;
    }
    if (bytes.len < HEADER_SIZE) {
        return FB_E_LATER;
    }
    size_t len = (size_t)header[1] << 16 | (size_t)header[2] << 8 | header[3];
    if (len > FB_TLS_POST_MAX - HEADER_SIZE ||
        (header[0] == KEY_UPDATE && len != FB_TLS_KEY_UPDATE_SIZE - HEADER_SIZE)) {
        return FB_E_MALFORMED;
    }
    *ret_size = HEADER_SIZE + len;
    return FB_OK;
}

static int show(struct fb_str message, struct fb_str rest, struct fb_tls_post_message *ret_message)
{
    struct fb_tls_post_message shown = {.kind = FB_TLS_POST_TICKET,
                                        .body = fb_str_skip(message, HEADER_SIZE)};

    if (message.ptr[0] == KEY_UPDATE) {
        uint8_t request = (uint8_t)shown.body.ptr[0];
        if (request > 1) {
            return FB_E_CONFLICT;
        }
        if (rest.len > 0) {
            return FB_E_UNSUPPORTED; /* section 5.1: what follows has other keys */
        }
        shown = (struct fb_tls_post_message){.kind = FB_TLS_POST_KEY_UPDATE,
                                             .wants_answer = request == 1};
    }
    *ret_message = shown;
    return FB_OK;
}

static void begin_more(struct fb_tls_post *post, struct fb_str *bytes, size_t n)
{
    struct fb_str part = fb_str_first(*bytes, n);

    fb_buf_append(&post->begun, part);
    *bytes = fb_str_skip(*bytes, part.len);
}

int fb_tls_post_take(struct fb_tls_post *post, struct fb_str *bytes, bool is_client,
                     struct fb_tls_post_message *ret_message)
{
    size_t size = 0;

    if (post->is_whole) {
        fb_tls_post_done(post);
    }
    if (bytes->len == 0) {
        return FB_E_LATER;
    }
    if (post->begun.len == 0) {
        int err = measure(*bytes, is_client, &size);
        if (err == FB_OK && size <= bytes->len) {
            struct fb_str message = fb_str_first(*bytes, size);
            *bytes = fb_str_skip(*bytes, size);
            return show(message, *bytes, ret_message);
        }
        if (err < 0 && err != FB_E_LATER) {
            return err;
        }
    }
    if (post->begun.len < HEADER_SIZE) {
        begin_more(post, bytes, HEADER_SIZE - post->begun.len);
    }
    int err = measure(fb_buf_str(&post->begun), is_client, &size);
    if (err < 0) {
        return err;
    }
    begin_more(post, bytes, size - post->begun.len);
    if (post->begun.len < size) {
        return FB_E_LATER;
    }
    post->is_whole = true;
    return show(fb_buf_str(&post->begun), *bytes, ret_message);
}

/* ---- tickets -------------------------------------------------------------- */

/* Big-endian; `n_bytes` of them are there. */
static uint32_t take_number(struct fb_str *bytes, size_t n_bytes)
{
    uint32_t value = 0;

    for (size_t i = 0; i < n_bytes; i++) {
        value = value << 8 | (uint8_t)bytes->ptr[i];
    }
    *bytes = fb_str_skip(*bytes, n_bytes);
    return value;
}

/* Bytes after their length, which takes `n_bytes`; false if they are not all there. */
static bool take_bytes(struct fb_str *bytes, size_t n_bytes, struct fb_str *ret_part)
{
    if (bytes->len < n_bytes) {
        return false;
    }
    size_t len = take_number(bytes, n_bytes);
    if (len > bytes->len) {
        return false;
    }
    *ret_part = fb_str_first(*bytes, len);
    *bytes = fb_str_skip(*bytes, len);
    return true;
}

int fb_tls_post_ticket(struct fb_str body, struct fb_tls_ticket *ret_ticket)
{
    enum { NUMBERS_SIZE = 8, LIFETIME_MAX_S = 7 * 24 * 3600 };
    struct fb_tls_ticket ticket;
    struct fb_str extensions;

    if (body.len < NUMBERS_SIZE) {
        return FB_E_MALFORMED;
    }
    ticket.lifetime_s = take_number(&body, 4);
    ticket.age_add = take_number(&body, 4);
    if (!take_bytes(&body, 1, &ticket.nonce) || !take_bytes(&body, 2, &ticket.ticket) ||
        !take_bytes(&body, 2, &extensions) || ticket.ticket.len == 0 || body.len > 0) {
        return FB_E_MALFORMED;
    }
    if (ticket.lifetime_s > LIFETIME_MAX_S) {
        return FB_E_CONFLICT;
    }
    *ret_ticket = ticket;
    return FB_OK;
}
