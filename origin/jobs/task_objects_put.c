/*
 * What workers send: written by the pool a piece at a time, while no more is read than that.
 *
 *     BEGIN ──► READ ⇄ WRITE ──► COMMIT ──► RESPOND
 *       │         │       │         │          ▲
 *       └─────────┴───────┴─────────┴─► ABORT ─┘   any failure
 */
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/core/machine.h"
#include "base/crypto/base64.h"
#include "base/crypto/hash.h"
#include "base/loop/reader.h"
#include "base/loop/work.h"
#include "base/server/exchange.h"
#include "origin/catalog/stored.h"
#include "origin/jobs/task_objects_internal.h"

#include <string.h>

enum { PIECE = 1 << 20, MAX_SLICES = 32 };

enum put_state { PUT_BEGIN, PUT_READ, PUT_WRITE, PUT_COMMIT, PUT_ABORT, PUT_RESPOND };

static const struct fb_state put_states[] = {
    [PUT_BEGIN] = {"begin", FB_TO(PUT_READ) | FB_TO(PUT_ABORT)},
    [PUT_READ] = {"read", FB_TO(PUT_WRITE) | FB_TO(PUT_COMMIT) | FB_TO(PUT_ABORT)},
    [PUT_WRITE] = {"write", FB_TO(PUT_READ) | FB_TO(PUT_ABORT)},
    [PUT_COMMIT] = {"commit", FB_TO(PUT_RESPOND) | FB_TO(PUT_ABORT)},
    [PUT_ABORT] = {"abort", FB_TO(PUT_RESPOND)},
    [PUT_RESPOND] = {"respond", 0},
};

struct put {
    struct origin_task_objects *service;
    struct fb_exchange *exchange; /* borrowed until responded */
    struct fb_reader *body;       /* the exchange's */
    struct fb_machine machine;
    struct fb_work work; /* what the pool does now */
    struct fb_op wait;   /* for more of the body */
    struct task_objects_ask ask;
    struct origin_put *put; /* owned, or NULL */
    uint64_t size;
    struct fb_sha256 hash;
    uint8_t digest[FB_SHA256_SIZE]; /* that it should have */
    bool has_digest;
    struct fb_slice slices[MAX_SLICES]; /* owned, being written */
    size_t n_slices;
    int result; /* first failure, else FB_OK */
};

static void put_run(struct put *put);

/* ---- on the pool -------------------------------------------------------------------- */

static int pool_begin(struct fb_work *work)
{
    struct put *put = FB_CONTAINER_OF(work, struct put, work);
    struct origin_task_objects *service = put->service;

    int err = origin_task_objects_may(service, &put->ask, true);
    return err < 0 ? err
                   : origin_put_begin(service->options.objects, fb_str_from(put->ask.key),
                                      put->size, &put->put);
}

static int pool_write(struct fb_work *work)
{
    struct put *put = FB_CONTAINER_OF(work, struct put, work);
    struct fb_str pieces[MAX_SLICES];

    for (size_t i = 0; i < put->n_slices; i++) {
        pieces[i] = put->slices[i].bytes;
        fb_sha256_update(&put->hash, pieces[i]);
    }
    return origin_put_write(put->put, pieces, put->n_slices);
}

/* What is published stays as it is: who makes a version anew brings the same bytes or none. (They
 * are put, for the object may have been lost.) */
static int commit_file(struct put *put, const struct origin_result_file *file)
{
    struct origin_catalog *catalog = put->service->options.catalog;
    const struct origin_task task = {.task = put->ask.task, .lease = put->ask.lease};
    struct origin_put *taken = put->put;

    int err = origin_catalog_stored_may_put(catalog, &task, file);
    if (err < 0) {
        return err;
    }
    put->put = NULL; /* commit frees it, whatever comes of it */
    err = origin_put_commit(taken);
    return err < 0 ? err : origin_catalog_stored_note(catalog, &task, file, 1);
}

static int pool_commit(struct fb_work *work)
{
    struct put *put = FB_CONTAINER_OF(work, struct put, work);
    struct origin_put *taken = put->put;
    struct origin_result_file file;
    uint8_t digest[FB_SHA256_SIZE];

    fb_sha256_finish(&put->hash, digest);
    if (put->has_digest && memcmp(digest, put->digest, sizeof(digest)) != 0) {
        return FB_E_CORRUPT;
    }
    int err = origin_task_objects_may(put->service, &put->ask, true);
    if (err < 0) {
        return err;
    }
    if (origin_task_objects_file(&put->ask, put->size, digest, &file)) {
        return commit_file(put, &file);
    }
    put->put = NULL;
    return origin_put_commit(taken);
}

static int pool_abort(struct fb_work *work)
{
    struct put *put = FB_CONTAINER_OF(work, struct put, work);

    origin_put_abort(put->put);
    put->put = NULL;
    return FB_OK;
}

/* ---- steps ----------------------------------------------------------------------------- */

static enum fb_step put_to(struct put *put, enum put_state next)
{
    fb_machine_move(&put->machine, next);
    return FB_STEP_AGAIN;
}

static enum fb_step put_fail(struct put *put, int err)
{
    put->result = err;
    return put_to(put, PUT_ABORT);
}

static void put_drop_slices(struct put *put)
{
    for (size_t i = 0; i < put->n_slices; i++) {
        fb_slice_release(&put->slices[i]);
    }
    put->n_slices = 0;
}

/* Goes on after the pool has done its part. */
static void put_resume(struct fb_op *op, enum put_state next)
{
    struct put *put = FB_CONTAINER_OF(op, struct put, work.op);

    put_drop_slices(put);
    if (op->result < 0) {
        (void)put_fail(put, op->result);
    } else {
        (void)put_to(put, next);
    }
    put_run(put);
}

