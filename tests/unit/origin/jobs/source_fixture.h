/*
 * The jobs of a site as a source of tasks, over a catalog and a folder of objects, and workers who
 * store what their tasks ask for.
 */
#pragma once

#include "../catalog/jobs_fixture.h"
#include "base/crypto/hash.h"
#include "base/json/json.h"
#include "origin/jobs/jobs.h"
#include "origin/model/recipe.h"
#include "origin/objects/objects.h"

#include <stdatomic.h>

struct site {
    struct fixture *f; /* the catalog's */
    struct origin_objects *objects;
    struct origin_jobs *jobs;
    struct origin_task_source source;
    struct origin_jobs_options options;
    atomic_uint n_wakes;
};

static inline void site_woken(void *ctx)
{
    atomic_fetch_add(&((struct site *)ctx)->n_wakes, 1);
}

/* The jobs anew, as site->options says: what the process remembered is gone. */
static inline void site_start(struct site *site)
{
    origin_jobs_free(site->jobs);
    site->options.catalog = site->f->catalog;
    site->options.objects = site->objects;
    site->options.clock = &site->f->clock.clock;
    site->jobs = origin_jobs_new(&site->options);
    origin_jobs_on_queued(site->jobs, site_woken, site);
    site->source = origin_jobs_source(site->jobs);
}

static inline int site_set_up(void **state)
{
    struct site *site = FB_NEW(struct site);
    char url[TEST_PATH_MAX + 32];
    void *fixture = NULL;

    (void)set_up(&fixture);
    site->f = fixture;
    (void)snprintf(url, sizeof(url), "file:%s/objects", site->f->folder.path);
    must(origin_objects_open(&(struct origin_objects_options){.url = fb_str_from(url)},
                             &site->objects, NULL));
    site->options = (struct origin_jobs_options){.request = origin_request_preset(),
                                                 .lease_ms = 1000,
                                                 .backoff_ms = 1000,
                                                 .max_backoff_ms = 4000};
    site_start(site);
    *state = site;
    return 0;
}

static inline int site_tear_down(void **state)
{
    struct site *site = *state;
    void *fixture = site->f;

    origin_jobs_free(site->jobs);
    origin_objects_close(site->objects);
    (void)tear_down(&fixture);
    fb_free(site);
    return 0;
}

/* A video whose upload is there and whose job is queued. */
static inline struct origin_id site_queue(struct site *site)
{
    struct origin_id id = add_video(site->f, &site->f->user);
    char source[ORIGIN_KEY_MAX + 1];
    bool is_new = false;

    (void)snprintf(source, sizeof(source), "uploads/%s/source", id.text);
    must(origin_objects_put_bytes(site->objects, fb_str_from(source), FB_STR("a film")));
    must(origin_jobs_queue(site->jobs, &id, fb_str_from(source), &is_new));
    assert_true(is_new);
    return id;
}

static inline int site_take(struct site *site, const char *worker, struct origin_task *task)
{
    origin_task_done(task);
    return site->source.take(
        site->source.ctx,
        &(struct origin_task_ask){.worker = fb_str_from(worker), .toolchain = FB_STR(JOBS_TOOLS)},
        task);
}

