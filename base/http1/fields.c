/* Field lines, by llhttp. */
#include "base/core/err.h"
#include "base/http1/parse_internal.h"

#include <llhttp.h>

struct reading {
    struct fb_arena *arena;
    struct fb_headers *headers;
    uint32_t max_headers;
    bool is_folded;
    bool is_too_many;
    bool is_complete;
};

static struct reading *reading_of(llhttp_t *llhttp)
{
    return llhttp->data;
}

/* Spans of one name or value are neighbours in memory, for the head stands in
 * one piece. */
static void span_extend(struct fb_str *str, const char *at, size_t len)
{
    if (str->ptr == NULL) {
        str->ptr = at;
    }
    str->len = (size_t)(at + len - str->ptr);
}

static int on_field(llhttp_t *llhttp, const char *at, size_t len)
{
    struct reading *reading = reading_of(llhttp);
    struct fb_headers *headers = reading->headers;

    bool is_new = headers->n == 0 || headers->items[headers->n - 1].value.ptr != NULL;
    if (is_new) {
        if (headers->n == reading->max_headers) {
            reading->is_too_many = true;
            return -1;
        }
        fb_headers_add(headers, reading->arena, FB_STR_NONE, FB_STR_NONE);
    }
    span_extend(&headers->items[headers->n - 1].name, at, len);
    return 0;
}

static int on_field_complete(llhttp_t *llhttp)
{
    struct fb_headers *headers = reading_of(llhttp)->headers;
    struct fb_header *header = &headers->items[headers->n - 1];

    /* An empty value has no span; this one also tells the next name apart. */
    header->value = (struct fb_str){header->name.ptr + header->name.len, 0};
    return 0;
}

static int on_value(llhttp_t *llhttp, const char *at, size_t len)
{
    struct fb_headers *headers = reading_of(llhttp)->headers;
    struct fb_header *header = &headers->items[headers->n - 1];

    if (header->value.len == 0) {
        header->value.ptr = at;
    }
    span_extend(&header->value, at, len);
    return 0;
}

static int on_headers_complete(llhttp_t *llhttp)
{
    reading_of(llhttp)->is_complete = true;
    return HPE_PAUSED;
}

static const llhttp_settings_t settings = {
    .on_header_field = on_field,
    .on_header_field_complete = on_field_complete,
    .on_header_value = on_value,
    .on_headers_complete = on_headers_complete,
};

int fb_http1_read_fields(struct fb_http1_parser *parser, struct fb_str head, bool is_request,
                         struct fb_arena *arena, struct fb_headers *headers)
{
    struct reading reading = {
        .arena = arena, .headers = headers, .max_headers = parser->limits.max_headers};
    llhttp_t llhttp;

    llhttp_init(&llhttp, is_request ? HTTP_REQUEST : HTTP_RESPONSE, &settings);
    llhttp.data = &reading;
    llhttp_errno_t result = llhttp_execute(&llhttp, head.ptr, head.len);
    if (reading.is_too_many) {
        return fb_http1_fail(parser, 431, FB_E_LIMIT);
    }
    if (result == HPE_INVALID_METHOD) {
        return fb_http1_fail(parser, 501, FB_E_UNSUPPORTED);
    }
    if (result != HPE_PAUSED || !reading.is_complete ||
        llhttp_get_error_pos(&llhttp) + 1 < head.ptr + head.len) {
        return fb_http1_fail(parser, 400, FB_E_MALFORMED);
    }
    for (size_t i = 0; i < headers->n; i++) {
        struct fb_header *header = &headers->items[i];
        header->value = fb_str_trim(header->value);
        if (!fb_is_token(header->name)) {
            return fb_http1_fail(parser, 400, FB_E_MALFORMED);
        }
    }
    return FB_OK;
}
