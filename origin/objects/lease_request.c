/*
 * The requests of leases: each made on the loop, and waited for by whoever asked.
 */
#include "base/core/err.h"
#include "base/loop/file_reader.h"
#include "base/sys/backoff.h"
#include "origin/objects/count.h"
#include "origin/objects/lease_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

enum { TIMEOUT_MS = 30000 };

static const struct fb_backoff pauses = {200, 5000, FB_BACKOFF_HALF};

#define TARGET "/internal/v1/tasks/objects/"

/* ---- on the loop ------------------------------------------------------------------ */

static int request_take(struct fb_trip *trip, struct fb_str bytes)
{
    struct lease_request *request = FB_CONTAINER_OF(trip, struct lease_request, trip);

    if (request->into == NULL || trip->fetch.response.status != 206) {
        return FB_OK;
    }
    if (bytes.len > request->into_len - request->received) {
        return FB_E_MALFORMED;
    }
    memcpy(request->into + request->received, bytes.ptr, bytes.len);
    request->received += bytes.len;
    return FB_OK;
}

static int request_prepare(struct fb_trip *trip)
{
    struct lease_request *request = FB_CONTAINER_OF(trip, struct lease_request, trip);
    const struct origin_lease_options *options = &request->lease->options;

    if (trip->fetch.method != FB_METHOD_PUT) {
        return FB_OK;
    }
    /* The descriptor stays the caller's: the reader closes its own. */
    int fd = fcntl(request->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    trip->fetch.request_length = (int64_t)request->length;
    trip->fetch.request_body =
        fb_file_reader_open(options->loop, options->pool, fd, 0, request->length);
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

void origin_lease_request_add_header(struct lease_request *request, struct fb_str name,
                                     struct fb_str value)
{
    request->headers[request->n_headers++] = (struct fb_header){name, value};
}

void origin_lease_request_init(struct lease_request *request, struct lease *lease,
                               enum fb_method method, struct fb_str key)
{
    *request = (struct lease_request){
        .lease = lease,
        .fd = -1,
        .trip = {.loop = lease->options.loop,
                 .client = lease->options.client,
                 .prepare = request_prepare,
                 .take = request_take,
                 .fetch = {.method = method,
                           .url = lease->options.url,
                           .tls = lease->options.tls,
                           .head_timeout_ms = TIMEOUT_MS,
                           .body_timeout_ms = TIMEOUT_MS}},
    };
    (void)snprintf(request->target, sizeof(request->target), TARGET "%.*s", FB_STR_ARG(key));
    origin_lease_request_add_header(request, FB_STR("Authorization"),
                                    fb_str_from(lease->authorization));
    origin_lease_request_add_header(request, FB_STR("Forebay-Lease"), fb_str_from(lease->lease));
}

int origin_lease_request_run(struct lease_request *request)
{
    struct fb_fetch *fetch = &request->trip.fetch;

    fetch->url.target = fb_str_from(request->target);
    fetch->headers = request->headers;
    fetch->n_headers = request->n_headers;
    fetch->arena = &request->arena;
    int err = fb_trip_run(&request->trip);
    return err < 0 ? err : status_to_err(fetch->response.status);
}

void origin_lease_request_done(struct lease_request *request)
{
    fb_arena_done(&request->arena);
}

static bool may_pass(int err)
{
    return err == FB_E_UNAVAILABLE || err == FB_E_TIMEOUT || err == FB_E_CLOSED ||
           err == FB_E_BUSY || err == FB_E_CORRUPT || err == -ECONNREFUSED || err == -ECONNRESET ||
           err == -EHOSTUNREACH || err == -ENETUNREACH || err == -EPIPE;
}

bool origin_lease_tries(struct lease *lease, uint32_t n, int err)
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
