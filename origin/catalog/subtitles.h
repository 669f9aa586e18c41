/*
 * The table of subtitles: text that was uploaded beside a video, one row for each file.
 *
 * The row tells of the object that holds the file; what a job makes of it is the job's.
 */
#pragma once

#include "base/core/arena.h"
#include "origin/catalog/catalog.h"
#include "origin/model/id.h"
#include "origin/model/request.h"

#include <stddef.h>
#include <stdint.h>

struct origin_subtitle {
    struct origin_id id;
    struct origin_id video;
    struct fb_str language; /* BCP 47 */
    struct fb_str name;     /* as players show it; empty: the language's */
    struct fb_str key;      /* of the object */
    uint32_t n_cues;
    int64_t created_ms; /* set on the way in */
};

/* FB_E_EXISTS: the video has text of that language and name. FB_E_LIMIT: it has
 * ORIGIN_SUBTITLES_MAX. FB_E_CONFLICT: there is no such video. */
FB_MUST_CHECK int origin_catalog_subtitle_add(struct origin_catalog *catalog,
                                              const struct origin_subtitle *subtitle);

/* In the order in which they came, in `arena`. */
FB_MUST_CHECK int origin_catalog_subtitle_list(struct origin_catalog *catalog,
                                               struct fb_arena *arena,
                                               const struct origin_id *video,
                                               struct origin_subtitle **ret_subtitles,
                                               size_t *ret_n);

/* FB_E_NOT_FOUND if this video has none of that id. */
FB_MUST_CHECK int origin_catalog_subtitle_remove(struct origin_catalog *catalog,
                                                 const struct origin_id *video,
                                                 const struct origin_id *id);

/* Puts a video's into the request of a job of it. */
FB_MUST_CHECK int origin_catalog_subtitle_ask(struct origin_catalog *catalog,
                                              const struct origin_id *video,
                                              struct origin_request *request);
