#include "base/http1/parse.h"

#include "base/core/err.h"
#include "base/http/target.h"
#include "base/http1/parse_internal.h"

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
        return fb_http1_fail(parser, 400, FB_E_MALFORMED);
    }
    if (text.ptr[5] != '1' || text.ptr[7] > '1') {
        return fb_http1_fail(parser, 505, FB_E_UNSUPPORTED);
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
        return fb_http1_fail(parser, 400, FB_E_MALFORMED);
    }
    if (fb_str_equal(ret_head->method_text, FB_STR("CONNECT"))) {
        return fb_http1_fail(parser, 501, FB_E_UNSUPPORTED);
    }
    ret_head->method = fb_method_from(ret_head->method_text);
    return read_target(ret_head) ? FB_OK : fb_http1_fail(parser, 400, FB_E_MALFORMED);
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

    int err = fb_http1_take_head(parser, input, true, arena, &bytes);
    if (err < 0) {
        return err;
    }
    err = read_request_line(parser, bytes, &request.head);
    if (err < 0) {
        parser->is_http2 = fb_str_equal(bytes, FB_HTTP2_PREFACE);
        return err;
    }
    err = fb_http1_read_fields(parser, bytes, arena, &request.head.headers);
    if (err < 0) {
        return err;
    }
    if (!read_framing(&request.head.headers, request.head.version_minor, &fields) ||
        !settle_host(&request.head, &fields)) {
        return fb_http1_fail(parser, 400, FB_E_MALFORMED);
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
        return fb_http1_fail(parser, 400, FB_E_MALFORMED);
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

    int err = fb_http1_take_head(parser, input, false, arena, &bytes);
    if (err < 0) {
        return err;
    }
    err = read_status_line(parser, bytes, &response);
    if (err < 0) {
        return err;
    }
    err = fb_http1_read_fields(parser, bytes, arena, &response.head.headers);
    if (err < 0) {
        return err;
    }
    if (!read_framing(&response.head.headers, response.version_minor, &fields)) {
        return fb_http1_fail(parser, 400, FB_E_MALFORMED);
    }
    settle_response(&response, &fields, method);
    *ret_response = response;
    return FB_OK;
}
