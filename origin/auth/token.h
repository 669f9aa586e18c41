/*
 * Access tokens: JSON Web Tokens (RFC 7519) signed with HMAC-SHA-256, see base/jose.
 *
 * A token says who (`sub`), from when (`iat`) until when (`exp`), and is good
 * without a look at the database. Only this issuer's algorithm and key id are
 * accepted, whatever a token's header proposes.
 *
 * Threads    Pure functions over an unchanging key; any thread.
 * Limits     Tokens of ORIGIN_TOKEN_MAX bytes.
 * Failures   FB_E_DENIED for any that is not ours; FB_E_EXPIRED.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/str.h"
#include "origin/auth/secret.h"
#include "origin/model/id.h"

#include <stdint.h>

enum { ORIGIN_TOKEN_MAX = 1024 };

struct origin_token_key;

FB_MUST_CHECK int origin_token_key_new(const uint8_t secret[ORIGIN_SECRET_BYTES],
                                       struct origin_token_key **ret_key);
void origin_token_key_free(struct origin_token_key *key);

/* Appends a token for `user`, good until `expires_ms`. */
FB_MUST_CHECK int origin_token_issue(const struct origin_token_key *key,
                                     const struct origin_id *user, int64_t now_ms,
                                     int64_t expires_ms, struct fb_buf *buf);

FB_MUST_CHECK int origin_token_check(const struct origin_token_key *key, struct fb_str token,
                                     int64_t now_ms, struct origin_id *ret_user);
