/*
 * Publications without a transcode: the test is the worker.
 */
#pragma once

#include "base/core/err.h"
#include "origin/catalog/tasks.h"
#include "origin/model/task.h"

#define PUBLISHING_VERSION "0123456789abcdef"

/* Ends the upload. */
static inline int publishing_queue(struct origin_catalog *catalog, const struct origin_id *video)
{
    struct origin_job_new job = {
        .video = *video, .source = FB_STR("uploads/x/source"), .request = FB_STR("{}")};
    bool is_new = false;
    int err = origin_catalog_job_add(catalog, &job, &is_new);
    return err < 0 || is_new ? err : FB_E_CONFLICT;
}

static inline int publishing_finish(struct origin_catalog *catalog,
                                    const struct origin_job_rules *rules,
                                    const struct origin_task *task,
                                    const struct origin_result *result)
{
    struct origin_job_graph graph = {.recipe = FB_STR("{}"),
                                     .version = fb_str_from(result->version),
                                     .toolchain = FB_STR("t"),
                                     .n_chunks = 1};

    switch (task->kind) {
    case ORIGIN_TASK_PREPARE:
        return origin_catalog_task_finish_prepare(catalog, task, &graph);
    case ORIGIN_TASK_FINISH:
        return origin_catalog_task_finish_all(catalog, rules, task, result);
    default:
        return origin_catalog_task_finish_part(catalog, task);
    }
}

/* Does all tasks that wait: of one job, whose result this is. */
static inline int publishing_work(struct origin_catalog *catalog,
                                  const struct origin_result *result)
{
    struct origin_job_rules rules = {.lease_ms = 60000, .lost = ""};
    struct origin_task_ask ask = {.worker = FB_STR("w"), .toolchain = FB_STR("t")};
    struct origin_task task = {.request = NULL};
    uint32_t n_lost = 0;
    int err = FB_OK;

    while (err == FB_OK &&
           (err = origin_catalog_task_take(catalog, &rules, &ask, &task, &n_lost)) == FB_OK) {
        err = publishing_finish(catalog, &rules, &task, result);
        origin_task_done(&task);
    }
    return err == FB_E_LATER ? FB_OK : err;
}
