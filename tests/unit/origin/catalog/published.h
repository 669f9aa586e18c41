/*
 * Published videos and further accounts, for tests on top of the catalog.
 */
#pragma once

#include "catalog_fixture.h"
#include "publishing.h"

static inline struct origin_id add_user(struct fixture *f, const char *email)
{
    struct origin_id id;
    must(origin_catalog_user_add(f->catalog, fb_str_from(email), FB_STR("hash"), &id));
    return id;
}

static inline void publish_waiting(struct fixture *f)
{
    struct origin_result result = {.duration_ms = 4000, .width = 640, .height = 360};

    (void)snprintf(result.version, sizeof(result.version), "%s", "0123456789abcdef");
    result.n_files = 1;
    result.files = FB_NEW(struct origin_result_file);
    result.files[0] = (struct origin_result_file){"master.m3u8", "text/plain", 10, {1, 2, 3}};
    must(publishing_work(f->catalog, &result));
    origin_result_done(&result);
}

/* A video of f->user; `tags` is a JSON array. */
static inline struct origin_id publish(struct fixture *f, const char *title, const char *tags)
{
    struct origin_video video = {
        .id = origin_id_new(),
        .owner = f->user,
        .title = fb_str_from(title),
        .description = FB_STR(""),
        .tags = fb_str_from(tags),
        .filename = FB_STR("clip.mp4"),
        .source_bytes = 1000,
    };

    must(origin_catalog_video_add(f->catalog, &video));
    must(publishing_queue(f->catalog, &video.id));
    publish_waiting(f);
    return video.id;
}
