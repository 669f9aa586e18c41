/*
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming-trailers.html
 */
#include "origin/upload/chunked.h"

#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/core/text.h"

#include <string.h>

enum { SIZE_DIGITS = 12, HEX = 2 * FB_SHA256_SIZE };

void origin_chunked_init(struct origin_chunked *chunked,
                         const struct origin_chunked_options *options)
{
    *chunked = (struct origin_chunked){.options = *options, .state = ORIGIN_CHUNKED_SIZE};
    if (options->is_signed) {
        chunked->chain = *options->chain;
    }
}

void origin_chunked_done(struct origin_chunked *chunked)
{
    fb_sha256_done(&chunked->hash);
    explicit_bzero(&chunked->chain, sizeof(chunked->chain));
}

/* ---- signatures ------------------------------------------------------------------- */

/* Checks the signature of what has the hash `digest`; it is the one before from now on. */
static int signature_check(struct origin_chunked *chunked, bool is_trailer,
                           const uint8_t digest[FB_SHA256_SIZE])
{
    static const char empty[] =
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\n";
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    FB_AUTO(fb_buf_done) struct fb_buf signature = {0};
    uint8_t mac[FB_SHA256_SIZE];

    fb_buf_printf(&text, "AWS4-HMAC-SHA256-%s\n%.*s\n%.*s\n%s\n%s",
                  is_trailer ? "TRAILER" : "PAYLOAD", FB_STR_ARG(chunked->options.moment),
                  FB_STR_ARG(chunked->options.scope), chunked->chain.signature,
                  is_trailer ? "" : empty);
    fb_text_hex(&text, fb_sha256_str(digest));
    fb_hmac_sha256(fb_sha256_str(chunked->chain.key), fb_buf_str(&text), mac);
    fb_text_hex(&signature, fb_sha256_str(mac));
    if (!fb_crypto_equal(fb_buf_str(&signature),
                         (struct fb_str){chunked->given, chunked->n_given})) {
        return FB_E_DENIED;
    }
    memcpy(chunked->chain.signature, signature.ptr, HEX);
    return FB_OK;
}

static int chunk_check(struct origin_chunked *chunked)
{
    uint8_t digest[FB_SHA256_SIZE];

    if (!chunked->options.is_signed) {
        return FB_OK;
    }
    fb_sha256_finish(&chunked->hash, digest);
    return signature_check(chunked, false, digest);
}

static int keep_signature(struct origin_chunked *chunked, struct fb_str text)
{
    if (text.len != HEX) {
        return FB_E_MALFORMED;
    }
    memcpy(chunked->given, text.ptr, HEX);
    chunked->n_given = HEX;
    return FB_OK;
}

/* ---- lines -------------------------------------------------------------------------- */

/* Collects a line; FB_OK when it is whole, without its end. */
static int take_line(struct origin_chunked *chunked, struct fb_str *rest, struct fb_str *ret_line)
{
    size_t end = fb_str_find(*rest, '\n');

    if (end > sizeof(chunked->line) - chunked->n_line) {
        return FB_E_MALFORMED;
    }
    if (end > 0) {
        memcpy(chunked->line + chunked->n_line, rest->ptr, end);
    }
    chunked->n_line += end;
    bool is_whole = end < rest->len;
    *rest = fb_str_skip(*rest, end + 1);
    if (!is_whole) {
        return FB_E_LATER;
    }
    struct fb_str line = {chunked->line, chunked->n_line};
    chunked->n_line = 0;
    if (line.len > 0 && line.ptr[line.len - 1] == '\r') {
        line.len--;
    }
    *ret_line = line;
    return FB_OK;
}

/* "1000" or "1000;chunk-signature=…" */
static int size_line(struct origin_chunked *chunked, struct fb_str line)
{
    struct fb_str label = FB_STR("chunk-signature=");
    struct fb_str digits = fb_str_first(line, fb_str_find(line, ';'));
    struct fb_str extension = fb_str_skip(line, digits.len + 1);
    uint64_t size = 0;

    if (digits.len == 0 || digits.len > SIZE_DIGITS) {
        return FB_E_MALFORMED;
    }
    for (size_t i = 0; i < digits.len; i++) {
        int digit = fb_text_hex_digit(digits.ptr[i]);
        if (digit < 0) {
            return FB_E_MALFORMED;
        }
        size = size << 4 | (uint64_t)digit;
    }
    if (chunked->options.is_signed &&
        (!fb_str_starts_with(extension, label) ||
         keep_signature(chunked, fb_str_skip(extension, label.len)) < 0)) {
        return FB_E_MALFORMED;
    }
    chunked->left = size;
    fb_sha256_init(&chunked->hash);
    chunked->state = size > 0 ? ORIGIN_CHUNKED_DATA : ORIGIN_CHUNKED_TRAILER;
    return size > 0 ? FB_OK : chunk_check(chunked);
}

