/*
 * Faults: why an upload is refused, as S3 names it to its clients, and the API to its own.
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"

/* X(name, status, S3's code, slug of the API's problem or NULL) */
#define ORIGIN_FAULTS(X)                                                \
    X(ACCESS_DENIED, 403, "AccessDenied", "not-allowed")                \
    X(EXPIRED, 403, "AccessDenied", "url-expired")                      \
    X(NO_KEY_ID, 403, "InvalidAccessKeyId", "bad-signature")            \
    X(SIGNATURE, 403, "SignatureDoesNotMatch", "bad-signature")         \
    X(SKEWED, 403, "RequestTimeTooSkewed", "bad-signature")             \
    X(HEADER, 400, "AuthorizationHeaderMalformed", "bad-signature")     \
    X(QUERY, 400, "AuthorizationQueryParametersError", "bad-signature") \
    X(NO_BUCKET, 404, "NoSuchBucket", NULL)                             \
    X(NO_KEY, 404, "NoSuchKey", "no-video")                             \
    X(NO_UPLOAD, 404, "NoSuchUpload", "no-upload")                      \
    X(CLOSED, 409, "OperationAborted", "upload-closed")                 \
    X(CONFLICT, 409, "OperationAborted", "upload-changed")              \
    X(METHOD, 405, "MethodNotAllowed", NULL)                            \
    X(NOT_IMPLEMENTED, 501, "NotImplemented", NULL)                     \
    X(NO_LENGTH, 411, "MissingContentLength", NULL)                     \
    X(ARGUMENT, 400, "InvalidArgument", "bad-field")                    \
    X(REQUEST, 400, "InvalidRequest", "bad-field")                      \
    X(XML, 400, "MalformedXML", NULL)                                   \
    X(TOO_LARGE, 400, "EntityTooLarge", "too-large")                    \
    X(TOO_SMALL, 400, "EntityTooSmall", "too-small")                    \
    X(PART, 400, "InvalidPart", "upload-missing")                       \
    X(PART_ORDER, 400, "InvalidPartOrder", "bad-field")                 \
    X(CUT, 400, "IncompleteBody", "upload-cut")                         \
    X(DIGEST, 400, "BadDigest", "bad-digest")                           \
    X(DIGEST_FORM, 400, "InvalidDigest", "bad-digest")                  \
    X(SHA256, 400, "XAmzContentSHA256Mismatch", "bad-digest")           \
    X(TIMEOUT, 400, "RequestTimeout", NULL)                             \
    X(BUSY, 503, "SlowDown", "busy")                                    \
    X(FULL, 507, "InsufficientStorage", "storage-full")                 \
    X(INTERNAL, 500, "InternalError", NULL)

enum origin_fault_kind {
    ORIGIN_FAULT_NONE,
#define ORIGIN_FAULT_ENUM(name, status, code, slug) ORIGIN_FAULT_##name,
    ORIGIN_FAULTS(ORIGIN_FAULT_ENUM)
#undef ORIGIN_FAULT_ENUM
        ORIGIN_N_FAULTS
};

struct origin_fault {
    enum origin_fault_kind kind;
    struct fb_diag
        diag; /* the sentence, and for FULL, BUSY and INTERNAL what the room below said */
};

/* Sets both, and returns a negative code, so that who fails ends in `return origin_fault_set(…)`.
 */
FB_MUST_CHECK int origin_fault_set(struct origin_fault *fault, enum origin_fault_kind kind,
                                   const char *fmt, ...) FB_PRINTF(3, 4);

/* The fault that `err` of the catalog or the objects is. */
FB_MUST_CHECK int origin_fault_of(struct origin_fault *fault, int err);

unsigned origin_fault_status(enum origin_fault_kind kind);
const char *origin_fault_code(enum origin_fault_kind kind); /* S3's */
const char *origin_fault_slug(enum origin_fault_kind kind); /* or NULL */
