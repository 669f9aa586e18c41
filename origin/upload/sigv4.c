/*
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
 */
#include "origin/upload/sigv4.h"

#include "base/core/err.h"
#include "base/core/text.h"

#include <string.h>

#define ALGORITHM "AWS4-HMAC-SHA256"

enum { DATE_LEN = 8, MOMENT_LEN = 16 };

/* ---- what a request says of itself ------------------------------------------------ */

/* Days from 1970-01-01 to a day of the Gregorian calendar. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

/* Reads "20260131T120000Z" as seconds since 1970. */
static int moment_read(struct fb_str text, int64_t *ret_seconds)
{
    static const uint8_t widths[] = {4, 2, 2, 2, 2, 2};
    uint64_t part[FB_ARRAY_LEN(widths)];
    size_t place = 0;

    if (text.len != MOMENT_LEN || text.ptr[DATE_LEN] != 'T' || text.ptr[MOMENT_LEN - 1] != 'Z') {
        return FB_E_MALFORMED;
    }
    for (size_t i = 0; i < FB_ARRAY_LEN(widths); i++) {
        place += i == 3; /* the T */
        if (fb_str_to_u64((struct fb_str){text.ptr + place, widths[i]}, &part[i]) < 0) {
            return FB_E_MALFORMED;
        }
        place += widths[i];
    }
    if (part[1] < 1 || part[1] > 12 || part[2] < 1 || part[2] > 31 || part[3] > 23 ||
        part[4] > 59 || part[5] > 60) {
        return FB_E_MALFORMED;
    }
    *ret_seconds = days_of((int64_t)part[0], (int64_t)part[1], (int64_t)part[2]) * 86400 +
                   (int64_t)(part[3] * 3600 + part[4] * 60 + part[5]);
    return FB_OK;
}

static int malformed(const struct origin_sigv4 *sigv4, struct origin_fault *fault, const char *what)
{
    return origin_fault_set(fault, sigv4->is_query ? ORIGIN_FAULT_QUERY : ORIGIN_FAULT_HEADER,
                            "the signature's %s is missing or not well-formed", what);
}

/* "key/20260131/region/s3/aws4_request" */
static int credential_read(struct origin_sigv4 *sigv4, struct fb_str text,
                           struct origin_fault *fault)
{
    struct fb_str rest = text;
    struct fb_str date = FB_STR_NONE;
    struct fb_str service = FB_STR_NONE;

    if (!fb_str_cut(&rest, '/', &sigv4->access_key) || sigv4->access_key.len == 0) {
        return malformed(sigv4, fault, "credential");
    }
    sigv4->scope = rest;
    if (!fb_str_cut(&rest, '/', &date) || !fb_str_cut(&rest, '/', &sigv4->region) ||
        !fb_str_cut(&rest, '/', &service) || !fb_str_equal(rest, FB_STR("aws4_request")) ||
        !fb_str_equal(service, FB_STR("s3")) || sigv4->region.len == 0 ||
        !fb_str_equal(date, fb_str_first(sigv4->moment, DATE_LEN))) {
        return malformed(sigv4, fault, "credential");
    }
    return FB_OK;
}

static int query_read(struct origin_sigv4 *sigv4, const struct origin_params *params,
                      struct origin_fault *fault)
{
    sigv4->is_query = true;
    sigv4->moment = origin_params_find(params, "X-Amz-Date");
    sigv4->names = origin_params_find(params, "X-Amz-SignedHeaders");
    sigv4->signature = origin_params_find(params, "X-Amz-Signature");
    if (!fb_str_equal(origin_params_find(params, "X-Amz-Algorithm"), FB_STR(ALGORITHM))) {
        return malformed(sigv4, fault, "algorithm");
    }
    if (moment_read(sigv4->moment, &sigv4->signed_s) < 0) {
        return malformed(sigv4, fault, "date");
    }
    if (fb_str_to_u64(origin_params_find(params, "X-Amz-Expires"), &sigv4->expires_s) < 0 ||
        sigv4->expires_s < 1 || sigv4->expires_s > ORIGIN_SIGV4_MAX_EXPIRES_S) {
        return malformed(sigv4, fault, "lifetime");
    }
    if (sigv4->names.len == 0 || sigv4->signature.len == 0) {
        return malformed(sigv4, fault, "list of fields, or itself,");
    }
    return credential_read(sigv4, origin_params_find(params, "X-Amz-Credential"), fault);
}

