/*
 * The table of content keys, each sealed by a master key (origin/keys/keys.h).
 *
 * Strings of what is found live in the arena.
 */
#pragma once

#include "base/core/arena.h"
#include "origin/catalog/catalog.h"
#include "origin/model/content_key.h"
#include "origin/model/id.h"

#include <stddef.h>

struct origin_sealed_key {
    uint8_t id[ORIGIN_CONTENT_KEY_BYTES];
    struct origin_id video;
    struct origin_id job;
    enum origin_scheme scheme;
    struct fb_str master; /* the id of what it is sealed by */
    struct fb_str sealed;
};

/* Adds the key unless its job has one; either way *ret_key is the job's. FB_E_CONFLICT if there is
 * no such video. */
FB_MUST_CHECK int origin_catalog_content_key_add(struct origin_catalog *catalog,
                                                 struct fb_arena *arena,
                                                 const struct origin_sealed_key *key,
                                                 struct origin_sealed_key *ret_key);

/* By job, and by the key's id: FB_E_NOT_FOUND. */
FB_MUST_CHECK int origin_catalog_content_key_of_job(struct origin_catalog *catalog,
                                                    struct fb_arena *arena,
                                                    const struct origin_id *job,
                                                    struct origin_sealed_key *ret_key);
FB_MUST_CHECK int origin_catalog_content_key_find(struct origin_catalog *catalog,
                                                  struct fb_arena *arena,
                                                  const uint8_t id[ORIGIN_CONTENT_KEY_BYTES],
                                                  struct origin_sealed_key *ret_key);

/* Keys that are sealed by another than `master`. */
struct origin_sealed_query {
    struct fb_str master;
    const uint8_t *after; /* ids above this one; NULL: from the first */
    size_t limit;
};

/* By id. */
FB_MUST_CHECK int origin_catalog_content_keys_of_others(struct origin_catalog *catalog,
                                                        struct fb_arena *arena,
                                                        const struct origin_sealed_query *query,
                                                        struct origin_sealed_key **ret_keys,
                                                        size_t *ret_n);

/* Stores what the key is sealed by now. Nothing happens if it is gone. */
FB_MUST_CHECK int origin_catalog_content_key_reseal(struct origin_catalog *catalog,
                                                    const struct origin_sealed_key *key);
