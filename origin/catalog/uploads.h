/*
 * The tables of uploads: what of a video's file has come, before there is a job.
 *
 *     open ──► done ──► claimed      the file is whole; it is the job's, and nobody's any more
 *      │        │
 *      └────────┴──► old             aborted, expired or replaced: to be swept, then no row
 *
 * Of a video at most one is done or claimed, any number open. What changes a state looks at the
 * video in the same transaction: once it does not wait for its upload any more, or is gone, nothing
 * becomes of what still comes.
 *
 * Failures   FB_E_NOT_FOUND: the upload or its video is not there; FB_E_CONFLICT: the video does
 *            not wait for an upload; besides what catalog.h says.
 */
#pragma once

#include "base/core/arena.h"
#include "origin/catalog/catalog.h"
#include "origin/model/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct origin_quota;
struct origin_video;

enum origin_upload_state {
    ORIGIN_UPLOAD_OPEN,
    ORIGIN_UPLOAD_DONE,
    ORIGIN_UPLOAD_CLAIMED,
    ORIGIN_UPLOAD_OLD
};

/* Strings of what is found live in the arena that was given. */
struct origin_upload_row {
    struct origin_id id;
    struct origin_id video;
    struct fb_str name; /* the last part of its key */
    bool is_multipart;
    struct fb_str store_id; /* of the store's multipart; empty before it is known */
    struct fb_str sum;      /* the algorithm of its parts' checksums, then "CRC32C <base64>" of it
                               all; or empty */
    struct fb_str meta;     /* the client's own fields, one a line; or empty */

    /* Not read by origin_catalog_upload_add(). */
    enum origin_upload_state state;
    struct fb_str etag; /* once it is done */
    uint64_t bytes;     /* once it is done */
    int64_t begun_ms;
    int64_t touched_ms; /* when a part of it came last */
};

/* The video that an upload is for. */
struct origin_upload_video {
    struct origin_id id;
    struct origin_id owner;
    bool is_waiting; /* for its upload */
    uint64_t bytes;  /* as declared, as the next two */
    struct fb_str filename;
    struct fb_str type; /* empty: none */
};

FB_MUST_CHECK int origin_catalog_upload_video(struct origin_catalog *catalog,
                                              struct fb_arena *arena, const struct origin_id *id,
                                              struct origin_upload_video *ret_video);

/* Makes one that is open; row->id is new. */
FB_MUST_CHECK int origin_catalog_upload_add(struct origin_catalog *catalog,
                                            const struct origin_upload_row *row);

/* The store has begun it. FB_E_NOT_FOUND unless it is open. */
FB_MUST_CHECK int origin_catalog_upload_began(struct origin_catalog *catalog,
                                              const struct origin_id *id, struct fb_str store_id);

FB_MUST_CHECK int origin_catalog_upload_get(struct origin_catalog *catalog, struct fb_arena *arena,
                                            const struct origin_id *id,
                                            struct origin_upload_row *ret_row);

/* The one that is done or claimed. */
FB_MUST_CHECK int origin_catalog_upload_whole(struct origin_catalog *catalog,
                                              struct fb_arena *arena, const struct origin_id *video,
                                              struct origin_upload_row *ret_row);

/* It is whole. The one that was done before becomes old; *ret_old is empty if there was none. */
struct origin_upload_end {
    struct origin_id id;
    struct fb_str etag;
    struct fb_str sum;
    uint64_t bytes;
};
FB_MUST_CHECK int origin_catalog_upload_done(struct origin_catalog *catalog,
                                             const struct origin_upload_end *end,
                                             struct origin_id *ret_old);

/* It is the job's: done or claimed becomes claimed. FB_E_NOT_FOUND if none is whole. */
FB_MUST_CHECK int origin_catalog_upload_claim(struct origin_catalog *catalog,
                                              struct fb_arena *arena, const struct origin_id *video,
                                              struct origin_upload_row *ret_row);

/* Open becomes old; so does done with `with_done`. FB_E_NOT_FOUND if it was neither. */
FB_MUST_CHECK int origin_catalog_upload_end(struct origin_catalog *catalog,
                                            const struct origin_id *id, bool with_done);