static int trailer_end(struct origin_chunked *chunked)
{
    struct fb_sha256 hash;
    uint8_t digest[FB_SHA256_SIZE];

    chunked->state = ORIGIN_CHUNKED_END;
    if (!chunked->options.is_signed || !chunked->options.has_trailer) {
        return FB_OK;
    }
    fb_sha256_init(&hash);
    for (size_t i = 0; i < chunked->n_trailers; i++) {
        fb_sha256_update(&hash, fb_str_from(chunked->trailers[i]));
        fb_sha256_update(&hash, FB_STR("\n"));
    }
    fb_sha256_finish(&hash, digest);
    return signature_check(chunked, true, digest);
}

static int trailer_line(struct origin_chunked *chunked, struct fb_str line)
{
    struct fb_str label = FB_STR("x-amz-trailer-signature:");
    struct fb_str name = fb_str_first(line, fb_str_find(line, ':'));

    if (line.len == 0) {
        return trailer_end(chunked);
    }
    if (!chunked->options.has_trailer || name.len == line.len || line.len >= ORIGIN_CHUNKED_LINE ||
        memchr(line.ptr, '\0', line.len) != NULL) {
        return FB_E_MALFORMED;
    }
    if (fb_str_equal_nocase(fb_str_first(line, label.len), label)) {
        chunked->n_given = 0; /* that of the last chunk has served */
        return keep_signature(chunked, fb_str_trim(fb_str_skip(line, label.len)));
    }
    if (chunked->n_trailers == ORIGIN_CHUNKED_TRAILERS) {
        return FB_E_MALFORMED;
    }
    char *to = chunked->trailers[chunked->n_trailers++];
    struct fb_str value = fb_str_trim(fb_str_skip(line, name.len + 1));
    fb_str_put_lower(to, name);
    to[name.len] = ':';
    memcpy(to + name.len + 1, value.ptr, value.len);
    to[name.len + 1 + value.len] = '\0';
    return FB_OK;
}

/* ---- content ------------------------------------------------------------------------- */

static struct fb_str take_data(struct origin_chunked *chunked, struct fb_str *rest)
{
    size_t n = rest->len < chunked->left ? rest->len : (size_t)chunked->left;
    struct fb_str data = fb_str_first(*rest, n);

    *rest = fb_str_skip(*rest, n);
    chunked->left -= n;
    if (chunked->options.is_signed) {
        fb_sha256_update(&chunked->hash, data);
    }
    if (chunked->left == 0) {
        chunked->state = ORIGIN_CHUNKED_DATA_END;
    }
    return data;
}

static int line_step(struct origin_chunked *chunked, struct fb_str *rest)
{
    struct fb_str line;

    int err = take_line(chunked, rest, &line);
    if (err < 0) {
        return err;
    }
    switch (chunked->state) {
    case ORIGIN_CHUNKED_SIZE:
        return size_line(chunked, line);
    case ORIGIN_CHUNKED_DATA_END:
        chunked->state = ORIGIN_CHUNKED_SIZE;
        return line.len == 0 ? chunk_check(chunked) : FB_E_MALFORMED;
    default:
        return trailer_line(chunked, line);
    }
}

int origin_chunked_next(struct origin_chunked *chunked, struct fb_str *rest,
                        struct fb_str *ret_data)
{
    int err = FB_OK;

    while (err == FB_OK && chunked->state != ORIGIN_CHUNKED_END) {
        if (rest->len == 0) {
            return FB_E_LATER;
        }
        if (chunked->state == ORIGIN_CHUNKED_DATA) {
            *ret_data = take_data(chunked, rest);
            return FB_OK;
        }
        err = line_step(chunked, rest);
    }
    return err < 0 ? err : FB_E_END;
}

struct fb_str origin_chunked_trailer(const struct origin_chunked *chunked, struct fb_str name)
{
    for (size_t i = 0; i < chunked->n_trailers; i++) {
        struct fb_str line = fb_str_from(chunked->trailers[i]);
        if (fb_str_starts_with(line, name) && line.len > name.len && line.ptr[name.len] == ':') {
            return fb_str_skip(line, name.len + 1);
        }
    }
    return FB_STR_NONE;
}
