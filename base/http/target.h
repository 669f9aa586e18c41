/*
 * Targets and hosts of requests, as every version of HTTP checks them (RFC 9110, RFC 3986).
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/http/head.h"

#include <stdbool.h>

/* host[":" port] with the bytes of RFC 3986 section 3.2.2, never empty. */
bool fb_host_is_valid(struct fb_str host);

/* True if `target` has no control bytes, spaces, '#' and bytes above ASCII. */
bool fb_target_is_clean(struct fb_str target);

/* Sets path and query from an origin-form target. False unless that begins with '/', or is "*"
 * of OPTIONS. */
bool fb_target_split(struct fb_request_head *head);
