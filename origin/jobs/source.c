/*
 * The jobs as a source of tasks.
 */
#include "base/core/alloc.h"
#include "base/core/arena.h"
#include "base/core/err.h"
#include "base/json/json.h"
#include "base/log/log.h"
#include "origin/catalog/videos.h"
#include "origin/jobs/jobs_internal.h"
#include "origin/objects/objects.h"

#include <stdio.h>
#include <string.h>

static const char *const sentences[ORIGIN_N_REASONS] = {
    [ORIGIN_REASON_INPUT] = "This file cannot be read as a video.",
    [ORIGIN_REASON_CODEC] = "This video could not be converted. Another export of it may work.",
    [ORIGIN_REASON_CRASHED] =
        "Our tools stopped in the middle of this video. Another export of it may work.",
    [ORIGIN_REASON_MEMORY] = "This video needs more memory to be converted than it may have.",
    [ORIGIN_REASON_TIME] = "Converting this video took longer than it may take.",
    [ORIGIN_REASON_OUTPUT] = "Converting this video gave more data than it may.",
    [ORIGIN_REASON_STORE] =
        "Something on our side went wrong while processing this video. Please try again later.",
    [ORIGIN_REASON_INTERNAL] =
        "Something on our side went wrong while processing this video. Please try again later.",
    [ORIGIN_REASON_LEASE_LOST] =
        "Processing this video was interrupted again and again. Please upload it once more.",
    [ORIGIN_REASON_MISSING] =
        "Something on our side went wrong while processing this video. Please try again later.",
};

const char *origin_jobs_sentence(enum origin_task_reason reason)
{
    return sentences[reason];
}

void origin_jobs_sweep_gone(struct origin_jobs *jobs, const struct origin_id *id)
{
    static const char *const prefixes[] = {"media", "work", "uploads"};
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct origin_video video;
    char prefix[ORIGIN_KEY_MAX + 1];

    if (id->text[0] == '\0' ||
        origin_catalog_video_get(jobs->options.catalog, &arena, id, &video) != FB_E_NOT_FOUND) {
        return;
    }
    for (size_t i = 0; i < FB_ARRAY_LEN(prefixes); i++) {
        (void)snprintf(prefix, sizeof(prefix), "%s/%s", prefixes[i], id->text);
        int err = origin_objects_remove_prefix(jobs->options.objects, fb_str_from(prefix));
        if (err < 0) {
            FB_LOG(WARN, "jobs", "could not remove what is left of a video",
                   FB_LOG_TEXT("video", id->text), FB_LOG_TEXT("cause", fb_err_text(err)));
        }
    }
}

/* ---- taking ------------------------------------------------------------------------- */

static int request_degrade(struct origin_task *task)
{
    FB_AUTO(fb_json_freep) struct fb_json *root = NULL;
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    int err = fb_json_parse(fb_str_from(task->request), ORIGIN_REQUEST_MAX, &root, NULL);
    if (err < 0) {
        return err;
    }
    fb_json_set_bool(root, "is_degraded", true);
    fb_json_dump(root, &text);
    fb_free(task->request);
    task->request = fb_str_dup(fb_buf_str(&text));
    return FB_OK;
}

/* Who does not encrypt learns the key's id alone. */
static int task_add_key(struct origin_jobs *jobs, struct origin_task *task)
{
    FB_AUTO(fb_json_freep) struct fb_json *root = NULL;
    struct origin_request request;

    int err = fb_json_parse(fb_str_from(task->request), ORIGIN_REQUEST_MAX, &root, NULL);
    if (err < 0 || (err = origin_request_load(root, &request, NULL)) < 0 ||
        request.encryption == ORIGIN_SCHEME_CLEAR) {
        return err;
    }
    if (jobs->options.content_key == NULL) {
        return FB_E_UNSUPPORTED;
    }
    err = jobs->options.content_key(jobs->options.content_key_ctx, &task->video, &task->job,
                                    request.encryption, &task->key);
    if (err == FB_OK && task->kind != ORIGIN_TASK_CHUNK && task->kind != ORIGIN_TASK_SOUND) {
        memset(task->key.key, 0, sizeof(task->key.key));
    }
    return err;
}

