/*
 * The jobs as routes, for workers in other processes.
 */
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/crypto/hash.h"
#include "base/json/json.h"
#include "base/server/router.h"
#include "origin/jobs/jobs_internal.h"

enum {
    SMALL_BODY = 16 * 1024,
    RESULT_BODY = 64 * 1024 * 1024, /* ORIGIN_FILES_MAX lines of some 300 bytes */
    WORKER_NAME_MAX = 64
};

static bool call_is_allowed(const struct origin_jobs *jobs, struct fb_call *call)
{
    struct fb_str scheme = FB_STR("Bearer ");
    struct fb_str field = fb_headers_find(&call->request->headers, FB_STR("Authorization"));

    if (fb_str_equal_nocase(fb_str_first(field, scheme.len), scheme) &&
        fb_crypto_equal(fb_str_skip(field, scheme.len), jobs->options.worker_token)) {
        return true;
    }
    fb_call_problem(call, 401, NULL, "the worker token is not the one of this origin");
    return false;
}

/* The body as an object, once the caller has shown the token. */
static int call_open(const struct origin_jobs *jobs, struct fb_call *call, size_t max_bytes,
                     struct fb_json **ret_body)
{
    struct fb_diag diag = {.err = FB_OK};

    if (!call_is_allowed(jobs, call)) {
        return FB_E_DENIED;
    }
    int err = fb_json_parse(call->body, max_bytes, ret_body, &diag);
    if (err < 0) {
        fb_call_problem(call, 400, NULL, "%s", diag.text);
    }
    return err;
}

/* The task that the body names. */
static int body_task(struct fb_call *call, const struct fb_json *body,
                     struct origin_whole_task *ret_task)
{
    struct fb_diag diag = {.err = FB_OK};
    struct origin_whole_task task = {.attempt = 0};

    int err = origin_id_load(body, "job", &task.job, &diag);
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
        fb_call_problem(call, 409, "lease-lost", "the lease is not the job's any more");
        break;
    case FB_E_CORRUPT:
        fb_call_problem(call, 422, "files-missing", "a file of the result is not there");
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
    struct fb_diag diag = {.err = FB_OK};
    struct origin_whole_task task;
    struct fb_str worker;

    if (call_open(jobs, call, SMALL_BODY, &body) < 0) {
        return;
    }
    if (fb_json_read_str(body, "worker", WORKER_NAME_MAX, &worker, &diag) < 0) {
        fb_call_problem(call, 400, NULL, "%s", diag.text);
        return;
    }
    struct origin_whole_source source = origin_jobs_whole_source(jobs);
    int err = source.take(source.ctx, worker, &task);
    if (err < 0) {
        call_answer(call, err == FB_E_LATER ? FB_OK : err);
        return;
    }
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    origin_whole_task_store(root, &task);
    fb_json_dump(root, &call->content);
    fb_headers_add(&call->headers, call->arena, FB_STR("Content-Type"), FB_STR("application/json"));
}

static void call_renew(void *ctx, struct fb_call *call)
{
    struct origin_jobs *jobs = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *body = NULL;
    struct origin_whole_task task;

    if (call_open(jobs, call, SMALL_BODY, &body) < 0 || body_task(call, body, &task) < 0) {
        return;
    }
    int64_t permille = fb_json_int(fb_json_find(body, "progress"), 0);
    struct origin_whole_source source = origin_jobs_whole_source(jobs);
    call_answer(call, source.renew(source.ctx, &task,
                                   permille > 0 && permille <= 1000 ? (uint32_t)permille : 0));
}

static void call_finish(void *ctx, struct fb_call *call)
{
    struct origin_jobs *jobs = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *body = NULL;
    FB_AUTO(origin_result_done) struct origin_result result = {.files = NULL};
    struct fb_diag diag = {.err = FB_OK};
    struct origin_whole_task task;

    if (call_open(jobs, call, RESULT_BODY, &body) < 0 || body_task(call, body, &task) < 0) {
        return;
    }
    if (origin_result_load(fb_json_find(body, "result"), &result, &diag) < 0) {
        fb_call_problem(call, 400, NULL, "%s", diag.text);
        return;
    }
    struct origin_whole_source source = origin_jobs_whole_source(jobs);
    call_answer(call, source.finish(source.ctx, &task, &result));
}

static void call_fail(void *ctx, struct fb_call *call)
{
    struct origin_jobs *jobs = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *body = NULL;
    struct fb_diag diag = {.err = FB_OK};
    struct origin_whole_task task;
    struct fb_str reason;

    if (call_open(jobs, call, SMALL_BODY, &body) < 0 || body_task(call, body, &task) < 0) {
        return;
    }
    if (fb_json_read_str(body, "reason", ORIGIN_REASON_MAX, &reason, &diag) < 0) {
        fb_call_problem(call, 400, NULL, "%s", diag.text);
        return;
    }
    struct origin_whole_source source = origin_jobs_whole_source(jobs);
    call_answer(call, source.fail(source.ctx, &task, reason,
                                  fb_json_bool(fb_json_find(body, "is_final"), false)));
}

static void call_give_back(void *ctx, struct fb_call *call)
{
    struct origin_jobs *jobs = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *body = NULL;
    struct origin_whole_task task;

    if (call_open(jobs, call, SMALL_BODY, &body) < 0 || body_task(call, body, &task) < 0) {
        return;
    }
    struct origin_whole_source source = origin_jobs_whole_source(jobs);
    call_answer(call, source.give_back(source.ctx, &task));
}

static const struct fb_route jobs_routes[] = {
    {.method = FB_METHOD_POST, .pattern = "/internal/v1/tasks/take", .call = call_take},
    {.method = FB_METHOD_POST, .pattern = "/internal/v1/tasks/renew", .call = call_renew},
    {.method = FB_METHOD_POST,
     .pattern = "/internal/v1/tasks/finish",
     .call = call_finish,
     .max_body_bytes = RESULT_BODY},
    {.method = FB_METHOD_POST, .pattern = "/internal/v1/tasks/fail", .call = call_fail},
    {.method = FB_METHOD_POST, .pattern = "/internal/v1/tasks/give-back", .call = call_give_back},
};

const struct fb_route *origin_jobs_whole_routes(const struct origin_jobs *jobs, size_t *ret_n)
{
    *ret_n = jobs->options.worker_token.len > 0 ? FB_ARRAY_LEN(jobs_routes) : 0;
    return jobs_routes;
}
