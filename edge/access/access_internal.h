/*
 * What the files of edge/access share.
 *
 *     access.c    keys and options, compiled
 *     ticket.c    the token of a request, and the request without it
 *     url.c       tokens of signed URLs
 *     jwt.c       JSON Web Tokens
 *     judge.c     what a grant is good for
 *     refusal.c   how a refusal reads
 *     cache.c     grants of tokens that were verified
 *     cors.c      which pages may read responses
 */
#pragma once

#include "base/jose/jose.h"
#include "edge/access/access.h"

#include <stdatomic.h>

struct access_key {
    struct fb_str id;
    enum edge_access_algorithm algorithm;
    struct fb_str secret;     /* URL */
    struct fb_jose_key *jose; /* owned; the others */
};

struct edge_access {
    atomic_uint n_refs;
    struct fb_arena arena; /* what the others point at */
    struct edge_access_spec spec;
    bool has_jwt;
    bool has_costly;
    size_t n_keys;
    struct access_key keys[];
};

enum edge_access_cause edge_access_verify_url(const struct edge_access *access, struct fb_str token,
                                              struct edge_access_grant *grant);
enum edge_access_cause edge_access_verify_jwt(const struct edge_access *access, struct fb_str token,
                                              struct edge_access_grant *grant);

/* Adds a prefix in its normal form; FB_E_MALFORMED if it is none. */
FB_MUST_CHECK int edge_access_grant_path(struct edge_access_grant *grant, struct fb_str prefix);
