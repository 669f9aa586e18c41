#include "origin/jobs/task_objects.h"

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/crypto/hash.h"
#include "base/http/date.h"
#include "base/http/range.h"
#include "base/log/log.h"
#include "base/loop/work.h"
#include "base/server/exchange.h"
#include "base/server/router.h"
#include "origin/catalog/tasks.h"
#include "origin/jobs/task_objects_internal.h"
#include "origin/objects/reader.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* ---- who may ------------------------------------------------------------------------ */

static bool token_is_good(const struct origin_task_objects *service,
                          const struct fb_request_head *request)
{
    struct fb_str scheme = FB_STR("Bearer ");
    struct fb_str field = fb_headers_find(&request->headers, FB_STR("Authorization"));

    return fb_str_equal_nocase(fb_str_first(field, scheme.len), scheme) &&
           fb_crypto_equal(fb_str_skip(field, scheme.len), service->options.worker_token);
}

bool origin_task_objects_ask(struct origin_task_objects *service, struct fb_exchange *exchange,
                             struct task_objects_ask *ret_ask)
{
    const struct fb_request_head *request = fb_exchange_request(exchange);
    struct fb_str lease = fb_headers_find(&request->headers, FB_STR("Forebay-Lease"));
    struct fb_str key = fb_exchange_param(exchange, "key");
    struct fb_str task = FB_STR_NONE;
    struct task_objects_ask ask;

    if (!token_is_good(service, request)) {
        fb_exchange_problem(exchange, 401, NULL, "the worker token is not the one of this origin");
        return false;
    }
    if (!fb_str_cut(&lease, ' ', &task) || origin_id_parse(task, &ask.task) < 0 ||
        origin_id_parse(lease, &ask.lease) < 0 || key.len > ORIGIN_OBJECTS_KEY_MAX) {
        fb_exchange_problem(exchange, 400, NULL, "Forebay-Lease names a task and its lease");
        return false;
    }
    memcpy(ask.key, key.ptr, key.len);
    ask.key[key.len] = '\0';
    *ret_ask = ask;
    return true;
}

static bool key_is_below(struct fb_str key, const char *top, const struct origin_task *task)
{
    char prefix[ORIGIN_OBJECTS_KEY_MAX + 1];

    (void)snprintf(prefix, sizeof(prefix), "%s/%s/%s/", top, task->video.text, task->version);
    return task->version[0] != '\0' && fb_str_starts_with(key, fb_str_from(prefix));
}

/* The source, and what was uploaded beside it. */
static bool key_is_uploaded(struct fb_str key, const struct origin_task *task)
{
    char prefix[ORIGIN_OBJECTS_KEY_MAX + 1];

    (void)snprintf(prefix, sizeof(prefix), "uploads/%s/", task->video.text);
    return fb_str_equal(key, fb_str_from(task->source)) ||
           fb_str_starts_with(key, fb_str_from(prefix));
}

int origin_task_objects_may(struct origin_task_objects *service, const struct task_objects_ask *ask,
                            bool writes)
{
    FB_AUTO(origin_task_done) struct origin_task task = {.index = 0};
    struct fb_str key = fb_str_from(ask->key);

    int err = origin_catalog_task_holder(service->options.catalog, &ask->task, &ask->lease, &task);
    if (err < 0) {
        return err == FB_E_EXISTS ? FB_E_CONFLICT : err; /* what is finished is nobody's */
    }
    return (!writes && key_is_uploaded(key, &task)) || key_is_below(key, "media", &task) ||
                   key_is_below(key, "work", &task)
               ? FB_OK
               : FB_E_DENIED;
}

bool origin_task_objects_file(const struct task_objects_ask *ask, uint64_t size,
                              const uint8_t sha256[ORIGIN_DIGEST_LEN],
                              struct origin_result_file *ret_file)
{
    struct fb_str path = fb_str_from(ask->key);
    struct fb_str folder;

    /* "media/<video>/<version>/<path>", which has been looked at. */
    if (!fb_str_cut(&path, '/', &folder) || !fb_str_equal(folder, FB_STR("media")) ||
        !fb_str_cut(&path, '/', &folder) || !fb_str_cut(&path, '/', &folder) ||
        path.len > ORIGIN_PATH_MAX) {
        return false;
    }
    *ret_file = (struct origin_result_file){.size = size};
    memcpy(ret_file->path, path.ptr, path.len);
    memcpy(ret_file->sha256, sha256, sizeof(ret_file->sha256));
    return true;
}

void origin_task_objects_refuse(struct fb_exchange *exchange, int err)
{
    switch (err) {
    case FB_E_CONFLICT:
    case FB_E_EXISTS: /* the task is done, and what it made is not touched any more */
        fb_exchange_problem(exchange, 409, "lease-lost", "the lease is not the task's any more");
        break;
    case FB_E_DENIED:
        fb_exchange_problem(exchange, 403, NULL, "the object is not the task's");
        break;
    case FB_E_NOT_FOUND:
    case FB_E_MALFORMED:
        fb_exchange_problem(exchange, 404, NULL, NULL);
        break;
    case FB_E_CLOSED:
    case FB_E_LIMIT:
    case FB_E_CANCELED:
    case FB_E_CORRUPT:
    case -ECONNRESET:
        fb_exchange_problem(exchange, 400, NULL, "the content is not what was declared");
        break;
    case FB_E_BUSY:
    case FB_E_UNAVAILABLE:
    case FB_E_TIMEOUT:
        fb_exchange_problem(exchange, 503, NULL, NULL);
        break;
    case -ENOSPC:
    case -EDQUOT:
    case -EFBIG:
        fb_exchange_problem(exchange, 507, "storage-full", "there is no room for this object");
        break;
    default:
        FB_LOG(WARN, "jobs", "could not serve a task's object",
               FB_LOG_STR("path", fb_exchange_request(exchange)->path),
               FB_LOG_TEXT("cause", fb_err_text(err)));
        fb_exchange_problem(exchange, 500, NULL, NULL);
        break;
    }
}

