/*
 * Who has asked for tasks, and what they do: for the operator's eyes.
 *
 * Who asks says its name; whoever is at work asks for nothing, but renews its lease, which says as
 * well when it was heard of last.
 */
#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/json/json.h"
#include "origin/jobs/jobs_internal.h"

#include <stdio.h>
#include <string.h>

#define FORGOTTEN_MS (24LL * 3600 * 1000)

/* A new one takes the place of the one that was not heard of for longest. */
void origin_jobs_saw_worker(struct origin_jobs *jobs, struct fb_str name)
{
    struct fb_str text = fb_str_first(name, ORIGIN_WORKER_NAME_MAX);
    size_t place = 0;
    bool is_known = false;

    (void)pthread_mutex_lock(&jobs->lock);
    for (size_t i = 0; i < jobs->n_workers && !is_known; i++) {
        is_known = fb_str_equal(fb_str_from(jobs->workers[i].name), text);
        if (is_known || jobs->workers[i].seen_ms < jobs->workers[place].seen_ms) {
            place = i;
        }
    }
    if (!is_known && jobs->n_workers < ORIGIN_JOBS_WORKERS_MAX) {
        place = jobs->n_workers++;
    }
    struct origin_jobs_worker *worker = &jobs->workers[place];
    (void)snprintf(worker->name, sizeof(worker->name), "%.*s", FB_STR_ARG(text));
    worker->seen_ms = fb_clock_wall_ms(jobs->options.clock);
    (void)pthread_mutex_unlock(&jobs->lock);
}

int origin_jobs_look_at_workers(struct origin_jobs *jobs)
{
    FB_AUTO(fb_freep)
    struct origin_task_running *items = fb_alloc_array(ORIGIN_JOBS_WORKERS_MAX, sizeof(*items));
    size_t n = 0;

    int err =
        origin_catalog_tasks_running(jobs->options.catalog, items, ORIGIN_JOBS_WORKERS_MAX, &n);
    if (err < 0) {
        return err;
    }
    (void)pthread_mutex_lock(&jobs->lock);
    memcpy(jobs->running, items, n * sizeof(*items));
    jobs->n_running = n;
    (void)pthread_mutex_unlock(&jobs->lock);
    return FB_OK;
}

static void store_seconds(struct fb_json *item, const char *name, int64_t now_ms, int64_t then_ms)
{
    fb_json_set_int(item, name, now_ms > then_ms ? (now_ms - then_ms) / 1000 : 0);
}

static void store_task(struct fb_json *tasks, const struct origin_task_running *task,
                       int64_t now_ms)
{
    struct fb_json *item = fb_json_add_object(tasks);

    fb_json_set_text(item, "video", task->video.text);
    fb_json_set_text(item, "kind", origin_task_kind_text(task->kind));
    fb_json_set_int(item, "index", task->index);
    fb_json_set_int(item, "progress", task->permille / 10);
    store_seconds(item, "seconds", now_ms, task->leased_ms);
}

/* The lock is held; whatever the round found last may have ended since. */
void origin_jobs_store_workers(const struct origin_jobs *jobs, struct fb_json *root)
{
    struct fb_json *workers = fb_json_set_array(root, "workers");
    int64_t now_ms = fb_clock_wall_ms(jobs->options.clock);

    for (size_t i = 0; i < jobs->n_workers; i++) {
        const struct origin_jobs_worker *worker = &jobs->workers[i];
        int64_t seen_ms = worker->seen_ms;
        for (size_t j = 0; j < jobs->n_running; j++) {
            if (strcmp(jobs->running[j].worker, worker->name) == 0) {
                seen_ms = FB_MAX(seen_ms, jobs->running[j].expires_ms - jobs->rules.lease_ms);
            }
        }
        if (now_ms - seen_ms > FORGOTTEN_MS) {
            continue;
        }
        struct fb_json *item = fb_json_add_object(workers);
        fb_json_set_text(item, "name", worker->name);
        store_seconds(item, "seen_seconds", now_ms, seen_ms);
        struct fb_json *tasks = fb_json_set_array(item, "tasks");
        for (size_t j = 0; j < jobs->n_running; j++) {
            if (strcmp(jobs->running[j].worker, worker->name) == 0) {
                store_task(tasks, &jobs->running[j], now_ms);
            }
        }
    }
}
