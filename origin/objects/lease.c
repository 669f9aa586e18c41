#include "origin/objects/lease.h"

#include "base/client/client.h"
#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/crypto/base64.h"
#include "base/crypto/hash.h"
#include "base/http/date.h"
#include "base/http/range.h"
#include "base/loop/file_reader.h"
#include "base/loop/loop.h"
#include "base/sys/backoff.h"
#include "base/sys/file.h"
#include "origin/objects/count.h"
#include "origin/objects/objects_internal.h"
#include "origin/objects/spool.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    MAX_ATTEMPTS = 5,
    TIMEOUT_MS = 30000,
    TARGET_MAX = 320,
    MAX_HEADERS = 4,
    HASH_BYTES = 256 * 1024
};

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

/* One attempt at a request, on its caller's stack until it is signaled. */
struct call {
    struct fb_post post;
    struct fb_fetch fetch;
    struct fb_op wait;
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

    struct fb_reader *body; /* of the response; owned while read */
    int result;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_done; /* under lock; the struct may be gone once it is set */
};

/* ---- on the loop ------------------------------------------------------------------ */

static void call_finish(struct call *call, int result)
{
    fb_reader_close(call->body);
    call->body = NULL;
    (void)pthread_mutex_lock(&call->lock);
    call->result = result;
    call->is_done = true;
    (void)pthread_cond_signal(&call->changed);
    (void)pthread_mutex_unlock(&call->lock);
}

static void call_on_more(struct fb_op *op);

static bool call_takes(const struct call *call)
{
    return call->into != NULL && call->fetch.response.status == 206;
}

static void call_read(struct call *call)
{
    struct fb_slice slice;
    int err = FB_OK;

    while ((err = fb_reader_next(call->body, &slice)) == FB_OK) {
        bool fits = !call_takes(call) || slice.bytes.len <= call->into_len - call->received;
        if (fits && call_takes(call)) {
            memcpy(call->into + call->received, slice.bytes.ptr, slice.bytes.len);
            call->received += slice.bytes.len;
        }
        fb_slice_release(&slice);
        if (!fits) {
            call_finish(call, FB_E_MALFORMED);
            return;
        }
    }
    if (err == FB_E_LATER) {
        fb_op_init(&call->wait, call->lease->options.loop, call_on_more);
        fb_reader_wait(call->body, &call->wait);
        return;
    }
    call_finish(call, err == FB_E_END ? FB_OK : err);
}

static void call_on_more(struct fb_op *op)
{
    struct call *call = FB_CONTAINER_OF(op, struct call, wait);

    if (op->result < 0) {
        call_finish(call, op->result);
        return;
    }
    call_read(call);
}

static void call_on_head(struct fb_op *op)
{
    struct call *call = FB_CONTAINER_OF(op, struct call, fetch.op);

    if (op->result < 0) {
        call_finish(call, op->result);
        return;
    }
    call->body = call->fetch.body;
    call_read(call);
}

