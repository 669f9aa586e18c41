/*
 * The table of who follows whom.
 *
 * Following whom one follows, and leaving whom one does not, changes nothing
 * and succeeds.
 */
#pragma once

#include "base/core/arena.h"
#include "origin/catalog/catalog.h"
#include "origin/catalog/counters.h"
#include "origin/catalog/reactions.h"
#include "origin/model/id.h"

#include <stddef.h>
#include <stdint.h>

/* With the sums of `user`, who is followed, as they are then. FB_E_CONFLICT if
 * either account is not there. */
FB_MUST_CHECK int origin_catalog_follow_put(struct origin_catalog *catalog,
                                            const struct origin_actor *actor,
                                            const struct origin_id *user,
                                            struct origin_user_counters *ret_counters);
FB_MUST_CHECK int origin_catalog_follow_remove(struct origin_catalog *catalog,
                                               const struct origin_actor *actor,
                                               const struct origin_id *user,
                                               struct origin_user_counters *ret_counters);

struct origin_followed {
    struct origin_id user;
    struct fb_str name;
    int64_t followers;
    int64_t at_ms;
};

/* Whom page->user follows, the latest first, at most page->limit, in `arena`. */
FB_MUST_CHECK int origin_catalog_follow_list(struct origin_catalog *catalog, struct fb_arena *arena,
                                             const struct origin_page *page,
                                             struct origin_followed **ret_items, size_t *ret_n);
