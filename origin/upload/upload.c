#include "origin/upload/upload.h"

#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/machine.h"
#include "base/core/text.h"
#include "base/http/url.h"
#include "base/log/log.h"
#include "base/loop/reader.h"
#include "base/loop/work.h"
#include "base/server/exchange.h"
#include "base/server/router.h"
#include "origin/objects/objects.h"
#include "origin/reply/reply.h"

#include <errno.h>
#include <string.h>

enum { UPLOAD_MAX_SLICES = 32 };

enum upload_state {
    UPLOAD_BEGIN,
    UPLOAD_READ,
    UPLOAD_WRITE,
    UPLOAD_COMMIT,
    UPLOAD_ABORT,
    UPLOAD_RESPOND
};

static const struct fb_state upload_states[] = {
    [UPLOAD_BEGIN] = {"begin", FB_TO(UPLOAD_READ) | FB_TO(UPLOAD_ABORT)},
    [UPLOAD_READ] = {"read", FB_TO(UPLOAD_WRITE) | FB_TO(UPLOAD_COMMIT) | FB_TO(UPLOAD_ABORT) |
                                 FB_TO(UPLOAD_READ)},
    [UPLOAD_WRITE] = {"write", FB_TO(UPLOAD_READ) | FB_TO(UPLOAD_ABORT)},
    [UPLOAD_COMMIT] = {"commit", FB_TO(UPLOAD_RESPOND) | FB_TO(UPLOAD_ABORT)},
    [UPLOAD_ABORT] = {"abort", FB_TO(UPLOAD_RESPOND)},
    [UPLOAD_RESPOND] = {"respond", 0},
};

struct origin_upload {
    struct origin_upload_options options;
};

struct upload {
    struct origin_upload *service;
    struct fb_exchange *exchange; /* borrowed until responded */
    struct fb_reader *body;       /* the exchange's */
    struct fb_machine machine;
    struct fb_work work;    /* what the pool does now */
    struct fb_op wait;      /* for more of the body */
    struct origin_put *put; /* owned, or NULL */
    uint64_t size;
    struct fb_slice slices[UPLOAD_MAX_SLICES]; /* owned, being written */
    size_t n_slices;
    bool has_ended; /* the body */
    int result;     /* first failure, else FB_OK */
    struct fb_diag diag;
    char key[ORIGIN_OBJECTS_KEY_MAX + 1];
};

static void upload_run(struct upload *upload);

/* ---- on the pool ---------------------------------------------------------- */

static int upload_may_write(struct upload *upload)
{
    const struct origin_upload_options *options = &upload->service->options;

    return options->may_write == NULL
               ? FB_OK
               : options->may_write(options->ctx, fb_str_from(upload->key), &upload->diag);
}

static int pool_begin(struct fb_work *work)
{
    struct upload *upload = FB_CONTAINER_OF(work, struct upload, work);
    struct origin_objects *objects = upload->service->options.objects;

    int err = upload_may_write(upload);
    return err < 0
               ? err
               : origin_put_begin(objects, fb_str_from(upload->key), upload->size, &upload->put);
}

static int pool_write(struct fb_work *work)
{
    struct upload *upload = FB_CONTAINER_OF(work, struct upload, work);
    struct fb_str pieces[UPLOAD_MAX_SLICES];

    for (size_t i = 0; i < upload->n_slices; i++) {
        pieces[i] = upload->slices[i].bytes;
    }
    return origin_put_write(upload->put, pieces, upload->n_slices);
}

/* The video may have been completed or removed while the content came. One that
 * is removed while the file gets its name would leave the file behind. */
static int pool_commit(struct fb_work *work)
{
    struct upload *upload = FB_CONTAINER_OF(work, struct upload, work);
    struct origin_put *put = upload->put;

    int err = upload_may_write(upload);
    if (err < 0) {
        return err;
    }
    upload->put = NULL; /* commit frees it, whatever comes of it */
    err = origin_put_commit(put);
    if (err == FB_OK && upload_may_write(upload) == FB_E_NOT_FOUND) {
        err = origin_objects_remove(upload->service->options.objects, fb_str_from(upload->key));
        return err < 0 ? err : FB_E_NOT_FOUND;
    }
    return err;
}

static int pool_abort(struct fb_work *work)
{
    struct upload *upload = FB_CONTAINER_OF(work, struct upload, work);

    origin_put_abort(upload->put);
    upload->put = NULL;
    return FB_OK;
}

/* ---- steps ----------------------------------------------------------------- */

static enum fb_step upload_to(struct upload *upload, enum upload_state next)
{
    fb_machine_move(&upload->machine, next);
    return FB_STEP_AGAIN;
}

static enum fb_step upload_fail(struct upload *upload, int err)
{
    upload->result = err;
    return upload_to(upload, UPLOAD_ABORT);
}

static void upload_drop_slices(struct upload *upload)
{
    for (size_t i = 0; i < upload->n_slices; i++) {
        fb_slice_release(&upload->slices[i]);
    }
    upload->n_slices = 0;
}

