#include "base/http1/parse.h"

#include "base/core/err.h"
#include "base/http/target.h"

#include <llhttp.h>

#include <string.h>

enum { DEFAULT_HEAD_BYTES = 32 * 1024, DEFAULT_HEADERS = 100, MAX_BLANK_LINES = 4 };

static const struct fb_str head_end = FB_STR("\r\n\r\n");

void fb_http1_parser_init(struct fb_http1_parser *parser, const struct fb_http1_limits *limits)
{
    *parser = (struct fb_http1_parser){0};
    if (limits != NULL) {
        parser->limits = *limits;
    }
    if (parser->limits.max_head_bytes == 0) {
        parser->limits.max_head_bytes = DEFAULT_HEAD_BYTES;
    }
    if (parser->limits.max_headers == 0) {
        parser->limits.max_headers = DEFAULT_HEADERS;
    }
}

void fb_http1_parser_done(struct fb_http1_parser *parser)
{
    fb_buf_done(&parser->partial);
    *parser = (struct fb_http1_parser){0};
}

bool fb_http1_parser_has_begun(const struct fb_http1_parser *parser)
{
    return parser->partial.len > 0 || parser->n_blank > 0;
}

static int fail(struct fb_http1_parser *parser, unsigned status, int err)
{
    parser->status = status;
    fb_buf_done(&parser->partial);
    return err;
}

/* ---- finding the end of a head ------------------------------------------ */

/* Bytes up to and with the first empty line at or after `from`, 0 if none. */
static size_t find_end(struct fb_str bytes, size_t from)
{
    struct fb_str rest = fb_str_skip(bytes, from);

    for (size_t at = 3; at < rest.len; at++) {
        at += fb_str_find(fb_str_skip(rest, at), '\n');
        if (at < rest.len && memcmp(rest.ptr + at - 3, head_end.ptr, head_end.len) == 0) {
            return from + at + 1;
        }
    }
    return 0;
}

/* False for control bytes, a CR or LF on its own, and a line that begins with
 * white space, which llhttp 8 would fold. A part of a head is checked too, so
 * that a peer that sends line feeds alone, or another protocol, is answered
 * without waiting for an empty line. */
static bool is_clean(struct fb_str bytes)
{
    for (size_t i = 0; i < bytes.len; i++) {
        i += fb_str_find_control(fb_str_skip(bytes, i));
        if (i == bytes.len) {
            break;
        }
        char c = bytes.ptr[i];
        bool is_last = i + 1 == bytes.len;
        char next = is_last ? '\0' : bytes.ptr[i + 1];
        bool is_cr = c == '\r' && (is_last || next == '\n');
        bool is_lf = c == '\n' && i > 0 && bytes.ptr[i - 1] == '\r' && next != ' ' && next != '\t';
        if (!is_cr && !is_lf) {
            return false;
        }
    }
    return true;
}

/* Drops empty lines before the first line (RFC 9112 section 2.2). */
static int skip_blank(struct fb_http1_parser *parser, struct fb_str *input)
{
    while (parser->partial.len == 0 && fb_str_starts_with(*input, FB_STR("\r\n"))) {
        if (++parser->n_blank > MAX_BLANK_LINES) {
            return fail(parser, 400, FB_E_MALFORMED);
        }
        *input = fb_str_skip(*input, 2);
    }
    return FB_OK;
}

static int too_long(struct fb_http1_parser *parser, struct fb_str bytes)
{
    struct fb_str first = fb_str_first(bytes, parser->limits.max_head_bytes);
    bool is_in_first_line = fb_str_find(first, '\n') == first.len;
    return fail(parser, is_in_first_line ? 414 : 431, FB_E_LIMIT);
}

/* Adds the input to the partial head. */
static int gather(struct fb_http1_parser *parser, struct fb_str *input, bool may_be_blank,
                  size_t *ret_end)
{
    struct fb_buf *partial = &parser->partial;
    size_t old_len = partial->len;
    size_t room = parser->limits.max_head_bytes - FB_MIN(old_len, parser->limits.max_head_bytes);
    struct fb_str taken = fb_str_first(*input, room + 1);

    fb_buf_append(partial, taken);
    while (may_be_blank && fb_str_starts_with(fb_buf_str(partial), FB_STR("\r\n"))) {
        if (++parser->n_blank > MAX_BLANK_LINES) {
            return fail(parser, 400, FB_E_MALFORMED);
        }
        fb_buf_consume(partial, 2);
        old_len -= FB_MIN(old_len, 2U);
    }

    size_t end = find_end(fb_buf_str(partial), old_len > 3 ? old_len - 3 : 0);
    if (end == 0) {
        size_t checked = old_len > 2 ? old_len - 2 : 0;
        /* With two bytes before the new ones, which may end in CR LF. */
        if (checked > 0 && partial->ptr[checked] == '\n') {
            checked++;
        }
        if (!is_clean(fb_str_skip(fb_buf_str(partial), checked))) {
            return fail(parser, 400, FB_E_MALFORMED);
        }
    }
    if (end > parser->limits.max_head_bytes ||
        (end == 0 && partial->len > parser->limits.max_head_bytes)) {
        return too_long(parser, fb_buf_str(partial));
    }
    if (end == 0) {
        *input = fb_str_skip(*input, taken.len);
        return FB_E_LATER;
    }
    *input = fb_str_skip(*input, taken.len - (partial->len - end));
    *ret_end = end;
    return FB_OK;
}

