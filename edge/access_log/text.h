/*
 * Text of the access log: what a client wrote, made harmless.
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/buf.h"
#include "base/core/str.h"

#include <stdbool.h>
#include <stddef.h>

/* Which parameters of a query are not shown as they are: those of two lists. */
struct edge_access_hiding {
    const struct fb_str *names[2];
    size_t n[2];
};

/* Appends a path, with "-" for a first segment that is a token, as signed URLs have it. */
void edge_access_path(struct fb_buf *buf, struct fb_str path);

/* Appends a query without CMCD, and with "-" for values that are hidden. */
void edge_access_query(struct fb_buf *buf, struct fb_str query,
                       const struct edge_access_hiding *hiding);

/* Appends a JSON string; beyond that form's own escapes, no control character of any kind is
 * left. At most `max` bytes of `str`: false if it was cut. */
bool edge_access_json_text(struct fb_buf *buf, struct fb_str str, size_t max);

/* Appends a column: percent-encoded, "-" if empty, "~" behind what was cut. */
void edge_access_column(struct fb_buf *buf, struct fb_str str, size_t max);

/* Appends a column in quotation marks; "-" if empty. */
void edge_access_quoted(struct fb_buf *buf, struct fb_str str);
