#include "origin/objects/lease.h"

#include "base/client/trip.h"
#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/crypto/base64.h"
#include "base/crypto/hash.h"
#include "base/http/date.h"
#include "base/http/range.h"
#include "base/loop/file_reader.h"
#include "base/sys/backoff.h"
#include "base/sys/file.h"
#include "origin/objects/count.h"
#include "origin/objects/objects_internal.h"
#include "origin/objects/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MAX_ATTEMPTS = 5, TIMEOUT_MS = 30000, TARGET_MAX = 320, MAX_HEADERS = 4 };

static const struct fb_backoff pauses = {200, 5000, FB_BACKOFF_HALF};

#define TARGET "/internal/v1/tasks/objects/"

struct lease {
    struct origin_objects base;
    struct origin_lease_options options; /* whose strings are those that follow */
    char *authorization;                 /* owned, as all strings */
    char *lease;
    char *spool;
};

struct lease_put {
    struct origin_put base;
    struct lease *lease;
    int spool; /* owned */
    uint64_t size;
    uint64_t written;
    struct fb_sha256 hash;
    char key[ORIGIN_OBJECTS_KEY_MAX + 1];
};

/* One attempt at a request, on its caller's stack. */
struct attempt {
    struct fb_trip trip;
    struct lease *lease;
    struct fb_arena arena;
    struct fb_header headers[MAX_HEADERS];
    size_t n_headers;
    char target[TARGET_MAX];

    int fd; /* borrowed; of the content; -1: none */
    uint64_t length;
    char *into; /* or NULL: what comes is dropped */
    size_t into_len;
    size_t received;
};

/* ---- on the loop ------------------------------------------------------------------ */

static int attempt_take(struct fb_trip *trip, struct fb_str bytes)
{
    struct attempt *attempt = FB_CONTAINER_OF(trip, struct attempt, trip);

    if (attempt->into == NULL || trip->fetch.response.status != 206) {
        return FB_OK;
    }
    if (bytes.len > attempt->into_len - attempt->received) {
        return FB_E_MALFORMED;
    }
    memcpy(attempt->into + attempt->received, bytes.ptr, bytes.len);
    attempt->received += bytes.len;
    return FB_OK;
}