static int task_complete(struct origin_jobs *jobs, bool is_degraded, struct origin_task *task)
{
    int err = FB_OK;

    task->limits = jobs->options.limits;
    if (is_degraded && task->kind == ORIGIN_TASK_PREPARE) {
        err = request_degrade(task);
    }
    return err < 0 ? err : task_add_key(jobs, task);
}

static int source_fail(void *ctx, const struct origin_task *task,
                       const struct origin_task_failure *failure);

static int source_take(void *ctx, const struct origin_task_ask *ask, struct origin_task *ret_task)
{
    struct origin_jobs *jobs = ctx;
    struct origin_job_rules rules = jobs->rules;
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    uint32_t n_lost = 0;

    rules.is_degraded = atomic_load(&jobs->is_degraded);
    origin_jobs_saw(jobs, ask->toolchain);
    origin_jobs_saw_worker(jobs, ask->worker);
    int err = origin_catalog_task_take(jobs->options.catalog, &rules, ask, &task, &n_lost);
    origin_jobs_add(jobs, ORIGIN_JOBS_METRIC_FAILED + ORIGIN_REASON_LEASE_LOST, n_lost);
    if (n_lost > 0) {
        FB_LOG(WARN, "jobs", "workers fell silent, what they had goes to others",
               FB_LOG_INT("tasks", n_lost));
    }
    if (err < 0) {
        return err;
    }
    err = task_complete(jobs, rules.is_degraded, &task);
    if (err < 0) {
        FB_LOG(ERROR, "jobs", "could not make a task ready for a worker",
               FB_LOG_TEXT("video", task.video.text), FB_LOG_TEXT("cause", fb_err_text(err)));
        struct origin_task_failure failure = {.reason = ORIGIN_REASON_INTERNAL,
                                              .log = fb_str_from(fb_err_text(err))};
        FB_IGNORE(source_fail(jobs, &task, &failure)); /* else its lease expires */
        return FB_E_LATER;
    }
    *ret_task = task;
    task = (struct origin_task){.request = NULL};
    return FB_OK;
}

static int source_renew(void *ctx, const struct origin_task *task, uint32_t permille)
{
    struct origin_jobs *jobs = ctx;
    return origin_catalog_task_renew(jobs->options.catalog, &jobs->rules, task, permille);
}

/* ---- other ends ------------------------------------------------------------------------- */

static int source_fail(void *ctx, const struct origin_task *task,
                       const struct origin_task_failure *failure)
{
    struct origin_jobs *jobs = ctx;
    struct origin_task_failure told = *failure;
    bool is_over = false;

    if (told.sentence.len == 0) {
        told.sentence = fb_str_from(origin_jobs_sentence(told.reason));
    }
    int err = origin_catalog_task_fail(jobs->options.catalog, &jobs->rules, task, &told, &is_over);
    if (err < 0) {
        if (err == FB_E_CONFLICT) {
            origin_jobs_sweep_gone(jobs, &task->video);
        }
        return err;
    }
    origin_jobs_add(jobs, ORIGIN_JOBS_METRIC_FAILED + told.reason, 1);
    origin_jobs_add(jobs, ORIGIN_JOBS_METRIC_DEAD, is_over ? 1 : 0);
    FB_LOG(WARN, "jobs",
           is_over ? "a video failed for good" : "an attempt failed and will be made again",
           FB_LOG_TEXT("video", task->video.text), FB_LOG_TEXT("task", task->task.text),
           FB_LOG_TEXT("reason", origin_task_reason_text(told.reason)),
           FB_LOG_STR("sentence", fb_str_first(told.sentence, ORIGIN_REASON_MAX)));
    return FB_OK;
}

static int source_give_back(void *ctx, const struct origin_task *task)
{
    struct origin_jobs *jobs = ctx;
    int err = origin_catalog_task_give_back(jobs->options.catalog, task);
    if (err == FB_E_CONFLICT) {
        origin_jobs_sweep_gone(jobs, &task->video);
    }
    return err;
}

struct origin_task_source origin_jobs_source(struct origin_jobs *jobs)
{
    return (struct origin_task_source){
        .ctx = jobs,
        .take = source_take,
        .renew = source_renew,
        .finish = origin_jobs_finish,
        .fail = source_fail,
        .give_back = source_give_back,
    };
}
