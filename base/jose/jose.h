/*
 * Signed tokens: JSON Web Signatures (RFC 7515) in their compact form, with HS256 or ES256,
 * through cjose.
 *
 *     header.payload.signature      three parts in base64url
 *
 * A key has one algorithm, and a token that names another is refused, whatever the rest of
 * it says: `none` is nobody's. What a payload means is the caller's business, as is the
 * choice of a key: fb_jose_header_read() tells what a token proposes, unproved.
 *
 * Ownership  A key is its maker's.
 * Threads    Pure functions over unchanging keys; any thread.
 * Limits     Tokens of FB_JOSE_TOKEN_MAX bytes, key ids of FB_JOSE_KID_MAX.
 * Failures   FB_E_MALFORMED for what is no token; FB_E_DENIED for one that the key has not
 *            signed; FB_E_FOREIGN.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/diag.h"
#include "base/core/str.h"

#include <stdbool.h>

struct fb_jose_key;

enum { FB_JOSE_TOKEN_MAX = 4096, FB_JOSE_KID_MAX = 128, FB_JOSE_KEY_FILE_MAX = 8192 };

enum fb_jose_algorithm {
    FB_JOSE_HS256, /* HMAC with SHA-256 */
    FB_JOSE_ES256, /* ECDSA on P-256 with SHA-256 */
    FB_JOSE_OTHER  /* of a token only */
};

/* A key of HS256. `secret` is not empty. */
FB_MUST_CHECK int fb_jose_key_of_secret(struct fb_str secret, struct fb_jose_key **ret_key);

/* A key from the text of a file: a public key of P-256 in PEM ("BEGIN PUBLIC KEY"), or a JWK
 * (RFC 7517) of P-256, private or not, or of type "oct". FB_E_MALFORMED or FB_E_UNSUPPORTED with
 * a sentence that quotes nothing of it. */
FB_MUST_CHECK int fb_jose_key_parse(struct fb_str text, struct fb_jose_key **ret_key,
                                    struct fb_diag *diag);
void fb_jose_key_free(struct fb_jose_key *key);

/* Draws a private key of ES256. */
FB_MUST_CHECK int fb_jose_key_draw(struct fb_jose_key **ret_key);

/* Appends the key as a JWK: what fb_jose_key_parse() reads. Of a private one only its public half,
 * unless `with_private`. */
FB_MUST_CHECK int fb_jose_key_write(const struct fb_jose_key *key, bool with_private,
                                    struct fb_buf *buf);

enum fb_jose_algorithm fb_jose_key_algorithm(const struct fb_jose_key *key);

/* True if tokens can be signed with it. */
bool fb_jose_key_is_private(const struct fb_jose_key *key);

/* Appends a token; an empty `kid` is left out. */
FB_MUST_CHECK int fb_jose_sign(const struct fb_jose_key *key, struct fb_str kid,
                               struct fb_str payload, struct fb_buf *buf);

/* What a token says of itself. */
struct fb_jose_header {
    enum fb_jose_algorithm algorithm;
    char kid[FB_JOSE_KID_MAX + 1]; /* empty: none */
    size_t kid_len;
};

/* FB_E_MALFORMED also for a token that asks for extensions (`crit`). */
FB_MUST_CHECK int fb_jose_header_read(struct fb_str token, struct fb_jose_header *ret_header);

/* Appends the payload of a token that `key` has signed. */
FB_MUST_CHECK int fb_jose_verify(const struct fb_jose_key *key, struct fb_str token,
                                 struct fb_buf *buf);
