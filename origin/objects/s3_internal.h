/*
 * What the files of the store "s3://<bucket>[/<prefix>]" share.
 *
 * s3.c              opening, reading, removal
 * s3_credentials.c  who we are
 * s3_request.c      one request with its retries; libcurl is here alone
 * s3_answer.c       what answers say
 * s3_put.c          puts, by way of a spool
 * s3_parts.c        multiparts
 * s3_list.c          lists
 *
 * What is put is spooled in an unnamed file and sent when it is whole, or a part of it is: however
 * slowly it comes, the server is never kept waiting, memory stays small, its SHA-256 is known
 * beforehand (and signed), and it can be sent again.
 */
#pragma once

#include "base/crypto/hash.h"
#include "origin/objects/objects_internal.h"

#include <pthread.h>

enum {
    S3_MAX_IDLE = 32,
    S3_ANSWER_MAX = 4 << 20, /* of XML */
    S3_CAUSE_MAX = 256,      /* of libcurl's words, with their end */
    S3_TEXT_MAX = 127,       /* of a code, an ETag */
    S3_QUERY_MAX = 1600,
    S3_LEAST_PART = 5 << 20,
    S3_HEX_MAX = 2 * FB_SHA256_SIZE + 1
};

/* As the file of credentials says. */
struct s3_credentials {
    struct fb_buf access_key; /* owned, as the others */
    struct fb_buf secret_key;
    struct fb_buf session_token;
};

struct s3 {
    struct origin_objects base;
    char *url;    /* owned, as all strings: scheme, authority and path of the bucket, no slash */
    char *prefix; /* of keys, with a slash; "" for none */
    char *region;
    char *ca_file; /* NULL: the system's */
    char *spool;
    char *credentials_path;
    uint32_t connect_timeout_ms;
    uint32_t stall_timeout_ms;
    uint32_t max_attempts;
    uint64_t part_bytes;

    pthread_mutex_t lock;
    struct s3_credentials credentials; /* under lock, as what follows */
    int64_t credentials_ns;            /* when the file was changed */
    void *idle[S3_MAX_IDLE];           /* CURL *, owned */
    size_t n_idle;
};

/* What an answer says; of errors, their code. */
struct s3_answer {
    unsigned status;
    uint64_t length; /* of the object, as HEAD or Content-Range have it */
    int64_t modified_ms;
    char etag[ORIGIN_ETAG_MAX + 1]; /* without quotes */
    char code[S3_TEXT_MAX + 1];
    char cause[S3_CAUSE_MAX]; /* in words, if there was no answer */
    bool was_retried;         /* so that an earlier attempt may have done it */
};

struct s3_request {
    const char *method;
    struct fb_str key;     /* without our prefix; empty: of the bucket */
    const char *query;     /* names in their order, each with '=', values encoded; NULL: none */
    const char *header[2]; /* whole lines, or NULL */

    /* Content: bytes, or of a file. */
    struct fb_str bytes;
    int fd; /* borrowed; -1: none */
    uint64_t offset;
    uint64_t length;
    const char *sha256; /* hexadecimal; NULL: of `bytes` */

    /* Where the content of the answer goes. */
    struct fb_buf *text; /* at most S3_ANSWER_MAX; NULL: nowhere */
    void *into;          /* or here, exactly into_len bytes from into_offset of the object */
    size_t into_len;
    uint64_t into_offset;
};

#define S3_REQUEST(m, k)                    \
    (struct s3_request)                     \
    {                                       \
        .method = (m), .key = (k), .fd = -1 \
    }

static inline struct s3 *s3_of(struct origin_objects *objects)
{
    return FB_CONTAINER_OF(objects, struct s3, base);
}

/* ---- s3_request.c ------------------------------------------------------------ */

/* Sends it, again where that may help, and gives the last answer. A status beyond 299 is an error,
 * by origin_bucket_answer_err(). `ret_answer` is written whatever comes of it. */
