/*
 * https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html
 */
#include "origin/upload/presign.h"

#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/crypto/hash.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define ALGORITHM "AWS4-HMAC-SHA256"

enum { DATE_LEN = 8, MOMENT_LEN = 16, SKEW_S = 15 * 60, MAX_SIGNED_HEADERS = 8 };

/* What is signed, whichever side asks. */
struct canon {
    struct fb_str method;
    struct fb_str path;
    struct fb_str query;   /* in its canonical form */
    struct fb_str headers; /* lines, each with its newline */
    struct fb_str names;   /* of these, with ';' between */
    struct fb_str moment;  /* 20260131T120000Z */
    struct fb_str scope;   /* 20260131/region/s3/aws4_request */
};

static struct fb_str mac_str(const uint8_t mac[FB_SHA256_SIZE])
{
    return (struct fb_str){(const char *)mac, FB_SHA256_SIZE};
}

static void signing_key(const struct origin_presigner *signer, struct fb_str date,
                        uint8_t key[FB_SHA256_SIZE])
{
    FB_AUTO(fb_buf_done) struct fb_buf first = {0};
    uint8_t mac[FB_SHA256_SIZE];

    fb_buf_append(&first, FB_STR("AWS4"));
    fb_buf_append(&first, signer->secret);
    fb_hmac_sha256(fb_buf_str(&first), date, key);
    fb_hmac_sha256(mac_str(key), signer->region, mac);
    fb_hmac_sha256(mac_str(mac), FB_STR("s3"), key);
    fb_hmac_sha256(mac_str(key), FB_STR("aws4_request"), mac);
    memcpy(key, mac, sizeof(mac));
}

/* Appends the signature in hexadecimal. */
static void canon_sign(const struct canon *canon, const struct origin_presigner *signer,
                       struct fb_buf *buf)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    uint8_t digest[FB_SHA256_SIZE];
    uint8_t key[FB_SHA256_SIZE];

    const struct fb_str lines[] = {canon->method,  canon->path,  canon->query,
                                   canon->headers, canon->names, FB_STR("UNSIGNED-PAYLOAD")};
    for (size_t i = 0; i < FB_ARRAY_LEN(lines); i++) {
        fb_buf_append(&text, lines[i]);
        if (i + 1 < FB_ARRAY_LEN(lines)) {
            fb_buf_append_byte(&text, '\n');
        }
    }
    fb_sha256(fb_buf_str(&text), digest);

    fb_buf_clear(&text);
    fb_buf_printf(&text, ALGORITHM "\n%.*s\n%.*s\n", FB_STR_ARG(canon->moment),
                  FB_STR_ARG(canon->scope));
    fb_text_hex(&text, mac_str(digest));
    signing_key(signer, fb_str_first(canon->moment, DATE_LEN), key);
    fb_hmac_sha256(mac_str(key), fb_buf_str(&text), digest);
    fb_text_hex(buf, mac_str(digest));
}

/* ---- signing ------------------------------------------------------------- */

/* "20260131T120000Z" */
static void moment_append(struct fb_buf *buf, int64_t now_ms)
{
    char stamp[FB_TIMESTAMP_MAX];

    for (const char *c = fb_timestamp(now_ms, stamp); *c != '\0' && *c != '.'; c++) {
        if (*c != '-' && *c != ':') {
            fb_buf_append_byte(buf, *c);
        }
    }
    fb_buf_append_byte(buf, 'Z');
}

void origin_presign(const struct origin_presigner *signer,
                    const struct origin_presign_options *options, struct fb_buf *buf)
{
    FB_AUTO(fb_buf_done) struct fb_buf moment = {0};
    FB_AUTO(fb_buf_done) struct fb_buf scope = {0};
    FB_AUTO(fb_buf_done) struct fb_buf query = {0};
    FB_AUTO(fb_buf_done) struct fb_buf headers = {0};
    bool is_bound = options->content_length >= 0;
    struct fb_str names = is_bound ? FB_STR("content-length;host") : FB_STR("host");

    moment_append(&moment, options->now_ms);
    fb_buf_printf(&scope, "%.*s/%.*s/s3/aws4_request", DATE_LEN, moment.ptr,
                  FB_STR_ARG(signer->region));
    /* The parameters stand in the order of their names. */
    fb_buf_append(&query, FB_STR("X-Amz-Algorithm=" ALGORITHM "&X-Amz-Credential="));
    fb_text_percent_encode(&query, signer->access_key, "");
    fb_buf_append(&query, FB_STR("%2F"));
    fb_text_percent_encode(&query, fb_buf_str(&scope), "");
    fb_buf_printf(&query,
                  "&X-Amz-Date=%s&X-Amz-Expires=%" PRIu32 "&X-Amz-SignedHeaders=", moment.ptr,
                  options->expires_s);
    fb_text_percent_encode(&query, names, "");
    if (is_bound) {
        fb_buf_printf(&headers, "content-length:%" PRId64 "\n", options->content_length);
    }
    fb_buf_printf(&headers, "host:%.*s\n", FB_STR_ARG(options->host));

    struct canon canon = {
        .method = options->method,
        .path = options->path,
        .query = fb_buf_str(&query),
        .headers = fb_buf_str(&headers),
        .names = names,
        .moment = fb_buf_str(&moment),
        .scope = fb_buf_str(&scope),
    };
    fb_buf_append(buf, canon.query);
    fb_buf_append(buf, FB_STR("&X-Amz-Signature="));
    canon_sign(&canon, signer, buf);
}

