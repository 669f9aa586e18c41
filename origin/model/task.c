#include "origin/model/task.h"

#include "base/core/alloc.h"
#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/json/json.h"

#include <stdio.h>
#include <string.h>

static const char *const kind_texts[] = {
    [ORIGIN_TASK_PREPARE] = "prepare",
    [ORIGIN_TASK_CHUNK] = "chunk",
    [ORIGIN_TASK_SOUND] = "sound",
    [ORIGIN_TASK_FINISH] = "finish",
};
static const char *const reason_texts[] = {
    [ORIGIN_REASON_INPUT] = "input",     [ORIGIN_REASON_CODEC] = "codec",
    [ORIGIN_REASON_CRASHED] = "crashed", [ORIGIN_REASON_MEMORY] = "memory",
    [ORIGIN_REASON_TIME] = "time",       [ORIGIN_REASON_OUTPUT] = "output",
    [ORIGIN_REASON_STORE] = "store",     [ORIGIN_REASON_INTERNAL] = "internal",
    [ORIGIN_REASON_LEASE_LOST] = "lost", [ORIGIN_REASON_MISSING] = "missing",
};
_Static_assert(FB_ARRAY_LEN(kind_texts) == ORIGIN_TASK_N_KINDS, "a name for each");
_Static_assert(FB_ARRAY_LEN(reason_texts) == ORIGIN_N_REASONS, "a name for each");

static int text_find(const char *const *texts, size_t n, struct fb_str text, size_t *ret_i)
{
    for (size_t i = 0; i < n; i++) {
        if (fb_str_equal(text, fb_str_from(texts[i]))) {
            *ret_i = i;
            return FB_OK;
        }
    }
    return FB_E_MALFORMED;
}

const char *origin_task_kind_text(enum origin_task_kind kind)
{
    return kind_texts[kind];
}

int origin_task_kind_parse(struct fb_str text, enum origin_task_kind *ret_kind)
{
    size_t i = 0;
    int err = text_find(kind_texts, FB_ARRAY_LEN(kind_texts), text, &i);
    if (err == FB_OK) {
        *ret_kind = (enum origin_task_kind)i;
    }
    return err;
}

const char *origin_task_reason_text(enum origin_task_reason reason)
{
    return reason_texts[reason];
}

int origin_task_reason_parse(struct fb_str text, enum origin_task_reason *ret_reason)
{
    size_t i = 0;
    int err = text_find(reason_texts, FB_ARRAY_LEN(reason_texts), text, &i);
    if (err == FB_OK) {
        *ret_reason = (enum origin_task_reason)i;
    }
    return err;
}

void origin_task_done(struct origin_task *task)
{
    origin_content_key_done(&task->key);
    fb_free(task->request);
    fb_free(task->recipe);
    *task = (struct origin_task){.request = NULL};
}

void origin_task_part_key(const struct origin_task *task, char ret_key[ORIGIN_KEY_MAX + 1])
{
    if (task->kind == ORIGIN_TASK_CHUNK) {
        (void)snprintf(ret_key, ORIGIN_KEY_MAX + 1, "work/%s/%s/chunk-%u-%05u.json",
                       task->video.text, task->version, (unsigned)task->pass, task->index);
    } else {
        (void)snprintf(ret_key, ORIGIN_KEY_MAX + 1, "work/%s/%s/%s-%u.json", task->video.text,
                       task->version, kind_texts[task->kind], (unsigned)task->pass);
    }
}

/* ---- on the wire ------------------------------------------------------------ */

/* A text that is JSON itself becomes a member as what it says. */
static void set_json(struct fb_json *root, const char *key, const char *text)
{
    struct fb_json *value = NULL;
    struct fb_str str = fb_str_from(text != NULL ? text : "");

    if (str.len > 0 && fb_json_parse(str, str.len, &value, NULL) == FB_OK) {
        fb_json_set(root, key, value);
    }
}

