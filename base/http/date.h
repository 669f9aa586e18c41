/*
 * Dates of HTTP (RFC 9110 section 5.6.7): written as IMF-fixdate, read in that
 * and in both obsolete forms.
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"

#include <stdint.h>

enum { FB_DATE_MAX = 30 };

/* No date, where one may be missing. */
#define FB_DATE_NONE INT64_MIN

/* "Sun, 06 Nov 1994 08:49:37 GMT" with a NUL; returns a view of `text`. Years
 * outside 0..9999 are brought to the nearest that fits. */
struct fb_str fb_date_format(int64_t seconds, char text[FB_DATE_MAX]);

/* Seconds since 1970. A year of two digits lies at most 50 years after
 * `now_s`. FB_E_MALFORMED for anything that is not one of the three forms or no
 * day of the calendar; the day of the week is not checked against the date. */
FB_MUST_CHECK int fb_date_parse(struct fb_str text, int64_t now_s, int64_t *ret_seconds);
