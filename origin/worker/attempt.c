/*
 * One attempt at one task, on a worker's thread.
 */
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/json/json.h"
#include "base/log/log.h"
#include "base/sys/backoff.h"
#include "base/sys/file.h"
#include "origin/model/recipe.h"
#include "origin/objects/objects.h"
#include "origin/worker/worker_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    PATH_LEN = ORIGIN_ORDER_PATH_MAX + 1,
    MODE_FOLDER = 0700,
    /* Shares of the progress, in 1000: the rest is the child's. */
    SHARE_FETCH = 20,
    SHARE_STORE = 30
};

#define PART_MAX (64UL * 1024 * 1024)

/* Of a finish that nobody heard. */
static const struct fb_backoff pauses = {250, 10000, FB_BACKOFF_HALF};

struct attempt {
    const struct origin_attempt_options *options;
    const struct origin_task *task;
    struct origin_hold hold;
    struct origin_objects *objects; /* owned if the task has its own */
    struct origin_source *source;   /* owned */
    char inputs[PATH_LEN];
    char output[PATH_LEN];
    uint32_t n_inputs;
    struct origin_result stored; /* owned; of which the files count */
    struct origin_confine_end end;
    struct origin_trouble trouble;
};

static bool attempt_is_canceled(void *ctx)
{
    struct attempt *attempt = ctx;
    return origin_hold_is_lost(&attempt->hold) ||
           attempt->options->is_stopping(attempt->options->ctx);
}

static void attempt_on_progress(void *ctx, uint32_t permille)
{
    struct attempt *attempt = ctx;
    attempt->hold.permille = SHARE_FETCH + permille * (1000 - SHARE_FETCH - SHARE_STORE) / 1000;
}

/* What this worker could not do, by itself. */
static int attempt_blame(struct attempt *attempt, enum origin_task_reason reason, int err,
                         const char *what)
{
    if (err < 0 && err != FB_E_CANCELED) {
        origin_trouble_of_worker(reason, err, what, &attempt->trouble);
    }
    return err;
}

/* ---- what goes in -------------------------------------------------------------------- */

static int attempt_open(struct attempt *attempt)
{
    const struct origin_workers_options *workers = attempt->options->workers;
    int n = snprintf(attempt->inputs, PATH_LEN, "%s/in", attempt->options->scratch);
    int m = snprintf(attempt->output, PATH_LEN, "%s/out", attempt->options->scratch);

    if (n >= PATH_LEN || m >= PATH_LEN) {
        return -ENAMETOOLONG;
    }
    int err = FB_OK;
    if ((err = fb_dir_remove(AT_FDCWD, attempt->inputs)) < 0 ||
        (err = fb_dir_remove(AT_FDCWD, attempt->output)) < 0 ||
        (err = fb_dir_make(AT_FDCWD, attempt->inputs, MODE_FOLDER)) < 0 ||
        (err = fb_dir_make(AT_FDCWD, attempt->output, MODE_FOLDER)) < 0) {
        return err;
    }
    attempt->objects = workers->objects;
    return attempt->objects != NULL
               ? FB_OK
               : workers->open_objects(workers->objects_ctx, attempt->task, &attempt->objects);
}

static int attempt_fetch_input(struct attempt *attempt, const char *key)
{
    const struct origin_transfer transfer = {.ctx = attempt, .is_canceled = attempt_is_canceled};
    char path[PATH_LEN + 16];

    (void)snprintf(path, sizeof(path), "%s/%u", attempt->inputs, attempt->n_inputs);
    int err = origin_objects_fetch(attempt->objects, fb_str_from(key), path, &transfer);
    attempt->n_inputs += err == FB_OK ? 1 : 0;
    return err;
}

/* The part of another task of the same version. */
static int attempt_fetch_part(struct attempt *attempt, enum origin_task_kind kind,
                              enum origin_task_pass pass, uint32_t index)
{
    struct origin_task other = *attempt->task;
    char key[ORIGIN_KEY_MAX + 1];

    other.kind = kind;
    other.pass = pass;
    other.index = index;
    origin_task_part_key(&other, key);
    origin_content_key_done(&other.key);
    return attempt_fetch_input(attempt, key);
}

