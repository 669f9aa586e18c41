/*
 * Public ids: 128 random bits in 26 characters of lower-case base32 (RFC 4648
 * section 6, without padding), so that they stand in URLs and file names as
 * they are, and a double click selects one whole.
 *
 * Threads    Any.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { ORIGIN_ID_BYTES = 16, ORIGIN_ID_LEN = 26 };

struct origin_id {
    char text[ORIGIN_ID_LEN + 1]; /* with a NUL; empty: none */
};

/* Draws a new one. */
struct origin_id origin_id_new(void);

/* The id that stands for these bytes. */
struct origin_id origin_id_of(const uint8_t bytes[ORIGIN_ID_BYTES]);

/* FB_E_MALFORMED unless `text` has the form of an id. */
FB_MUST_CHECK int origin_id_parse(struct fb_str text, struct origin_id *ret_id);

/* Its characters, borrowed. */
struct fb_str origin_id_str(const struct origin_id *id);

bool origin_id_equal(const struct origin_id *a, const struct origin_id *b);
