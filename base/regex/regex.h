/*
 * Regular expressions, in the syntax of Perl.
 *
 * PCRE2 ends here. A pattern is compiled once, to machine code where the system
 * allows it; matching allocates from an arena alone and is bounded: neither a
 * pattern nor what it is matched against can hold a thread for long.
 *
 * Ownership  new → free; text and arena are borrowed for the call.
 * Threads    A compiled pattern may be matched by any number of threads at once.
 * Limits     FB_REGEX_PATTERN_MAX bytes of a pattern, FB_REGEX_STEPS of work and 64 KiB of
 *            memory for one match.
 * Failures   FB_E_MALFORMED with a sentence that tells the place.
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"

struct fb_regex;

enum { FB_REGEX_PATTERN_MAX = 1024, FB_REGEX_STEPS = 20000 };

/* Bytes, not characters; case counts. */
FB_MUST_CHECK int fb_regex_new(struct fb_str pattern, struct fb_regex **ret_regex,
                               struct fb_diag *diag);

/* Accepts NULL. */
void fb_regex_free(struct fb_regex *regex);

enum fb_regex_result {
    FB_REGEX_DIFFERS,
    FB_REGEX_MATCHES,
    FB_REGEX_GAVE_UP /* at one of the limits */
};

/* Whether `text` has a place, anywhere, that the pattern matches. */
enum fb_regex_result fb_regex_match(const struct fb_regex *regex, struct fb_arena *arena,
                                    struct fb_str text);

/* As fb_regex_new(), for what is only checked. */
FB_MUST_CHECK int fb_regex_check(struct fb_str pattern, struct fb_diag *diag);
