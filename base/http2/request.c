#include "base/core/arena.h"
#include "base/core/err.h"
#include "base/http/target.h"
#include "base/http2/http2_internal.h"

/* ---- fields -------------------------------------------------------------- */

static void take_pseudo(struct fb_http2_stream *stream, struct fb_str name, struct fb_str value)
{
    struct fb_request_head *head = &stream->request;

    /* nghttp2 sees to it that each is there once at most, and before all others. */
    if (fb_str_equal(name, FB_STR(":path"))) {
        head->target = fb_arena_dup(stream->arena, value);
    } else if (fb_str_equal(name, FB_STR(":method"))) {
        head->method = fb_method_from(value);
        head->method_text = head->method != FB_METHOD_OTHER ? fb_method_text(head->method)
                                                            : fb_arena_dup(stream->arena, value);
    } else if (fb_str_equal(name, FB_STR(":authority"))) {
        head->host = fb_arena_dup(stream->arena, value);
    } else if (fb_str_equal(name, FB_STR(":scheme")) && !fb_str_equal(value, FB_STR("https")) &&
               !fb_str_equal(value, FB_STR("http"))) {
        stream->status = 400;
    }
}

/* Crumbs are one field to all others (RFC 9113 section 8.2.3). */
static void take_cookie(struct fb_http2_stream *stream, struct fb_str value)
{
    if (stream->cookie.len > 0) {
        fb_buf_append(&stream->cookie, FB_STR("; "));
    }
    fb_buf_append(&stream->cookie, value);
}

void fb_http2_request_field(struct fb_http2_session *session, struct fb_http2_stream *stream,
                            struct fb_str name, struct fb_str value)
{
    const struct fb_http2_limits *limits = &session->limits;
    bool is_pseudo = name.len > 0 && name.ptr[0] == ':';

    stream->n_head_bytes += name.len + value.len;
    stream->n_fields += is_pseudo ? 0 : 1;
    if (stream->n_head_bytes > limits->max_head_bytes || stream->n_fields > limits->max_headers) {
        bool is_path = fb_str_equal(name, FB_STR(":path"));
        if (stream->status == 0) {
            stream->status = is_path ? 414 : 431;
        }
    } else if (is_pseudo) {
        take_pseudo(stream, name, value);
    } else if (fb_str_equal(name, FB_STR("cookie"))) {
        take_cookie(stream, value);
    } else {
        fb_headers_add(&stream->request.headers, stream->arena, fb_arena_dup(stream->arena, name),
                       fb_arena_dup(stream->arena, value));
    }
}

/* ---- the whole ----------------------------------------------------------- */

/* Most requests of a connection are to one host. */
static bool is_host(struct fb_http2_session *session, struct fb_str host)
{
    if (session->n_host > 0 &&
        fb_str_equal(host, (struct fb_str){session->host, session->n_host})) {
        return true;
    }
    if (!fb_host_is_valid(host)) {
        return false;
    }
    if (host.len <= sizeof(session->host)) {
        memcpy(session->host, host.ptr, host.len);
        session->n_host = host.len;
    }
    return true;
}

/* Settles the host: `:authority`, or one Host, or both if they are the same. */
static bool settle_host(struct fb_http2_session *session, struct fb_http2_stream *stream)
{
    struct fb_request_head *head = &stream->request;
    struct fb_str host = fb_headers_find(&head->headers, FB_STR("host"));
    size_t n_hosts = fb_headers_count(&head->headers, FB_STR("host"));

    if (n_hosts > 1 ||
        (n_hosts == 1 && head->host.ptr != NULL && !fb_str_equal_nocase(head->host, host))) {
        return false;
    }
    if (n_hosts == 0) {
        fb_headers_add(&head->headers, stream->arena, FB_STR("host"), head->host);
    } else {
        head->host = host;
    }
    return is_host(session, head->host);
}

static bool settle_length(struct fb_http2_stream *stream, bool has_content)
{
    struct fb_str text = fb_headers_find(&stream->request.headers, FB_STR("content-length"));
    uint64_t length = 0;

    if (!has_content) {
        stream->content_length = 0;
        return true;
    }
    stream->content_length = FB_LENGTH_UNKNOWN;
    if (text.ptr == NULL) {
        return true;
    }
    if (fb_str_to_u64(text, &length) < 0 || length > INT64_MAX) {
        return false;
    }
    stream->content_length = (int64_t)length;
    return true;
}

static bool settle_expect(struct fb_http2_stream *stream)
{
    struct fb_str expect = fb_headers_find(&stream->request.headers, FB_STR("expect"));

    stream->expects_continue = fb_str_equal_nocase(expect, FB_STR("100-continue"));
    return expect.ptr == NULL || stream->expects_continue;
}

/* What to refuse it with, or 0. */
static unsigned check(struct fb_http2_session *session, struct fb_http2_stream *stream,
                      bool has_content)
{
    struct fb_request_head *head = &stream->request;

    if (fb_str_equal(head->method_text, FB_STR("CONNECT"))) {
        return 501;
    }
    if (!fb_is_token(head->method_text) || !fb_target_is_clean(head->target) ||
        !fb_target_split(head) || !settle_host(session, stream) ||
        !settle_length(stream, has_content)) {
        return 400;
    }
    return settle_expect(stream) ? 0 : 417;
}

void fb_http2_request_finish(struct fb_http2_session *session, struct fb_http2_stream *stream,
                             bool has_content)
{
    struct fb_request_head *head = &stream->request;

    head->version_minor = 1;
    head->is_http2 = true;
    if (stream->cookie.len > 0) {
        fb_headers_add(&head->headers, stream->arena, FB_STR("cookie"),
                       fb_arena_dup(stream->arena, fb_buf_str(&stream->cookie)));
    }
    fb_buf_done(&stream->cookie);
    if (stream->status == 0) {
        stream->status = check(session, stream, has_content);
    }
    stream->has_all_content = !has_content;
}