/* Goes on after the pool has done its part. */
static void upload_resume(struct fb_op *op, enum upload_state next)
{
    struct upload *upload = FB_CONTAINER_OF(op, struct upload, work.op);

    upload_drop_slices(upload);
    if (op->result < 0) {
        (void)upload_fail(upload, op->result);
    } else {
        (void)upload_to(upload, next);
    }
    upload_run(upload);
}

static void upload_on_begun(struct fb_op *op)
{
    upload_resume(op, UPLOAD_READ);
}

static void upload_on_written(struct fb_op *op)
{
    upload_resume(op, UPLOAD_READ);
}

static void upload_on_committed(struct fb_op *op)
{
    upload_resume(op, UPLOAD_RESPOND);
}

/* An abort that found no room in the queue is made here and now: a temporary
 * is unlinked, which is quick. */
static void upload_on_aborted(struct fb_op *op)
{
    struct upload *upload = FB_CONTAINER_OF(op, struct upload, work.op);

    origin_put_abort(upload->put);
    upload->put = NULL;
    (void)upload_to(upload, UPLOAD_RESPOND);
    upload_run(upload);
}

static void upload_on_body(struct fb_op *op)
{
    struct upload *upload = FB_CONTAINER_OF(op, struct upload, wait);

    if (op->result < 0) {
        (void)upload_fail(upload, op->result);
    }
    upload_run(upload);
}

static enum fb_step upload_work(struct upload *upload, int (*run)(struct fb_work *work),
                                fb_op_done_fn *done)
{
    fb_op_init(&upload->work.op, fb_exchange_loop(upload->exchange), done);
    upload->work.run = run;
    fb_work_start(upload->service->options.pool, &upload->work);
    return FB_STEP_WAIT;
}

/* Collects what has arrived, up to one piece. */
static enum fb_step upload_read(struct upload *upload)
{
    size_t bytes = 0;
    int err = FB_OK;

    while (upload->n_slices < UPLOAD_MAX_SLICES && bytes < ORIGIN_UPLOAD_PIECE &&
           (err = fb_reader_next(upload->body, &upload->slices[upload->n_slices])) == FB_OK) {
        bytes += upload->slices[upload->n_slices++].bytes.len;
    }
    if (err < 0 && err != FB_E_LATER && err != FB_E_END) {
        upload_drop_slices(upload);
        return upload_fail(upload, err);
    }
    if (upload->n_slices > 0) {
        return upload_to(upload, UPLOAD_WRITE);
    }
    if (err == FB_E_END) {
        upload->has_ended = true;
        return upload_to(upload, UPLOAD_COMMIT);
    }
    fb_op_init(&upload->wait, fb_exchange_loop(upload->exchange), upload_on_body);
    fb_reader_wait(upload->body, &upload->wait);
    return FB_STEP_WAIT;
}

/* ---- the answer ------------------------------------------------------------ */

static struct origin_problem upload_problem(const struct upload *upload)
{
    struct origin_problem problem = {.status = 500, .max_age_s = -1, .closes = !upload->has_ended};

    switch (upload->result) {
    case FB_E_CONFLICT:
        problem.status = 409;
        problem.slug = "upload-closed";
        problem.detail = upload->diag.text;
        break;
    case FB_E_NOT_FOUND:
        problem.status = 404;
        problem.detail = upload->diag.text;
        break;
    case FB_E_CLOSED:
    case FB_E_LIMIT:
    case FB_E_MALFORMED:
    case FB_E_CANCELED:
    case -ECONNRESET:
        problem.status = 400;
        problem.slug = "upload-cut";
        problem.detail = "the content did not have the length that was declared";
        break;
    case FB_E_TIMEOUT:
        problem.status = 408;
        problem.detail = "no content came for too long";
        break;
    case FB_E_BUSY:
        problem.status = 503;
        problem.detail = "too many uploads at once; try again in a moment";
        break;
    case -ENOSPC:
    case -EDQUOT:
    case -EFBIG:
        problem.status = 507;
        problem.slug = "storage-full";
        problem.detail = "there is no room for this file at the moment";
        break;
    default:
        break;
    }
    return problem;
}

static void upload_answer(struct upload *upload)
{
    if (upload->result < 0) {
        struct origin_problem problem = upload_problem(upload);
        if (problem.status >= 500) {
            FB_LOG(WARN, "upload", "could not store an upload", FB_LOG_TEXT("key", upload->key),
                   FB_LOG_TEXT("cause", fb_err_text(upload->result)));
        }
        origin_reply_problem(upload->exchange, &problem);
        return;
    }
    struct fb_headers headers = {.n = 0};
    origin_reply_add(upload->exchange, &headers, "Access-Control-Allow-Origin", FB_STR("*"));
    fb_exchange_respond(upload->exchange, &(struct fb_response){
                                              .status = 200,
                                              .headers = headers.items,
                                              .n_headers = headers.n,
                                          });
}

static enum fb_step upload_respond(struct upload *upload)
{
    fb_exchange_set_hooks(upload->exchange, &(struct fb_exchange_hooks){.ctx = NULL});
    upload_answer(upload);
    fb_free(upload);
    return FB_STEP_GONE;
}

