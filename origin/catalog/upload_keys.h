/*
 * The table of upload keys: what tools sign with in the name of a user. The secret is not in it
 * (origin/upload/keys.h).
 */
#pragma once

#include "base/core/arena.h"
#include "origin/catalog/catalog.h"
#include "origin/model/id.h"

#include <stddef.h>
#include <stdint.h>

enum { ORIGIN_UPLOAD_KEYS_MAX = 20 }; /* of one user */

struct origin_upload_key {
    struct origin_id id; /* the access key id */
    struct origin_id user;
    struct fb_str name; /* in the arena */
    int64_t created_ms;
    int64_t expires_ms;
    int64_t used_ms; /* when it was last seen, to the minute; 0: never */
};

/* FB_E_LIMIT beyond ORIGIN_UPLOAD_KEYS_MAX; expired ones are forgotten first. */
FB_MUST_CHECK int origin_catalog_upload_key_add(struct origin_catalog *catalog,
                                                const struct origin_upload_key *key);

/* FB_E_NOT_FOUND also when it has expired. */
FB_MUST_CHECK int origin_catalog_upload_key_get(struct origin_catalog *catalog,
                                                struct fb_arena *arena, const struct origin_id *id,
                                                struct origin_upload_key *ret_key);

/* It was used now. */
FB_MUST_CHECK int origin_catalog_upload_key_used(struct origin_catalog *catalog,
                                                 const struct origin_upload_key *key);

/* All of a user's that are good, oldest first. */
FB_MUST_CHECK int origin_catalog_upload_key_list(struct origin_catalog *catalog,
                                                 struct fb_arena *arena,
                                                 const struct origin_id *user,
                                                 struct origin_upload_key **ret_keys,
                                                 size_t *ret_n);

/* FB_E_NOT_FOUND unless it is this user's. */
FB_MUST_CHECK int origin_catalog_upload_key_remove(struct origin_catalog *catalog,
                                                   const struct origin_id *user,
                                                   const struct origin_id *id);
