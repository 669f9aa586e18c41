#include "base/http1/body.h"

#include "base/core/err.h"
#include "base/core/text.h"

/* Where a chunked body stands (RFC 9112 section 7.1). */
enum body_state {
    BODY_SIZE,    /* in the hexadecimal size */
    BODY_SPACE,   /* in white space before an extension */
    BODY_EXT,     /* in an extension */
    BODY_SIZE_LF, /* LF of the size's line */
    BODY_DATA,    /* in content */
    BODY_DATA_CR, /* CR after a chunk's content */
    BODY_DATA_LF, /* LF after it */
    BODY_LINE,    /* at the start of a trailer or of the last line */
    BODY_NAME,    /* in a trailer's name */
    BODY_VALUE,   /* in its value */
    BODY_LINE_LF, /* LF of a trailer */
    BODY_LAST_LF, /* LF of the empty line at the very end */
    BODY_WHOLE
};

void fb_http1_body_init(struct fb_http1_body *body, enum fb_http1_framing framing, uint64_t length)
{
    *body = (struct fb_http1_body){.framing = framing};
    if (framing == FB_HTTP1_LENGTH) {
        body->left = length;
    }
    body->state = framing == FB_HTTP1_CHUNKED ? BODY_SIZE : BODY_DATA;
    if (framing == FB_HTTP1_EMPTY || (framing == FB_HTTP1_LENGTH && length == 0)) {
        body->state = BODY_WHOLE;
    }
}

bool fb_http1_body_is_whole(const struct fb_http1_body *body)
{
    return body->state == BODY_WHOLE;
}

static bool is_text(unsigned char c)
{
    return c == '\t' || (c >= ' ' && c != 0x7f);
}

/* After the digits of a size: what may follow them. */
static int after_size(unsigned char c)
{
    switch (c) {
    case '\r':
        return BODY_SIZE_LF;
    case ';':
        return BODY_EXT;
    case ' ':
    case '\t':
        return BODY_SPACE;
    default:
        return FB_E_MALFORMED;
    }
}

static int size_byte(struct fb_http1_body *body, unsigned char c)
{
    int digit = fb_text_hex_digit((char)c);

    if (digit < 0) {
        return body->has_digit ? after_size(c) : FB_E_MALFORMED;
    }
    if (body->left > (uint64_t)INT64_MAX >> 4) {
        return FB_E_MALFORMED;
    }
    body->left = body->left << 4 | (unsigned)digit;
    body->has_digit = true;
    return BODY_SIZE;
}

/* The size's line has ended: content follows, or trailers after size 0. */
static int begin_chunk(struct fb_http1_body *body)
{
    body->n_overhead = 0;
    body->has_digit = false;
    return body->left > 0 ? BODY_DATA : BODY_LINE;
}

static int line_byte(unsigned char c)
{
    if (c == '\r') {
        return BODY_LAST_LF;
    }
    return fb_is_token((struct fb_str){(const char *)&c, 1}) ? (int)BODY_NAME : FB_E_MALFORMED;
}

static int name_byte(unsigned char c)
{
    if (c == ':') {
        return BODY_VALUE;
    }
    return fb_is_token((struct fb_str){(const char *)&c, 1}) ? (int)BODY_NAME : FB_E_MALFORMED;
}

/* `next` if `c` is what must come. */
static int expect(unsigned char c, unsigned char wanted, int next)
{
    return c == wanted ? next : FB_E_MALFORMED;
}

/* In free text: until a CR, then `next`. */
static int text_byte(unsigned char c, int same, int next)
{
    if (c == '\r') {
        return next;
    }
    return is_text(c) ? same : FB_E_MALFORMED;
}

/* The state after one byte of framing, or FB_E_MALFORMED. */
static int framing_byte(struct fb_http1_body *body, unsigned char c)
{
    switch ((enum body_state)body->state) {
    case BODY_SIZE:
        return size_byte(body, c);
    case BODY_SPACE:
        return c == ' ' || c == '\t' ? BODY_SPACE : expect(c, ';', BODY_EXT);
    case BODY_EXT:
        return text_byte(c, BODY_EXT, BODY_SIZE_LF);
    case BODY_SIZE_LF:
        return c == '\n' ? begin_chunk(body) : FB_E_MALFORMED;
    case BODY_DATA_CR:
        return expect(c, '\r', BODY_DATA_LF);
    case BODY_DATA_LF:
        return expect(c, '\n', BODY_SIZE);
    case BODY_LINE:
        return line_byte(c);
    case BODY_NAME:
        return name_byte(c);
    case BODY_VALUE:
        return text_byte(c, BODY_VALUE, BODY_LINE_LF);
    case BODY_LINE_LF:
        return expect(c, '\n', BODY_LINE);
    case BODY_LAST_LF:
        return expect(c, '\n', BODY_WHOLE);
    case BODY_DATA:
    case BODY_WHOLE:
        break;
    }
    return FB_E_MALFORMED;
}

static uint32_t max_overhead(const struct fb_http1_body *body)
{
    return body->state >= BODY_LINE ? FB_HTTP1_MAX_TRAILERS : FB_HTTP1_MAX_CHUNK_LINE;
}

/* Walks over framing until content, the end, or the end of the input. */
static int skip_framing(struct fb_http1_body *body, struct fb_str *input)
{
    while (input->len > 0 && body->state != BODY_DATA && body->state != BODY_WHOLE) {
        int next = framing_byte(body, (unsigned char)input->ptr[0]);
        if (next < 0 || ++body->n_overhead > max_overhead(body)) {
            return FB_E_MALFORMED;
        }
        body->state = (unsigned)next;
        *input = fb_str_skip(*input, 1);
    }
    return FB_OK;
}

static int take_piece(struct fb_http1_body *body, struct fb_str *input, struct fb_str *ret_piece)
{
    if (input->len == 0) {
        return FB_E_LATER;
    }
    if (body->framing == FB_HTTP1_UNTIL_CLOSE) {
        *ret_piece = *input;
        *input = fb_str_skip(*input, input->len);
        return FB_OK;
    }
    struct fb_str piece = *input;
    if (piece.len > body->left) {
        piece.len = (size_t)body->left;
    }
    *ret_piece = piece;
    *input = fb_str_skip(*input, piece.len);
    body->left -= piece.len;
    if (body->left == 0) {
        body->state = body->framing == FB_HTTP1_CHUNKED ? BODY_DATA_CR : BODY_WHOLE;
        body->n_overhead = 0;
    }
    return FB_OK;
}

int fb_http1_body_next(struct fb_http1_body *body, struct fb_str *input, struct fb_str *ret_piece)
{
    if (body->framing == FB_HTTP1_CHUNKED) {
        int err = skip_framing(body, input);
        if (err < 0) {
            return err;
        }
    }
    if (body->state == BODY_WHOLE) {
        return FB_E_END;
    }
    return body->state == BODY_DATA ? take_piece(body, input, ret_piece) : FB_E_LATER;
}

int fb_http1_body_close(struct fb_http1_body *body)
{
    if (body->framing == FB_HTTP1_UNTIL_CLOSE) {
        body->state = BODY_WHOLE;
    }
    return body->state == BODY_WHOLE ? FB_E_END : FB_E_CLOSED;
}
