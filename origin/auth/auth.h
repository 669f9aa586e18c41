/*
 * Accounts: register, log in, stay logged in, log out.
 *
 *     register ─► login ─► session { access token, 15 min; refresh token, 30 days }
 *                             ▲                 │
 *                             └──── refresh ────┘   each refresh token is good once
 *
 * The access token is checked without the database. A refresh token that comes
 * twice ends every session made from the same login. An unknown account takes
 * as long to refuse as a wrong password.
 *
 * Ownership  open → close.
 * Threads    Blocking; any thread.
 * Limits     Log-ins and registrations per account and per peer, see
 *            ORIGIN_AUTH_*; hashes at once.
 * Failures   FB_E_MALFORMED with a sentence for the person; FB_E_EXISTS (the
 *            address has an account); FB_E_DENIED; FB_E_EXPIRED; FB_E_CONFLICT (a
 *            refresh token was used before); FB_E_LIMIT (too many attempts);
 *            FB_E_BUSY; else what the catalog gives.
 */
#pragma once

#include "base/core/buf.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "origin/auth/password.h"
#include "origin/auth/secret.h"
#include "origin/model/id.h"

#include <stdint.h>

struct fb_clock;
struct origin_auth;
struct origin_catalog;

enum {
    ORIGIN_AUTH_PASSWORD_MIN = 8,
    ORIGIN_AUTH_PASSWORD_MAX = 256,
    ORIGIN_AUTH_ACCOUNT_BURST = 10, /* attempts on one account … */
    ORIGIN_AUTH_ACCOUNT_REFILL_MS = 6000,
    ORIGIN_AUTH_PEER_BURST = 100, /* … and from one address */
    ORIGIN_AUTH_PEER_REFILL_MS = 1000,
    ORIGIN_AUTH_MAX_KEYS = 100000
};

struct origin_auth_options {
    struct origin_catalog *catalog; /* borrowed */
    const struct fb_clock *clock;   /* borrowed */
    uint8_t secret[ORIGIN_SECRET_BYTES];
    uint64_t access_ms;  /* 0: 15 min */
    uint64_t refresh_ms; /* 0: 30 days */
    struct origin_passwords_options passwords;
};

FB_MUST_CHECK int origin_auth_open(const struct origin_auth_options *options,
                                   struct origin_auth **ret_auth, struct fb_diag *diag);
void origin_auth_close(struct origin_auth *auth);

/* What a client is given. Owns its strings: zero → done. */
struct origin_session {
    struct fb_buf access;
    struct fb_buf refresh;
    uint64_t expires_in_s; /* of the access token */
};
void origin_session_done(struct origin_session *session);

/* What a person typed, and from where; for register and login. */
struct origin_credentials {
    struct fb_str email;
    struct fb_str password;
    struct fb_str peer; /* the address without port */
};

/* Outputs are written on success, but `ret_wait_ms` also with FB_E_LIMIT: when
 * to try again. */
FB_MUST_CHECK int origin_auth_register(struct origin_auth *auth,
                                       const struct origin_credentials *credentials,
                                       struct origin_id *ret_user, uint32_t *ret_wait_ms,
                                       struct fb_diag *diag);
FB_MUST_CHECK int origin_auth_login(struct origin_auth *auth,
                                    const struct origin_credentials *credentials,
                                    struct origin_session *ret_session, uint32_t *ret_wait_ms);

FB_MUST_CHECK int origin_auth_refresh(struct origin_auth *auth, struct fb_str refresh,
                                      struct origin_session *ret_session);

/* Forgets the session, and is content if it is unknown. */
FB_MUST_CHECK int origin_auth_logout(struct origin_auth *auth, struct fb_str refresh);

/* Who sent this Authorization field ("Bearer …", RFC 6750). FB_E_NOT_FOUND if
 * there is none. */
FB_MUST_CHECK int origin_auth_user(const struct origin_auth *auth, struct fb_str authorization,
                                   struct origin_id *ret_user);