/* The bytes of one whole head, copied into the arena. */
static int take_head(struct fb_http1_parser *parser, struct fb_str *input, bool may_be_blank,
                     struct fb_arena *arena, struct fb_str *ret_head)
{
    if (may_be_blank) {
        int err = skip_blank(parser, input);
        if (err < 0) {
            return err;
        }
    }
    size_t end = parser->partial.len == 0 ? find_end(*input, 0) : 0;
    if (end > parser->limits.max_head_bytes) {
        return too_long(parser, *input);
    }
    if (end > 0) {
        *ret_head = fb_arena_dup(arena, fb_str_first(*input, end));
        *input = fb_str_skip(*input, end);
    } else {
        int err = gather(parser, input, may_be_blank, &end);
        if (err < 0) {
            return err;
        }
        *ret_head = fb_arena_dup(arena, fb_str_first(fb_buf_str(&parser->partial), end));
        fb_buf_done(&parser->partial);
    }
    parser->n_blank = 0;
    return is_clean(*ret_head) ? FB_OK : fail(parser, 400, FB_E_MALFORMED);
}

/* ---- field lines, by llhttp --------------------------------------------- */

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

static int read_fields(struct fb_http1_parser *parser, struct fb_str head, llhttp_type_t type,
                       struct fb_arena *arena, struct fb_headers *headers)
{
    struct reading reading = {
        .arena = arena, .headers = headers, .max_headers = parser->limits.max_headers};
    llhttp_t llhttp;

    llhttp_init(&llhttp, type, &settings);
    llhttp.data = &reading;
    llhttp_errno_t result = llhttp_execute(&llhttp, head.ptr, head.len);
    if (reading.is_too_many) {
        return fail(parser, 431, FB_E_LIMIT);
    }
    if (result == HPE_INVALID_METHOD) {
        return fail(parser, 501, FB_E_UNSUPPORTED);
    }
    if (result != HPE_PAUSED || !reading.is_complete ||
        llhttp_get_error_pos(&llhttp) + 1 < head.ptr + head.len) {
        return fail(parser, 400, FB_E_MALFORMED);
    }
    for (size_t i = 0; i < headers->n; i++) {
        struct fb_header *header = &headers->items[i];
        header->value = fb_str_trim(header->value);
        if (!fb_is_token(header->name)) {
            return fail(parser, 400, FB_E_MALFORMED);
        }
    }
    return FB_OK;
}

/* ---- framing ------------------------------------------------------------ */

/* The fields that decide where a message ends and what comes after it. */
struct framing_fields {
    struct fb_str host;
    struct fb_header *host_header; /* NULL: none */
    unsigned n_hosts;
    unsigned n_lengths;
    uint64_t length;
    unsigned n_codings;
    bool is_bad; /* a length or coding that is not understood */
    bool says_close;
    bool says_keep_alive;
    bool expects_continue;
    bool expects_otherwise;
};

static void note_field(struct framing_fields *fields, struct fb_header *header)
{
    struct fb_str value = header->value;

    switch (header->name.len) {
    case 4:
        if (fb_str_equal_nocase(header->name, FB_STR("Host"))) {
            fields->n_hosts++;
            fields->host = value;
            fields->host_header = header;
        }
        break;
    case 6:
        if (fb_str_equal_nocase(header->name, FB_STR("Expect"))) {
            bool is_continue = fb_str_equal_nocase(value, FB_STR("100-continue"));
            fields->expects_continue |= is_continue;
            fields->expects_otherwise |= !is_continue;
        }
        break;
    case 10:
        if (fb_str_equal_nocase(header->name, FB_STR("Connection"))) {
            fields->says_close |= fb_list_has(value, FB_STR("close"));
            fields->says_keep_alive |= fb_list_has(value, FB_STR("keep-alive"));
        }
        break;
    case 14:
        if (fb_str_equal_nocase(header->name, FB_STR("Content-Length"))) {
            fields->n_lengths++;
            fields->is_bad |= fb_str_to_u64(value, &fields->length) < 0;
        }
        break;
    case 17:
        if (fb_str_equal_nocase(header->name, FB_STR("Transfer-Encoding"))) {
            fields->n_codings++;
            fields->is_bad |= !fb_str_equal_nocase(value, FB_STR("chunked"));
        }
        break;
    default:
        break;
    }
}

