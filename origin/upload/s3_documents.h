/*
 * The documents of S3 that come from clients.
 *
 * Threads    Pure functions, any thread.
 * Limits     ORIGIN_PART_MAX parts, 1,000 keys.
 * Failures   XML, as struct origin_fault has it.
 */
#pragma once

#include "base/core/arena.h"
#include "base/core/attr.h"
#include "base/core/str.h"
#include "origin/upload/fault.h"
#include "origin/upload/ledger.h"

#include <stdbool.h>
#include <stddef.h>

/* <CompleteMultipartUpload>: parts in the order of the document, in the arena. */
FB_MUST_CHECK int origin_s3_complete_read(struct fb_str document, struct fb_arena *arena,
                                          struct origin_ledger_part **ret_parts, size_t *ret_n,
                                          struct origin_fault *fault);

/* <Delete>: keys, in the arena. */
FB_MUST_CHECK int origin_s3_delete_read(struct fb_str document, struct fb_arena *arena,
                                        struct fb_str **ret_keys, size_t *ret_n, bool *ret_is_quiet,
                                        struct origin_fault *fault);