static void put_on_ready(struct fb_op *op)
{
    put_resume(op, PUT_READ);
}

static void put_on_committed(struct fb_op *op)
{
    put_resume(op, PUT_RESPOND);
}

/* An abort that found no room in the queue is made here and now. */
static void put_on_aborted(struct fb_op *op)
{
    struct put *put = FB_CONTAINER_OF(op, struct put, work.op);

    origin_put_abort(put->put);
    put->put = NULL;
    (void)put_to(put, PUT_RESPOND);
    put_run(put);
}

static void put_on_body(struct fb_op *op)
{
    struct put *put = FB_CONTAINER_OF(op, struct put, wait);

    if (op->result < 0) {
        (void)put_fail(put, op->result);
    }
    put_run(put);
}

static enum fb_step put_work(struct put *put, int (*run)(struct fb_work *work), fb_op_done_fn *done)
{
    fb_op_init(&put->work.op, fb_exchange_loop(put->exchange), done);
    put->work.run = run;
    fb_work_start(put->service->options.pool, &put->work);
    return FB_STEP_WAIT;
}

/* Collects what has arrived, up to one piece. */
static enum fb_step put_read(struct put *put)
{
    size_t bytes = 0;
    int err = FB_OK;

    while (put->n_slices < MAX_SLICES && bytes < PIECE &&
           (err = fb_reader_next(put->body, &put->slices[put->n_slices])) == FB_OK) {
        bytes += put->slices[put->n_slices++].bytes.len;
    }
    if (err < 0 && err != FB_E_LATER && err != FB_E_END) {
        put_drop_slices(put);
        return put_fail(put, err);
    }
    if (put->n_slices > 0) {
        return put_to(put, PUT_WRITE);
    }
    if (err == FB_E_END) {
        return put_to(put, PUT_COMMIT);
    }
    fb_op_init(&put->wait, fb_exchange_loop(put->exchange), put_on_body);
    fb_reader_wait(put->body, &put->wait);
    return FB_STEP_WAIT;
}

static enum fb_step put_respond(struct put *put)
{
    fb_exchange_set_hooks(put->exchange, &(struct fb_exchange_hooks){.ctx = NULL});
    if (put->result < 0) {
        origin_task_objects_refuse(put->exchange, put->result);
    } else {
        fb_exchange_respond(put->exchange, &(struct fb_response){.status = 204});
    }
    fb_sha256_done(&put->hash);
    fb_free(put);
    return FB_STEP_GONE;
}

static void put_run(struct put *put)
{
    enum fb_step step = FB_STEP_AGAIN;

    while (step == FB_STEP_AGAIN) {
        switch ((enum put_state)put->machine.state) {
        case PUT_BEGIN:
            step = put_work(put, pool_begin, put_on_ready);
            break;
        case PUT_READ:
            step = put_read(put);
            break;
        case PUT_WRITE:
            step = put_work(put, pool_write, put_on_ready);
            break;
        case PUT_COMMIT:
            step = put_work(put, pool_commit, put_on_committed);
            break;
        case PUT_ABORT:
            step = put->put != NULL ? put_work(put, pool_abort, put_on_aborted)
                                    : put_to(put, PUT_RESPOND);
            break;
        case PUT_RESPOND:
            step = put_respond(put);
            break;
        }
    }
}

/* ---- entry point -------------------------------------------------------------------------- */

static void put_on_lost(void *ctx)
{
    struct put *put = ctx;

    if (put->machine.state == PUT_READ) {
        fb_op_cancel(&put->wait);
    }
}

/* `Content-Digest: sha-256=:…:`; other digests are passed over. False if it is not one. */
static bool read_digest(struct put *put)
{
    struct fb_str field =
        fb_headers_find(&fb_exchange_request(put->exchange)->headers, FB_STR("Content-Digest"));
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};
    struct fb_str name = FB_STR("sha-256=:");

    if (!fb_str_starts_with(field, name)) {
        return true;
    }
    field = fb_str_skip(field, name.len);
    field = fb_str_first(field, fb_str_find(field, ':'));
    if (fb_base64_decode(&bytes, FB_BASE64_STD, field) < 0 || bytes.len != FB_SHA256_SIZE) {
        return false;
    }
    memcpy(put->digest, bytes.ptr, FB_SHA256_SIZE);
    put->has_digest = true;
    return true;
}

void origin_task_objects_put(void *ctx, struct fb_exchange *exchange)
{
    int64_t size = fb_exchange_body_length(exchange);
    struct task_objects_ask ask;

    if (!origin_task_objects_ask(ctx, exchange, &ask)) {
        return;
    }
    if (size < 0) {
        fb_exchange_problem(exchange, 411, NULL, NULL);
        return;
    }
    struct put *put = FB_NEW(struct put);
    put->service = ctx;
    put->exchange = exchange;
    put->ask = ask;
    put->size = (uint64_t)size;
    if (!read_digest(put)) {
        fb_free(put);
        fb_exchange_problem(exchange, 400, NULL, "Content-Digest is not a digest");
        return;
    }
    fb_sha256_init(&put->hash);
    put->body = fb_exchange_body(exchange);
    fb_machine_init(&put->machine, put_states, PUT_BEGIN);
    fb_op_init(&put->wait, fb_exchange_loop(exchange), put_on_body);
    fb_exchange_set_hooks(exchange,
                          &(struct fb_exchange_hooks){.ctx = put, .aborted = put_on_lost});
    put_run(put);
}
