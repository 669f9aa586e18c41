/*
 * Jobs of the fixture's user, and workers who do their tasks.
 */
#pragma once

#include "catalog_fixture.h"
#include "origin/catalog/sweeps.h"
#include "origin/catalog/tasks.h"

#define JOBS_VERSION "0123456789abcdef"
#define JOBS_TOOLS   "tools 1"

/* One attempt for the input's fault, three for anything else. */
static inline struct origin_job_rules jobs_rules(void)
{
    struct origin_job_rules rules = {.lease_ms = 1000,
                                     .backoff_ms = 100,
                                     .max_backoff_ms = 150,
                                     .lost = "too often",
                                     .keeps_original = true,
                                     .keep_replaced_ms = 3600000};

    for (size_t i = 0; i < ORIGIN_N_REASONS; i++) {
        rules.attempts[i] = 3;
    }
    return rules;
}

static inline int jobs_add(struct fixture *f, const struct origin_id *video,
                           enum origin_priority priority, bool is_again, bool *ret_is_new)
{
    return origin_catalog_job_add(f->catalog,
                                  &(struct origin_job_new){.video = *video,
                                                           .source = FB_STR("uploads/x/source"),
                                                           .request = FB_STR("{\"crf\":20}"),
                                                           .priority = priority,
                                                           .is_again = is_again},
                                  ret_is_new);
}

static inline struct origin_id jobs_queue(struct fixture *f, enum origin_priority priority)
{
    struct origin_id id = add_video(f, &f->user);
    bool is_new = false;
    must(jobs_add(f, &id, priority, false, &is_new));
    assert_true(is_new);
    return id;
}

static inline int jobs_take_by(struct fixture *f, const char *worker, const char *tools,
                               struct origin_task *task)
{
    struct origin_job_rules rules = jobs_rules();
    uint32_t n_lost = 0;
    origin_task_done(task);
    return origin_catalog_task_take(
        f->catalog, &rules,
        &(struct origin_task_ask){.worker = fb_str_from(worker), .toolchain = fb_str_from(tools)},
        task, &n_lost);
}

static inline int jobs_take(struct fixture *f, struct origin_task *task)
{
    return jobs_take_by(f, "w", JOBS_TOOLS, task);
}

static inline struct origin_job_graph jobs_graph(uint32_t n_chunks, bool has_passes)
{
    return (struct origin_job_graph){.recipe = FB_STR("{\"chunks\":[]}"),
                                     .version = FB_STR(JOBS_VERSION),
                                     .toolchain = FB_STR(JOBS_TOOLS),
                                     .n_chunks = n_chunks,
                                     .has_sound = true,
                                     .has_passes = has_passes};
}

static inline int jobs_publish(struct fixture *f, const struct origin_task *task)
{
    struct origin_job_rules rules = jobs_rules();
    struct origin_result result = {.duration_ms = 4000, .width = 640, .height = 360, .n_files = 1};

    (void)snprintf(result.version, sizeof(result.version), "%s", task->version);
    result.n_renditions = 2;
    result.renditions[0] = (struct origin_result_rendition){360, 640, 1000, "avc1"};
    result.renditions[1] = (struct origin_result_rendition){144, 256, 100, "avc1"};
    result.files = FB_NEW(struct origin_result_file);
    result.files[0] = (struct origin_result_file){"master.m3u8", "text/plain", 10, {1, 2, 3}};
    int err = origin_catalog_task_finish_all(f->catalog, &rules, task, &result);
    origin_result_done(&result);
    return err;
}

/* Whatever it is, done. */
static inline int jobs_finish(struct fixture *f, const struct origin_task *task,
                              const struct origin_job_graph *graph)
{
    switch (task->kind) {
    case ORIGIN_TASK_PREPARE:
        return origin_catalog_task_finish_prepare(f->catalog, task, graph);
    case ORIGIN_TASK_CHUNK:
    case ORIGIN_TASK_SOUND:
        return origin_catalog_task_finish_part(f->catalog, task);
    default:
        return jobs_publish(f, task);
    }
}

/* Takes and finishes until there is nothing to do. */
static inline void jobs_work(struct fixture *f, const struct origin_job_graph *graph)
{
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};

    while (jobs_take(f, &task) == FB_OK) {
        must(jobs_finish(f, &task, graph));
    }
}

static inline int jobs_fail(struct fixture *f, const struct origin_task *task,
                            enum origin_task_reason reason, bool is_final, bool *ret_is_over)
{
    struct origin_job_rules rules = jobs_rules();
    return origin_catalog_task_fail(f->catalog, &rules, task,
                                    &(struct origin_task_failure){.reason = reason,
                                                                  .is_final = is_final,
                                                                  .sentence = FB_STR("It broke."),
                                                                  .log = FB_STR("last words")},
                                    ret_is_over);
}

/* The one that stands first among those in that state. */
static inline struct origin_job jobs_first(struct fixture *f, enum origin_job_state state)
{
    struct origin_job *jobs = NULL;
    size_t n = 0;
    must(origin_catalog_job_list(
        f->catalog, &f->arena, &(struct origin_job_query){.state = state, .limit = 10}, &jobs, &n));
    assert_true(n > 0);
    return jobs[0];
}
