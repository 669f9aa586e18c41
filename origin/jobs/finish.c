/*
 * The end of a task: what it says it made is looked for, and held against what is known of it.
 *
 * Digests are known from whom the bytes passed: what a worker elsewhere sends, the origin hashes on
 * its way in (task_objects_put.c); a worker with a store of its own hashes what it puts, and is
 * believed, for it could overwrite anything at any time. What is published without that, or says
 * something else, is read back and decides itself.
 */
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/json/json.h"
#include "base/log/log.h"
#include "origin/catalog/stored.h"
#include "origin/jobs/jobs_internal.h"
#include "origin/model/recipe.h"
#include "origin/objects/objects.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PAGE = 1000 };

#define PUBLISH_LIST "publish.json"

/* ---- what is there ------------------------------------------------------------------- */

static void media_key(const struct origin_task *task, const char *path,
                      char key[ORIGIN_KEY_MAX + 1])
{
    (void)snprintf(key, ORIGIN_KEY_MAX + 1, "media/%s/%s%s%s", task->video.text, task->version,
                   path[0] != '\0' ? "/" : "", path);
}

static int file_is_wrong(const struct origin_task *task, const char *path, const char *how)
{
    FB_LOG(WARN, "jobs", "a file is not what the result of a task says",
           FB_LOG_TEXT("video", task->video.text), FB_LOG_TEXT("path", path),
           FB_LOG_TEXT("detail", how));
    return FB_E_CORRUPT;
}

static int compare_paths(const void *a, const void *b)
{
    const struct origin_result_file *left = a;
    const struct origin_result_file *right = b;
    return strcmp(left->path, right->path);
}

/* A page of what there is, against those of `files` that are in its range; both in the order of
 * paths. */
static int page_check(const struct origin_task *task, const struct origin_listed *items, size_t n,
                      const struct origin_result *result, size_t *next)
{
    char key[ORIGIN_KEY_MAX + 1];

    for (size_t i = 0; i < n && *next < result->n_files; i++) {
        const struct origin_result_file *file = &result->files[*next];
        media_key(task, file->path, key);
        int order = strcmp(items[i].key, key);
        if (order > 0) {
            return file_is_wrong(task, file->path, "it is not there");
        }
        for (; order == 0 && *next < result->n_files; ++*next) { /* it may be named twice */
            const struct origin_result_file *named = &result->files[*next];
            if (strcmp(named->path, file->path) != 0) {
                break;
            }
            if (named->size != items[i].size) {
                return file_is_wrong(task, named->path, "it has another size");
            }
        }
    }
    return FB_OK;
}

/* All at once, for a question about each of thousands takes long where objects are far. */
static int files_check(struct origin_jobs *jobs, const struct origin_task *task,
                       const struct origin_result *result)
{
    FB_AUTO(fb_freep)
    struct origin_listed *items = fb_alloc_array(PAGE, sizeof(*items));
    char prefix[ORIGIN_KEY_MAX + 1];
    struct fb_str after = FB_STR_NONE;
    size_t next = 0;
    size_t n = PAGE;
    int err = FB_OK;

    media_key(task, "", prefix);
    while (err == FB_OK && n == PAGE && next < result->n_files) {
        err =
            origin_objects_list(jobs->options.objects, fb_str_from(prefix), after, items, PAGE, &n);
        if (err == FB_OK) {
            err = page_check(task, items, n, result, &next);
            after = fb_str_from(n > 0 ? items[n - 1].key : "");
        }
    }
    return err == FB_OK && next < result->n_files
               ? file_is_wrong(task, result->files[next].path, "it is not there")
               : err;
}

/* ---- what it hashes to ------------------------------------------------------------------ */

static int file_read_back(struct origin_jobs *jobs, const struct origin_task *task,
                          const struct origin_result_file *file)
{
    FB_AUTO(origin_object_done) struct origin_object object = {.fd = -1};
    uint8_t sha256[ORIGIN_DIGEST_LEN];
    char key[ORIGIN_KEY_MAX + 1];

    media_key(task, file->path, key);
    int err = origin_objects_get(jobs->options.objects, fb_str_from(key), &object);
    if (err == FB_E_NOT_FOUND || (err == FB_OK && object.size != file->size)) {
        return file_is_wrong(task, file->path, "it is not there with that size");
    }
    if (err < 0 || (err = origin_object_hash(&object, sha256)) < 0) {
        return err;
    }
    return memcmp(sha256, file->sha256, sizeof(sha256)) == 0
               ? FB_OK
               : file_is_wrong(task, file->path, "it has another digest");
}

