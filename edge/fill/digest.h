/*
 * Digests: what an upstream says that the bytes are which it sends (RFC 9530), and
 * whether they are.
 *
 *     claim → begin → update … → holds (or done to give up)
 *
 * SHA-256 and SHA-512 are known, the latter preferred; members of other algorithms, and those
 * that cannot be a digest of theirs, are passed over. A field that is no dictionary
 * claims nothing.
 *
 * Threads    Pure functions, any thread; a struct edge_digest one at a time.
 */
#pragma once

#include "base/core/arena.h"
#include "base/crypto/hash.h"
#include "base/http/head.h"

#include <stdbool.h>
#include <stdint.h>

enum edge_digest_kind { EDGE_DIGEST_NONE, EDGE_DIGEST_SHA256, EDGE_DIGEST_SHA512 };

/* What is said of the content of one response. */
struct edge_digest_claim {
    enum edge_digest_kind kind;
    uint8_t bytes[FB_SHA512_SIZE];
};

/* The strongest claim about the content of `response`, as it comes: of a 200 to GET, which is the
 * whole, Repr-Digest tells it too; of a 206 only Content-Digest does. */
struct edge_digest_claim edge_digest_claim_of(const struct fb_response_head *response,
                                              struct fb_arena *arena);

/* A claim that is being checked. All zero: none. */
struct edge_digest {
    struct edge_digest_claim claim;

    /* Private. */
    union {
        struct fb_sha256 sha256;
        struct fb_sha512 sha512;
    } hash;
};

/* Requires a claim. */
void edge_digest_begin(struct edge_digest *digest, const struct edge_digest_claim *claim);
void edge_digest_update(struct edge_digest *digest, struct fb_str bytes);

/* True if the bytes are those of the claim. Leaves `digest` zero. */
bool edge_digest_holds(struct edge_digest *digest);

/* Leaves it zero; safe on zero. */
void edge_digest_done(struct edge_digest *digest);
