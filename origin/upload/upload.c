#include "origin/upload/upload.h"

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/core/machine.h"
#include "base/loop/reader.h"
#include "base/loop/work.h"
#include "base/metrics/metrics.h"
#include "base/server/exchange.h"
#include "base/server/router.h"
#include "origin/reply/reply.h"
#include "origin/upload/s3.h"
#include "origin/upload/upload_internal.h"

#include <string.h>

enum { UPLOAD_MAX_SLICES = 32 };

enum upload_state {
    UPLOAD_BEGIN,
    UPLOAD_READ,
    UPLOAD_WRITE,
    UPLOAD_END,
    UPLOAD_ABORT,
    UPLOAD_RESPOND
};

static const struct fb_state upload_states[] = {
    [UPLOAD_BEGIN] = {"begin", FB_TO(UPLOAD_READ) | FB_TO(UPLOAD_ABORT)},
    [UPLOAD_READ] = {"read", FB_TO(UPLOAD_WRITE) | FB_TO(UPLOAD_END) | FB_TO(UPLOAD_ABORT) |
                                 FB_TO(UPLOAD_READ)},
    [UPLOAD_WRITE] = {"write", FB_TO(UPLOAD_READ) | FB_TO(UPLOAD_ABORT)},
    [UPLOAD_END] = {"end", FB_TO(UPLOAD_RESPOND) | FB_TO(UPLOAD_ABORT)},
    [UPLOAD_ABORT] = {"abort", FB_TO(UPLOAD_RESPOND)},
    [UPLOAD_RESPOND] = {"respond", 0},
};

/* A request. */
struct upload {
    struct origin_upload *service;
    struct fb_exchange *exchange; /* borrowed until responded */
    struct fb_reader *body;       /* the exchange's */
    struct fb_machine machine;
    struct fb_work work;                       /* what the pool does now */
    struct fb_op wait;                         /* for more of the body */
    struct origin_s3 *s3;                      /* owned; the pool's while it works */
    struct fb_slice slices[UPLOAD_MAX_SLICES]; /* owned, being written */
    size_t n_slices;
    bool has_ended; /* the body */
    bool has_failed;
};

static void upload_run(struct upload *upload);

/* ---- on the pool ---------------------------------------------------------- */

static int pool_begin(struct fb_work *work)
{
    return origin_s3_begin(FB_CONTAINER_OF(work, struct upload, work)->s3);
}

static int pool_write(struct fb_work *work)
{
    struct upload *upload = FB_CONTAINER_OF(work, struct upload, work);

    return origin_s3_add(upload->s3, upload->slices, upload->n_slices);
}

static int pool_end(struct fb_work *work)
{
    return origin_s3_end(FB_CONTAINER_OF(work, struct upload, work)->s3);
}

static int pool_abort(struct fb_work *work)
{
    struct upload *upload = FB_CONTAINER_OF(work, struct upload, work);

    origin_s3_drop(upload->s3);
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
    upload->has_failed = true;
    if (upload->s3->fault.kind == ORIGIN_FAULT_NONE) {
        FB_IGNORE(origin_fault_of(&upload->s3->fault, err)); /* it is kept there */
    }
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

static void upload_on_ended(struct fb_op *op)
{
    upload_resume(op, UPLOAD_RESPOND);
}

/* An abort that found no room in the queue is made here and now: a temporary
 * is unlinked, which is quick. */
static void upload_on_aborted(struct fb_op *op)
{
    struct upload *upload = FB_CONTAINER_OF(op, struct upload, work.op);

    origin_s3_drop(upload->s3);
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
        return upload_to(upload, UPLOAD_END);
    }
    fb_op_init(&upload->wait, fb_exchange_loop(upload->exchange), upload_on_body);
    fb_reader_wait(upload->body, &upload->wait);
    return FB_STEP_WAIT;
}

/* ---- the answer ------------------------------------------------------------ */

static void upload_answer(struct upload *upload)
{
    struct origin_s3 *s3 = upload->s3;
    struct fb_exchange *exchange = upload->exchange;
    struct fb_headers headers = {.n = 0};

    if (upload->has_failed) {
        origin_s3_refuse(s3);
    }
    origin_reply_add(exchange, &headers, "x-amz-request-id", fb_str_from(s3->id));
    origin_reply_add(exchange, &headers, "Cache-Control", FB_STR("no-store"));
    origin_reply_add(exchange, &headers, "Access-Control-Allow-Origin", FB_STR("*"));
    origin_reply_add(exchange, &headers, "Access-Control-Expose-Headers",
                     FB_STR("ETag, Location, x-amz-request-id, x-amz-checksum-crc32, "
                            "x-amz-checksum-crc32c, x-amz-checksum-sha256, Retry-After"));
    for (size_t i = 0; i < s3->headers.n; i++) {
        fb_headers_add(&headers, fb_exchange_arena(exchange),
                       fb_arena_dup(fb_exchange_arena(exchange), s3->headers.items[i].name),
                       fb_arena_dup(fb_exchange_arena(exchange), s3->headers.items[i].value));
    }
    int64_t length = s3->head_length >= 0 ? s3->head_length : (int64_t)s3->content.len;
    fb_exchange_respond(exchange,
                        &(struct fb_response){
                            .status = s3->status,
                            .headers = headers.items,
                            .n_headers = headers.n,
                            .body = s3->content.len > 0 ? fb_reader_of_buf(&s3->content) : NULL,
                            .length = s3->status == 204 ? 0 : length,
                            .closes = !upload->has_ended,
                        });
}

