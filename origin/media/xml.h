/*
 * Text inside XML.
 *
 * Threads    Pure functions that append to a buffer.
 */
#pragma once

#include "base/core/buf.h"

/* As content or inside an attribute; control characters, which are not XML at all,
 * become spaces. */
void origin_xml_escape(struct fb_buf *buf, const char *text);
