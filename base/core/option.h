/*
 * Options of a command line, read and printed by one table: `--name`, `--name VALUE`,
 * `--name=VALUE`.
 *
 * Threads    Pure functions, any thread.
 * Failures   FB_E_MALFORMED, with a sentence, for an option that is not in the table, a value that
 *            is missing, or one that is not wanted.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/diag.h"

#include <stddef.h>

struct fb_option {
    const char *name;  /* "--config" */
    const char *value; /* what it is called on the page; NULL: it takes none */
    const char *help;
    unsigned kinds; /* bits, of the program's choosing; 0: it is there in any case */
};

struct fb_options {
    const struct fb_option *rows;
    size_t n;
    unsigned kind; /* of the rows, those with this bit; 0: all */
};

struct fb_option_given {
    size_t row;
    const char *value; /* of argv; NULL: it takes none */
};

/* Reads argv[*at], and the value behind it, and steps over both. */
FB_MUST_CHECK int fb_option_read(const struct fb_options *options, int argc, char **argv, int *at,
                                 struct fb_option_given *ret_given, struct fb_diag *diag);

/* Appends them as a manual page has them. */
void fb_options_print(const struct fb_options *options, struct fb_buf *buf);
