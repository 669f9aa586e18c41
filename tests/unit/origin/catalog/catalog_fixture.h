/*
 * A catalog in a folder of its own, with one user; for the tests in this folder.
 */
#pragma once

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "origin/catalog/catalog.h"
#include "origin/catalog/users.h"
#include "origin/catalog/videos.h"
#include "tests/support/test_clock.h"
#include "tests/support/test_folder.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct fixture {
    struct test_folder folder;
    struct test_clock clock;
    struct origin_catalog *catalog;
    struct origin_id user;
    struct fb_arena arena;
    char url[TEST_PATH_MAX + 32];
};

static inline void must(int result)
{
    assert_int_equal(result, FB_OK);
}

static inline int set_up(void **state)
{
    struct fixture *f = FB_NEW(struct fixture);

    f->folder = test_folder_new();
    f->clock = test_clock_at_start();
    (void)snprintf(f->url, sizeof(f->url), "sqlite:%s/deep/origin.db", f->folder.path);
    must(origin_catalog_open(fb_str_from(f->url), 4, &f->clock.clock, &f->catalog, NULL));
    must(origin_catalog_user_add(f->catalog, FB_STR("a@example.org"), FB_STR("hash"), &f->user));
    *state = f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;

    fb_arena_done(&f->arena);
    origin_catalog_close(f->catalog);
    test_folder_done(&f->folder);
    fb_free(f);
    return 0;
}

/* A video of `owner` that is being uploaded. */
static inline struct origin_id add_video(struct fixture *f, const struct origin_id *owner)
{
    struct origin_video video = {
        .id = origin_id_new(),
        .owner = *owner,
        .title = FB_STR("A title"),
        .description = FB_STR(""),
        .tags = FB_STR("[\"a\"]"),
        .filename = FB_STR("clip.mp4"),
        .source_bytes = 1000,
    };
    must(origin_catalog_video_add(f->catalog, &video));
    return video.id;
}

static inline struct origin_video get_video(struct fixture *f, const struct origin_id *id)
{
    struct origin_video video;
    must(origin_catalog_video_get(f->catalog, &f->arena, id, &video));
    return video;
}
