/*
 * Access: which requests a site serves, by the token that they bring.
 *
 * A token is one of two forms, told apart by how they begin (docs/signed-urls.md):
 *
 *     kid=k1~exp=1767225600~path=/vod/7/~hmac=…     a signed URL: HMAC-SHA-256 in hexadecimal
 *     eyJ….eyJ….…                                   a JWT: HS256 or ES256
 *
 * It comes in the Authorization field (JWT only), in a parameter of the query, in the first
 * segment of the path (signed URLs only), or in a cookie; the first of these that is there
 * counts.
 *
 *     request ──► read ──► ticket ──► verify ──► grant ──► judge ──► cause
 *                   │                 signature            time, path, network
 *                   └──► the request without it, which is all that others see
 *
 * A grant says what its signer allows, whenever and by whomever it is asked: it may be kept
 * (cache.h) and judged again for each request.
 *
 * Ownership  Counted. What the specification points at is copied.
 * Threads    Pure functions over what never changes; any.
 * Limits     EDGE_ACCESS_KEYS_MAX keys; tokens of EDGE_ACCESS_TOKEN_MAX bytes.
 * Failures   FB_E_MALFORMED and the like with a sentence that quotes no secret.
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "base/http/head.h"
#include "base/net/network.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edge_access;
struct fb_address;

enum {
    EDGE_ACCESS_KEYS_MAX = 16,
    EDGE_ACCESS_KEY_ID_MAX = 64,
    EDGE_ACCESS_SECRET_MIN = 16, /* bytes */
    EDGE_ACCESS_TOKEN_MAX = 4096,
    EDGE_ACCESS_PATHS_MAX = 8 /* of one JWT */
};

/* ---- what is written --------------------------------------------------- */

/* What a key verifies, and how: a token cannot choose. */
enum edge_access_algorithm { EDGE_ACCESS_URL, EDGE_ACCESS_HS256, EDGE_ACCESS_ES256 };

struct edge_access_key {
    struct fb_str id;
    enum edge_access_algorithm algorithm;
    struct fb_str secret; /* URL and HS256 */
    struct fb_str text;   /* instead, for HS256 and ES256: a JWK, or PEM */
};

struct edge_access_spec {
    struct fb_str realm; /* in challenges; a site's name */
    const struct edge_access_key *keys;
    size_t n_keys;
    struct fb_str parameter;   /* of the query; empty: none */
    struct fb_str cookie;      /* likewise */
    bool in_path;              /* the first segment may be a token */
    const struct fb_str *open; /* prefixes of paths that need no token */
    size_t n_open;
    int64_t leeway_s;       /* clocks may differ so much */
    struct fb_str audience; /* that a JWT must name in `aud`; empty: any */
    struct fb_str issuer;   /* that it must name in `iss`; likewise */
};

FB_MUST_CHECK int edge_access_new(const struct edge_access_spec *spec,
                                  struct edge_access **ret_access, struct fb_diag *diag);

/* Both accept NULL. */
struct edge_access *edge_access_ref(struct edge_access *access);
void edge_access_unref(struct edge_access *access);

/* Says what keeps `id` from being a key's, if anything does: 1 to EDGE_ACCESS_KEY_ID_MAX letters,
 * digits, '.', '_' and '-'. */
FB_MUST_CHECK int edge_access_check_id(struct fb_str id, struct fb_diag *diag);

/* ---- what a request brings --------------------------------------------- */

enum edge_access_place {
    EDGE_ACCESS_NOWHERE,
    EDGE_ACCESS_BEARER,
    EDGE_ACCESS_QUERY,
    EDGE_ACCESS_SEGMENT,
    EDGE_ACCESS_COOKIE
};

struct edge_access_ticket {
    struct fb_str token; /* decoded */
    enum edge_access_place place;
};

/* The token of `request`, and the request as if there had been none, wherever: its strings are
 * views into the old one or the arena. Authorization is left as it is unless it is a
 * bearer's and the site has keys for it. */
void edge_access_read(const struct edge_access *access, struct fb_arena *arena,
                      const struct fb_request_head *request, struct fb_request_head *ret_clean,
                      struct edge_access_ticket *ret_ticket);

/* True if the normalised `path` is for everybody. */
bool edge_access_is_open(const struct edge_access *access, struct fb_str path);

/* ---- what it is worth -------------------------------------------------- */

enum edge_access_cause {
    EDGE_ACCESS_GRANTED,
    EDGE_ACCESS_MISSING,
    EDGE_ACCESS_MALFORMED,
    EDGE_ACCESS_UNKNOWN_KEY,
    EDGE_ACCESS_FORGED,
    EDGE_ACCESS_EXPIRED,
    EDGE_ACCESS_EARLY,
    EDGE_ACCESS_OTHER_AUDIENCE,
    EDGE_ACCESS_OTHER_NETWORK,
    EDGE_ACCESS_OTHER_PATH,
    EDGE_ACCESS_N_CAUSES
};

/* What a signer allows. Zero → done. */
struct edge_access_grant {
    int64_t not_before_s; /* since 1970; INT64_MIN: always */
    int64_t expires_s;
    struct fb_network network; /* if `has_network` */
    bool has_network;
    struct fb_buf paths;   /* prefixes in their normal form, each with '\n' behind; empty: all */
    struct fb_buf subject; /* of a JWT, whom it is about (`sub`); empty: it does not say */
};
void edge_access_grant_done(struct edge_access_grant *grant);

/* True for the form of a signed URL's token, which takes a few microseconds to verify. */
bool edge_access_is_url_token(struct fb_str token);

/* True if verifying `token` may take longer than a loop should: an ECDSA signature. */
bool edge_access_is_costly(const struct edge_access *access, struct fb_str token);

/* Who signed `token`, and for what. `*ret_grant` is written with EDGE_ACCESS_GRANTED only. */
enum edge_access_cause edge_access_verify(const struct edge_access *access, struct fb_str token,
                                          struct edge_access_grant *ret_grant);

/* Whether a grant is good for the normalised `path`, for this client, now. */
enum edge_access_cause edge_access_judge(const struct edge_access *access,
                                         const struct edge_access_grant *grant, struct fb_str path,
                                         const struct fb_address *client, int64_t now_ms);

/* True if `prefix` covers the path: it is the path, or ends where a segment of it does. A path
 * that would climb if somebody decoded its slashes is covered by none. */
bool edge_access_covers(struct fb_str prefix, struct fb_str path);

/* ---- how a refusal reads ----------------------------------------------- */

struct edge_access_refusal {
    unsigned status;         /* 401 or 403 */
    const char *slug;        /* of the problem's type */
    const char *detail;      /* a sentence */
    struct fb_str challenge; /* WWW-Authenticate; ptr NULL: none */
};

/* 401 with a challenge where a bearer's token is lacking or worthless (RFC 6750 section 3), else
 * 403. What is wrong with a token is told only of one that was signed. */
struct edge_access_refusal edge_access_refuse(const struct edge_access *access,
                                              struct fb_arena *arena, enum edge_access_cause cause,
                                              enum edge_access_place place);

/* "expired", for counters. */
const char *edge_access_cause_name(enum edge_access_cause cause);
