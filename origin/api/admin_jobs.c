/*
 * What operators do with jobs (docs/ingest.md).
 */
#include "base/core/text.h"
#include "origin/api/api_internal.h"
#include "origin/catalog/jobs.h"
#include "origin/jobs/jobs.h"

enum { TASKS_MAX = 100, ATTEMPTS_MAX = 100, RETRY_MAX = 1000 };

#define CURSOR FB_STR("jobs:")

/* ---- telling ----------------------------------------------------------------------- */

static void store_job(struct fb_json *root, const struct origin_job *job)
{
    fb_json_set_text(root, "id", job->id.text);
    fb_json_set_text(root, "video", job->video.text);
    fb_json_set_str(root, "title", job->title);
    fb_json_set_text(root, "state", origin_job_state_text(job->state));
    fb_json_set_text(root, "priority", origin_priority_text(job->priority));
    fb_json_set_int(root, "progress", job->permille / 10);
    fb_json_set_bool(root, "degraded", job->is_degraded);
    fb_json_set_str(root, "version", job->version);
    fb_json_set_str(root, "reason", job->reason);
    fb_json_set_str(root, "sentence", job->sentence);
    origin_api_set_time(root, "created_at", job->created_ms);
    if (job->ended_ms != 0) {
        origin_api_set_time(root, "ended_at", job->ended_ms);
    }
}

static void store_place(struct fb_json *root, enum origin_task_kind kind,
                        enum origin_task_pass pass, uint32_t index)
{
    fb_json_set_text(root, "kind", origin_task_kind_text(kind));
    fb_json_set_int(root, "pass", pass);
    fb_json_set_int(root, "index", index);
}

static void store_task(struct fb_json *root, const struct origin_job_task *task)
{
    fb_json_set_text(root, "id", task->id.text);
    store_place(root, task->kind, task->pass, task->index);
    fb_json_set_str(root, "state", task->state);
    fb_json_set_int(root, "progress", task->permille / 10);
    fb_json_set_int(root, "attempts", task->attempts);
    fb_json_set_str(root, "worker", task->worker);
    origin_api_set_time(root, "not_before", task->run_after_ms);
}

static void store_attempt(struct fb_json *root, const struct origin_job_attempt *attempt)
{
    fb_json_set_text(root, "task", attempt->task.text);
    store_place(root, attempt->kind, attempt->pass, attempt->index);
    fb_json_set_int(root, "attempt", attempt->attempt);
    fb_json_set_str(root, "worker", attempt->worker);
    fb_json_set_str(root, "reason", attempt->reason);
    fb_json_set_bool(root, "is_final", attempt->is_final);
    fb_json_set_str(root, "sentence", attempt->sentence);
    fb_json_set_str(root, "log", attempt->log);
    origin_api_set_time(root, "started_at", attempt->started_ms);
    origin_api_set_time(root, "ended_at", attempt->ended_ms);
}

/* ---- lists ---------------------------------------------------------------------------- */

static int read_query(struct fb_call *call, struct origin_job_query *query)
{
    struct fb_str state = fb_query_param(call->request->query, call->arena, FB_STR("state"));
    struct fb_str reason = fb_query_param(call->request->query, call->arena, FB_STR("reason"));
    struct origin_page page = {.limit = 0};

    query->state = ORIGIN_JOB_FAILED;
    if (state.ptr != NULL && origin_job_state_parse(state, &query->state) < 0) {
        fb_call_problem(call, 400, "bad-query", "'state' is active, done or failed.");
        return FB_E_MALFORMED;
    }
    query->reason = reason.len > 0 ? reason : FB_STR_NONE;
    int err = origin_api_time_page(call, CURSOR, &page);
    query->limit = page.limit;
    query->before_ms = page.before_ms;
    query->before = page.before_id;
    return err;
}

void origin_api_admin_jobs(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct origin_job_query query = {.limit = 0};
    struct origin_job *jobs = NULL;
    size_t n = 0;

    if (origin_api_admin(api, call) < 0 || read_query(call, &query) < 0) {
        return;
    }
    int err = origin_catalog_job_list(api->options.catalog, call->arena, &query, &jobs, &n);
    if (err < 0) {
        origin_api_broken(call, err, "list jobs");
        return;
    }
    struct fb_json *items = fb_json_set_array(root, "jobs");
    for (size_t i = 0; i < n; i++) {
        store_job(fb_json_add_object(items), &jobs[i]);
    }
    if (n == query.limit) {
        origin_api_next_cursor(root, "jobs:%lld:%s", (long long)jobs[n - 1].created_ms,
                               jobs[n - 1].id.text);
    }
    origin_api_reply(call, 200, root);
}

/* ---- one ---------------------------------------------------------------------------------- */

static int path_id(struct fb_call *call, struct origin_id *ret_id)
{
    int err = origin_id_parse(fb_call_param(call, "id"), ret_id);
    if (err < 0) {
        fb_call_problem(call, 404, "no-job", "There is no such job.");
    }
    return err;
}

