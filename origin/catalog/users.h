/*
 * The table of accounts.
 */
#pragma once

#include "base/core/arena.h"
#include "origin/catalog/catalog.h"
#include "origin/catalog/counters.h"
#include "origin/model/id.h"

enum { ORIGIN_EMAIL_MAX = 254, ORIGIN_PASSWORD_HASH_MAX = 127 };

struct origin_user {
    struct origin_id id;
    char email[ORIGIN_EMAIL_MAX + 1];
    char password_hash[ORIGIN_PASSWORD_HASH_MAX + 1];
};

/* Adds an account; `email` is in lower case. FB_E_EXISTS if it has one. */
FB_MUST_CHECK int origin_catalog_user_add(struct origin_catalog *catalog, struct fb_str email,
                                          struct fb_str password_hash, struct origin_id *ret_id);

/* FB_E_NOT_FOUND if `email` has no account. */
FB_MUST_CHECK int origin_catalog_user_find(struct origin_catalog *catalog, struct fb_str email,
                                           struct origin_user *ret_user);

/* An account as others see it, but for the address. */
struct origin_profile {
    struct origin_id id;
    struct fb_str email;
    struct fb_str name; /* empty: none */
    int64_t created_ms;
    struct origin_user_counters counters;
};

/* With strings in `arena`. FB_E_NOT_FOUND. */
FB_MUST_CHECK int origin_catalog_user_get(struct origin_catalog *catalog, struct fb_arena *arena,
                                          const struct origin_id *id,
                                          struct origin_profile *ret_profile);

/* FB_E_NOT_FOUND. */
FB_MUST_CHECK int origin_catalog_user_rename(struct origin_catalog *catalog,
                                             const struct origin_id *id, struct fb_str name);