/* The value of `name` in "Credential=…, SignedHeaders=…, Signature=…"; clients differ in the
 * space after the comma. */
static struct fb_str field_part(struct fb_str field, struct fb_str name)
{
    struct fb_str part;

    while (fb_str_cut(&field, ',', &part)) {
        part = fb_str_trim(part);
        size_t equals = fb_str_find(part, '=');
        if (fb_str_equal(fb_str_first(part, equals), name)) {
            return fb_str_skip(part, equals + 1);
        }
    }
    return FB_STR_NONE;
}

static int header_read(struct origin_sigv4 *sigv4, const struct fb_request_head *request,
                       struct fb_str field, struct origin_fault *fault)
{
    struct fb_str values = fb_str_skip(field, sizeof(ALGORITHM) - 1);

    sigv4->moment = fb_headers_find(&request->headers, FB_STR("x-amz-date"));
    sigv4->names = field_part(values, FB_STR("SignedHeaders"));
    sigv4->signature = field_part(values, FB_STR("Signature"));
    if (moment_read(sigv4->moment, &sigv4->signed_s) < 0) {
        return malformed(sigv4, fault, "x-amz-date");
    }
    if (sigv4->names.len == 0 || sigv4->signature.len == 0) {
        return malformed(sigv4, fault, "list of fields, or itself,");
    }
    return credential_read(sigv4, field_part(values, FB_STR("Credential")), fault);
}

static int payload_read(struct origin_sigv4 *sigv4, const struct fb_request_head *request,
                        struct origin_fault *fault)
{
    static const struct {
        const char *text;
        enum origin_payload payload;
    } forms[] = {
        {"UNSIGNED-PAYLOAD", ORIGIN_PAYLOAD_UNSIGNED},
        {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD", ORIGIN_PAYLOAD_CHUNKS},
        {"STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", ORIGIN_PAYLOAD_CHUNKS_TRAILER},
        {"STREAMING-UNSIGNED-PAYLOAD-TRAILER", ORIGIN_PAYLOAD_TRAILER},
    };
    struct fb_str text = fb_headers_find(&request->headers, FB_STR("x-amz-content-sha256"));

    if (text.ptr == NULL && sigv4->is_query) {
        text = FB_STR("UNSIGNED-PAYLOAD");
    }
    sigv4->payload_text = text;
    for (size_t i = 0; i < FB_ARRAY_LEN(forms); i++) {
        if (text.ptr != NULL && fb_str_equal(text, fb_str_from(forms[i].text))) {
            sigv4->payload = forms[i].payload;
            return FB_OK;
        }
    }
    sigv4->payload = ORIGIN_PAYLOAD_HASHED;
    if (fb_text_unhex(text, sigv4->payload_hash, FB_SHA256_SIZE) < 0) {
        return origin_fault_set(fault, ORIGIN_FAULT_ARGUMENT,
                                "x-amz-content-sha256 is missing, or of a form that is not known");
    }
    return FB_OK;
}

int origin_sigv4_read(const struct fb_request_head *request, const struct origin_params *params,
                      struct fb_arena *arena, struct origin_sigv4 *ret_sigv4,
                      struct origin_fault *fault)
{
    struct fb_str field = fb_headers_find(&request->headers, FB_STR("Authorization"));
    struct fb_str all = fb_headers_join(&request->headers, arena, FB_STR("Authorization"));
    struct origin_sigv4 sigv4 = {.is_query = false};
    bool is_header = fb_str_starts_with(field, FB_STR(ALGORITHM " "));
    int err = FB_OK;

