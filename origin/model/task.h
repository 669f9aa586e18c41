/*
 * Tasks: what a worker is told, and what it tells in return.
 *
 * A task is one video to transcode, under a lease: whoever holds the lease may
 * renew, finish, fail or return the task, and nobody else. A worker takes
 * tasks from a source, which is the catalog of the same process or an origin
 * over HTTP; it cannot tell which.
 *
 *     take ──► renew … renew ──► finish | fail | give_back
 *                 └── FB_E_CONFLICT: the lease is lost; drop the work
 *
 * Ownership  A result owns its files and renditions: zero → ..._done().
 * Threads    The functions of a source block; any thread.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "origin/model/id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ORIGIN_KEY_MAX = 255,    /* bytes of an object's key */
    ORIGIN_VERSION_LEN = 16, /* hexadecimal digits */
    ORIGIN_PATH_MAX = 127,   /* bytes of a file's path within a version */
    ORIGIN_TYPE_MAX = 63,    /* bytes of a media type */
    ORIGIN_CODECS_MAX = 127, /* bytes of a CODECS attribute */
    ORIGIN_RENDITIONS_MAX = 16,
    ORIGIN_FILES_MAX = 200000, /* of one version: nine days of 4 s segments */
    ORIGIN_REASON_MAX = 300,   /* bytes of a failure's sentence */
    ORIGIN_DIGEST_LEN = 32
};

struct fb_json;

struct origin_task {
    struct origin_id job;
    struct origin_id lease; /* proves the right to the job */
    struct origin_id video;
    char source[ORIGIN_KEY_MAX + 1]; /* object key of what was uploaded */
    uint32_t lease_ms;               /* renew well before so long has passed */
    uint32_t attempt;                /* 1 for the first */
};

struct origin_result_rendition {
    uint32_t height; /* of the picture as shown */
    uint32_t width;
    uint64_t bandwidth; /* bits per second at the peak */
    char codecs[ORIGIN_CODECS_MAX + 1];
};

struct origin_result_file {
    char path[ORIGIN_PATH_MAX + 1]; /* such as "v/720p/seg-00001.m4s" */
    char type[ORIGIN_TYPE_MAX + 1];
    uint64_t size;
    uint8_t sha256[ORIGIN_DIGEST_LEN];
};

struct origin_result {
    char version[ORIGIN_VERSION_LEN + 1];
    uint64_t duration_ms;
    uint32_t width; /* of the source as shown */
    uint32_t height;
    bool has_audio;
    struct origin_result_rendition renditions[ORIGIN_RENDITIONS_MAX];
    size_t n_renditions;
    struct origin_result_file *files; /* owned */
    size_t n_files;
};

void origin_result_done(struct origin_result *result);

/* Where tasks come from. Every pointer is required. */
struct origin_task_source {
    void *ctx;

    /* FB_E_LATER when there is nothing to do. */
    int (*take)(void *ctx, struct fb_str worker, struct origin_task *ret_task);

    /* Holds the lease for another `lease_ms` and reports progress. */
    int (*renew)(void *ctx, const struct origin_task *task, uint32_t permille);

    /* Publishes. FB_E_CONFLICT when the lease was lost meanwhile. */
    int (*finish)(void *ctx, const struct origin_task *task, const struct origin_result *result);

    /* Ends this attempt. `reason` is a sentence for the creator; `is_final`:
     * trying again cannot help. */
    int (*fail)(void *ctx, const struct origin_task *task, struct fb_str reason, bool is_final);

    /* Returns the task as if this attempt had never been: the worker stops. */
    int (*give_back)(void *ctx, const struct origin_task *task);
};

/* As JSON objects, between an origin and its workers: what is stored sets the
 * members of `object`, what is loaded checks every one, so that it may be stored
 * and served. */
void origin_task_store(struct fb_json *object, const struct origin_task *task);
FB_MUST_CHECK int origin_task_load(const struct fb_json *object, struct origin_task *ret_task,
                                   struct fb_diag *diag);
void origin_result_store(struct fb_json *object, const struct origin_result *result);
FB_MUST_CHECK int origin_result_load(const struct fb_json *object, struct origin_result *ret_result,
                                     struct fb_diag *diag);

/* The member `key` as an id. */
FB_MUST_CHECK int origin_id_load(const struct fb_json *object, const char *key,
                                 struct origin_id *ret_id, struct fb_diag *diag);

/* The files of a version, as publish.json lists them: {"files":[…]}. */
FB_MUST_CHECK int origin_files_load(const struct fb_json *object, struct origin_result *result,
                                    struct fb_diag *diag);

/* A relative path of plain names: letters, digits, '.', '-', '_', '/'; no
 * empty or dotted segment; at most `max` bytes. */
bool origin_path_is_plain(struct fb_str path, size_t max);
