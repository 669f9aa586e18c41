#include "origin/upload/content.h"

#include "base/core/err.h"
#include "base/crypto/base64.h"

#include <inttypes.h>
#include <string.h>

enum { PIECES_MAX = 32 };

/* ---- checksums ---------------------------------------------------------------------- */

static const struct {
    const char *name;
    const char *field;
    size_t size;
} sums[ORIGIN_N_SUMS] = {
    [ORIGIN_SUM_NONE] = {NULL, NULL, 0},
    [ORIGIN_SUM_CRC32] = {"CRC32", "x-amz-checksum-crc32", 4},
    [ORIGIN_SUM_CRC32C] = {"CRC32C", "x-amz-checksum-crc32c", 4},
    [ORIGIN_SUM_SHA256] = {"SHA256", "x-amz-checksum-sha256", FB_SHA256_SIZE},
};

const char *origin_sum_name(enum origin_sum_kind kind)
{
    return sums[kind].name;
}

const char *origin_sum_field(enum origin_sum_kind kind)
{
    return sums[kind].field;
}

int origin_sum_kind_of(struct fb_str name, enum origin_sum_kind *ret_kind)
{
    for (unsigned i = ORIGIN_SUM_NONE + 1; i < ORIGIN_N_SUMS; i++) {
        if (fb_str_equal_nocase(name, fb_str_from(sums[i].name))) {
            *ret_kind = (enum origin_sum_kind)i;
            return FB_OK;
        }
    }
    return FB_E_UNSUPPORTED;
}

struct fb_str origin_sum_str(const struct origin_sum *sum)
{
    return (struct fb_str){(const char *)sum->bytes, sums[sum->kind].size};
}

/* ---- what the request says of it ------------------------------------------------------ */

static int sum_set(struct origin_content *content, struct fb_str field, struct origin_fault *fault)
{
    struct fb_str prefix = FB_STR("x-amz-checksum-");
    enum origin_sum_kind kind = ORIGIN_SUM_NONE;

    if (content->sum.kind != ORIGIN_SUM_NONE) {
        return origin_fault_set(fault, ORIGIN_FAULT_REQUEST,
                                "there may be one x-amz-checksum-* alone");
    }
    if (origin_sum_kind_of(fb_str_skip(field, prefix.len), &kind) < 0) {
        return origin_fault_set(fault, ORIGIN_FAULT_REQUEST,
                                "checksums are CRC32, CRC32C and SHA256; '%.*s' is not known",
                                (int)FB_MIN(field.len, (size_t)64), field.ptr);
    }
    content->sum.kind = kind;
    return FB_OK;
}

/* x-amz-checksum-* that are no checksums. */
static bool is_about_sums(struct fb_str name)
{
    return fb_str_equal_nocase(name, FB_STR("x-amz-checksum-algorithm")) ||
           fb_str_equal_nocase(name, FB_STR("x-amz-checksum-type")) ||
           fb_str_equal_nocase(name, FB_STR("x-amz-checksum-mode"));
}

static int read_sums(struct origin_content *content, struct origin_fault *fault)
{
    struct fb_str prefix = FB_STR("x-amz-checksum-");
    const struct fb_headers *headers = &content->request->headers;

    for (size_t i = 0; i < headers->n; i++) {
        struct fb_str name = headers->items[i].name;
        if (!fb_str_equal_nocase(fb_str_first(name, prefix.len), prefix) || is_about_sums(name)) {
            continue;
        }
        int err = sum_set(content, name, fault);
        if (err < 0) {
            return err;
        }
        content->has_sum_field = true;
        content->sum_text = headers->items[i].value;
    }
    struct fb_str trailer = fb_headers_find(headers, FB_STR("x-amz-trailer"));
    if (trailer.len == 0 || !fb_str_equal_nocase(fb_str_first(trailer, prefix.len), prefix)) {
        return FB_OK;
    }
    return sum_set(content, trailer, fault);
}

static int read_length(struct origin_content *content, int64_t length, struct origin_fault *fault)
{
    struct fb_str decoded =
        fb_headers_find(&content->request->headers, FB_STR("x-amz-decoded-content-length"));

    if (content->is_chunked) {
        if (fb_str_to_u64(decoded, &content->size) < 0 || content->size > INT64_MAX) {
            return origin_fault_set(fault, ORIGIN_FAULT_NO_LENGTH,
                                    "chunked content needs x-amz-decoded-content-length");
        }
    } else if (length < 0) {
        return origin_fault_set(fault, ORIGIN_FAULT_NO_LENGTH, "a Content-Length is needed");
    } else {
        content->size = (uint64_t)length;
    }
    return FB_OK;
}

int origin_content_init(struct origin_content *content, const struct fb_request_head *request,
                        int64_t length, const struct origin_sigv4 *sigv4,
                        const struct origin_sigv4_chain *chain, struct origin_fault *fault)
{
    *content = (struct origin_content){
        .sigv4 = sigv4,
        .request = request,
        .is_chunked = sigv4->payload >= ORIGIN_PAYLOAD_CHUNKS,
    };
    int err = read_length(content, length, fault);
    if (err < 0 || (err = read_sums(content, fault)) < 0) {
        return err;
    }
    if (content->is_chunked) {
        origin_chunked_init(&content->chunked,
                            &(struct origin_chunked_options){
                                .is_signed = sigv4->payload != ORIGIN_PAYLOAD_TRAILER,
                                .has_trailer = sigv4->payload != ORIGIN_PAYLOAD_CHUNKS,
                                .chain = chain,
                                .moment = sigv4->moment,
                                .scope = sigv4->scope,
                            });
    }
    fb_md5_init(&content->md5_hash);
    content->hashes_sha256 =
        sigv4->payload == ORIGIN_PAYLOAD_HASHED || content->sum.kind == ORIGIN_SUM_SHA256;
    if (content->hashes_sha256) {
        fb_sha256_init(&content->sha256_hash);
    }
    return FB_OK;
}