static int attempt_fetch_chunks(struct attempt *attempt, enum origin_task_pass pass, size_t n)
{
    int err = FB_OK;

    for (size_t i = 0; err == FB_OK && i < n; i++) {
        err = attempt_fetch_part(attempt, ORIGIN_TASK_CHUNK, pass, (uint32_t)i);
    }
    return err;
}

/* A late FINISH lists what was early, too. The sound is of the pass that is finished first. */
static int attempt_fetch_parts(struct attempt *attempt)
{
    FB_AUTO(origin_recipe_done) struct origin_recipe recipe = {.chunks = NULL};
    const struct origin_task *task = attempt->task;
    bool is_late = task->pass == ORIGIN_PASS_LATE;
    enum origin_task_pass first = is_late ? ORIGIN_PASS_EARLY : task->pass;

    int err = origin_recipe_parse(fb_str_from(task->recipe), &recipe, NULL);
    if (err < 0 || (err = attempt_fetch_chunks(attempt, first, recipe.n_chunks)) < 0 ||
        (is_late && (err = attempt_fetch_chunks(attempt, task->pass, recipe.n_chunks)) < 0)) {
        return err;
    }
    err = attempt_fetch_part(attempt, ORIGIN_TASK_SOUND, first, 0);
    return err == FB_E_NOT_FOUND ? FB_OK : err; /* a source without any */
}

/* The texts that were uploaded beside the video, by their order. */
static int attempt_fetch_subtitles(struct attempt *attempt)
{
    FB_AUTO(origin_recipe_done) struct origin_recipe recipe = {.chunks = NULL};

    int err = origin_recipe_parse(fb_str_from(attempt->task->recipe), &recipe, NULL);
    for (uint32_t i = 0; err == FB_OK && i < recipe.request.n_subtitles; i++) {
        err = attempt_fetch_input(attempt, recipe.request.subtitles[i].key);
    }
    return err;
}

static int attempt_fetch(struct attempt *attempt)
{
    const struct origin_sources_wait wait = {.ctx = attempt, .is_canceled = attempt_is_canceled};
    const struct origin_task *task = attempt->task;

    if (task->kind == ORIGIN_TASK_FINISH) {
        return attempt_fetch_parts(attempt);
    }
    int err = task->kind == ORIGIN_TASK_SOUND ? attempt_fetch_subtitles(attempt) : FB_OK;
    return err < 0 ? err
                   : origin_sources_get(attempt->options->sources, attempt->objects, task->source,
                                        &wait, &attempt->source);
}

/* ---- the child -------------------------------------------------------------------------- */

static int attempt_run_child(struct attempt *attempt)
{
    const struct origin_task *task = attempt->task;
    struct origin_order order = {
        .kind = task->kind,
        .pass = task->pass,
        .index = task->index,
        .n_threads = attempt->options->workers->n_threads,
        .output = fb_str_from(attempt->output),
        .inputs = attempt->n_inputs > 0 ? fb_str_from(attempt->inputs) : FB_STR(""),
        .n_inputs = attempt->n_inputs,
        .request = fb_str_from(task->request),
        .recipe = fb_str_from(task->recipe),
        .key = task->key,
    };

    order.source =
        attempt->source != NULL ? fb_str_from(origin_source_path(attempt->source)) : FB_STR("");
    attempt->hold.permille = SHARE_FETCH;
    int err = origin_child_run(
        &(struct origin_child_options){
            .program = attempt->options->program,
            .clock = attempt->options->workers->clock,
            .order = &order,
            .limits = task->limits,
            .is_background = attempt->options->workers->is_background,
            .ctx = attempt,
            .progress = attempt_on_progress,
            .is_canceled = attempt_is_canceled,
        },
        &attempt->end, &attempt->trouble);
    origin_content_key_done(&order.key);
    return err;
}

/* ---- what comes out ------------------------------------------------------------------------ */