void origin_task_store(struct fb_json *root, const struct origin_task *task)
{
    fb_json_set_text(root, "job", task->job.text);
    fb_json_set_text(root, "task", task->task.text);
    fb_json_set_text(root, "lease", task->lease.text);
    fb_json_set_text(root, "video", task->video.text);
    fb_json_set_text(root, "kind", kind_texts[task->kind]);
    fb_json_set_int(root, "pass", task->pass);
    fb_json_set_int(root, "index", task->index);
    fb_json_set_text(root, "source", task->source);
    if (task->version[0] != '\0') {
        fb_json_set_text(root, "version", task->version);
    }
    set_json(root, "request", task->request);
    set_json(root, "recipe", task->recipe);
    if (task->key.scheme != ORIGIN_SCHEME_CLEAR) {
        origin_content_key_store(fb_json_set_object(root, "content_key"), &task->key);
    }
    struct fb_json *limits = fb_json_set_object(root, "limits");
    fb_json_set_int(limits, "seconds", task->limits.seconds);
    fb_json_set_int(limits, "memory", (int64_t)task->limits.memory);
    fb_json_set_int(limits, "bytes", (int64_t)task->limits.bytes);
    fb_json_set_int(root, "lease_ms", task->lease_ms);
    fb_json_set_int(root, "attempt", task->attempt);
}

static int read_ids(const struct fb_json *root, struct origin_task *task, struct fb_diag *diag)
{
    int err = origin_id_load(root, "job", &task->job, diag);
    if (err < 0 || (err = origin_id_load(root, "task", &task->task, diag)) < 0 ||
        (err = origin_id_load(root, "lease", &task->lease, diag)) < 0) {
        return err;
    }
    return origin_id_load(root, "video", &task->video, diag);
}

static int read_place(const struct fb_json *root, struct origin_task *task, struct fb_diag *diag)
{
    struct fb_str kind;
    int64_t pass = 0;
    int64_t index = 0;

    int err = fb_json_read_str(root, "kind", 16, &kind, diag);
    if (err < 0 ||
        (err = fb_json_read_int(root, "pass", 0, ORIGIN_TASK_N_PASSES - 1, &pass, diag)) < 0 ||
        (err = fb_json_read_int(root, "index", 0, ORIGIN_CHUNKS_MAX - 1, &index, diag)) < 0) {
        return err;
    }
    if (origin_task_kind_parse(kind, &task->kind) < 0) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'kind' is none that is known");
    }
    task->pass = (enum origin_task_pass)pass;
    task->index = (uint32_t)index;
    return FB_OK;
}

/* An object as its text again, the empty text if it is not there. */
static int read_object(const struct fb_json *root, const char *key, size_t max_bytes,
                       char **ret_text, struct fb_diag *diag)
{
    FB_AUTO(fb_buf_done) struct fb_buf buf = {0};
    const struct fb_json *object = fb_json_find(root, key);

    if (object != NULL && fb_json_type(object) != FB_JSON_OBJECT) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'%s' is no object", key);
    }
    if (object != NULL) {
        fb_json_dump(object, &buf);
    }
    if (buf.len > max_bytes) {
        return fb_diag_set(diag, FB_E_LIMIT, "'%s' is larger than %zu bytes", key, max_bytes);
    }
    *ret_text = fb_str_dup(fb_buf_str(&buf));
    return FB_OK;
}

static int read_orders(const struct fb_json *root, struct origin_task *task, struct fb_diag *diag)
{
    struct fb_str version = FB_STR("");
    struct fb_str source;

    int err = fb_json_read_str(root, "source", ORIGIN_KEY_MAX, &source, diag);
    if (err < 0) {
        return err;
    }
    if (!origin_path_is_plain(source, ORIGIN_KEY_MAX)) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'source' is no object key");
    }
    memcpy(task->source, source.ptr, source.len);
    if (task->kind != ORIGIN_TASK_PREPARE) {
        err = fb_json_read_str(root, "version", ORIGIN_VERSION_LEN, &version, diag);
        if (err < 0) {
            return err;
        }
        if (!origin_version_is_good(version)) {
            return fb_diag_set(diag, FB_E_MALFORMED, "'version' is not of %d hexadecimal digits",
                               ORIGIN_VERSION_LEN);
        }
        memcpy(task->version, version.ptr, version.len);
    }
    const struct fb_json *key = fb_json_find(root, "content_key");
    if (key != NULL && (err = origin_content_key_load(key, &task->key, diag)) < 0) {
        return err;
    }
    err = read_object(root, "request", ORIGIN_REQUEST_MAX, &task->request, diag);
    return err < 0 ? err : read_object(root, "recipe", ORIGIN_RECIPE_MAX, &task->recipe, diag);
}

