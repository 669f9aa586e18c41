/*
 * Results as a worker, or who pretends to be one, may send them. What
 * is taken has plain paths and types that can stand in a header.
 */
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/json/json.h"
#include "origin/model/result.h"

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    FB_AUTO(fb_json_freep) struct fb_json *json = NULL;
    FB_AUTO(origin_result_done) struct origin_result result = {.files = NULL};

    if (fb_json_parse((struct fb_str){(const char *)data, size}, size, &json, NULL) < 0) {
        return 0;
    }
    if (origin_result_load(json, &result, NULL) == FB_OK) {
        for (size_t i = 0; i < result.n_files; i++) {
            FB_REQUIRE(origin_path_is_plain(fb_str_from(result.files[i].path), ORIGIN_PATH_MAX));
        }
        FB_AUTO(fb_json_freep) struct fb_json *again = fb_json_new_object();
        FB_AUTO(origin_result_done) struct origin_result second = {.files = NULL};
        origin_result_store(again, &result);
        int err = origin_result_load(again, &second, NULL);
        FB_REQUIRE(err == FB_OK && second.n_files == result.n_files);
    }
    return 0;
}
