/*
 * The API: JSON to rooms and back (docs/http-api.md is its description).
 *
 *     POST   /api/v1/auth/register | login | refresh | logout
 *     POST   /api/v1/videos                    make a video, get its upload URL
 *     POST   /api/v1/videos/{id}/upload        where the file goes; …/upload/parts
 *     DELETE /api/v1/videos/{id}/upload/{upload}
 *     POST   /api/v1/videos/{id}/complete      the upload is done
 *     POST   /api/v1/uploads/sign              a request of S3
 *     GET, POST /api/v1/upload-keys            DELETE …/{key}
 *     GET    /api/v1/videos                    pages, newest first
 *     GET    /api/v1/videos/{id}
 *     GET    /api/v1/videos/{id}/status
 *     GET    /api/v1/videos/{id}/manifest      302 to where players fetch it
 *     PATCH, DELETE /api/v1/videos/{id}        who may see it, and where
 *     POST   /api/v1/licences/clearkey         content keys, for who may play
 *     PUT, DELETE /api/v1/videos/{id}/like | save
 *     POST   /api/v1/videos/{id}/share
 *     GET, POST   /api/v1/videos/{id}/comments     DELETE /api/v1/comments/{id}
 *     POST   /api/v1/videos/{id}/deactivate | activate   GET …/moderation
 *     GET    /api/v1/feed                      what somebody may want to watch; …/following
 *     GET    /api/v1/users/{id}                PUT, DELETE …/follow
 *     GET    /api/v1/search                    videos by words     GET …/suggest
 *     GET, PUT    /api/v1/me                   GET …/likes | saves | following
 *     GET    /api/v1/trending                  GET …/stream | socket
 *     GET    /api/v1/videos/{id}/ranking
 *
 * Handlers are plain blocking functions, but those of trending; each decides once what a failure
 * means to the client, as problem details.
 *
 * Ownership  new → free; everything given is borrowed.
 * Threads    Handlers on any thread of a pool, those of trending on the loop.
 * Limits     ORIGIN_API_* on every field.
 */
#pragma once

#include "base/core/str.h"

#include <stddef.h>
#include <stdint.h>

struct fb_clock;
struct fb_network;
struct fb_route;
struct origin_access;
struct origin_api;
struct origin_auth;
struct origin_catalog;
struct origin_engagement;
struct origin_feed;
struct origin_jobs;
struct origin_keys;
struct origin_objects;
struct origin_search;
struct origin_push;
struct origin_removals;
struct origin_status;
struct origin_trending;
struct origin_upload;
struct origin_plan;
struct origin_views;

enum {
    ORIGIN_API_TITLE_MAX = 150,        /* characters */
    ORIGIN_API_DESCRIPTION_MAX = 5000, /* characters */
    ORIGIN_API_TAGS_MAX = 20,
    ORIGIN_API_TAG_MAX = 40,       /* characters */
    ORIGIN_API_FILENAME_MAX = 255, /* bytes */
    ORIGIN_API_TYPE_MAX = 100,     /* characters */
    ORIGIN_API_SOUND_MAX = 80,     /* characters */
    ORIGIN_API_CATEGORY_MAX = 32,  /* characters */
    ORIGIN_API_NAME_MAX = 50,      /* characters; of a user */
    ORIGIN_API_COMMENT_MAX = 2000, /* characters */
    ORIGIN_API_REASON_MAX = 500,   /* characters; of a decision */
    ORIGIN_API_PAGE_MAX = 100,
    ORIGIN_API_PAGE_DEFAULT = 20
};

struct origin_api_options {
    struct origin_catalog *catalog;
    struct origin_objects *objects;
    struct origin_auth *auth;
    struct origin_access *access;
    struct origin_keys *keys;
    struct origin_removals *removals;
    struct origin_jobs *jobs;
    struct origin_upload *upload;
    struct origin_engagement *engagement;
    struct origin_search *search;
    struct origin_trending *trending;
    struct origin_push *push;
    struct origin_status *status;
    struct origin_feed *feed;
    struct origin_views *views;
    struct origin_plan *plan;
    const struct fb_clock *clock;
    struct fb_str public_url; /* where players fetch media */
    struct fb_str upload_url; /* where uploads go; empty: to the host that was asked */
    uint64_t max_upload_bytes;
    uint32_t upload_expires_s;
    uint64_t multipart_from;         /* larger files are sent in parts */
    uint32_t max_uploads;            /* that a user may begin in one hour; 0: any number */
    uint64_t max_user_bytes;         /* that all of a user's files may have; 0: any number */
    const struct fb_str *categories; /* what a video's may be */
    size_t n_categories;
    const struct fb_network *trusted; /* who may say for whom they ask (peer.h) */
    size_t n_trusted;
};

struct origin_api *origin_api_new(const struct origin_api_options *options);
void origin_api_free(struct origin_api *api);

/* The routes, for a router with the API as ctx. */
const struct fb_route *origin_api_routes(size_t *ret_n);

struct fb_diag;

struct fb_buf;
struct origin_video;

/* What lists tell of a video; for origin_trending_options, with the API as ctx. */
void origin_api_describe(void *api, const struct origin_video *video, struct fb_buf *json);

/* What is told of its progress; for origin_status_options. */
void origin_api_describe_status(void *ctx, const struct origin_video *video, struct fb_buf *json);