static int store_whole(const struct origin_api *api, struct fb_call *call, struct fb_json *root,
                       const struct origin_id *id)
{
    struct origin_catalog *catalog = api->options.catalog;
    struct origin_job_attempt *attempts = NULL;
    struct origin_job_tasks tasks = {.items = NULL};
    FB_AUTO(fb_json_freep) struct fb_json *request = NULL;
    struct origin_job job;
    size_t n_attempts = 0;

    int err = origin_catalog_job_get(catalog, call->arena, id, &job);
    if (err < 0 ||
        (err = origin_catalog_job_tasks(catalog, call->arena, id, TASKS_MAX, &tasks)) < 0 ||
        (err = origin_catalog_job_attempts(catalog, call->arena, id, ATTEMPTS_MAX, &attempts,
                                           &n_attempts)) < 0) {
        return err;
    }
    store_job(root, &job);
    fb_json_set_str(root, "toolchain", job.toolchain);
    if (fb_json_parse(job.request, ORIGIN_REQUEST_MAX, &request, NULL) == FB_OK) {
        fb_json_set(root, "request", request);
        request = NULL;
    }
    fb_json_set_int(root, "tasks_total", tasks.total);
    fb_json_set_int(root, "tasks_done", tasks.done);
    struct fb_json *items = fb_json_set_array(root, "tasks");
    for (size_t i = 0; i < tasks.n; i++) {
        store_task(fb_json_add_object(items), &tasks.items[i]);
    }
    items = fb_json_set_array(root, "attempts");
    for (size_t i = 0; i < n_attempts; i++) {
        store_attempt(fb_json_add_object(items), &attempts[i]);
    }
    return FB_OK;
}

void origin_api_admin_job(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct origin_id id;

    if (origin_api_admin(api, call) < 0 || path_id(call, &id) < 0) {
        return;
    }
    int err = store_whole(api, call, root, &id);
    if (err == FB_OK) {
        origin_api_reply(call, 200, root);
    } else if (err == FB_E_NOT_FOUND) {
        fb_call_problem(call, 404, "no-job", "There is no such job.");
    } else {
        origin_api_broken(call, err, "read a job");
    }
}

/* ---- decisions --------------------------------------------------------------------------------
 */

void origin_api_admin_retry(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct origin_id id;

    if (origin_api_admin(api, call) < 0 || path_id(call, &id) < 0) {
        return;
    }
    int err = origin_catalog_job_retry(api->options.catalog, &id);
    if (err == FB_OK) {
        origin_jobs_wake(api->options.jobs);
        fb_json_set_text(root, "id", id.text);
        fb_json_set_text(root, "state", origin_job_state_text(ORIGIN_JOB_ACTIVE));
        origin_api_reply(call, 202, root);
    } else if (err == FB_E_NOT_FOUND) {
        fb_call_problem(call, 404, "no-job", "There is no such job.");
    } else if (err == FB_E_CONFLICT) {
        fb_call_problem(call, 409, "not-failed",
                        "This job has not failed, or its video is being made by another.");
    } else {
        origin_api_broken(call, err, "retry a job");
    }
}

void origin_api_admin_retry_all(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *body = NULL;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    enum origin_task_reason reason = ORIGIN_REASON_INTERNAL;
    size_t n = 0;

    if (origin_api_admin(api, call) < 0 || origin_api_body(call, &body) < 0) {
        return;
    }
    if (origin_task_reason_parse(fb_json_str(fb_json_find(body, "reason")), &reason) < 0) {
        fb_call_problem(call, 422, "bad-field", "'reason' is none that a task can fail for.");
        return;
    }
    int err = origin_catalog_job_retry_all(api->options.catalog, reason, RETRY_MAX, &n);
    if (err < 0) {
        origin_api_broken(call, err, "retry jobs");
        return;
    }
    origin_jobs_wake(api->options.jobs);
    fb_json_set_int(root, "retried", (int64_t)n);
    origin_api_reply(call, 202, root);
}

void origin_api_admin_priority(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *body = NULL;
    enum origin_priority priority = ORIGIN_PRIORITY_NORMAL;
    struct origin_id id;

    if (origin_api_admin(api, call) < 0 || path_id(call, &id) < 0 ||
        origin_api_body(call, &body) < 0) {
        return;
    }
    if (origin_priority_parse(fb_json_str(fb_json_find(body, "priority")), &priority) < 0) {
        fb_call_problem(call, 422, "bad-field", "'priority' is first, normal or later.");
        return;
    }
    int err = origin_catalog_job_set_priority(api->options.catalog, &id, priority);
    if (err == FB_OK) {
        call->status = 204;
    } else if (err == FB_E_NOT_FOUND) {
        fb_call_problem(call, 404, "no-job", "There is no such job, or it is over.");
    } else {
        origin_api_broken(call, err, "move a job");
    }
}

void origin_api_admin_remake(void *ctx, struct fb_call *call)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    struct origin_video video;

    if (origin_api_admin(api, call) < 0 || origin_api_video(api, call, &video) < 0) {
        return;
    }
    int err = origin_jobs_remake(api->options.jobs, &video.id);
    if (err == FB_OK) {
        fb_json_set_text(root, "id", video.id.text);
        origin_api_reply(call, 202, root);
    } else if (err == FB_E_NOT_FOUND || err == FB_E_BUSY) {
        fb_call_problem(call, 409, "no-source", "The file that was uploaded is not kept.");
    } else if (err == FB_E_EXISTS || err == FB_E_CONFLICT) {
        fb_call_problem(call, 409, "being-made", "This video is being uploaded or made.");
    } else {
        origin_api_broken(call, err, "make a video anew");
    }
}
