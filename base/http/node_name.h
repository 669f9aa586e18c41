/*
 * Names of nodes, as they stand in Via and Cache-Status.
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"

/* FB_OK if `name` is a token of both fields (RFC 9110 section 5.6.2, RFC 8941
 * section 3.3.4): a letter, then letters, digits, '-', '.' and '_'. Else
 * FB_E_MALFORMED with that sentence. */
FB_MUST_CHECK int fb_node_name_check(struct fb_str name, struct fb_diag *diag);
