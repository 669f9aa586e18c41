#include "base/core/alloc.h"
#include "base/core/arena.h"
#include "base/core/err.h"
#include "base/log/log.h"
#include "origin/catalog/videos.h"
#include "origin/jobs/jobs.h"
#include "origin/jobs/jobs_internal.h"
#include "origin/objects/objects.h"

#include <stdio.h>

/* ---- the source ------------------------------------------------------------ */

/* A worker that was told too late that a video is gone has stored files for it,
 * which nobody else would ever look for. */
static void jobs_sweep(struct origin_jobs *jobs, const struct origin_id *id)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct origin_video video;
    char prefix[ORIGIN_KEY_MAX + 1];

    if (origin_catalog_video_get(jobs->options.catalog, &arena, id, &video) != FB_E_NOT_FOUND) {
        return;
    }
    (void)snprintf(prefix, sizeof(prefix), "media/%s", id->text);
    int err = origin_objects_remove_prefix(jobs->options.objects, fb_str_from(prefix));
    if (err < 0) {
        FB_LOG(WARN, "jobs", "could not remove what is left of a video",
               FB_LOG_TEXT("video", id->text), FB_LOG_TEXT("cause", fb_err_text(err)));
    }
}

static int source_take(void *ctx, struct fb_str worker, struct origin_whole_task *ret_task)
{
    struct origin_jobs *jobs = ctx;
    return origin_catalog_whole_job_take(jobs->options.catalog, &jobs->whole_rules, worker,
                                         ret_task);
}

static int source_renew(void *ctx, const struct origin_whole_task *task, uint32_t permille)
{
    struct origin_jobs *jobs = ctx;
    return origin_catalog_whole_job_renew(jobs->options.catalog, &jobs->whole_rules, task,
                                          permille);
}

static int files_check(struct origin_jobs *jobs, const struct origin_whole_task *task,
                       const struct origin_result *result)
{
    bool has_playlist = false;

    for (size_t i = 0; i < result->n_files; i++) {
        const struct origin_result_file *file = &result->files[i];
        char key[ORIGIN_KEY_MAX + 1];
        struct origin_object object;

        (void)snprintf(key, sizeof(key), "media/%s/%s/%s", task->video.text, result->version,
                       file->path);
        int err = origin_objects_stat(jobs->options.objects, fb_str_from(key), &object);
        if (err < 0 || object.size != file->size) {
            return err < 0 && err != FB_E_NOT_FOUND ? err : FB_E_CORRUPT;
        }
        has_playlist = has_playlist || fb_str_equal(fb_str_from(file->path), FB_STR("master.m3u8"));
    }
    return has_playlist ? FB_OK : FB_E_CORRUPT;
}

static int source_finish(void *ctx, const struct origin_whole_task *task,
                         const struct origin_result *result)
{
    struct origin_jobs *jobs = ctx;

    int err = files_check(jobs, task, result);
    if (err < 0 ||
        (err = origin_catalog_whole_job_finish(jobs->options.catalog, task, result)) < 0) {
        return err;
    }
    FB_LOG(INFO, "jobs", "published a video", FB_LOG_TEXT("video", task->video.text),
           FB_LOG_TEXT("version", result->version), FB_LOG_INT("files", result->n_files),
           FB_LOG_INT("attempt", task->attempt));
    return FB_OK;
}

static int source_fail(void *ctx, const struct origin_whole_task *task, struct fb_str reason,
                       bool is_final)
{
    struct origin_jobs *jobs = ctx;
    bool is_over = false;

    int err = origin_catalog_whole_job_fail(jobs->options.catalog, &jobs->whole_rules, task, reason,
                                            is_final, &is_over);
    if (err < 0) {
        if (err == FB_E_CONFLICT) {
            jobs_sweep(jobs, &task->video);
        }
        return err;
    }
    if (is_over) {
        FB_LOG(WARN, "jobs", "a video failed for good", FB_LOG_TEXT("video", task->video.text),
               FB_LOG_STR("reason", reason));
    } else {
        FB_LOG(WARN, "jobs", "an attempt failed and will be made again",
               FB_LOG_TEXT("video", task->video.text), FB_LOG_STR("reason", reason),
               FB_LOG_INT("attempt", task->attempt));
    }
    return FB_OK;
}

static int source_give_back(void *ctx, const struct origin_whole_task *task)
{
    struct origin_jobs *jobs = ctx;
    int err = origin_catalog_whole_job_give_back(jobs->options.catalog, task);
    if (err == FB_E_CONFLICT) {
        jobs_sweep(jobs, &task->video);
    }
    return err;
}

struct origin_whole_source origin_jobs_whole_source(struct origin_jobs *jobs)
{
    return (struct origin_whole_source){
        .ctx = jobs,
        .take = source_take,
        .renew = source_renew,
        .finish = source_finish,
        .fail = source_fail,
        .give_back = source_give_back,
    };
}

int origin_jobs_whole_queue(struct origin_jobs *jobs, const struct origin_id *video,
                            struct fb_str source, bool *ret_is_new)
{
    int err = origin_catalog_video_queue(jobs->options.catalog, video, source, ret_is_new);
    if (err == FB_OK && *ret_is_new) {
        origin_jobs_wake(jobs);
    }
    return err;
}

int origin_jobs_whole_reclaim(struct origin_jobs *jobs, struct fb_str worker, uint32_t *ret_n)
{
    return origin_catalog_whole_job_reclaim(jobs->options.catalog, worker, ret_n);
}