static void call_start(struct fb_post *post)
{
    struct call *call = FB_CONTAINER_OF(post, struct call, post);
    const struct origin_lease_options *options = &call->lease->options;
    struct fb_fetch *fetch = &call->fetch;

    fetch->url = options->url;
    fetch->url.target = fb_str_from(call->target);
    fetch->tls = options->tls;
    fetch->headers = call->headers;
    fetch->n_headers = call->n_headers;
    if (fetch->method == FB_METHOD_PUT) {
        /* The descriptor stays the caller's: the reader closes its own. */
        int fd = fcntl(call->fd, F_DUPFD_CLOEXEC, 0);
        if (fd < 0) {
            call_finish(call, -errno);
            return;
        }
        fetch->request_length = (int64_t)call->length;
        fetch->request_body =
            fb_file_reader_open(options->loop, options->pool, fd, 0, call->length);
    }
    fetch->head_timeout_ms = TIMEOUT_MS;
    fetch->body_timeout_ms = TIMEOUT_MS;
    fetch->arena = &call->arena;
    fb_op_init(&fetch->op, options->loop, call_on_head);
    fb_client_fetch(options->client, fetch);
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

static void call_add_header(struct call *call, struct fb_str name, struct fb_str value)
{
    call->headers[call->n_headers++] = (struct fb_header){name, value};
}

static void call_init(struct call *call, struct lease *lease, enum fb_method method,
                      struct fb_str key)
{
    *call = (struct call){.lease = lease, .post.run = call_start, .fd = -1};
    call->fetch.method = method;
    (void)snprintf(call->target, sizeof(call->target), TARGET "%.*s", FB_STR_ARG(key));
    call_add_header(call, FB_STR("Authorization"), fb_str_from(lease->authorization));
    call_add_header(call, FB_STR("Forebay-Lease"), fb_str_from(lease->lease));
}

/* One attempt; the head of the answer stays in the arena. */
static int call_run(struct call *call)
{
    (void)pthread_mutex_init(&call->lock, NULL);
    (void)pthread_cond_init(&call->changed, NULL);
    fb_loop_post(call->lease->options.loop, &call->post);
    (void)pthread_mutex_lock(&call->lock);
    while (!call->is_done) {
        (void)pthread_cond_wait(&call->changed, &call->lock);
    }
    (void)pthread_mutex_unlock(&call->lock);
    (void)pthread_cond_destroy(&call->changed);
    (void)pthread_mutex_destroy(&call->lock);
    return call->result < 0 ? call->result : status_to_err(call->fetch.response.status);
}

static void call_done(struct call *call)
{
    fb_arena_done(&call->arena);
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

static void object_load(const struct call *call, struct origin_object *object)
{
    const struct fb_headers *headers = &call->fetch.response.headers;
    int64_t now_s = fb_clock_wall_ms(call->lease->base.clock) / 1000;
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
        struct call call;
        call_init(&call, lease_of(objects), FB_METHOD_HEAD, key);
        err = call_run(&call);
        if (err == FB_OK) {
            object_load(&call, &object);
        }
        call_done(&call);
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
    struct call call;

    call_init(&call, lease_of(object->objects), FB_METHOD_GET, key);
    (void)snprintf(range, sizeof(range), "bytes=%" PRIu64 "-%" PRIu64, offset + *received,
                   offset + n - 1);
    call_add_header(&call, FB_STR("Range"), fb_str_from(range));
    call.into = to + *received;
    call.into_len = n - *received;
    int err = call_run(&call);
    *received += call.received;
    if (err == FB_OK && call.fetch.response.status != 206) {
        err = FB_E_FOREIGN;
    } else if (err == FB_OK && *received < n) {
        err = FB_E_CLOSED;
    }
    call_done(&call);
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
        struct call call;
        call_init(&call, lease, FB_METHOD_PUT, key);
        call_add_header(&call, FB_STR("Content-Digest"), fb_buf_str(&digest));
        call.fd = fd;
        call.length = size;
        err = call_run(&call);
        call_done(&call);
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

static int hash_file(int fd, uint64_t size, uint8_t digest[FB_SHA256_SIZE])
{
    FB_AUTO(fb_freep) char *bytes = fb_alloc(HASH_BYTES);
    FB_AUTO(fb_sha256_done) struct fb_sha256 hash;

    fb_sha256_init(&hash);
    for (uint64_t at = 0; at < size;) {
        size_t n = (size_t)FB_MIN(size - at, (uint64_t)HASH_BYTES);
        int err = origin_file_read(fd, at, bytes, n);
        if (err < 0) {
            return err;
        }
        fb_sha256_update(&hash, (struct fb_str){bytes, n});
        at += n;
    }
    fb_sha256_finish(&hash, digest);
    return FB_OK;
}

static int lease_put_file(struct origin_objects *objects, struct fb_str key, const char *path,
                          uint64_t *ret_size)
{
    FB_AUTO(fb_fd_done) int fd = -1;
    uint8_t digest[FB_SHA256_SIZE];
    uint64_t size = 0;

    int err = fb_file_open(AT_FDCWD, path, O_RDONLY, 0, &fd);
    if (err < 0 || (err = fb_file_size(fd, &size)) < 0 || (err = hash_file(fd, size, digest)) < 0 ||
        (err = send_file(lease_of(objects), key, fd, size, digest)) < 0) {
        return err;
    }
    *ret_size = size;
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
