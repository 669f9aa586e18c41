/*
 * The table of answers to requests that may come again (Idempotency-Key): a
 * request is carried out once, and who repeats it is told what was told before.
 *
 * Answers are kept for ORIGIN_ONCE_KEPT_MS. They are written in the transaction
 * of what they answer.
 */
#pragma once

#include "base/core/str.h"
#include "base/crypto/hash.h"

#include <stdint.h>

enum { ORIGIN_ONCE_KEY_MAX = 255, ORIGIN_ONCE_KEPT_MS = 24 * 60 * 60 * 1000 };

/* A request and its answer, for the functions that carry it out. */
struct origin_once {
    struct fb_str key;                   /* the account's own; ptr NULL: the request has none */
    uint8_t fingerprint[FB_SHA256_SIZE]; /* of what is asked */
    struct fb_str answer;                /* what to keep if this is the first time */
};