static int attempt_read_told(struct attempt *attempt, size_t max, struct fb_buf *ret_text)
{
    FB_AUTO(fb_fd_done) int fd = open(attempt->output, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    return fd < 0 ? -errno : fb_file_read(fd, ORIGIN_ORDER_TOLD, max, ret_text, NULL);
}

static int attempt_store_media(struct attempt *attempt)
{
    const struct origin_task *task = attempt->task;
    char folder[PATH_LEN + 16];
    char prefix[ORIGIN_KEY_MAX + 1];

    (void)snprintf(folder, sizeof(folder), "%s/" ORIGIN_ORDER_MEDIA, attempt->output);
    (void)snprintf(prefix, sizeof(prefix), "media/%s/%s", task->video.text, task->version);
    attempt->hold.permille = 1000 - SHARE_STORE;
    return origin_attempt_store(&(struct origin_store_options){.objects = attempt->objects,
                                                               .folder = folder,
                                                               .prefix = prefix,
                                                               .ctx = attempt,
                                                               .is_canceled = attempt_is_canceled},
                                &attempt->stored);
}

static int attempt_store_part(struct attempt *attempt)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    char key[ORIGIN_KEY_MAX + 1];

    int err = attempt_read_told(attempt, PART_MAX, &text);
    if (err < 0) {
        return err;
    }
    origin_task_part_key(attempt->task, key);
    return origin_objects_put_bytes(attempt->objects, fb_str_from(key), fb_buf_str(&text));
}

/* What finish is given: see origin/model/task.h. */
static int attempt_result(struct attempt *attempt, struct fb_buf *ret_result)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    FB_AUTO(fb_json_freep) struct fb_json *told = NULL;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    FB_AUTO(origin_recipe_done) struct origin_recipe recipe = {.chunks = NULL};

    switch (attempt->task->kind) {
    case ORIGIN_TASK_FINISH:
        return attempt_read_told(attempt, ORIGIN_TASK_RESULT_MAX, ret_result);
    case ORIGIN_TASK_PREPARE:
        break;
    default:
        origin_files_store(root, &attempt->stored);
        fb_json_dump(root, ret_result);
        return FB_OK;
    }
    int err = attempt_read_told(attempt, ORIGIN_RECIPE_MAX, &text);
    if (err < 0 || (err = fb_json_parse(fb_buf_str(&text), ORIGIN_RECIPE_MAX, &told, NULL)) < 0 ||
        (err = origin_recipe_load(told, &recipe, NULL)) < 0) {
        return err;
    }
    origin_recipe_store(fb_json_set_object(root, "recipe"), &recipe);
    fb_json_dump(root, ret_result);
    return FB_OK;
}

static int attempt_store(struct attempt *attempt)
{
    enum origin_task_kind kind = attempt->task->kind;
    int err = FB_OK;

    if (kind != ORIGIN_TASK_PREPARE) {
        err = attempt_store_media(attempt);
    }
    if (err == FB_OK && (kind == ORIGIN_TASK_CHUNK || kind == ORIGIN_TASK_SOUND)) {
        err = attempt_store_part(attempt);
    }
    return err;
}

/* ---- the end -------------------------------------------------------------------------------- */

/* The origin may be away for a moment; the answer may have been lost, too. */
static int attempt_finish(struct attempt *attempt, struct fb_str result)
{
    const struct origin_task_source *source = &attempt->options->workers->source;
    int err = source->finish(source->ctx, attempt->task, result);
    uint32_t n = 0;

    while (err < 0 && err != FB_E_CONFLICT && err != FB_E_CORRUPT && err != FB_E_MALFORMED &&
           err != FB_E_DENIED && err != FB_E_LIMIT && !attempt_is_canceled(attempt)) {
        attempt->options->pause(attempt->options->ctx, (uint32_t)fb_backoff_ms(&pauses, n++));
        err = source->finish(source->ctx, attempt->task, result);
    }
    return err;
}