static void upload_run(struct upload *upload)
{
    enum fb_step step = FB_STEP_AGAIN;

    while (step == FB_STEP_AGAIN) {
        switch ((enum upload_state)upload->machine.state) {
        case UPLOAD_BEGIN:
            step = upload_work(upload, pool_begin, upload_on_begun);
            break;
        case UPLOAD_READ:
            step = upload_read(upload);
            break;
        case UPLOAD_WRITE:
            step = upload_work(upload, pool_write, upload_on_written);
            break;
        case UPLOAD_COMMIT:
            step = upload_work(upload, pool_commit, upload_on_committed);
            break;
        case UPLOAD_ABORT:
            step = upload->put != NULL ? upload_work(upload, pool_abort, upload_on_aborted)
                                       : upload_to(upload, UPLOAD_RESPOND);
            break;
        case UPLOAD_RESPOND:
            step = upload_respond(upload);
            break;
        }
    }
}

/* ---- entry points ----------------------------------------------------------- */

static void upload_on_lost(void *ctx)
{
    struct upload *upload = ctx;
    if (upload->machine.state == UPLOAD_READ) {
        fb_op_cancel(&upload->wait);
    }
}

static void refuse(struct fb_exchange *exchange, unsigned status, const char *slug,
                   const char *detail)
{
    origin_reply_problem(
        exchange,
        &(struct origin_problem){
            .status = status, .slug = slug, .detail = detail, .max_age_s = -1, .closes = true});
}

static void upload_put(void *ctx, struct fb_exchange *exchange)
{
    struct origin_upload *service = ctx;
    const struct fb_request_head *request = fb_exchange_request(exchange);
    struct fb_str key = fb_exchange_param(exchange, "key");
    int64_t size = fb_exchange_body_length(exchange);
    struct fb_diag diag = {.err = FB_OK};

    if (size < 0 || key.len > ORIGIN_OBJECTS_KEY_MAX) {
        refuse(exchange, size < 0 ? 411 : 404, NULL, NULL);
        return;
    }
    int err = origin_presign_check(service->options.signer, request,
                                   fb_clock_wall_ms(service->options.clock),
                                   fb_exchange_arena(exchange), &diag);
    if (err < 0) {
        refuse(exchange, 403, err == FB_E_EXPIRED ? "url-expired" : "bad-signature", diag.text);
        return;
    }
    struct upload *upload = FB_NEW(struct upload);
    upload->service = service;
    upload->exchange = exchange;
    upload->body = fb_exchange_body(exchange);
    upload->size = (uint64_t)size;
    memcpy(upload->key, key.ptr, key.len);
    fb_machine_init(&upload->machine, upload_states, UPLOAD_BEGIN);
    fb_op_init(&upload->wait, fb_exchange_loop(exchange), upload_on_body);
    fb_exchange_set_hooks(exchange,
                          &(struct fb_exchange_hooks){.ctx = upload, .aborted = upload_on_lost});
    upload_run(upload);
}

static void upload_options(void *ctx, struct fb_exchange *exchange)
{
    (void)ctx;
    origin_reply_preflight(exchange, "PUT, OPTIONS", "Content-Type");
}

static const struct fb_route upload_routes[] = {
    {.method = FB_METHOD_PUT, .pattern = "/upload/{key...}", .handle = upload_put},
    {.method = FB_METHOD_OPTIONS, .pattern = "/upload/{key...}", .handle = upload_options},
};

const struct fb_route *origin_upload_routes(size_t *ret_n)
{
    *ret_n = FB_ARRAY_LEN(upload_routes);
    return upload_routes;
}

struct origin_upload *origin_upload_new(const struct origin_upload_options *options)
{
    struct origin_upload *service = FB_NEW(struct origin_upload);
    service->options = *options;
    return service;
}

void origin_upload_free(struct origin_upload *service)
{
    fb_free(service);
}

int origin_upload_url(const struct origin_upload *service, struct fb_str base, struct fb_str key,
                      uint64_t size, uint32_t expires_s, struct fb_buf *buf)
{
    FB_AUTO(fb_buf_done) struct fb_buf path = {0};
    struct fb_str scheme_end = FB_STR("://");
    struct fb_url url;

    if (fb_url_parse(base, &url, NULL) < 0) {
        return FB_E_MALFORMED;
    }
    /* Host is signed as clients will send it: what stands between the slashes. */
    struct fb_str host = fb_str_skip(base, url.scheme.len + scheme_end.len);
    host = fb_str_first(host, fb_str_find(host, '/'));
    fb_buf_append(&path, FB_STR("/upload/"));
    fb_text_percent_encode(&path, key, "/");
    fb_buf_printf(buf, "%.*s://%.*s%s?", FB_STR_ARG(url.scheme), FB_STR_ARG(host), path.ptr);
    origin_presign(service->options.signer,
                   &(struct origin_presign_options){
                       .method = FB_STR("PUT"),
                       .host = host,
                       .path = fb_buf_str(&path),
                       .content_length = (int64_t)size,
                       .now_ms = fb_clock_wall_ms(service->options.clock),
                       .expires_s = expires_s,
                   },
                   buf);
    return FB_OK;
}