FB_MUST_CHECK int origin_bucket_do(struct s3 *s3, const struct s3_request *request,
                                   struct s3_answer *ret_answer);

void origin_bucket_handles_done(struct s3 *s3);

/* ---- s3_answer.c ------------------------------------------------------------- */

/* Reads the code of an <Error>, if `text` is one. */
void origin_bucket_answer_read_error(struct fb_str text, struct s3_answer *answer);

int origin_bucket_answer_err(const struct s3_answer *answer);

/* True if another attempt may end otherwise. */
bool origin_bucket_answer_may_pass(const struct s3_answer *answer);

/* "2026-01-31T12:00:00.000Z" in milliseconds of Unix time; 0 if it is not. */
int64_t origin_bucket_time(struct fb_str text);

/* Without quotes, cut to fit. */
void origin_bucket_etag_copy(char etag[ORIGIN_ETAG_MAX + 1], struct fb_str text);

/* ---- s3_credentials.c -------------------------------------------------------- */

FB_MUST_CHECK int origin_bucket_credentials_load(const char *path,
                                                 struct s3_credentials *credentials,
                                                 struct fb_diag *diag);
void origin_bucket_credentials_done(struct s3_credentials *credentials);

/* Reads the file anew if it has changed. */
void origin_bucket_credentials_refresh(struct s3 *s3);

/* ---- s3_put.c ---------------------------------------------------------------- */

int origin_bucket_put_begin(struct origin_objects *objects, struct fb_str key, uint64_t size,
                            struct origin_put **ret_put);
int origin_bucket_put_write(struct origin_put *put, const struct fb_str *pieces, size_t n_pieces);
int origin_bucket_put_commit(struct origin_put *put);
void origin_bucket_put_abort(struct origin_put *put);
int origin_bucket_put_file(struct origin_objects *objects, struct fb_str key, const char *path,
                           struct origin_stored *ret_stored);
int origin_bucket_put_commit_part(struct origin_put *put, struct fb_str etag,
                                  struct origin_part *ret_part);

/* ---- s3_parts.c -------------------------------------------------------------- */

int origin_bucket_multipart_begin(struct origin_objects *objects, struct fb_str key,
                                  char ret_id[ORIGIN_MULTIPART_ID_MAX + 1]);
int origin_bucket_multipart_part(struct origin_objects *objects, struct fb_str key,
                                 struct fb_str id, uint32_t number, uint64_t size,
                                 struct origin_put **ret_put);
int origin_bucket_multipart_parts(struct origin_objects *objects, struct fb_str key,
                                  struct fb_str id, struct origin_part_page *page);
int origin_bucket_multipart_complete(struct origin_objects *objects, struct fb_str key,
                                     struct fb_str id, const struct origin_part_name *parts,
                                     size_t n_parts);
int origin_bucket_multipart_abort(struct origin_objects *objects, struct fb_str key,
                                  struct fb_str id);
int origin_bucket_multipart_list(struct origin_objects *objects, int64_t before_ms,
                                 struct origin_multipart *items, size_t max, size_t *ret_n);

/* A part: `length` bytes of `fd` from `offset`. */
struct s3_part_content {
    uint32_t number;
    int fd; /* borrowed */
    uint64_t offset;
    uint64_t length;
    const char *sha256; /* hexadecimal */
};
int origin_bucket_part_send(struct s3 *s3, struct fb_str key, struct fb_str id,
                            const struct s3_part_content *content,
                            char ret_etag[ORIGIN_ETAG_MAX + 1]);

/* ---- s3_list.c --------------------------------------------------------------- */

int origin_bucket_list(struct origin_objects *objects, struct fb_str prefix, struct fb_str after,
                       struct origin_listed *items, size_t max, size_t *ret_n);
int origin_bucket_remove_prefix(struct origin_objects *objects, struct fb_str prefix);
