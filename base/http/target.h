/*
 * Targets and hosts of requests, as every version of HTTP checks them (RFC 9110, RFC 3986).
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/http/head.h"

#include <stdbool.h>

/* host[":" port]: a name, a numeric address, or an IPv6 address in brackets. A name has letters,
 * digits, '-' and '_' in labels, none of which is empty, with one dot at the end if it likes.
 * RFC 3986 allows more (escapes, ',', ';' and their kind), that no name in DNS has and that
 * servers behind this one may read each in its own way. */
bool fb_host_is_valid(struct fb_str host);

/* True if `target` has no control bytes, spaces, '#' and bytes above ASCII. */
bool fb_target_is_clean(struct fb_str target);

/* Sets path and query from an origin-form target. False unless that begins with '/', or is "*"
 * of OPTIONS. */
bool fb_target_split(struct fb_request_head *head);
