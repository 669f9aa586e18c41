/*
 * URLs of RFC 3986 as HTTP uses them.
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"

#include <stdint.h>

/* An absolute http or https URL in parts; views into the parsed text. */
struct fb_url {
    struct fb_str scheme; /* "http" or "https" */
    struct fb_str host;   /* IPv6 without its brackets */
    uint16_t port;        /* 80 or 443 unless given */
    struct fb_str target; /* path and query; "/" if empty */
};

/* FB_E_MALFORMED with a sentence for anything but http(s)://host[:port][/…];
 * user information and fragments are refused. */
FB_MUST_CHECK int fb_url_parse(struct fb_str text, struct fb_url *ret_url, struct fb_diag *diag);

/* The path in its normal form, so that one resource has one key (RFC 3986
 * section 6.2.2): unreserved characters decoded, other escapes in upper case,
 * dot segments removed. FB_E_MALFORMED for a bad escape, a control byte or
 * NUL, a backslash, or a path that climbs above the root. An encoded slash
 * stays encoded. */
FB_MUST_CHECK int fb_path_normalise(struct fb_arena *arena, struct fb_str path,
                                    struct fb_str *ret_path);
