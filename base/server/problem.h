/*
 * Problem details in JSON (RFC 9457), the content of every error response.
 *
 * Threads    A pure function, any thread.
 */
#pragma once

#include "base/core/buf.h"
#include "base/core/str.h"

/* Appends them with the type `/problems/<slug>`, or "about:blank" when `slug`
 * is NULL, and the status' title. `detail` is a sentence for a person, or
 * empty; that of a diagnostic gets its capital, unless it begins with
 * the name of a file, and its full stop here. */
void fb_problem_json(struct fb_buf *buf, unsigned status, const char *slug, struct fb_str detail);