    if (all.len != field.len) {
        err = origin_fault_set(fault, ORIGIN_FAULT_HEADER, "there is more than one Authorization");
    } else if (field.ptr != NULL && !is_header) {
        err = origin_fault_set(fault, ORIGIN_FAULT_HEADER,
                               "the Authorization is not of AWS Signature Version 4");
    } else if (origin_params_find(params, "X-Amz-Signature").ptr != NULL ||
               origin_params_find(params, "X-Amz-Algorithm").ptr != NULL) {
        err = is_header ? origin_fault_set(fault, ORIGIN_FAULT_ARGUMENT,
                                           "the request is signed in two ways")
                        : query_read(&sigv4, params, fault);
    } else if (is_header) {
        err = header_read(&sigv4, request, field, fault);
    } else {
        err = origin_fault_set(fault, ORIGIN_FAULT_ACCESS_DENIED, "the request is not signed");
    }
    if (err < 0 || (err = payload_read(&sigv4, request, fault)) < 0) {
        return err;
    }
    *ret_sigv4 = sigv4;
    return FB_OK;
}

/* ---- whether it is true -------------------------------------------------------------- */

/* Encoded anew, so that it does not matter which letters a client escapes without need. */
static struct fb_str canonical_path(struct fb_str path, struct fb_arena *arena)
{
    FB_AUTO(fb_buf_done) struct fb_buf plain = {0};
    FB_AUTO(fb_buf_done) struct fb_buf encoded = {0};

    if (fb_text_percent_decode(&plain, path) < 0) {
        return path; /* nobody signs that */
    }
    fb_text_percent_encode(&encoded, fb_buf_str(&plain), "/");
    return fb_arena_dup(arena, fb_buf_str(&encoded));
}

static struct fb_str canonical_query(const struct origin_params *params, struct fb_arena *arena)
{
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};

    for (size_t i = 0; i < params->n; i++) {
        if (fb_str_equal(params->items[i].name, FB_STR("X-Amz-Signature"))) {
            continue;
        }
        if (buf.len > 0) {
            fb_buf_append_byte(&buf, '&');
        }
        fb_buf_append(&buf, params->items[i].canonical);
    }
    return fb_arena_dup(arena, fb_buf_str(&buf));
}

/* Trimmed, with one space for several. */
static void append_value(struct fb_buf *buf, struct fb_str value)
{
    bool was_space = false;

    value = fb_str_trim(value);
    for (size_t i = 0; i < value.len; i++) {
        bool is_space = value.ptr[i] == ' ' || value.ptr[i] == '\t';
        if (!is_space || !was_space) {
            fb_buf_append_byte(buf, is_space ? ' ' : value.ptr[i]);
        }
        was_space = is_space;
    }
}

/* Appends "name:value,value\n"; false if the request has no such field. */
static bool append_field(struct fb_buf *buf, const struct fb_request_head *request,
                         struct fb_str name)
{
    size_t n = 0;

    fb_buf_append(buf, name);
    fb_buf_append_byte(buf, ':');
    if (fb_str_equal(name, FB_STR("host"))) {
        append_value(buf, request->host);
        n = 1;
    }
    for (size_t i = 0; n == 0 && i < request->headers.n; i++) {
        n += fb_str_equal_nocase(request->headers.items[i].name, name);
    }
    if (n == 0) {
        return false;
    }
    bool is_first = true;
    for (size_t i = 0; i < request->headers.n && !fb_str_equal(name, FB_STR("host")); i++) {
        const struct fb_header *header = &request->headers.items[i];
        if (fb_str_equal_nocase(header->name, name)) {
            fb_buf_append(buf, is_first ? FB_STR("") : FB_STR(","));
            append_value(buf, header->value);
            is_first = false;
        }
    }
    fb_buf_append_byte(buf, '\n');
    return true;
}

/* The list has names in lower case. */
static bool is_signed(struct fb_str names, struct fb_str name)
{
    struct fb_str part;

    while (fb_str_cut(&names, ';', &part)) {
        if (fb_str_equal_nocase(part, name)) {
            return true;
        }
    }
    return false;
}