static int attempt_make(struct attempt *attempt)
{
    FB_AUTO(fb_buf_done) struct fb_buf result = {0};

    int err = attempt_blame(attempt, ORIGIN_REASON_INTERNAL, attempt_open(attempt), "scratch");
    if (err < 0 ||
        (err = attempt_blame(attempt, ORIGIN_REASON_STORE, attempt_fetch(attempt), "fetch")) < 0 ||
        (err = attempt_run_child(attempt)) < 0 ||
        (err = attempt_blame(attempt, ORIGIN_REASON_STORE, attempt_store(attempt), "store")) < 0 ||
        (err = attempt_blame(attempt, ORIGIN_REASON_INTERNAL, attempt_result(attempt, &result),
                             "read the result")) < 0) {
        return err;
    }
    err = attempt_finish(attempt, fb_buf_str(&result));
    return attempt_blame(attempt,
                         err == FB_E_CORRUPT ? ORIGIN_REASON_MISSING : ORIGIN_REASON_INTERNAL, err,
                         "finish");
}

static void attempt_log(const struct attempt *attempt, enum fb_log_level level, const char *text)
{
    const struct origin_task *task = attempt->task;

    if (fb_log_is_on(level)) {
        fb_log_write(level, "worker", text, FB_LOG_TEXT("video", task->video.text),
                     FB_LOG_TEXT("task", origin_task_kind_text(task->kind)),
                     FB_LOG_INT("index", task->index), FB_LOG_INT("attempt", task->attempt),
                     FB_LOG_TEXT("detail", attempt->trouble.log), FB_LOG_LAST);
    }
}

static int attempt_fail(struct attempt *attempt)
{
    const struct origin_task_source *source = &attempt->options->workers->source;
    const struct origin_trouble *trouble = &attempt->trouble;
    const struct origin_task_failure failure = {
        .reason = trouble->reason,
        .is_final = trouble->is_final,
        .sentence = fb_str_from(trouble->sentence),
        .log = {trouble->log, trouble->log_len},
    };

    attempt_log(attempt, FB_LOG_WARN, "an attempt ended badly");
    return source->fail(source->ctx, attempt->task, &failure);
}

/* Tells the source how it went wrong; should that fail too, the lease expires. */
static void attempt_report(struct attempt *attempt, int err)
{
    const struct origin_task_source *source = &attempt->options->workers->source;
    int told = FB_OK;

    if (err == FB_E_CONFLICT || origin_hold_is_lost(&attempt->hold)) {
        attempt_log(attempt, FB_LOG_WARN, "lost the lease, dropped the work");
        /* Whose it is now may have to be found out: what was stored for a video that is gone,
         * the source removes. */
        told = source->give_back(source->ctx, attempt->task);
    } else if (err == FB_E_CANCELED) {
        attempt_log(attempt, FB_LOG_INFO, "gave a task back, to end");
        told = source->give_back(source->ctx, attempt->task);
    } else if (attempt->trouble.is_passing) {
        attempt_log(attempt, FB_LOG_WARN, "no room for the work, gave it back");
        told = source->give_back(source->ctx, attempt->task);
    } else {
        told = attempt_fail(attempt);
    }
    if (told < 0 && told != FB_E_CONFLICT) {
        FB_LOG(WARN, "worker", "could not report, the lease will expire",
               FB_LOG_TEXT("video", attempt->task->video.text),
               FB_LOG_TEXT("cause", fb_err_text(told)));
    }
}

void origin_attempt_run(const struct origin_attempt_options *options,
                        const struct origin_task *task, struct origin_attempt_end *ret_end)
{
    struct attempt *attempt = FB_NEW(struct attempt); /* too large for a stack */

    attempt->options = options;
    attempt->task = task;
    attempt_log(attempt, FB_LOG_INFO, "took a task");
    origin_keeper_hold(options->keeper, task, &attempt->hold);
    int err = attempt_make(attempt);
    if (err < 0) {
        attempt_report(attempt, err);
    }
    origin_keeper_drop(&attempt->hold);
    origin_source_put(attempt->source);
    origin_result_done(&attempt->stored);
    if (attempt->objects != options->workers->objects) {
        origin_objects_close(attempt->objects);
    }
    FB_IGNORE(fb_dir_remove(AT_FDCWD, attempt->inputs)); /* the next attempt sweeps what stays */
    FB_IGNORE(fb_dir_remove(AT_FDCWD, attempt->output));
    ret_end->has_room = err == FB_OK || !attempt->trouble.is_passing;
    ret_end->peak_bytes = attempt->end.peak_bytes;
    fb_free(attempt);
}
