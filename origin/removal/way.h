/*
 * How nodes are called: POST to their admin addresses, all at once, by libcurl.
 *
 * Ownership  open → close.
 * Threads    Blocking; one call at a time.
 * Limits     ORIGIN_WAY_TIMEOUT_MS for each; no redirects, no proxies, HTTP and HTTPS only.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "origin/removal/removal.h"

struct origin_way;

enum { ORIGIN_WAY_TIMEOUT_MS = 5000 };

/* Files in PEM; empty ones are left out: the system's authorities, no certificate of ours. */
struct origin_way_options {
    struct fb_str authorities;
    struct fb_str certificate;
    struct fb_str key;
};

FB_MUST_CHECK int origin_way_open(const struct origin_way_options *options,
                                  struct origin_way **ret_way, struct fb_diag *diag);
void origin_way_close(struct origin_way *way); /* accepts NULL */

struct origin_purge_way origin_way_of(struct origin_way *way);