static enum fb_step upload_respond(struct upload *upload)
{
    fb_exchange_set_hooks(upload->exchange, &(struct fb_exchange_hooks){.ctx = NULL});
    upload_answer(upload);
    origin_s3_free(upload->s3);
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
        case UPLOAD_END:
            step = upload_work(upload, pool_end, upload_on_ended);
            break;
        case UPLOAD_ABORT:
            step = upload->s3->put != NULL ? upload_work(upload, pool_abort, upload_on_aborted)
                                           : upload_to(upload, UPLOAD_RESPOND);
            break;
        case UPLOAD_RESPOND:
            step = upload_respond(upload);
            break;
        }
    }
}

/* ---- routes ----------------------------------------------------------------- */

static void upload_on_lost(void *ctx)
{
    struct upload *upload = ctx;
    if (upload->machine.state == UPLOAD_READ) {
        fb_op_cancel(&upload->wait);
    }
}

static void upload_handle(void *ctx, struct fb_exchange *exchange)
{
    struct origin_upload *service = ctx;
    struct upload *upload = FB_NEW(struct upload);

    upload->service = service;
    upload->exchange = exchange;
    upload->body = fb_exchange_body(exchange);
    upload->s3 =
        origin_s3_new(service, fb_exchange_request(exchange), fb_exchange_body_length(exchange));
    fb_machine_init(&upload->machine, upload_states, UPLOAD_BEGIN);
    fb_op_init(&upload->wait, fb_exchange_loop(exchange), upload_on_body);
    fb_exchange_set_hooks(exchange,
                          &(struct fb_exchange_hooks){.ctx = upload, .aborted = upload_on_lost});
    upload_run(upload);
}

static void upload_options(void *ctx, struct fb_exchange *exchange)
{
    (void)ctx;
    origin_reply_preflight(exchange, "GET, HEAD, POST, PUT, DELETE, OPTIONS", "*, Authorization");
}

#define ROUTES(pattern_)                                                              \
    {.method = FB_METHOD_GET, .pattern = (pattern_), .handle = upload_handle},        \
        {.method = FB_METHOD_HEAD, .pattern = (pattern_), .handle = upload_handle},   \
        {.method = FB_METHOD_PUT, .pattern = (pattern_), .handle = upload_handle},    \
        {.method = FB_METHOD_POST, .pattern = (pattern_), .handle = upload_handle},   \
        {.method = FB_METHOD_DELETE, .pattern = (pattern_), .handle = upload_handle}, \
    {                                                                                 \
        .method = FB_METHOD_OPTIONS, .pattern = (pattern_), .handle = upload_options  \
    }

static const struct fb_route upload_routes[] = {
    {.method = FB_METHOD_GET, .pattern = "/", .handle = upload_handle},
    ROUTES("/" ORIGIN_BUCKET),
    ROUTES("/" ORIGIN_BUCKET "/"),
    ROUTES("/" ORIGIN_BUCKET "/{key...}"),
};

const struct fb_route *origin_upload_routes(size_t *ret_n)
{
    *ret_n = FB_ARRAY_LEN(upload_routes);
    return upload_routes;
}

bool origin_upload_is_for(const struct fb_request_head *request)
{
    struct fb_str bucket = FB_STR("/" ORIGIN_BUCKET);
    struct fb_str rest = fb_str_skip(request->path, bucket.len);

    if (fb_str_starts_with(request->path, bucket) && (rest.len == 0 || rest.ptr[0] == '/')) {
        return true;
    }
    return fb_str_equal(request->path, FB_STR("/")) &&
           fb_str_starts_with(fb_headers_find(&request->headers, FB_STR("Authorization")),
                              FB_STR("AWS4-HMAC-SHA256"));
}

/* ---- the service -------------------------------------------------------------- */

static const struct fb_metric rows[] = {
    [UPLOAD_REQUESTS] = {"origin_upload_requests_total", FB_METRIC_COUNTER, NULL,
                         "Requests of S3, of all kinds."},
    [UPLOAD_REFUSED] = {"origin_upload_refused_total", FB_METRIC_COUNTER, NULL,
                        "Those that were answered with an error."},
    [UPLOAD_FILES] = {"origin_upload_files_total", FB_METRIC_COUNTER, NULL,
                      "Files that came whole, in one request."},
    [UPLOAD_PARTS] = {"origin_upload_parts_total", FB_METRIC_COUNTER, NULL,
                      "Parts of files that came."},
    [UPLOAD_COMPLETED] = {"origin_upload_completed_total", FB_METRIC_COUNTER, NULL,
                          "Files that were made of parts."},
    [UPLOAD_BYTES] = {"origin_upload_bytes_total", FB_METRIC_COUNTER, NULL,
                      "Bytes of content that were written, also of what was cut."},
};

void origin_upload_count(struct origin_upload *service, enum upload_metric row, uint64_t n)
{
    if (service->metrics != NULL) {
        fb_metrics_add(service->metrics, row, n);
    }
}

struct origin_upload *origin_upload_new(const struct origin_upload_options *options)
{
    struct origin_upload *service = FB_NEW(struct origin_upload);

    service->options = *options;
    service->ledger = origin_ledger_new(&(struct origin_ledger_options){
        .objects = options->objects,
        .catalog = options->catalog,
        .clock = options->clock,
        .unfinished_ms = options->unfinished_ms,
    });
    if (options->metrics != NULL) {
        service->metrics = fb_metrics_table_new(options->metrics, rows, FB_ARRAY_LEN(rows), NULL);
    }
    return service;
}

void origin_upload_free(struct origin_upload *service)
{
    if (service != NULL) {
        origin_ledger_free(service->ledger);
        fb_free(service);
    }
}

struct origin_ledger *origin_upload_ledger(struct origin_upload *service)
{
    return service->ledger;
}