/* False if two readers could disagree about where the message ends. */
static bool read_framing(struct fb_headers *headers, unsigned version_minor,
                         struct framing_fields *fields)
{
    for (size_t i = 0; i < headers->n; i++) {
        note_field(fields, &headers->items[i]);
    }
    bool is_coded_before_coding = fields->n_codings > 0 && version_minor == 0;
    return !fields->is_bad && fields->n_lengths + fields->n_codings <= 1 &&
           !is_coded_before_coding && fields->length <= INT64_MAX;
}

static bool keeps_alive(const struct framing_fields *fields, unsigned version_minor)
{
    return !fields->says_close && (version_minor >= 1 || fields->says_keep_alive);
}

/* "HTTP/1.0" or "HTTP/1.1" into its minor version. */
static int read_version(struct fb_http1_parser *parser, struct fb_str text, unsigned *ret_minor)
{
    bool has_shape = text.len == 8 && fb_str_starts_with(text, FB_STR("HTTP/")) &&
                     text.ptr[5] >= '0' && text.ptr[5] <= '9' && text.ptr[6] == '.' &&
                     text.ptr[7] >= '0' && text.ptr[7] <= '9';
    if (!has_shape) {
        return fail(parser, 400, FB_E_MALFORMED);
    }
    if (text.ptr[5] != '1' || text.ptr[7] > '1') {
        return fail(parser, 505, FB_E_UNSUPPORTED);
    }
    *ret_minor = (unsigned)(text.ptr[7] - '0');
    return FB_OK;
}

/* ---- requests ----------------------------------------------------------- */

/* Splits an absolute-form target; the authority goes before any Host. */
static bool take_authority(struct fb_request_head *head)
{
    struct fb_str rest = head->target;
    size_t scheme_len = fb_str_find(rest, ':');
    struct fb_str scheme = fb_str_first(rest, scheme_len);

    rest = fb_str_skip(rest, scheme_len);
    if (!(fb_str_equal_nocase(scheme, FB_STR("http")) ||
          fb_str_equal_nocase(scheme, FB_STR("https"))) ||
        !fb_str_starts_with(rest, FB_STR("://"))) {
        return false;
    }
    rest = fb_str_skip(rest, 3);
    size_t n = FB_MIN(fb_str_find(rest, '/'), fb_str_find(rest, '?'));
    head->host = fb_str_first(rest, n);
    head->target = fb_str_skip(rest, n);
    if (head->target.len == 0) {
        head->target = FB_STR("/");
    }
    return head->target.ptr[0] == '/';
}

static bool read_target(struct fb_request_head *head)
{
    bool is_absolute = head->target.len > 0 && head->target.ptr[0] != '/' &&
                       !fb_str_equal(head->target, FB_STR("*"));

    if (!fb_target_is_clean(head->target) || (is_absolute && !take_authority(head))) {
        return false;
    }
    return fb_target_split(head);
}

/* "GET /path HTTP/1.1". */
static int read_request_line(struct fb_http1_parser *parser, struct fb_str head,
                             struct fb_request_head *ret_head)
{
    struct fb_str line = fb_str_first(head, fb_str_find(head, '\r'));
    size_t method_len = fb_str_find(line, ' ');
    struct fb_str rest = fb_str_skip(line, method_len + 1);
    size_t target_len = fb_str_find(rest, ' ');

    ret_head->method_text = fb_str_first(line, method_len);
    ret_head->target = fb_str_first(rest, target_len);
    int err = read_version(parser, fb_str_skip(rest, target_len + 1), &ret_head->version_minor);
    if (err < 0) {
        return err;
    }
    if (!fb_is_token(ret_head->method_text)) {
        return fail(parser, 400, FB_E_MALFORMED);
    }
    if (fb_str_equal(ret_head->method_text, FB_STR("CONNECT"))) {
        return fail(parser, 501, FB_E_UNSUPPORTED);
    }
    ret_head->method = fb_method_from(ret_head->method_text);
    return read_target(ret_head) ? FB_OK : fail(parser, 400, FB_E_MALFORMED);
}

