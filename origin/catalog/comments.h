/*
 * The table of comments: flat, and replies to them.
 *
 * A reply to a reply belongs to the same comment as that. A comment with replies
 * that is removed stays without text until the last of them is gone.
 */
#pragma once

#include "base/core/arena.h"
#include "origin/catalog/catalog.h"
#include "origin/catalog/idempotency.h"
#include "origin/catalog/reactions.h"
#include "origin/model/id.h"

#include <stddef.h>
#include <stdint.h>

struct origin_comment {
    struct origin_id id;
    struct origin_id video;
    struct origin_id user;
    struct origin_id parent; /* empty: none */
    struct fb_str user_name;
    struct fb_str text; /* ptr NULL: removed */
    int64_t replies;
    int64_t at_ms;
    int64_t seq;
};

struct origin_comment_new {
    struct origin_actor actor;
    struct origin_id id;
    struct origin_id video;
    struct origin_id parent; /* empty: none; of the same video, and no reply itself */
    struct fb_str text;
    int64_t at_ms;
};

/* FB_E_CONFLICT: the account, the video or the parent is not there (any more).
 * FB_E_DENIED: once->key stood for another request. FB_E_EXISTS: this was done before, and
 * *ret_earlier, in `arena`, is what was answered then (the one output of a
 * failure). */
FB_MUST_CHECK int origin_catalog_comment_add(struct origin_catalog *catalog, struct fb_arena *arena,
                                             const struct origin_comment_new *comment,
                                             const struct origin_once *once,
                                             struct fb_str *ret_earlier);

/* FB_E_NOT_FOUND if there is none, or it was removed. */
FB_MUST_CHECK int origin_catalog_comment_get(struct origin_catalog *catalog, struct fb_arena *arena,
                                             const struct origin_id *id,
                                             struct origin_comment *ret_comment);

struct origin_comment_query {
    struct origin_id video;
    struct origin_id parent; /* its replies, the oldest first; empty: those of the
                                video itself, the newest first */
    int64_t from_seq;        /* beyond this in that direction; 0: from the first */
    size_t limit;
};
FB_MUST_CHECK int origin_catalog_comment_list(struct origin_catalog *catalog,
                                              struct fb_arena *arena,
                                              const struct origin_comment_query *query,
                                              struct origin_comment **ret_comments, size_t *ret_n);

/* Content if there is none any more. */
FB_MUST_CHECK int origin_catalog_comment_remove(struct origin_catalog *catalog,
                                                const struct origin_id *id);
