/*
 * XML: reading small documents whose form is known, as S3's are.
 *
 * Each element is told when it ends, inner ones first, with the path of names from the root and
 * the text directly in it:
 *
 *     <A><B>x</B><C><D>y</D></C></A>      A/B "x", A/C/D "y", A/C "", A ""
 *
 * Prefixes of namespaces are cut off ("s3:Key" is "Key"); attributes, comments and processing
 * instructions are passed over. A document type is refused, so entities are XML's own five.
 *
 * Threads    Pure functions, any thread.
 * Limits     FB_XML_DEPTH_MAX, FB_XML_PATH_MAX and FB_XML_TEXT_MAX; the document's length is the
 *            caller's to bound.
 * Failures   FB_E_MALFORMED, with a sentence; FB_E_LIMIT; what `element` returned.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/diag.h"
#include "base/core/str.h"

enum { FB_XML_DEPTH_MAX = 16, FB_XML_PATH_MAX = 512, FB_XML_TEXT_MAX = 16 * 1024 };

/* `path` and `text` are borrowed for the call. A negative result ends the reading. */
typedef int fb_xml_element_fn(void *ctx, struct fb_str path, struct fb_str text);

FB_MUST_CHECK int fb_xml_read(struct fb_str document, fb_xml_element_fn *element, void *ctx,
                              struct fb_diag *diag);

/* Appends `text` with what is special in XML escaped, for content and attributes. Control bytes
 * that XML cannot have become U+FFFD. */
void fb_xml_append_text(struct fb_buf *buf, struct fb_str text);