/* Settles the host: exactly one Host in HTTP/1.1, overruled by the target. */
static bool settle_host(struct fb_request_head *head, const struct framing_fields *fields)
{
    if (fields->n_hosts > 1 || (fields->n_hosts == 0 && head->version_minor >= 1)) {
        return false;
    }
    if (fields->n_hosts == 1 && !fb_host_is_valid(fields->host)) {
        return false;
    }
    if (head->host.ptr == NULL) {
        head->host = fields->host;
        return true;
    }
    if (fields->host_header != NULL) {
        fields->host_header->value = head->host;
    }
    return fb_host_is_valid(head->host);
}

int fb_http1_parse_request(struct fb_http1_parser *parser, struct fb_str *input,
                           struct fb_arena *arena, struct fb_http1_request *ret_request)
{
    struct fb_http1_request request = {0};
    struct framing_fields fields = {0};
    struct fb_str bytes;

    int err = take_head(parser, input, true, arena, &bytes);
    if (err < 0) {
        return err;
    }
    err = read_request_line(parser, bytes, &request.head);
    if (err < 0) {
        parser->is_http2 = fb_str_equal(bytes, FB_HTTP2_PREFACE);
        return err;
    }
    err = read_fields(parser, bytes, HTTP_REQUEST, arena, &request.head.headers);
    if (err < 0) {
        return err;
    }
    if (!read_framing(&request.head.headers, request.head.version_minor, &fields) ||
        !settle_host(&request.head, &fields)) {
        return fail(parser, 400, FB_E_MALFORMED);
    }

    request.length = fields.length;
    if (fields.n_codings > 0) {
        request.framing = FB_HTTP1_CHUNKED;
    } else if (fields.length > 0) {
        request.framing = FB_HTTP1_LENGTH;
    }
    request.keeps_alive = keeps_alive(&fields, request.head.version_minor);
    request.expects_continue = fields.expects_continue && request.head.version_minor >= 1;
    request.expects_otherwise = fields.expects_otherwise && request.head.version_minor >= 1;
    *ret_request = request;
    return FB_OK;
}

/* ---- responses ---------------------------------------------------------- */

/* "HTTP/1.1 200 OK"; the reason may be empty, its space may be missing. */
static int read_status_line(struct fb_http1_parser *parser, struct fb_str head,
                            struct fb_http1_response *ret_response)
{
    struct fb_str line = fb_str_first(head, fb_str_find(head, '\r'));
    struct fb_str status = fb_str_first(fb_str_skip(line, 9), 3);
    uint64_t number = 0;

    int err = read_version(parser, fb_str_first(line, 8), &ret_response->version_minor);
    if (err < 0) {
        return err;
    }
    if (line.len < 12 || line.ptr[8] != ' ' || fb_str_to_u64(status, &number) < 0 || number < 100 ||
        number > 599 || number == 101 || (line.len > 12 && line.ptr[12] != ' ')) {
        return fail(parser, 400, FB_E_MALFORMED);
    }
    ret_response->head.status = (unsigned)number;
    return FB_OK;
}

static void settle_response(struct fb_http1_response *response, const struct framing_fields *fields,
                            enum fb_method method)
{
    response->length = fields->length;
    response->has_length = fields->n_lengths > 0;
    response->keeps_alive = keeps_alive(fields, response->version_minor);
    if (fb_status_has_no_content(response->head.status, method)) {
        response->framing = FB_HTTP1_EMPTY;
    } else if (fields->n_codings > 0) {
        response->framing = FB_HTTP1_CHUNKED;
    } else if (fields->n_lengths > 0) {
        response->framing = fields->length > 0 ? FB_HTTP1_LENGTH : FB_HTTP1_EMPTY;
    } else {
        response->framing = FB_HTTP1_UNTIL_CLOSE;
        response->keeps_alive = false;
    }
}

int fb_http1_parse_response(struct fb_http1_parser *parser, struct fb_str *input,
                            enum fb_method method, struct fb_arena *arena,
                            struct fb_http1_response *ret_response)
{
    struct fb_http1_response response = {0};
    struct framing_fields fields = {0};
    struct fb_str bytes;

    int err = take_head(parser, input, false, arena, &bytes);
    if (err < 0) {
        return err;
    }
    err = read_status_line(parser, bytes, &response);
    if (err < 0) {
        return err;
    }
    err = read_fields(parser, bytes, HTTP_RESPONSE, arena, &response.head.headers);
    if (err < 0) {
        return err;
    }
    if (!read_framing(&response.head.headers, response.version_minor, &fields)) {
        return fail(parser, 400, FB_E_MALFORMED);
    }
    settle_response(&response, &fields, method);
    *ret_response = response;
    return FB_OK;
}