/* Of two chunks, and one rendition in each pass. */
static inline void site_prepared(bool has_passes, struct fb_buf *text)
{
    struct origin_recipe_chunk chunks[] = {
        {.n_places = 240, .first_segment = 1, .entry = {.pts = 0, .dts = 0, .at = 0, .bytes = 7}},
        {.first_place = 240,
         .n_places = 125,
         .first_segment = 3,
         .entry = {.packet = 230, .pts = 9000, .dts = 9000, .at = 5, .bytes = 8}},
    };
    struct origin_recipe recipe = {
        .request = origin_request_preset(),
        .toolchain = JOBS_TOOLS,
        .n_threads = 1,
        .source_bytes = 6,
        .width = 640,
        .height = 360,
        .rate_num = 30,
        .rate_den = 1,
        .n_places = 365,
        .duration_ms = 12167,
        .sheet_ms = 4000,
        .scan = "whole",
        .rungs =
            {{.rung = 360, .width = 640, .height = 360, .crf = 23, .max_rate = 8, .buffer = 9},
             {.rung = 144, .width = 256, .height = 144, .crf = 23, .max_rate = 8, .buffer = 9}},
        .n_rungs = 2,
        .chunks = chunks,
        .n_chunks = FB_ARRAY_LEN(chunks),
    };

    if (has_passes) {
        recipe.rungs[0].pass = ORIGIN_PASS_LATE;
        recipe.rungs[1].pass = ORIGIN_PASS_EARLY;
    }
    fb_buf_printf(text, "{\"recipe\":");
    origin_recipe_dump(text, &recipe);
    fb_buf_printf(text, "}");
}

/* Stores the playlist of a version, and lists it. */
static inline void site_finished(struct site *site, const struct origin_task *task,
                                 struct fb_buf *text)
{
    const char *name = task->pass == ORIGIN_PASS_EARLY ? "early.m3u8" : "master.m3u8";
    FB_AUTO(fb_json_freep) struct fb_json *json = fb_json_new_object();
    FB_AUTO(origin_result_done)
    struct origin_result result = {.duration_ms = 12167, .width = 640, .height = 360, .n_files = 1};
    char key[ORIGIN_KEY_MAX + 1];

    (void)snprintf(result.version, sizeof(result.version), "%s", task->version);
    result.files = FB_NEW(struct origin_result_file);
    (void)snprintf(result.files[0].path, sizeof(result.files[0].path), "%s", name);
    (void)snprintf(result.files[0].type, sizeof(result.files[0].type),
                   "application/vnd.apple.mpegurl");
    result.files[0].size = 7;
    fb_sha256(FB_STR("#EXTM3U"), result.files[0].sha256);
    (void)snprintf(key, sizeof(key), "media/%s/%s/%s", task->video.text, task->version, name);
    must(origin_objects_put_bytes(site->objects, fb_str_from(key), FB_STR("#EXTM3U")));
    origin_result_store(json, &result);
    fb_json_dump(json, text);
}

/* Does what the task asks for, up to its end. */
static inline int site_do(struct site *site, const struct origin_task *task, bool has_passes)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    char key[ORIGIN_KEY_MAX + 1];

    switch (task->kind) {
    case ORIGIN_TASK_PREPARE:
        site_prepared(has_passes, &text);
        break;
    case ORIGIN_TASK_FINISH:
        site_finished(site, task, &text);
        break;
    default:
        origin_task_part_key(task, key);
        must(origin_objects_put_bytes(site->objects, fb_str_from(key), FB_STR("{}")));
        fb_buf_printf(&text, "{}");
        break;
    }
    return site->source.finish(site->source.ctx, task, fb_buf_str(&text));
}

static inline int site_fail(struct site *site, const struct origin_task *task,
                            enum origin_task_reason reason)
{
    const struct origin_task_failure failure = {.reason = reason};
    return (site->source.fail)(site->source.ctx, task, &failure); /* cmocka has a macro fail() */
}

/* Until there is nothing to do; how many tasks were done. */
static inline unsigned site_work(struct site *site, bool has_passes)
{
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    unsigned n = 0;

    while (site_take(site, "w", &task) == FB_OK) {
        must(site_do(site, &task, has_passes));
        n++;
    }
    return n;
}

static inline bool site_has(struct site *site, const char *folder, const struct origin_id *video)
{
    char prefix[ORIGIN_KEY_MAX + 1];
    struct origin_listed listed;
    size_t n = 0;

    (void)snprintf(prefix, sizeof(prefix), "%s/%s", folder, video->text);
    must(origin_objects_list(site->objects, fb_str_from(prefix), FB_STR(""), &listed, 1, &n));
    return n > 0;
}
