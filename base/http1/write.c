#include "base/http1/write.h"

#include "base/core/check.h"

#include <string.h>

enum { LINE_MAX_NUMBER = 48 };

static void put(char **at, struct fb_str str)
{
    if (str.len > 0) {
        memcpy(*at, str.ptr, str.len);
        *at += str.len;
    }
}

static void put_number(char **at, uint64_t number)
{
    char digits[20];
    size_t n = 0;

    do {
        digits[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    while (n > 0) {
        *(*at)++ = digits[--n];
    }
}

/* Those from the place `from` on; the first `n_checked` of all are known to be fit to be sent. */
static void write_headers(struct fb_buf *buf, const struct fb_header *headers, size_t from,
                          size_t n, size_t n_checked)
{
    size_t room = 0;

    for (size_t i = from; i < n; i++) {
        room += headers[i].name.len + headers[i].value.len + 4;
    }
    char *start = fb_buf_reserve(buf, room);
    char *at = start;
    for (size_t i = from; i < n; i++) {
        if (i >= n_checked && !fb_header_may_be_sent(&headers[i])) {
            continue;
        }
        put(&at, headers[i].name);
        put(&at, FB_STR(": "));
        put(&at, headers[i].value);
        put(&at, FB_STR("\r\n"));
    }
    fb_buf_add(buf, (size_t)(at - start));
}

static void write_framing(struct fb_buf *buf, enum fb_http1_framing framing, uint64_t length,
                          bool says_length)
{
    char *start = fb_buf_reserve(buf, LINE_MAX_NUMBER);
    char *at = start;

    if (framing == FB_HTTP1_CHUNKED) {
        put(&at, FB_STR("Transfer-Encoding: chunked\r\n"));
    } else if (framing == FB_HTTP1_LENGTH || says_length) {
        put(&at, FB_STR("Content-Length: "));
        put_number(&at, length);
        put(&at, FB_STR("\r\n"));
    }
    fb_buf_add(buf, (size_t)(at - start));
}

void fb_http1_write_request(struct fb_buf *buf, const struct fb_http1_request_out *request)
{
    FB_REQUIRE(request->framing != FB_HTTP1_UNTIL_CLOSE);
    fb_buf_append(buf, request->method);
    fb_buf_append_byte(buf, ' ');
    fb_buf_append(buf, request->target);
    fb_buf_append(buf, FB_STR(" HTTP/1.1\r\nHost: "));
    fb_buf_append(buf, request->host);
    fb_buf_append(buf, FB_STR("\r\n"));
    for (size_t i = 0; i < request->n_headers; i++) {
        if (!fb_str_equal_nocase(request->headers[i].name, FB_STR("Host"))) {
            write_headers(buf, request->headers, i, i + 1, 0);
        }
    }
    write_framing(buf, request->framing, request->length, request->says_length);
    if (request->closes) {
        fb_buf_append(buf, FB_STR("Connection: close\r\n"));
    }
    fb_buf_append(buf, FB_STR("\r\n"));
}

static void write_status_line(struct fb_buf *buf, unsigned status)
{
    struct fb_str reason = fb_str_from(fb_status_reason(status));
    char *start = fb_buf_reserve(buf, LINE_MAX_NUMBER + reason.len);
    char *at = start;

    put(&at, FB_STR("HTTP/1.1 "));
    put_number(&at, status);
    put(&at, FB_STR(" "));
    put(&at, reason);
    put(&at, FB_STR("\r\n"));
    fb_buf_add(buf, (size_t)(at - start));
}

void fb_http1_write_response(struct fb_buf *buf, const struct fb_http1_response_out *response)
{
    FB_REQUIRE(response->n_lines <= response->n_checked);
    write_status_line(buf, response->status);
    fb_buf_append(buf, response->extra);
    fb_buf_append(buf, response->lines);
    write_headers(buf, response->headers, response->n_lines, response->n_headers,
                  response->n_checked);
    write_framing(buf, response->framing, response->length, response->says_length);
    if (response->upgrade.len > 0) {
        fb_buf_append(buf, FB_STR("Connection: Upgrade\r\nUpgrade: "));
        fb_buf_append(buf, response->upgrade);
        fb_buf_append(buf, FB_STR("\r\n"));
    } else if (response->closes) {
        fb_buf_append(buf, FB_STR("Connection: close\r\n"));
    } else if (response->says_keep_alive) {
        fb_buf_append(buf, FB_STR("Connection: keep-alive\r\n"));
    }
    fb_buf_append(buf, FB_STR("\r\n"));
}

struct fb_str fb_http1_continue(void)
{
    return FB_STR("HTTP/1.1 100 Continue\r\n\r\n");
}

struct fb_str fb_http1_chunk_head(char text[FB_HTTP1_CHUNK_HEAD_MAX], uint64_t len)
{
    size_t at = FB_HTTP1_CHUNK_HEAD_MAX;

    text[--at] = '\n';
    text[--at] = '\r';
    do {
        text[--at] = "0123456789abcdef"[len & 15U];
        len >>= 4;
    } while (len > 0);
    return (struct fb_str){text + at, FB_HTTP1_CHUNK_HEAD_MAX - at};
}

struct fb_str fb_http1_chunk_last(void)
{
    return FB_STR("0\r\n\r\n");
}
