/*
 * Passes: tokens of signed URLs (docs/signed-urls.md), as edges verify them, that open a path and
 * all below it for some time.
 *
 *     kid=origin~exp=1767225600~path=/media/<video>/~hmac=9f86d0…
 *
 * The first key signs; all verify, so that they can be changed one behind the other.
 *
 * Ownership  Plain data that borrows its strings.
 * Threads    Pure functions, any thread.
 * Failures   FB_E_DENIED: not signed by one of the keys, for another path, or expired.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/str.h"

#include <stddef.h>
#include <stdint.h>

enum { ORIGIN_PASS_MAX = 512 };

struct origin_pass_key {
    struct fb_str id;
    struct fb_str secret;
};

struct origin_pass_keys {
    const struct origin_pass_key *items; /* at least one */
    size_t n;
};

/* Appends a pass for `path`, which ends with a slash and needs no escapes, until `expires_s`. */
void origin_pass_sign(const struct origin_pass_keys *keys, struct fb_str path, int64_t expires_s,
                      struct fb_buf *buf);

/* Whether `pass` opens `path` at `now_s`; *ret_expires_s tells until when. Passes with fields that
 * we do not sign (nbf, net) are refused. */
FB_MUST_CHECK int origin_pass_verify(const struct origin_pass_keys *keys, struct fb_str pass,
                                     struct fb_str path, int64_t now_s, int64_t *ret_expires_s);
