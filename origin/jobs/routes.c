/*
 * The jobs as routes, for workers in other processes.
 */
#include "base/core/err.h"
#include "base/json/json.h"
#include "base/server/router.h"
#include "origin/jobs/jobs_internal.h"
#include "origin/model/text.h"

enum { SMALL_BODY = 64 * 1024 };

/* The body as an object, once the caller has shown the token. */
static int call_open(const struct origin_jobs *jobs, struct fb_call *call, size_t max_bytes,
                     struct fb_json **ret_body)
{
    struct fb_diag diag = {.err = FB_OK};
    struct fb_str token = fb_headers_find(&call->request->headers, FB_STR("Authorization"));

    if (!origin_jobs_is_worker(jobs, token)) {
        fb_call_problem(call, 401, NULL, "the worker token is not the one of this origin");
        return FB_E_DENIED;
    }
    int err = fb_json_parse(call->body, max_bytes, ret_body, &diag);
    if (err < 0) {
        fb_call_problem(call, 400, NULL, "%s", diag.text);
    }
    return err;
}

/* The task that the body names. */
static int body_task(struct fb_call *call, const struct fb_json *body, struct origin_task *ret_task)
{
    struct fb_diag diag = {.err = FB_OK};
    struct origin_task task = {.attempt = 0};

    int err = origin_id_load(body, "task", &task.task, &diag);
    if (err == FB_OK) {
        err = origin_id_load(body, "lease", &task.lease, &diag);
    }
    if (err == FB_OK && fb_json_find(body, "video") != NULL) {
        err = origin_id_load(body, "video", &task.video, &diag);
    }
    if (err < 0) {
        fb_call_problem(call, 400, NULL, "%s", diag.text);
        return err;
    }
    *ret_task = task;
    return FB_OK;
}

static void call_answer(struct fb_call *call, int err)
{
    switch (err) {
    case FB_OK:
        call->status = 204;
        break;
    case FB_E_CONFLICT:
        fb_call_problem(call, 409, "lease-lost", "the lease is not the task's any more");
        break;
    case FB_E_CORRUPT:
        fb_call_problem(call, 422, "files-missing", "what the result names is not there");
        break;
    case FB_E_MALFORMED:
        fb_call_problem(call, 422, "no-result", "this is no result of the task");
        break;
    default:
        fb_call_problem(call, 503, NULL, "%s", fb_err_text(err));
        break;
    }
}

static void call_take(void *ctx, struct fb_call *call)
{
    struct origin_jobs *jobs = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *body = NULL;
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    struct fb_diag diag = {.err = FB_OK};
    struct origin_task_ask ask;

    if (call_open(jobs, call, SMALL_BODY, &body) < 0) {
        return;
    }
    if (fb_json_read_str(body, "worker", ORIGIN_WORKER_NAME_MAX, &ask.worker, &diag) < 0 ||
        fb_json_read_str(body, "toolchain", ORIGIN_TOOLCHAIN_MAX, &ask.toolchain, &diag) < 0) {
        fb_call_problem(call, 400, NULL, "%s", diag.text);
        return;
    }
    if (!origin_text_is_printable(ask.worker, false)) { /* operators see it */
        fb_call_problem(call, 400, NULL, "'worker' must not have control characters.");
        return;
    }
    struct origin_task_source source = origin_jobs_source(jobs);
    int err = source.take(source.ctx, &ask, &task);
    if (err < 0) {
        call_answer(call, err == FB_E_LATER ? FB_OK : err);
        return;
    }
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    origin_task_store(root, &task);
    fb_json_dump(root, &call->content);
    fb_headers_add(&call->headers, call->arena, FB_STR("Content-Type"), FB_STR("application/json"));
    fb_headers_add(&call->headers, call->arena, FB_STR("Cache-Control"), FB_STR("no-store"));
}

static void call_renew(void *ctx, struct fb_call *call)
{
    struct origin_jobs *jobs = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *body = NULL;
    struct origin_task task;

    if (call_open(jobs, call, SMALL_BODY, &body) < 0 || body_task(call, body, &task) < 0) {
        return;
    }
    int64_t permille = fb_json_int(fb_json_find(body, "progress"), 0);
    struct origin_task_source source = origin_jobs_source(jobs);
    call_answer(call, source.renew(source.ctx, &task,
                                   permille > 0 && permille <= 1000 ? (uint32_t)permille : 0));
}

static void call_finish(void *ctx, struct fb_call *call)
{
    struct origin_jobs *jobs = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *body = NULL;
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    struct origin_task task;

    if (call_open(jobs, call, ORIGIN_TASK_RESULT_MAX, &body) < 0 ||
        body_task(call, body, &task) < 0) {
        return;
    }
    const struct fb_json *result = fb_json_find(body, "result");
    if (fb_json_type(result) != FB_JSON_OBJECT) {
        call_answer(call, FB_E_MALFORMED);
        return;
    }
    fb_json_dump(result, &text);
    struct origin_task_source source = origin_jobs_source(jobs);
    call_answer(call, source.finish(source.ctx, &task, fb_buf_str(&text)));
}

static void call_fail(void *ctx, struct fb_call *call)
{
    struct origin_jobs *jobs = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *body = NULL;
    struct fb_diag diag = {.err = FB_OK};
    struct origin_task_failure failure;
    struct origin_task task;

    if (call_open(jobs, call, SMALL_BODY, &body) < 0 || body_task(call, body, &task) < 0) {
        return;
    }
    if (origin_task_failure_load(body, &failure, &diag) < 0) {
        fb_call_problem(call, 400, NULL, "%s", diag.text);
        return;
    }
    struct origin_task_source source = origin_jobs_source(jobs);
    call_answer(call, source.fail(source.ctx, &task, &failure));
}

static void call_give_back(void *ctx, struct fb_call *call)
{
    struct origin_jobs *jobs = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *body = NULL;
    struct origin_task task;

    if (call_open(jobs, call, SMALL_BODY, &body) < 0 || body_task(call, body, &task) < 0) {
        return;
    }
    struct origin_task_source source = origin_jobs_source(jobs);
    call_answer(call, source.give_back(source.ctx, &task));
}

static const struct fb_route jobs_routes[] = {
    {.method = FB_METHOD_POST, .pattern = "/internal/v1/tasks/take", .call = call_take},
    {.method = FB_METHOD_POST, .pattern = "/internal/v1/tasks/renew", .call = call_renew},
    {.method = FB_METHOD_POST,
     .pattern = "/internal/v1/tasks/finish",
     .call = call_finish,
     .max_body_bytes = ORIGIN_TASK_RESULT_MAX},
    {.method = FB_METHOD_POST, .pattern = "/internal/v1/tasks/fail", .call = call_fail},
    {.method = FB_METHOD_POST, .pattern = "/internal/v1/tasks/give-back", .call = call_give_back},
};

const struct fb_route *origin_jobs_routes(const struct origin_jobs *jobs, size_t *ret_n)
{
    *ret_n = jobs->options.worker_token.len > 0 ? FB_ARRAY_LEN(jobs_routes) : 0;
    return jobs_routes;
}
