/*
 * Tasks, failures and requests as they come over the wire. What is taken has plain keys, and says
 * the same when it is told on.
 */
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/json/json.h"
#include "origin/model/request.h"
#include "origin/model/task.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_task(const struct fb_json *json)
{
    FB_AUTO(origin_task_done) struct origin_task task = {.request = NULL};
    FB_AUTO(origin_task_done) struct origin_task again = {.request = NULL};
    FB_AUTO(fb_json_freep) struct fb_json *told = fb_json_new_object();
    char key[ORIGIN_KEY_MAX + 1];

    if (origin_task_load(json, &task, NULL) < 0) {
        return;
    }
    FB_REQUIRE(origin_path_is_plain(fb_str_from(task.source), ORIGIN_KEY_MAX));
    origin_task_part_key(&task, key);
    FB_REQUIRE(task.kind == ORIGIN_TASK_PREPARE ||
               origin_path_is_plain(fb_str_from(key), ORIGIN_KEY_MAX));
    origin_task_store(told, &task);
    int err = origin_task_load(told, &again, NULL);
    FB_REQUIRE(err == FB_OK && strcmp(task.recipe, again.recipe) == 0 &&
               task.index == again.index && task.kind == again.kind);
}

static void try_request(const struct fb_json *json)
{
    struct origin_request request;
    struct origin_request again;
    FB_AUTO(fb_json_freep) struct fb_json *told = fb_json_new_object();

    if (origin_request_load(json, &request, NULL) < 0) {
        return;
    }
    origin_request_store(told, &request);
    int err = origin_request_load(told, &again, NULL);
    FB_REQUIRE(err == FB_OK && again.n_subtitles == request.n_subtitles &&
               again.encryption == request.encryption);
    FB_IGNORE(origin_request_override(json, &request, NULL));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FB_AUTO(fb_json_freep) struct fb_json *json = NULL;
    struct origin_task_failure failure;

    if (fb_json_parse((struct fb_str){(const char *)data, size}, size, &json, NULL) < 0) {
        return 0;
    }
    try_task(json);
    try_request(json);
    if (origin_task_failure_load(json, &failure, NULL) == FB_OK) {
        FB_REQUIRE(failure.reason < ORIGIN_N_REASONS);
    }
    return 0;
}