/* *ret_is_news: there is something in `files` that was not known so. */
static int digests_check(struct origin_jobs *jobs, const struct origin_task *task,
                         const struct origin_result *files, bool believes, bool *ret_is_news)
{
    FB_AUTO(fb_freep)
    enum origin_stored_match *matches =
        fb_alloc_array(FB_MAX(files->n_files, (size_t)1), sizeof(*matches));
    bool is_news = false;

    int err = origin_catalog_stored_compare(jobs->options.catalog, &task->video, task->version,
                                            files->files, files->n_files, matches);
    for (size_t i = 0; err == FB_OK && i < files->n_files; i++) {
        is_news = is_news || matches[i] != ORIGIN_STORED_SAME;
        if (matches[i] == ORIGIN_STORED_OTHER ||
            (matches[i] == ORIGIN_STORED_UNKNOWN && !believes)) {
            err = file_read_back(jobs, task, &files->files[i]);
        }
    }
    *ret_is_news = is_news;
    return err;
}

/* That publish.json, which anybody may read, says the same. Both lists are sorted. */
static int publish_list_check(struct origin_jobs *jobs, const struct origin_task *task,
                              const struct origin_result *result)
{
    static const char name[] = PUBLISH_LIST;
    FB_AUTO(origin_result_done) struct origin_result told = {.files = NULL};
    FB_AUTO(fb_json_freep) struct fb_json *root = NULL;
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    char key[ORIGIN_KEY_MAX + 1];
    size_t n = 0;

    media_key(task, name, key);
    int err = origin_objects_get_bytes(jobs->options.objects, fb_str_from(key),
                                       ORIGIN_TASK_RESULT_MAX, &text);
    if (err < 0 && err != FB_E_NOT_FOUND && err != FB_E_LIMIT) {
        return err;
    }
    if (err < 0 || fb_json_parse(fb_buf_str(&text), ORIGIN_TASK_RESULT_MAX, &root, NULL) < 0 ||
        origin_files_load(root, &told, NULL) < 0) {
        return file_is_wrong(task, name, "it is no list of files");
    }
    qsort(told.files, told.n_files, sizeof(*told.files), compare_paths);
    for (size_t i = 0; i < result->n_files; i++) {
        const struct origin_result_file *file = &result->files[i];
        if (strcmp(file->path, name) != 0 &&
            (n == told.n_files || strcmp(told.files[n].path, file->path) != 0 ||
             memcmp(told.files[n++].sha256, file->sha256, sizeof(file->sha256)) != 0)) {
            return file_is_wrong(task, name, "it lists something else");
        }
    }
    return n == told.n_files ? FB_OK : file_is_wrong(task, name, "it lists something else");
}

/* ---- the kinds of tasks ------------------------------------------------------------------- */

static bool result_has(const struct origin_result *result, const char *path)
{
    for (size_t i = 0; i < result->n_files; i++) {
        if (strcmp(result->files[i].path, path) == 0) {
            return true;
        }
    }
    return false;
}

/* What is published, to the last byte. */
static int result_check(struct origin_jobs *jobs, const struct origin_task *task,
                        struct origin_result *result)
{
    const char *entry = task->pass == ORIGIN_PASS_EARLY ? "early.m3u8" : "master.m3u8";
    bool is_news = false;

    if (strcmp(result->version, task->version) != 0) {
        return FB_E_MALFORMED;
    }
    if (!result_has(result, entry)) {
        return file_is_wrong(task, entry, "it is not in the result");
    }
    qsort(result->files, result->n_files, sizeof(*result->files), compare_paths);
    int err = files_check(jobs, task, result);
    if (err < 0 || (err = digests_check(jobs, task, result, false, &is_news)) < 0) {
        return err;
    }
    return result_has(result, PUBLISH_LIST) ? publish_list_check(jobs, task, result) : FB_OK;
}