/* ---- reading -------------------------------------------------------------------------- */

struct look {
    struct fb_work work;
    struct origin_task_objects *service;
    struct fb_exchange *exchange; /* borrowed until responded */
    struct task_objects_ask ask;
    struct origin_object object; /* owned; opened by the pool */
};

static int pool_look(struct fb_work *work)
{
    struct look *look = FB_CONTAINER_OF(work, struct look, work);
    struct origin_task_objects *service = look->service;

    int err = origin_task_objects_may(service, &look->ask, false);
    return err < 0 ? err
                   : origin_objects_get(service->options.objects, fb_str_from(look->ask.key),
                                        &look->object);
}

/* What of the object is asked for; false if there is nothing at that place. */
static bool look_range(const struct look *look, struct fb_range *ret_range, unsigned *ret_status)
{
    const struct fb_request_head *request = fb_exchange_request(look->exchange);
    struct fb_ranges ranges;

    *ret_status = 200;
    if (request->method != FB_METHOD_GET) {
        return true;
    }
    switch (fb_range_evaluate(fb_headers_find(&request->headers, FB_STR("Range")),
                              look->object.size, &ranges)) {
    case FB_RANGE_UNSATISFIABLE:
        return false;
    case FB_RANGE_PARTIAL:
        if (ranges.n == 1) {
            *ret_range = ranges.items[0];
            *ret_status = 206;
        }
        return true;
    case FB_RANGE_WHOLE:
        break;
    }
    return true;
}

static void look_respond(struct look *look)
{
    struct fb_exchange *exchange = look->exchange;
    uint64_t size = look->object.size;
    struct fb_range range = {0, size - 1};
    struct fb_headers headers = {.n = 0};
    char content_range[FB_CONTENT_RANGE_MAX];
    char modified[FB_DATE_MAX];
    struct fb_reader *body = NULL;
    unsigned status = 200;

    if (!look_range(look, &range, &status)) {
        fb_exchange_problem(exchange, 416, NULL, NULL);
        return;
    }
    struct fb_arena *arena = fb_exchange_arena(exchange);
    uint64_t length = size == 0 ? 0 : range.last - range.first + 1;
    fb_headers_add(&headers, arena, FB_STR("Content-Type"), FB_STR("application/octet-stream"));
    fb_headers_add(&headers, arena, FB_STR("Cache-Control"), FB_STR("no-store"));
    fb_headers_add(&headers, arena, FB_STR("Last-Modified"),
                   fb_arena_dup(arena, fb_date_format(look->object.modified_ms / 1000, modified)));
    if (status == 206) {
        fb_headers_add(&headers, arena, FB_STR("Content-Range"),
                       fb_arena_dup(arena, fb_content_range_format(range, size, content_range)));
    }
    if (length > 0 && fb_exchange_request(exchange)->method == FB_METHOD_GET) {
        body = origin_object_reader_open(fb_exchange_loop(exchange), look->service->options.pool,
                                         &look->object, range.first, length);
    }
    fb_exchange_respond(exchange, &(struct fb_response){.status = status,
                                                        .headers = headers.items,
                                                        .n_headers = headers.n,
                                                        .body = body,
                                                        .length = (int64_t)length});
}

static void look_on_done(struct fb_op *op)
{
    struct look *look = FB_CONTAINER_OF(op, struct look, work.op);

    if (op->result < 0) {
        origin_task_objects_refuse(look->exchange, op->result);
    } else {
        look_respond(look);
    }
    origin_object_done(&look->object);
    fb_free(look);
}

static void task_objects_get(void *ctx, struct fb_exchange *exchange)
{
    struct task_objects_ask ask;

    if (!origin_task_objects_ask(ctx, exchange, &ask)) {
        return;
    }
    struct look *look = FB_NEW(struct look);
    look->service = ctx;
    look->exchange = exchange;
    look->ask = ask;
    look->object.fd = -1;
    look->work.run = pool_look;
    fb_op_init(&look->work.op, fb_exchange_loop(exchange), look_on_done);
    fb_work_start(look->service->options.pool, &look->work);
}

/* ---- entry points ------------------------------------------------------------------------ */

static const struct fb_route task_objects_routes[] = {
    {.method = FB_METHOD_GET,
     .pattern = "/internal/v1/tasks/objects/{key...}",
     .handle = task_objects_get},
    {.method = FB_METHOD_PUT,
     .pattern = "/internal/v1/tasks/objects/{key...}",
     .handle = origin_task_objects_put},
};

const struct fb_route *origin_task_objects_routes(const struct origin_task_objects *service,
                                                  size_t *ret_n)
{
    *ret_n = service->options.worker_token.len > 0 ? FB_ARRAY_LEN(task_objects_routes) : 0;
    return task_objects_routes;
}

struct origin_task_objects *
origin_task_objects_new(const struct origin_task_objects_options *options)
{
    struct origin_task_objects *service = FB_NEW(struct origin_task_objects);

    service->options = *options;
    return service;
}

void origin_task_objects_free(struct origin_task_objects *service)
{
    fb_free(service);
}
