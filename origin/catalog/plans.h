/*
 * The tables of plans: the last of each region, their bodies, and the videos that
 * somebody wants to be there at once.
 */
#pragma once

#include "base/core/buf.h"
#include "base/wire/plan.h"
#include "origin/catalog/catalog.h"
#include "origin/model/id.h"
#include "origin/model/result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ORIGIN_PLANS_KEPT = 3 }; /* of a region: an edge that reads the last one finishes it */

struct origin_plan_head {
    struct fb_plan_head head;
    uint64_t n_bytes; /* of all that it names */
    struct fb_str token;
};

/* Makes `plan` the region's last, with `body` under its digest. FB_E_CONFLICT if its serial is not
 * the next. */
FB_MUST_CHECK int origin_catalog_plan_put(struct origin_catalog *catalog,
                                          const struct origin_plan_head *plan, struct fb_str body);

/* The region's last; the token goes to `token`. FB_E_NOT_FOUND. */
FB_MUST_CHECK int origin_catalog_plan_get(struct origin_catalog *catalog, struct fb_str region,
                                          struct origin_plan_head *ret_plan, struct fb_buf *token);

/* Appends the body of one of the region's plans. FB_E_NOT_FOUND. */
FB_MUST_CHECK int origin_catalog_plan_body(struct origin_catalog *catalog, struct fb_str region,
                                           const uint8_t digest[FB_SHA256_SIZE],
                                           struct fb_buf *body);

/* Asks for a video everywhere (`region` empty) or in a region, until then. FB_E_CONFLICT if there
 * is no such video. */
FB_MUST_CHECK int origin_catalog_plan_request(struct origin_catalog *catalog, int64_t video,
                                              struct fb_str region, int64_t until_ms);

struct origin_plan_release {
    int64_t video;      /* its number */
    uint64_t followers; /* of its owner */
    int64_t published_ms;
    bool is_requested;
};

/* Videos that were published since, or are asked for in `region`, by number. The function does not
 * call the catalog; what it returns below 0 ends the visit. */
FB_MUST_CHECK int
origin_catalog_plan_releases(struct origin_catalog *catalog, struct fb_str region, int64_t since_ms,
                             int (*release)(void *ctx, const struct origin_plan_release *),
                             void *ctx);

/* How many views a region had since, and all regions together. */
FB_MUST_CHECK int origin_catalog_plan_share(struct origin_catalog *catalog, struct fb_str region,
                                            int64_t since_ms, uint64_t *ret_views,
                                            uint64_t *ret_all);

struct origin_plan_file {
    struct origin_id video;
    struct fb_str version;
    struct fb_str path; /* within the version */
    uint64_t size;
    const uint8_t *sha256;
};

/* The files of the video's published version, by path; none of one that is hidden. As above. */
FB_MUST_CHECK int origin_catalog_plan_files(struct origin_catalog *catalog, int64_t video,
                                            int (*file)(void *ctx, const struct origin_plan_file *),
                                            void *ctx);
