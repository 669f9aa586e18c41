/*
 * Secrets of this installation: 32 random bytes in a file of its own, drawn at
 * the first start.
 *
 * Threads    Blocking; any thread, but one process per folder at the first start.
 * Failures   FB_E_CORRUPT when a file is not what was written; errno.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"

#include <stdint.h>

enum { ORIGIN_SECRET_BYTES = 32 };

/* The secret `name` in `folder`, which is made if need be (0700; the file 0600). */
FB_MUST_CHECK int origin_secret_load(const char *folder, const char *name,
                                     uint8_t ret_secret[ORIGIN_SECRET_BYTES], struct fb_diag *diag);
