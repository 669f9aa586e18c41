#include "origin/objects/lease.h"

#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/crypto/base64.h"
#include "base/crypto/hash.h"
#include "base/http/date.h"
#include "base/sys/file.h"
#include "origin/objects/count.h"
#include "origin/objects/lease_internal.h"
#include "origin/objects/spool.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MAX_ATTEMPTS = 5 };

struct lease_put {
    struct origin_put base;
    struct lease *lease;
    int spool; /* owned */
    uint64_t size;
    uint64_t written;
    struct fb_sha256 hash;
    char key[ORIGIN_OBJECTS_KEY_MAX + 1];
};

/* ---- reading ---------------------------------------------------------------------------- */

static struct lease *lease_of(struct origin_objects *objects)
{
    return FB_CONTAINER_OF(objects, struct lease, base);
}

static void object_load(const struct lease_request *request, struct origin_object *object)
{
    const struct fb_headers *headers = &request->trip.fetch.response.headers;
    int64_t now_s = fb_clock_wall_ms(request->lease->base.clock) / 1000;
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

    for (uint32_t n = 0; origin_lease_tries(lease_of(objects), n, err); n++) {
        struct lease_request request;
        origin_lease_request_init(&request, lease_of(objects), FB_METHOD_HEAD, key);
        err = origin_lease_request_run(&request);
        if (err == FB_OK) {
            object_load(&request, &object);
        }
        origin_lease_request_done(&request);
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
    struct lease_request request;

    origin_lease_request_init(&request, lease_of(object->objects), FB_METHOD_GET, key);
    (void)snprintf(range, sizeof(range), "bytes=%" PRIu64 "-%" PRIu64, offset + *received,
                   offset + n - 1);
    origin_lease_request_add_header(&request, FB_STR("Range"), fb_str_from(range));
    request.into = to + *received;
    request.into_len = n - *received;
    int err = origin_lease_request_run(&request);
    *received += request.received;
    if (err == FB_OK && request.trip.fetch.response.status != 206) {
        err = FB_E_FOREIGN;
    } else if (err == FB_OK && *received < n) {
        err = FB_E_CLOSED;
    }
    origin_lease_request_done(&request);
    return err;
}

static int lease_read(const struct origin_object *object, uint64_t offset, void *buf, size_t n)
{
    size_t received = 0;
    int err = FB_OK;

    for (uint32_t i = 0; origin_lease_tries(lease_of(object->objects), i, err); i++) {
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
    for (uint32_t n = 0; origin_lease_tries(lease, n, err); n++) {
        struct lease_request request;
        origin_lease_request_init(&request, lease, FB_METHOD_PUT, key);
        origin_lease_request_add_header(&request, FB_STR("Content-Digest"), fb_buf_str(&digest));
        request.fd = fd;
        request.length = size;
        err = origin_lease_request_run(&request);
        origin_lease_request_done(&request);
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