/* ---- checking ------------------------------------------------------------ */

/* One query parameter: decoded, and both sides encoded anew. */
struct param {
    struct fb_str name;
    struct fb_str value;
    struct fb_str canonical; /* name=value */
};

struct params {
    struct param items[ORIGIN_PRESIGN_MAX_PARAMS];
    size_t n;
};

static struct fb_str arena_keep(struct fb_arena *arena, struct fb_buf *buf)
{
    struct fb_str kept = fb_arena_dup(arena, fb_buf_str(buf));
    fb_buf_clear(buf);
    return kept;
}

static int param_compare(const void *a, const void *b)
{
    const struct param *left = a;
    const struct param *right = b;
    return fb_str_compare(left->canonical, right->canonical);
}

static int param_decode(struct param *param, struct fb_str text, struct fb_arena *arena)
{
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
    size_t equals = fb_str_find(text, '=');

    if (fb_text_percent_decode(&buf, fb_str_first(text, equals)) < 0) {
        return FB_E_MALFORMED;
    }
    param->name = arena_keep(arena, &buf);
    if (fb_text_percent_decode(&buf, fb_str_skip(text, equals + 1)) < 0) {
        return FB_E_MALFORMED;
    }
    param->value = arena_keep(arena, &buf);
    fb_text_percent_encode(&buf, param->name, "");
    fb_buf_append_byte(&buf, '=');
    fb_text_percent_encode(&buf, param->value, "");
    param->canonical = arena_keep(arena, &buf);
    return FB_OK;
}

static int params_decode(struct params *params, struct fb_str query, struct fb_arena *arena)
{
    struct fb_str text;

    while (fb_str_cut(&query, '&', &text)) {
        if (text.len == 0) {
            continue;
        }
        if (params->n == ORIGIN_PRESIGN_MAX_PARAMS) {
            return FB_E_LIMIT;
        }
        int err = param_decode(&params->items[params->n++], text, arena);
        if (err < 0) {
            return err;
        }
    }
    if (params->n > 0) {
        qsort(params->items, params->n, sizeof(params->items[0]), param_compare);
    }
    return FB_OK;
}

/* The value of the one parameter `name`; ptr NULL if it is missing or repeated. */
static struct fb_str params_get(const struct params *params, const char *name)
{
    struct fb_str value = FB_STR_NONE;
    size_t n = 0;

    for (size_t i = 0; i < params->n; i++) {
        if (fb_str_equal(params->items[i].name, fb_str_from(name))) {
            value = params->items[i].value;
            n++;
        }
    }
    return n == 1 ? value : FB_STR_NONE;
}

static struct fb_str params_canonical(const struct params *params, struct fb_arena *arena)
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
    return arena_keep(arena, &buf);
}

/* Days from 1970-01-01 to a day of the Gregorian calendar. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
    int64_t y = month <= 2 ? year - 1 : year;
    int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

/* Reads "20260131T120000Z" as seconds since 1970. */
static int moment_parse(struct fb_str text, int64_t *ret_seconds)
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

static int check_time(const struct params *params, int64_t now_ms, struct fb_diag *diag)
{
    int64_t signed_s = 0;
    uint64_t expires_s = 0;
    int64_t now_s = now_ms / 1000;

    if (moment_parse(params_get(params, "X-Amz-Date"), &signed_s) < 0 ||
        fb_str_to_u64(params_get(params, "X-Amz-Expires"), &expires_s) < 0 || expires_s < 1 ||
        expires_s > ORIGIN_PRESIGN_MAX_EXPIRES_S) {
        return fb_diag_set(diag, FB_E_DENIED, "the URL's date or lifetime is not valid");
    }
    if (signed_s > now_s + SKEW_S) {
        return fb_diag_set(diag, FB_E_DENIED, "the URL is not valid yet");
    }
    if (now_s >= signed_s + (int64_t)expires_s) {
        return fb_diag_set(diag, FB_E_EXPIRED, "the URL has expired");
    }
    return FB_OK;
}

