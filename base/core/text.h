/*
 * Text encodings that formats and protocols share: hexadecimal, percent
 * encoding (RFC 3986 section 2.1) and JSON string escapes (RFC 8259 section 7).
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/str.h"

/* A number in decimal. */
void fb_text_number(struct fb_buf *buf, int64_t number);

/* The same into `text`; returns a view of its end, where it stands. */
enum { FB_TEXT_NUMBER_MAX = 20 };
struct fb_str fb_text_number_at(char text[FB_TEXT_NUMBER_MAX], int64_t number);

/* Lower-case hexadecimal. */
void fb_text_hex(struct fb_buf *buf, struct fb_str bytes);

/* Exactly 2 × size digits of either case into `bytes`; FB_E_MALFORMED else. */
FB_MUST_CHECK int fb_text_unhex(struct fb_str hex, void *bytes, size_t size);

/* The value of a hexadecimal digit of either case, -1 for anything else. */
int fb_text_hex_digit(char c);

/* Percent-encodes all but the unreserved characters and those in `keep`. */
void fb_text_percent_encode(struct fb_buf *buf, struct fb_str str, const char *keep);

/* Appends the decoded bytes; FB_E_MALFORMED at a '%' without two digits, with
 * `buf` as it was. '+' stays '+'. */
FB_MUST_CHECK int fb_text_percent_decode(struct fb_buf *buf, struct fb_str str);

/* Appends `str` as a JSON string with its quotes. Bytes that are not UTF-8
 * become U+FFFD. */
void fb_text_json_string(struct fb_buf *buf, struct fb_str str);

/* True if all of `str` is well-formed UTF-8 (RFC 3629). */
bool fb_text_is_utf8(struct fb_str str);
