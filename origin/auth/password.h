/*
 * Passwords: argon2id (RFC 9106) through libsodium.
 *
 * One hash takes tens of megabytes for as long as it runs, so no more than
 * `max_hashes` run at once; a few callers wait their turn, more are refused.
 *
 * Threads    Blocking, for about 0.2 s by default; any thread.
 * Failures   FB_E_BUSY when too many wait; -ENOMEM.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"

#include <stddef.h>
#include <stdint.h>

struct origin_passwords;

enum { ORIGIN_PASSWORD_HASH_SIZE = 128 }; /* with the NUL */

/* Zero means the default in brackets. */
struct origin_passwords_options {
    uint64_t rounds;      /* [2] */
    size_t memory_bytes;  /* [64 MiB] of each hash */
    uint32_t max_hashes;  /* [2] at once */
    uint32_t max_waiting; /* [32] */
};

FB_MUST_CHECK int origin_passwords_new(const struct origin_passwords_options *options,
                                       struct origin_passwords **ret_passwords);
void origin_passwords_free(struct origin_passwords *passwords);

FB_MUST_CHECK int origin_password_hash(struct origin_passwords *passwords, struct fb_str password,
                                       char ret_hash[ORIGIN_PASSWORD_HASH_SIZE]);

/* FB_E_DENIED if it is not the one. A NULL `hash` takes as long and is denied. */
FB_MUST_CHECK int origin_password_check(struct origin_passwords *passwords, struct fb_str password,
                                        const char *hash);