/* Forgets the row, which is old. */
FB_MUST_CHECK int origin_catalog_upload_remove(struct origin_catalog *catalog,
                                               const struct origin_id *id);

/* ---- parts ------------------------------------------------------------------------ */

struct origin_upload_part {
    uint32_t number;
    uint64_t bytes;
    struct fb_str etag;
    struct fb_str sum; /* "CRC32C <base64>", or empty */
    int64_t at_ms;
};

/* Whether a part may come, of one that is open. FB_E_LIMIT if it would make all of them larger than
 * the file was declared to be. Its strings are not looked at. */
FB_MUST_CHECK int origin_catalog_upload_part_fits(struct origin_catalog *catalog,
                                                  const struct origin_id *id,
                                                  const struct origin_upload_part *part);

/* Adds it, or replaces the one of that number, if it fits. */
FB_MUST_CHECK int origin_catalog_upload_part_put(struct origin_catalog *catalog,
                                                 const struct origin_id *id,
                                                 const struct origin_upload_part *part);

struct origin_upload_part_query {
    const struct origin_id *upload; /* borrowed for the call */
    uint32_t after;                 /* only those with greater numbers */
    size_t limit;
};

/* In the order of their numbers, in `arena`. */
FB_MUST_CHECK int origin_catalog_upload_parts(struct origin_catalog *catalog,
                                              struct fb_arena *arena,
                                              const struct origin_upload_part_query *query,
                                              struct origin_upload_part **ret_parts, size_t *ret_n);

/* ---- lists --------------------------------------------------------------------------- */

struct origin_upload_query {
    const struct origin_id *owner; /* of its video; NULL: anybody */
    const struct origin_id *video; /* NULL: any */
    bool is_open;                  /* open multiparts; else those that are whole */
    struct fb_str after_video;     /* from the first after this video (and upload), or empty */
    struct fb_str after_id;
    size_t limit;
};

/* In the order of their videos and ids. */
FB_MUST_CHECK int origin_catalog_upload_list(struct origin_catalog *catalog, struct fb_arena *arena,
                                             const struct origin_upload_query *query,
                                             struct origin_upload_row **ret_rows, size_t *ret_n);

struct origin_upload_expiry {
    int64_t before_ms;    /* what was touched, or made, since then is spared */
    struct fb_str reason; /* why a video failed that has waited for longer */
    size_t limit;         /* of rows that are given */
};

/* Uploads not touched since `before_ms` become old, but for those that are claimed, and videos that
 * have waited since then, without one, fail with `reason`. Gives old ones, at most `limit`. */
FB_MUST_CHECK int origin_catalog_upload_expire(struct origin_catalog *catalog,
                                               struct fb_arena *arena,
                                               const struct origin_upload_expiry *expiry,
                                               struct origin_upload_row **ret_rows, size_t *ret_n);

/* ---- making videos --------------------------------------------------------------------- */

struct origin_upload_bounds {
    uint32_t per_hour;  /* videos that a user may begin in one hour; 0: any number */
    uint64_t max_bytes; /* that all of a user's may have, as declared; 0: any number */
};

/* What a user has; as origin_limiter.h tells it. */
struct origin_upload_room {
    uint32_t left;       /* videos in this hour */
    uint32_t reset_ms;   /* until all of them are back */
    uint32_t wait_ms;    /* until there is one; 0: there is */
    uint64_t used_bytes; /* without this video */
};

/* Adds `video` (videos.h) within bounds, with the type of content that was declared, or empty.
 * FB_E_BUSY with a time to wait: too many in this hour; FB_E_LIMIT: too many bytes. *ret_room is
 * zero to begin with, and written in these cases too. */
FB_MUST_CHECK int origin_catalog_upload_video_add(struct origin_catalog *catalog,
                                                  const struct origin_video *video,
                                                  struct fb_str type,
                                                  const struct origin_upload_bounds *bounds,
                                                  struct origin_upload_room *ret_room);