static bool must_be_signed(const struct origin_sigv4 *sigv4, struct fb_str name)
{
    struct fb_str prefix = FB_STR("x-amz-");

    return !sigv4->is_query && (fb_str_equal_nocase(fb_str_first(name, prefix.len), prefix) ||
                                fb_str_equal_nocase(name, FB_STR("content-md5")));
}

/* The canonical lines of the fields that were signed. */
static int check_fields(const struct origin_sigv4 *sigv4, const struct fb_request_head *request,
                        struct fb_arena *arena, struct fb_str *ret_lines,
                        struct origin_fault *fault)
{
    FB_AUTO(fb_buf_done) struct fb_buf lines = {0};
    struct fb_str rest = sigv4->names;
    struct fb_str name;
    unsigned n = 0;

    while (fb_str_cut(&rest, ';', &name)) {
        if (++n > ORIGIN_SIGV4_MAX_FIELDS || !append_field(&lines, request, name)) {
            return origin_fault_set(fault, ORIGIN_FAULT_SIGNATURE,
                                    "the request lacks the signed field '%.*s'",
                                    (int)FB_MIN(name.len, (size_t)64), name.ptr);
        }
    }
    if (!is_signed(sigv4->names, FB_STR("host"))) {
        return origin_fault_set(fault, ORIGIN_FAULT_ACCESS_DENIED, "the Host must be signed");
    }
    for (size_t i = 0; i < request->headers.n; i++) {
        name = request->headers.items[i].name;
        if (must_be_signed(sigv4, name) && !is_signed(sigv4->names, name)) {
            return origin_fault_set(fault, ORIGIN_FAULT_ACCESS_DENIED,
                                    "the field '%.*s' must be signed",
                                    (int)FB_MIN(name.len, (size_t)64), name.ptr);
        }
    }
    *ret_lines = fb_arena_dup(arena, fb_buf_str(&lines));
    return FB_OK;
}

static int check_time(const struct origin_sigv4 *sigv4, int64_t now_ms, struct origin_fault *fault)
{
    int64_t now_s = now_ms / 1000;

    if (sigv4->signed_s > now_s + ORIGIN_SIGV4_SKEW_S ||
        (!sigv4->is_query && sigv4->signed_s < now_s - ORIGIN_SIGV4_SKEW_S)) {
        return origin_fault_set(fault, ORIGIN_FAULT_SKEWED,
                                "the request's time differs too much from the server's");
    }
    if (sigv4->is_query && now_s >= sigv4->signed_s + (int64_t)sigv4->expires_s) {
        return origin_fault_set(fault, ORIGIN_FAULT_EXPIRED, "the URL has expired");
    }
    return FB_OK;
}

int origin_sigv4_check(const struct origin_sigv4 *sigv4, const struct origin_sigv4_proof *proof,
                       struct fb_arena *arena, struct origin_sigv4_chain *ret_chain,
                       struct origin_fault *fault)
{
    FB_AUTO(fb_buf_done) struct fb_buf signature = {0};
    struct origin_sigv4_chain chain = {.signature = ""};
    struct origin_sigv4_canon canon = {
        .method = proof->request->method_text,
        .path = canonical_path(proof->request->path, arena),
        .query = canonical_query(proof->params, arena),
        .names = sigv4->names,
        .payload = sigv4->payload_text,
        .moment = sigv4->moment,
        .scope = sigv4->scope,
    };

    int err = check_fields(sigv4, proof->request, arena, &canon.headers, fault);
    if (err < 0) {
        return err;
    }
    origin_sigv4_key(proof->secret, sigv4->scope, chain.key);
    origin_sigv4_sign(&canon, chain.key, &signature);
    if (!fb_crypto_equal(fb_buf_str(&signature), sigv4->signature)) {
        return origin_fault_set(fault, ORIGIN_FAULT_SIGNATURE,
                                "the signature does not match the request");
    }
    err = check_time(sigv4, proof->now_ms, fault);
    if (err == FB_OK && ret_chain != NULL) {
        memcpy(chain.signature, signature.ptr, signature.len);
        *ret_chain = chain;
    }
    return err;
}
