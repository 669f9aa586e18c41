/*
 * Cache-Control and its kin (RFC 9111 section 5.2, RFC 5861, RFC 8246, RFC 9213).
 *
 * Reading is tolerant about what is unknown and strict about what is known, so that a
 * damaged field makes a response stale or private, never fresh or shared:
 *
 *   - A number that is too large is FB_DELTA_MAX, one that is no number is 0, with
 *     space around its '=' too. Of a directive that is repeated the smaller number counts.
 *   - What forbids, counts with any argument; what allows (public, immutable,
 *     must-understand), only without.
 *   - `no-cache` and `private` with a list of fields count as without if the list is
 *     no list, comes twice, or names what a response cannot do without.
 *   - A quoted string without an end could hide anything: no-store.
 *
 * Ownership  Lists of fields are views into the field.
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"

#include <stdbool.h>
#include <stdint.h>

enum { FB_DELTA_NONE = -1, FB_DELTA_MAX = 0x7fffffff };

struct fb_cache_control {
    bool no_store;
    bool no_cache; /* all of the response */
    bool no_transform;
    bool only_if_cached;
    bool is_private; /* all of the response */
    bool is_public;
    bool must_revalidate;
    bool proxy_revalidate;
    bool must_understand;
    bool immutable;
    /* Names in no-cache="..." and private="...", as lists; empty if there are none or
     * the whole response is meant. */
    struct fb_str no_cache_fields;
    struct fb_str private_fields;
    /* Seconds, FB_DELTA_NONE if not given. */
    int64_t max_age;
    int64_t s_maxage;
    int64_t stale_while_revalidate;
    int64_t stale_if_error;
    int64_t min_fresh;
    int64_t max_stale; /* FB_DELTA_MAX without a number */
};

/* Reads a whole field, its lines joined by commas; an empty one gives no
 * directives. */
struct fb_cache_control fb_cache_control_parse(struct fb_str value);

/* Reads a targeted field, which is a dictionary of RFC 8941 (RFC 9213 section 2.1): names in
 * lower case, of a directive that is repeated the last one, a number that is no integer is 0.
 * FB_E_MALFORMED if it is none or empty: it does not count then. */
FB_MUST_CHECK int fb_cache_control_parse_targeted(struct fb_str value,
                                                  struct fb_cache_control *ret_cc);

/* delta-seconds, also of Age: digits, or FB_DELTA_MAX when there are too many,
 * or 0 when it is no number. */
int64_t fb_delta_parse(struct fb_str text);