/* Checks algorithm and credential; gives the scope. */
static int check_credential(const struct origin_presigner *signer, const struct params *params,
                            struct fb_arena *arena, struct fb_str *ret_scope, struct fb_diag *diag)
{
    FB_AUTO(fb_buf_done) struct fb_buf want = {0};
    struct fb_str moment = params_get(params, "X-Amz-Date");
    struct fb_str credential = params_get(params, "X-Amz-Credential");

    fb_buf_printf(&want, "%.*s/%.*s/%.*s/s3/aws4_request", FB_STR_ARG(signer->access_key), DATE_LEN,
                  moment.ptr, FB_STR_ARG(signer->region));
    if (!fb_str_equal(params_get(params, "X-Amz-Algorithm"), FB_STR(ALGORITHM)) ||
        !fb_str_equal(credential, fb_buf_str(&want))) {
        return fb_diag_set(diag, FB_E_DENIED, "the URL was not signed by this server");
    }
    *ret_scope = fb_arena_dup(arena, fb_str_skip(credential, signer->access_key.len + 1));
    return FB_OK;
}

/* The canonical lines of the headers that were signed. */
static int check_headers(const struct fb_request_head *request, struct fb_str names,
                         struct fb_arena *arena, struct fb_str *ret_lines, struct fb_diag *diag)
{
    FB_AUTO(fb_buf_done) struct fb_buf lines = {0};
    struct fb_str rest = names;
    struct fb_str name;
    bool has_host = false;
    bool has_length = false;
    unsigned n = 0;

    while (fb_str_cut(&rest, ';', &name)) {
        struct fb_str value = fb_str_equal(name, FB_STR("host"))
                                  ? request->host
                                  : fb_headers_join(&request->headers, arena, name);
        if (value.ptr == NULL || ++n > MAX_SIGNED_HEADERS) {
            return fb_diag_set(diag, FB_E_DENIED, "the request lacks the signed field '%.*s'",
                               FB_STR_ARG(name));
        }
        has_host = has_host || fb_str_equal(name, FB_STR("host"));
        has_length = has_length || fb_str_equal(name, FB_STR("content-length"));
        fb_buf_printf(&lines, "%.*s:%.*s\n", FB_STR_ARG(name), FB_STR_ARG(fb_str_trim(value)));
    }
    if (!has_host || (request->method == FB_METHOD_PUT && !has_length)) {
        return fb_diag_set(diag, FB_E_DENIED, "the URL does not bind host and Content-Length");
    }
    *ret_lines = arena_keep(arena, &lines);
    return FB_OK;
}

int origin_presign_check(const struct origin_presigner *signer,
                         const struct fb_request_head *request, int64_t now_ms,
                         struct fb_arena *arena, struct fb_diag *diag)
{
    FB_AUTO(fb_buf_done) struct fb_buf signature = {0};
    struct params params = {.n = 0};

    if (params_decode(&params, request->query, arena) < 0) {
        return fb_diag_set(diag, FB_E_DENIED, "the URL's query is malformed");
    }
    struct canon canon = {
        .method = request->method_text,
        .path = request->path,
        .query = params_canonical(&params, arena),
        .names = params_get(&params, "X-Amz-SignedHeaders"),
        .moment = params_get(&params, "X-Amz-Date"),
    };
    struct fb_str given = params_get(&params, "X-Amz-Signature");
    if (given.ptr == NULL || canon.names.ptr == NULL) {
        return fb_diag_set(diag, FB_E_DENIED, "the URL is not signed");
    }
    int err = check_time(&params, now_ms, diag);
    int known =
        err == FB_E_DENIED ? err : check_credential(signer, &params, arena, &canon.scope, diag);
    if (known < 0 ||
        (known = check_headers(request, canon.names, arena, &canon.headers, diag)) < 0) {
        return known;
    }
    canon_sign(&canon, signer, &signature);
    if (!fb_crypto_equal(fb_buf_str(&signature), given)) {
        return fb_diag_set(diag, FB_E_DENIED, "the signature does not match the request");
    }
    /* Only the owner of a good signature is told that it has expired. */
    return err < 0 ? fb_diag_set(diag, err, "the URL has expired") : FB_OK;
}
