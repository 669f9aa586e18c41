/*
 * The table of videos.
 *
 *     uploading ──► queued ──► processing ──► ready
 *                     ▲            │ └──────► failed
 *                     └── retry ───┘
 */
#pragma once

#include "base/core/arena.h"
#include "origin/catalog/catalog.h"
#include "origin/catalog/counters.h"
#include "origin/catalog/jobs.h"
#include "origin/model/id.h"
#include "origin/model/result.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum origin_video_status {
    ORIGIN_VIDEO_UPLOADING,
    ORIGIN_VIDEO_QUEUED,
    ORIGIN_VIDEO_PROCESSING,
    ORIGIN_VIDEO_READY,
    ORIGIN_VIDEO_FAILED
};

/* Who may see it (origin/access/access.h): everybody; who has its id, but no list shows it; its
 * owner and admins. */
enum origin_privacy { ORIGIN_PRIVACY_PUBLIC, ORIGIN_PRIVACY_UNLISTED, ORIGIN_PRIVACY_PRIVATE };

/* "public", "unlisted", "private". */
const char *origin_privacy_text(enum origin_privacy privacy);
FB_MUST_CHECK int origin_privacy_parse(struct fb_str text, enum origin_privacy *ret_privacy);

/* "uploading" and so on. */
const char *origin_video_status_text(enum origin_video_status status);

struct origin_video {
    struct origin_id id;
    struct origin_id owner;
    struct fb_str title;
    struct fb_str description;
    struct fb_str tags; /* a JSON array of strings */
    struct fb_str filename;
    struct fb_str category; /* empty: none */
    struct fb_str sound;    /* what others may use too; empty: none */
    struct fb_str options;  /* what the creator chose of the work on it, JSON; empty: nothing */
    uint64_t source_bytes;  /* as declared */
    enum origin_privacy privacy;
    struct fb_str countries; /* where it may be played (origin/access/countries.h) */

    /* Not read by origin_catalog_video_add(). */
    int64_t seq;
    enum origin_video_status status;
    uint32_t permille;     /* of the work; never falls */
    struct fb_str reason;  /* why it failed; ptr NULL else */
    struct fb_str version; /* the published one; ptr NULL before */
    uint64_t duration_ms;
    uint32_t width;
    uint32_t height;
    bool has_audio;
    enum origin_stage stage; /* how much of it is published */
    bool is_degraded;        /* … without what is optional, as too much waited */
    int64_t created_ms;
    int64_t published_ms; /* 0: not published */
    struct fb_str owner_name;
    int64_t deactivated_ms;           /* by an admin; 0: active */
    struct fb_str deactivated_reason; /* for the owner; ptr NULL if active */
    struct origin_video_counters counters;
};

/* Whether lists show it: ready, public, and not deactivated. */
bool origin_video_is_public(const struct origin_video *video);

/* Adds `video`, whose id is new, as uploading. */
FB_MUST_CHECK int origin_catalog_video_add(struct origin_catalog *catalog,
                                           const struct origin_video *video);

/* Strings of what is found live in `arena`. */
FB_MUST_CHECK int origin_catalog_video_get(struct origin_catalog *catalog, struct fb_arena *arena,
                                           const struct origin_id *id,
                                           struct origin_video *ret_video);

struct origin_video_query {
    const struct origin_id *owner;    /* this user's; NULL: everybody's */
    const struct origin_id *follower; /* of whom this user follows; NULL, or `owner` is set: all */
    bool in_any_state;                /* with `owner`: not only those that are public */
    int64_t before_seq;               /* older than this; 0: from the newest */
    size_t limit;
};

/* Newest first, at most `limit`, in `arena`. */
FB_MUST_CHECK int origin_catalog_video_list(struct origin_catalog *catalog, struct fb_arena *arena,
                                            const struct origin_video_query *query,
                                            struct origin_video **ret_videos, size_t *ret_n);

/* Sets who may see it, and where. What nodes keep of it is purged as need be (removals.h).
 * FB_E_NOT_FOUND. */
FB_MUST_CHECK int origin_catalog_video_set_access(struct origin_catalog *catalog,
                                                  const struct origin_id *id,
                                                  enum origin_privacy privacy,
                                                  struct fb_str countries);

/* Forgets the video and all that belongs to it, and notes that its objects and copies have to go
 * (removals.h). */
FB_MUST_CHECK int origin_catalog_video_remove(struct origin_catalog *catalog,
                                              const struct origin_id *id);
