/*
 * Structured fields (RFC 8941): dictionaries, read member by member.
 *
 *     struct fb_sf_member member;
 *     while ((err = fb_sf_next_member(&rest, &member)) == FB_OK) { ... }
 *
 * Reading is strict: one fault anywhere voids the whole field, so nothing that was read
 * counts unless the end came as FB_E_END. Of a key that comes twice the last one counts.
 *
 * Ownership  Texts are views into the field.
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"

#include <stdint.h>

enum fb_sf_kind {
    FB_SF_INTEGER,
    FB_SF_DECIMAL,
    FB_SF_STRING,
    FB_SF_TOKEN,
    FB_SF_BYTES,
    FB_SF_BOOLEAN,
    FB_SF_INNER_LIST
};

struct fb_sf_member {
    struct fb_str key;
    enum fb_sf_kind kind;
    int64_t integer;    /* of an INTEGER; of a DECIMAL in thousandths; 0 or 1 of a BOOLEAN */
    struct fb_str text; /* STRING: between the quotes, escapes and all; TOKEN; BYTES: the base64;
                         * INNER_LIST: between the parentheses */
    struct fb_str parameters; /* from the first ';', or empty */
};

/* Takes the next member of the dictionary `rest`, all lines of the field joined by commas.
 * FB_E_END after the last, and for an empty field; FB_E_MALFORMED. */
FB_MUST_CHECK int fb_sf_next_member(struct fb_str *rest, struct fb_sf_member *ret_member);