static int attempt_prepare(struct fb_trip *trip)
{
    struct attempt *attempt = FB_CONTAINER_OF(trip, struct attempt, trip);
    const struct origin_lease_options *options = &attempt->lease->options;

    if (trip->fetch.method != FB_METHOD_PUT) {
        return FB_OK;
    }
    /* The descriptor stays the caller's: the reader closes its own. */
    int fd = fcntl(attempt->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    trip->fetch.request_length = (int64_t)attempt->length;
    trip->fetch.request_body =
        fb_file_reader_open(options->loop, options->pool, fd, 0, attempt->length);
    return FB_OK;
}

/* ---- on a worker's thread ------------------------------------------------------------- */

static int status_to_err(unsigned status)
{
    switch (status) {
    case 200:
    case 204:
    case 206:
        return FB_OK;
    case 400: /* what came was not what was sent */
        return FB_E_CORRUPT;
    case 401:
    case 403:
        return FB_E_DENIED;
    case 404:
        return FB_E_NOT_FOUND;
    case 409:
        return FB_E_CONFLICT;
    case 413:
        return FB_E_LIMIT;
    case 416:
        return FB_E_CLOSED;
    case 507:
        return -ENOSPC;
    default:
        return status >= 500 || status == 408 || status == 429 ? FB_E_UNAVAILABLE : FB_E_FOREIGN;
    }
}

static void attempt_add_header(struct attempt *attempt, struct fb_str name, struct fb_str value)
{
    attempt->headers[attempt->n_headers++] = (struct fb_header){name, value};
}

static void attempt_init(struct attempt *attempt, struct lease *lease, enum fb_method method,
                         struct fb_str key)
{
    *attempt = (struct attempt){
        .lease = lease,
        .fd = -1,
        .trip = {.loop = lease->options.loop,
                 .client = lease->options.client,
                 .prepare = attempt_prepare,
                 .take = attempt_take,
                 .fetch = {.method = method,
                           .url = lease->options.url,
                           .tls = lease->options.tls,
                           .head_timeout_ms = TIMEOUT_MS,
                           .body_timeout_ms = TIMEOUT_MS}},
    };
    (void)snprintf(attempt->target, sizeof(attempt->target), TARGET "%.*s", FB_STR_ARG(key));
    attempt_add_header(attempt, FB_STR("Authorization"), fb_str_from(lease->authorization));
    attempt_add_header(attempt, FB_STR("Forebay-Lease"), fb_str_from(lease->lease));
}

/* The head of the answer stays in the arena until attempt_done(). */
static int attempt_run(struct attempt *attempt)
{
    struct fb_fetch *fetch = &attempt->trip.fetch;

    fetch->url.target = fb_str_from(attempt->target);
    fetch->headers = attempt->headers;
    fetch->n_headers = attempt->n_headers;
    fetch->arena = &attempt->arena;
    int err = fb_trip_run(&attempt->trip);
    return err < 0 ? err : status_to_err(fetch->response.status);
}

static void attempt_done(struct attempt *attempt)
{
    fb_arena_done(&attempt->arena);
}

static bool may_pass(int err)
{
    return err == FB_E_UNAVAILABLE || err == FB_E_TIMEOUT || err == FB_E_CLOSED ||
           err == FB_E_BUSY || err == FB_E_CORRUPT || err == -ECONNREFUSED || err == -ECONNRESET ||
           err == -EHOSTUNREACH || err == -ENETUNREACH || err == -EPIPE;
}

/* Whether to make attempt `n` (from 0) after one that ended with `err`; waits if so. */
static bool lease_tries(struct lease *lease, uint32_t n, int err)
{
    if (n == 0) {
        return true;
    }
    if (!may_pass(err) || n >= lease->options.max_attempts) {
        return false;
    }
    (void)poll(NULL, 0, (int)fb_backoff_ms(&pauses, n - 1));
    origin_count_retry(&lease->base);
    return true;
}

/* ---- reading ---------------------------------------------------------------------------- */

static struct lease *lease_of(struct origin_objects *objects)
{
    return FB_CONTAINER_OF(objects, struct lease, base);
}

static void object_load(const struct attempt *attempt, struct origin_object *object)
{
    const struct fb_headers *headers = &attempt->trip.fetch.response.headers;
    int64_t now_s = fb_clock_wall_ms(attempt->lease->base.clock) / 1000;
    int64_t modified_s = 0;
    uint64_t size = 0;

    if (fb_str_to_u64(fb_headers_find(headers, FB_STR("Content-Length")), &size) == FB_OK) {
        object->size = size;
    }
    if (fb_date_parse(fb_headers_find(headers, FB_STR("Last-Modified")), now_s, &modified_s) ==
        FB_OK) {
        object->modified_ms = modified_s * 1000;
    }
}

static int lease_find(struct origin_objects *objects, struct fb_str key,
                      struct origin_object *ret_object)
{
    struct origin_object object = {.fd = -1};
    int err = FB_OK;

    for (uint32_t n = 0; lease_tries(lease_of(objects), n, err); n++) {
        struct attempt attempt;
        attempt_init(&attempt, lease_of(objects), FB_METHOD_HEAD, key);
        err = attempt_run(&attempt);
        if (err == FB_OK) {
            object_load(&attempt, &object);
        }
        attempt_done(&attempt);
        if (err == FB_OK) {
            *ret_object = object;
            break;
        }
    }
    return err;
}

/* One attempt at the rest of what is wanted. */
static int read_rest(const struct origin_object *object, uint64_t offset, char *to, size_t n,
                     size_t *received)
{
    struct fb_str key = fb_str_from(object->key);
    char range[64];
    struct attempt attempt;

    attempt_init(&attempt, lease_of(object->objects), FB_METHOD_GET, key);
    (void)snprintf(range, sizeof(range), "bytes=%" PRIu64 "-%" PRIu64, offset + *received,
                   offset + n - 1);
    attempt_add_header(&attempt, FB_STR("Range"), fb_str_from(range));
    attempt.into = to + *received;
    attempt.into_len = n - *received;
    int err = attempt_run(&attempt);
    *received += attempt.received;
    if (err == FB_OK && attempt.trip.fetch.response.status != 206) {
        err = FB_E_FOREIGN;
    } else if (err == FB_OK && *received < n) {
        err = FB_E_CLOSED;
    }
    attempt_done(&attempt);
    return err;
}

static int lease_read(const struct origin_object *object, uint64_t offset, void *buf, size_t n)
{
    size_t received = 0;
    int err = FB_OK;

    for (uint32_t i = 0; lease_tries(lease_of(object->objects), i, err); i++) {
        err = read_rest(object, offset, buf, n, &received);
        if (err == FB_OK) {
            break;
        }
    }
    return err;
}

/* ---- writing ------------------------------------------------------------------------------ */

static int send_file(struct lease *lease, struct fb_str key, int fd, uint64_t size,
                     const uint8_t sha256[FB_SHA256_SIZE])
{
    FB_AUTO(fb_buf_done) struct fb_buf digest = {0};
    int err = FB_OK;

    fb_buf_append(&digest, FB_STR("sha-256=:"));
    fb_base64_encode(&digest, FB_BASE64_STD, fb_sha256_str(sha256));
    fb_buf_append_byte(&digest, ':');
    for (uint32_t n = 0; lease_tries(lease, n, err); n++) {
        struct attempt attempt;
        attempt_init(&attempt, lease, FB_METHOD_PUT, key);
        attempt_add_header(&attempt, FB_STR("Content-Digest"), fb_buf_str(&digest));
        attempt.fd = fd;
        attempt.length = size;
        err = attempt_run(&attempt);
        attempt_done(&attempt);
        if (err == FB_OK) {
            break;
        }
    }
    return err;
}

static int lease_put_begin(struct origin_objects *objects, struct fb_str key, uint64_t size,
                           struct origin_put **ret_put)
{
    struct lease_put *put = FB_NEW(struct lease_put);

    put->base.objects = objects;
    put->lease = lease_of(objects);
    put->spool = -1;
    put->size = size;
    memcpy(put->key, key.ptr, key.len);
    int err = origin_spool_open(put->lease->spool, size, &put->spool);
    if (err < 0) {
        fb_free(put);
        return err;
    }
    fb_sha256_init(&put->hash);
    *ret_put = &put->base;
    return FB_OK;
}

static int lease_put_write(struct origin_put *base, const struct fb_str *pieces, size_t n_pieces)
{
    struct lease_put *put = FB_CONTAINER_OF(base, struct lease_put, base);

    for (size_t i = 0; i < n_pieces; i++) {
        if (pieces[i].len > put->size - put->written) {
            return FB_E_LIMIT;
        }
        int err = fb_fd_write(put->spool, pieces[i]);
        if (err < 0) {
            return err;
        }
        fb_sha256_update(&put->hash, pieces[i]);
        put->written += pieces[i].len;
    }
    return FB_OK;
}

static void lease_put_abort(struct origin_put *base)
{
    struct lease_put *put = FB_CONTAINER_OF(base, struct lease_put, base);

    fb_fd_done(&put->spool);
    fb_sha256_done(&put->hash);
    fb_free(put);
}

static int lease_put_commit(struct origin_put *base)
{
    struct lease_put *put = FB_CONTAINER_OF(base, struct lease_put, base);
    uint8_t digest[FB_SHA256_SIZE];
    int err = FB_E_CLOSED;

    if (put->written == put->size) {
        fb_sha256_finish(&put->hash, digest);
        err = send_file(put->lease, fb_str_from(put->key), put->spool, put->size, digest);
    }
    lease_put_abort(base);
    return err;
}

static int lease_put_file(struct origin_objects *objects, struct fb_str key, const char *path,
                          struct origin_stored *ret_stored)
{
    FB_AUTO(fb_fd_done) int fd = -1;
    uint64_t size = 0;

    int err = fb_file_open(AT_FDCWD, path, O_RDONLY, 0, &fd);
    if (err < 0 || (err = fb_file_size(fd, &size)) < 0 ||
        (err = origin_file_hash(fd, 0, size, ret_stored->sha256)) < 0 ||
        (err = send_file(lease_of(objects), key, fd, size, ret_stored->sha256)) < 0) {
        return err;
    }
    ret_stored->size = size;
    (void)unlink(path);
    return FB_OK;
}

/* ---- open and close ------------------------------------------------------------------------ */

static void lease_close(struct origin_objects *objects)
{
    struct lease *lease = lease_of(objects);

    fb_free(lease->authorization);
    fb_free(lease->lease);
    fb_free(lease->spool);
    fb_free(lease);
}

static const struct origin_objects_ops lease_ops = {
    .kind = "lease",
    .close = lease_close,
    .put_begin = lease_put_begin,
    .put_write = lease_put_write,
    .put_commit = lease_put_commit,
    .put_abort = lease_put_abort,
    .put_file = lease_put_file,
    .get = lease_find,
    .stat = lease_find,
    .read = lease_read,
};

struct fb_metrics_table *origin_lease_counts(struct fb_metrics *metrics)
{
    return origin_count_table(metrics, lease_ops.kind);
}

int origin_lease_open(const struct origin_lease_options *options,
                      struct origin_objects **ret_objects)
{
    struct lease *lease = FB_NEW(struct lease);
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    lease->base.ops = &lease_ops;
    lease->options = *options;
    if (lease->options.max_attempts == 0) {
        lease->options.max_attempts = MAX_ATTEMPTS;
    }
    fb_buf_printf(&text, "Bearer %.*s", FB_STR_ARG(options->token));
    lease->authorization = fb_str_dup(fb_buf_str(&text));
    fb_buf_clear(&text);
    fb_buf_printf(&text, "%.*s %.*s", FB_STR_ARG(options->task), FB_STR_ARG(options->lease));
    lease->lease = fb_str_dup(fb_buf_str(&text));
    lease->spool = fb_str_dup(fb_str_from(options->spool != NULL ? options->spool : "/tmp"));
    lease->base.clock = options->clock != NULL ? options->clock : fb_clock_system();
    lease->base.metrics = options->counts;
    *ret_objects = &lease->base;
    return FB_OK;
}
