#include "origin/model/whole_task.h"

#include "base/core/err.h"
#include "base/json/json.h"

#include <string.h>

void origin_whole_task_store(struct fb_json *root, const struct origin_whole_task *task)
{
    fb_json_set_text(root, "job", task->job.text);
    fb_json_set_text(root, "lease", task->lease.text);
    fb_json_set_text(root, "video", task->video.text);
    fb_json_set_text(root, "source", task->source);
    fb_json_set_int(root, "lease_ms", task->lease_ms);
    fb_json_set_int(root, "attempt", task->attempt);
}

int origin_whole_task_load(const struct fb_json *root, struct origin_whole_task *ret_task,
                           struct fb_diag *diag)
{
    struct origin_whole_task task = {.source = ""};
    struct fb_str source;
    int64_t lease_ms = 0;
    int64_t attempt = 0;

    int err = origin_id_load(root, "job", &task.job, diag);
    if (err < 0 || (err = origin_id_load(root, "lease", &task.lease, diag)) < 0 ||
        (err = origin_id_load(root, "video", &task.video, diag)) < 0 ||
        (err = fb_json_read_str(root, "source", ORIGIN_KEY_MAX, &source, diag)) < 0 ||
        (err = fb_json_read_int(root, "lease_ms", 100, 86400000, &lease_ms, diag)) < 0 ||
        (err = fb_json_read_int(root, "attempt", 1, 1000, &attempt, diag)) < 0) {
        return err;
    }
    if (!origin_path_is_plain(source, ORIGIN_KEY_MAX)) {
        return fb_diag_set(diag, FB_E_MALFORMED, "'source' is no object key");
    }
    memcpy(task.source, source.ptr, source.len);
    task.lease_ms = (uint32_t)lease_ms;
    task.attempt = (uint32_t)attempt;
    *ret_task = task;
    return FB_OK;
}
