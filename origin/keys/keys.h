/*
 * Content keys, kept sealed (docs/encryption.md).
 *
 *     job ──► origin_keys_of_job ──► drawn once, sealed, a row ──► the task's key
 *     licence ──► origin_keys_find ──► row, opened ──► whoever may play the video
 *
 * A content key lies in the catalog sealed by a master key (AES-256-GCM, its id, video and scheme
 * as context, so that a row moved to another video does not open). Master keys are behind struct
 * origin_sealer: a file of them (sealer.h), of which the first seals and all open, so that one is
 * changed by putting another before it: origin_keys_run() then seals anew what an older one has
 * sealed. A device that keeps the master key to itself provides the same three functions.
 *
 * Ownership  open → close; what is given is borrowed. A key found is the caller's copy, to be
 *            wiped with origin_content_key_done().
 * Threads    Blocking; any thread.
 * Failures   FB_E_NOT_FOUND; FB_E_DENIED for a row that does not open: its master key is gone, or
 *            the row was touched; what the catalog gives.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/str.h"
#include "origin/model/content_key.h"
#include "origin/model/id.h"

#include <stdbool.h>
#include <stddef.h>

struct fb_metrics;
struct origin_catalog;
struct origin_keys;

enum { ORIGIN_SEALER_ID_MAX = 32 };

/* Who holds master keys. Any thread; may block. */
struct origin_sealer {
    void *ctx;

    /* The id of the key that seals now, written to `id` and returned as a view of it. */
    struct fb_str (*current)(void *ctx, char id[ORIGIN_SEALER_ID_MAX + 1]);

    /* Append `plain` sealed by the key `id`, and what it sealed, opened: FB_E_DENIED. */
    int (*seal)(void *ctx, struct fb_str id, struct fb_str context, struct fb_str plain,
                struct fb_buf *sealed);
    int (*unseal)(void *ctx, struct fb_str id, struct fb_str context, struct fb_str sealed,
                  struct fb_buf *plain);
};

struct origin_keys_options {
    struct origin_catalog *catalog;
    const struct origin_sealer *sealer;
    struct fb_metrics *metrics;
};

struct origin_keys *origin_keys_open(const struct origin_keys_options *options);
void origin_keys_close(struct origin_keys *keys); /* accepts NULL */

/* The key of a job of the video: drawn and stored the first time, the same ever after, whoever asks
 * and however often. `scheme` is not ORIGIN_SCHEME_CLEAR, and counts the first time alone.
 * FB_E_CONFLICT if there is no such video. */
FB_MUST_CHECK int origin_keys_of_job(struct origin_keys *keys, const struct origin_id *video,
                                     const struct origin_id *job, enum origin_scheme scheme,
                                     struct origin_content_key *ret_key);

/* The key with this id, and whose it is. Keys outlive the version that was published with them, as
 * players may be in the middle of it; they go with their video. */
FB_MUST_CHECK int origin_keys_find(struct origin_keys *keys,
                                   const uint8_t id[ORIGIN_CONTENT_KEY_BYTES],
                                   struct origin_id *ret_video, struct origin_content_key *ret_key);

/* Seals anew what is not sealed by the current master key, a few rows at a time; one that does not
 * open is logged, counted and left. */
FB_MUST_CHECK int origin_keys_run(struct origin_keys *keys);
