/*
 * Spools: unnamed files, which go with their descriptor, so that no crash leaves any.
 */
#pragma once

#include "base/core/attr.h"

#include <stdint.h>

/* One in `folder` with room for `bytes`, where the file system can say so. */
FB_MUST_CHECK int origin_spool_open(const char *folder, uint64_t bytes, int *ret_fd);