void origin_content_done(struct origin_content *content)
{
    origin_chunked_done(&content->chunked);
    fb_sha256_done(&content->sha256_hash);
}

/* ---- as it comes ------------------------------------------------------------------------ */

static int cut(struct origin_fault *fault)
{
    return origin_fault_of(fault, FB_E_CLOSED);
}

static int take(struct origin_content *content, struct fb_str piece, struct origin_fault *fault)
{
    content->n += piece.len;
    if (content->n > content->size) {
        return cut(fault);
    }
    fb_md5_update(&content->md5_hash, piece);
    if (content->hashes_sha256) {
        fb_sha256_update(&content->sha256_hash, piece);
    }
    if (content->sum.kind == ORIGIN_SUM_CRC32) {
        content->crc = fb_crc32(content->crc, piece);
    } else if (content->sum.kind == ORIGIN_SUM_CRC32C) {
        content->crc = fb_crc32c(content->crc, piece);
    }
    return FB_OK;
}

/* The next piece of `*rest`: FB_E_LATER when it is used up. */
static int next_piece(struct origin_content *content, struct fb_str *rest, struct fb_str *ret_piece,
                      struct origin_fault *fault)
{
    if (!content->is_chunked) {
        *ret_piece = *rest;
        *rest = FB_STR_NONE;
        return ret_piece->len > 0 ? FB_OK : FB_E_LATER;
    }
    int err = origin_chunked_next(&content->chunked, rest, ret_piece);
    if (err == FB_E_END) {
        content->has_ended = true;
        return rest->len == 0 ? FB_E_LATER : cut(fault);
    }
    if (err == FB_E_DENIED) {
        return origin_fault_set(fault, ORIGIN_FAULT_SIGNATURE,
                                "the signature of a chunk does not match");
    }
    return err == FB_E_MALFORMED ? cut(fault) : err;
}

int origin_content_add(struct origin_content *content, struct fb_str bytes,
                       origin_content_sink *sink, void *ctx, struct origin_fault *fault)
{
    struct fb_str pieces[PIECES_MAX];
    struct fb_str piece;
    size_t n = 0;
    int err = FB_OK;

    while ((err = next_piece(content, &bytes, &piece, fault)) == FB_OK) {
        if ((err = take(content, piece, fault)) < 0) {
            return err;
        }
        pieces[n++] = piece;
        if (n == PIECES_MAX) {
            if ((err = sink(ctx, pieces, n, fault)) < 0) {
                return err;
            }
            n = 0;
        }
    }
    if (err != FB_E_LATER) {
        return err;
    }
    return n == 0 ? FB_OK : sink(ctx, pieces, n, fault);
}

/* ---- the end ------------------------------------------------------------------------------ */

static void put_be32(uint8_t *to, uint32_t number)
{
    for (unsigned i = 0; i < 4; i++) {
        to[i] = (uint8_t)(number >> (24 - 8 * i));
    }
}

static bool is_base64_of(struct fb_str text, struct fb_str bytes)
{
    FB_AUTO(fb_buf_done) struct fb_buf want = {0};

    fb_base64_encode(&want, FB_BASE64_STD, bytes);
    return fb_str_equal(text, fb_buf_str(&want));
}

static int check_hashes(struct origin_content *content, const uint8_t sha256[FB_SHA256_SIZE],
                        struct origin_fault *fault)
{
    struct fb_str md5 = fb_headers_find(&content->request->headers, FB_STR("Content-MD5"));

    if (content->sigv4->payload == ORIGIN_PAYLOAD_HASHED &&
        memcmp(sha256, content->sigv4->payload_hash, FB_SHA256_SIZE) != 0) {
        return origin_fault_set(fault, ORIGIN_FAULT_SHA256,
                                "the content is not the one whose SHA-256 was signed");
    }
    if (md5.ptr != NULL &&
        !is_base64_of(md5, (struct fb_str){(const char *)content->md5, FB_MD5_SIZE})) {
        return origin_fault_set(fault, ORIGIN_FAULT_DIGEST,
                                "the content does not have the Content-MD5 that was sent");
    }
    return FB_OK;
}

static int check_sum(struct origin_content *content, const uint8_t sha256[FB_SHA256_SIZE],
                     struct origin_fault *fault)
{
    struct origin_sum *sum = &content->sum;

    if (sum->kind == ORIGIN_SUM_NONE) {
        return FB_OK;
    }
    if (sum->kind == ORIGIN_SUM_SHA256) {
        memcpy(sum->bytes, sha256, FB_SHA256_SIZE);
    } else {
        put_be32(sum->bytes, content->crc);
    }
    if (!content->has_sum_field) {
        content->sum_text =
            origin_chunked_trailer(&content->chunked, fb_str_from(sums[sum->kind].field));
    }
    if (!is_base64_of(content->sum_text, origin_sum_str(sum))) {
        return origin_fault_set(fault, ORIGIN_FAULT_DIGEST,
                                "the content does not have the %s that was sent",
                                sums[sum->kind].name);
    }
    return FB_OK;
}

int origin_content_finish(struct origin_content *content, struct origin_fault *fault)
{
    uint8_t sha256[FB_SHA256_SIZE] = {0};

    if (content->n != content->size || (content->is_chunked && !content->has_ended)) {
        return cut(fault);
    }
    fb_md5_finish(&content->md5_hash, content->md5);
    if (content->hashes_sha256) {
        fb_sha256_finish(&content->sha256_hash, sha256);
    }
    int err = check_hashes(content, sha256, fault);
    return err < 0 ? err : check_sum(content, sha256, fault);
}