static int read_limits(const struct fb_json *root, struct origin_task *task, struct fb_diag *diag)
{
    const struct fb_json *limits = fb_json_find(root, "limits");
    int64_t seconds = 0;
    int64_t memory = 0;
    int64_t bytes = 0;
    int64_t lease_ms = 0;
    int64_t attempt = 0;

    int err = fb_json_read_int(limits, "seconds", 0, INT32_MAX, &seconds, diag);
    if (err < 0 || (err = fb_json_read_int(limits, "memory", 0, INT64_MAX, &memory, diag)) < 0 ||
        (err = fb_json_read_int(limits, "bytes", 0, INT64_MAX, &bytes, diag)) < 0 ||
        (err = fb_json_read_int(root, "lease_ms", 100, 86400000, &lease_ms, diag)) < 0 ||
        (err = fb_json_read_int(root, "attempt", 1, 1000000, &attempt, diag)) < 0) {
        return err;
    }
    task->limits = (struct origin_task_limits){
        .seconds = (uint32_t)seconds, .memory = (uint64_t)memory, .bytes = (uint64_t)bytes};
    task->lease_ms = (uint32_t)lease_ms;
    task->attempt = (uint32_t)attempt;
    return FB_OK;
}

int origin_task_load(const struct fb_json *root, struct origin_task *ret_task, struct fb_diag *diag)
{
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};

    int err = read_ids(root, &task, diag);
    if (err < 0 || (err = read_place(root, &task, diag)) < 0 ||
        (err = read_orders(root, &task, diag)) < 0 || (err = read_limits(root, &task, diag)) < 0) {
        return err;
    }
    *ret_task = task;
    task = (struct origin_task){.request = NULL};
    return FB_OK;
}

void origin_task_failure_store(struct fb_json *root, const struct origin_task_failure *failure)
{
    struct fb_str log = failure->log;

    fb_json_set_text(root, "reason", reason_texts[failure->reason]);
    fb_json_set_bool(root, "is_final", failure->is_final);
    fb_json_set_str(root, "sentence", fb_str_first(failure->sentence, ORIGIN_REASON_MAX));
    if (log.len > ORIGIN_LOG_TAIL_MAX) {
        log = fb_str_skip(log, log.len - ORIGIN_LOG_TAIL_MAX);
    }
    fb_json_set_str(root, "log", log.ptr != NULL ? log : FB_STR(""));
}

int origin_task_failure_load(const struct fb_json *root, struct origin_task_failure *ret_failure,
                             struct fb_diag *diag)
{
    struct origin_task_failure failure = {.is_final = false};
    struct fb_str reason;

    /* A byte that is no UTF-8 grew to three on its way. */
    int err = fb_json_read_str(root, "reason", 16, &reason, diag);
    if (err < 0 ||
        (err = fb_json_read_str(root, "sentence", (size_t)3 * ORIGIN_REASON_MAX, &failure.sentence,
                                diag)) < 0 ||
        (err = fb_json_read_str(root, "log", (size_t)3 * ORIGIN_LOG_TAIL_MAX, &failure.log, diag)) <
            0) {
        return err;
    }
    if (origin_task_reason_parse(reason, &failure.reason) < 0) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'reason' is none that is known");
    }
    failure.is_final = fb_json_bool(fb_json_find(root, "is_final"), false);
    *ret_failure = failure;
    return FB_OK;
}