static int finish_prepare(struct origin_jobs *jobs, const struct origin_task *task,
                          const struct fb_json *result)
{
    const struct fb_json *about = fb_json_find(result, "recipe");
    FB_AUTO(origin_recipe_done) struct origin_recipe recipe = {.n_chunks = 0};
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    char version[ORIGIN_VERSION_LEN + 1];
    struct fb_diag diag = {.err = FB_OK};

    int err = origin_recipe_load(about, &recipe, &diag);
    if (err < 0) {
        FB_LOG(WARN, "jobs", "a recipe cannot be read", FB_LOG_TEXT("video", task->video.text),
               FB_LOG_TEXT("detail", diag.text));
        return FB_E_MALFORMED;
    }
    bool has_passes = false;
    for (size_t i = 0; i < recipe.n_rungs; i++) {
        has_passes = has_passes || recipe.rungs[i].pass == ORIGIN_PASS_EARLY;
    }
    origin_recipe_version(&recipe, version);
    origin_recipe_dump(&text, &recipe);
    return origin_catalog_task_finish_prepare(
        jobs->options.catalog, task,
        &(struct origin_job_graph){.recipe = fb_buf_str(&text),
                                   .version = fb_str_from(version),
                                   .toolchain = fb_str_from(recipe.toolchain),
                                   .n_chunks = (uint32_t)recipe.n_chunks,
                                   .has_sound = true, /* text belongs to it too */
                                   .has_passes = has_passes});
}

/* Files that the origin has not seen pass are as they are told. */
static int part_note(struct origin_jobs *jobs, const struct origin_task *task,
                     const struct fb_json *about)
{
    FB_AUTO(origin_result_done) struct origin_result files = {.files = NULL};
    bool is_news = false;

    if (fb_json_count(fb_json_find(about, "files")) == 0) {
        return FB_OK;
    }
    if (origin_files_load(about, &files, NULL) < 0) {
        return FB_E_MALFORMED;
    }
    int err = digests_check(jobs, task, &files, true, &is_news);
    return err < 0 || !is_news ? err
                               : origin_catalog_stored_note(jobs->options.catalog, task,
                                                            files.files, files.n_files);
}

static int finish_part(struct origin_jobs *jobs, const struct origin_task *task,
                       const struct fb_json *about)
{
    struct origin_object object;
    char key[ORIGIN_KEY_MAX + 1];

    origin_task_part_key(task, key);
    int err = origin_objects_stat(jobs->options.objects, fb_str_from(key), &object);
    if (err < 0) {
        return err == FB_E_NOT_FOUND ? FB_E_CORRUPT : err;
    }
    err = part_note(jobs, task, about);
    return err < 0 ? err : origin_catalog_task_finish_part(jobs->options.catalog, task);
}

static int finish_all(struct origin_jobs *jobs, const struct origin_task *task,
                      const struct fb_json *about)
{
    FB_AUTO(origin_result_done) struct origin_result result = {.files = NULL};
    struct fb_diag diag = {.err = FB_OK};

    int err = origin_result_load(about, &result, &diag);
    if (err < 0) {
        FB_LOG(WARN, "jobs", "a result cannot be read", FB_LOG_TEXT("video", task->video.text),
               FB_LOG_TEXT("detail", diag.text));
        return FB_E_MALFORMED;
    }
    if ((err = result_check(jobs, task, &result)) < 0 ||
        (err = origin_catalog_task_finish_all(jobs->options.catalog, &jobs->rules, task, &result)) <
            0) {
        return err;
    }
    origin_jobs_add(jobs, ORIGIN_JOBS_METRIC_PUBLISHED, 1);
    FB_LOG(INFO, "jobs",
           task->pass == ORIGIN_PASS_EARLY ? "published the early pass of a video"
                                           : "published a video",
           FB_LOG_TEXT("video", task->video.text), FB_LOG_TEXT("version", result.version),
           FB_LOG_INT("files", result.n_files), FB_LOG_INT("attempt", task->attempt));
    return FB_OK;
}

/* The worker's word for which task it has is not taken: the lease says it. */
int origin_jobs_finish(void *ctx, const struct origin_task *told, struct fb_str text)
{
    struct origin_jobs *jobs = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *result = NULL;
    struct origin_task task;

    int err = fb_json_parse(text, ORIGIN_TASK_RESULT_MAX, &result, NULL);
    if (err < 0) {
        return FB_E_MALFORMED;
    }
    err = origin_catalog_task_holder(jobs->options.catalog, &told->task, &told->lease, &task);
    if (err == FB_E_EXISTS) {
        return FB_OK; /* the answer to an earlier call was lost */
    }
    if (err == FB_OK) {
        err = task.kind == ORIGIN_TASK_PREPARE  ? finish_prepare(jobs, &task, result)
              : task.kind == ORIGIN_TASK_FINISH ? finish_all(jobs, &task, result)
                                                : finish_part(jobs, &task, result);
    }
    if (err == FB_OK) {
        origin_jobs_add(jobs, ORIGIN_JOBS_METRIC_DONE + task.kind, 1);
        origin_jobs_wake(jobs); /* there may be more to do than before */
    } else if (err == FB_E_CONFLICT) {
        origin_jobs_sweep_gone(jobs, &told->video);
    }
    return err;
}
