/*
 * The table of published files: type, size and digest of each, so that
 * delivery never hashes. What is not in it is not served, whatever stands
 * among the objects.
 */
#pragma once

#include "origin/catalog/videos.h"
#include "origin/model/id.h"
#include "origin/model/result.h"

/* FB_E_NOT_FOUND if that version of the video has no such file, or the video is deactivated.
 * *ret_privacy is the video's. */
FB_MUST_CHECK int origin_catalog_file_get(struct origin_catalog *catalog,
                                          const struct origin_id *video, struct fb_str version,
                                          struct fb_str path, struct origin_result_file *ret_file,
                                          enum origin_privacy *ret_privacy);

struct origin_file_visitor {
    /* A negative result ends the reading, which then gives it. */
    int (*visit)(void *ctx, const struct origin_result_file *file);
    void *ctx;
};

/* Shows the files of that version in `folder`, such as "v/720p", by their paths. The catalog must
 * not be called from the visitor. */
FB_MUST_CHECK int origin_catalog_file_list(struct origin_catalog *catalog,
                                           const struct origin_id *video, struct fb_str version,
                                           struct fb_str folder,
                                           const struct origin_file_visitor *visitor);
