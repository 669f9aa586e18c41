/*
 * The table of refresh tokens: sessions that outlive an access token.
 *
 * Only hashes are kept. A token is used once and replaced by its successor in
 * one transaction; a token that comes a second time was stolen or copied, so
 * its whole family is forgotten.
 */
#pragma once

#include "base/crypto/hash.h"
#include "origin/catalog/catalog.h"
#include "origin/model/id.h"

#include <stdint.h>

struct origin_refresh_token {
    uint8_t hash[FB_SHA256_SIZE];
    int64_t expires_ms;
};

/* Begins a family; forgets what expired. */
FB_MUST_CHECK int origin_catalog_refresh_add(struct origin_catalog *catalog,
                                             const struct origin_id *user,
                                             const struct origin_refresh_token *token);

/* Replaces the token with `hash` by `next`. FB_E_NOT_FOUND: unknown; FB_E_EXPIRED;
 * FB_E_CONFLICT: it was used before, and its family is gone now. */
FB_MUST_CHECK int origin_catalog_refresh_rotate(struct origin_catalog *catalog,
                                                const uint8_t hash[FB_SHA256_SIZE],
                                                const struct origin_refresh_token *next,
                                                struct origin_id *ret_user);

/* Forgets the family of the token with `hash`, if there is one. */
FB_MUST_CHECK int origin_catalog_refresh_revoke(struct origin_catalog *catalog,
                                                const uint8_t hash[FB_SHA256_SIZE]);
