#include "base/core/err.h"
#include "base/xml/xml.h"
#include "origin/objects/s3_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* The root of an error stands so early; other documents need not be read. */
enum { ERROR_WITHIN = 256 };

static int on_error_element(void *ctx, struct fb_str path, struct fb_str text)
{
    struct s3_answer *answer = ctx;

    if (fb_str_equal(path, FB_STR("Error/Code"))) {
        (void)snprintf(answer->code, sizeof(answer->code), "%.*s", FB_STR_ARG(text));
    }
    return FB_OK;
}

void origin_bucket_answer_read_error(struct fb_str text, struct s3_answer *answer)
{
    struct fb_str begin = fb_str_first(text, ERROR_WITHIN);

    if (begin.len == 0 || memmem(begin.ptr, begin.len, "<Error", 6) == NULL) {
        return;
    }
    (void)(fb_xml_read(text, on_error_element, answer, NULL) == FB_OK); /* a proxy's page, maybe */
}

static bool code_is(const struct s3_answer *answer, const char *code)
{
    return strcmp(answer->code, code) == 0;
}

/* Codes that say more than their status. */
static const struct {
    const char *code;
    int err;
} code_errs[] = {
    {"NoSuchKey", FB_E_NOT_FOUND},        {"NoSuchUpload", FB_E_NOT_FOUND},
    {"NoSuchBucket", FB_E_UNSUPPORTED},   {"InvalidPart", FB_E_CONFLICT},
    {"InvalidPartOrder", FB_E_MALFORMED}, {"EntityTooSmall", FB_E_MALFORMED},
    {"EntityTooLarge", FB_E_LIMIT},       {"QuotaExceeded", -EDQUOT},
    {"BadDigest", FB_E_CORRUPT},          {"XAmzContentSHA256Mismatch", FB_E_CORRUPT},
    {"RequestTimeout", FB_E_TIMEOUT},     {"InternalError", FB_E_UNAVAILABLE},
    {"SlowDown", FB_E_UNAVAILABLE},
};

static int status_err(unsigned status)
{
    switch (status) {
    case 401:
    case 403:
        return FB_E_DENIED;
    case 404:
        return FB_E_NOT_FOUND;
    case 409:
    case 412:
        return FB_E_CONFLICT;
    case 416:
        return FB_E_CLOSED;
    case 507:
        return -ENOSPC;
    default:
        return status >= 500 || status == 429 || status == 408 ? FB_E_UNAVAILABLE : FB_E_FOREIGN;
    }
}

int origin_bucket_answer_err(const struct s3_answer *answer)
{
    for (size_t i = 0; i < FB_ARRAY_LEN(code_errs); i++) {
        if (code_is(answer, code_errs[i].code)) {
            return code_errs[i].err;
        }
    }
    if (answer->status >= 200 && answer->status < 300) {
        return answer->code[0] == '\0' ? FB_OK : FB_E_FOREIGN;
    }
    return status_err(answer->status);
}

bool origin_bucket_answer_may_pass(const struct s3_answer *answer)
{
    int err = origin_bucket_answer_err(answer);

    return err == FB_E_UNAVAILABLE || err == FB_E_TIMEOUT || err == FB_E_CORRUPT;
}

int64_t origin_bucket_time(struct fb_str text)
{
    char copy[32];
    struct tm tm = {.tm_mday = 1};

    if (text.len >= sizeof(copy)) {
        return 0;
    }
    memcpy(copy, text.ptr, text.len);
    copy[text.len] = '\0';
    return strptime(copy, "%Y-%m-%dT%H:%M:%S", &tm) == NULL ? 0 : (int64_t)timegm(&tm) * 1000;
}

void origin_bucket_etag_copy(char etag[ORIGIN_ETAG_MAX + 1], struct fb_str text)
{
    if (text.len >= 2 && text.ptr[0] == '"' && text.ptr[text.len - 1] == '"') {
        text = fb_str_first(fb_str_skip(text, 1), text.len - 2);
    }
    text = fb_str_first(text, ORIGIN_ETAG_MAX);
    memcpy(etag, text.ptr, text.len);
    etag[text.len] = '\0';
}
