/*
 * Cursors: where the next page of a list begins, opaque to clients.
 *
 *     "feed:" "1234:20" ──► base64url ──► "ZmVlZDoxMjM0OjIw"
 *      kind    place
 *
 * The kind tells which list a cursor is of, so that another's is refused; what a place says is the
 * list's own, and is checked by whoever reads it, as anything from outside.
 *
 * Threads    Any.
 * Limits     ORIGIN_CURSOR_MAX bytes of a cursor.
 * Failures   FB_E_MALFORMED for what is no cursor of this kind.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"

enum { ORIGIN_CURSOR_MAX = 256 };

/* Appends the cursor that says `plain`: a kind and a place. */
void origin_cursor_write(struct fb_buf *text, struct fb_str plain);

/* Appends to `place` what a cursor of `kind`, its colon included, says behind that. */
FB_MUST_CHECK int origin_cursor_read(struct fb_str cursor, struct fb_str kind,
                                     struct fb_buf *place);
