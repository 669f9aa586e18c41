/*
 * Frozen memory: copies of bytes that nobody writes to again, in a file of memory.
 *
 * The kernel can be given pages of such a file to send (sendfile), and refers to them until the
 * peer has acknowledged them, of which it does not tell. So pages that were given once must never
 * be written to: neither while a copy lives, for which there is no call, nor when its place is
 * taken by another. Therefore the pages of a copy that goes are cut out of the file; whatever
 * comes to that place has new ones, and the old ones stay what they were for as long as the
 * kernel has them.
 *
 *     file:  [copy 1 |....][hole........][copy 3.....][hole........]   slots of FB_FROZEN_MAX
 *
 * A page has to be cut out whole: of a part of one, the kernel would clear the bytes instead, which
 * may be on their way. So pages are of 4 KiB, or of FB_FROZEN_LARGE where the system allows those
 * (each page is looked up when it is sent, so 16 times fewer cost less), in which case what fills
 * no large one at the end of a copy has small ones. No setting makes larger ones: they would have
 * to be aligned in the mapping, which is laid so that nothing larger is.
 *
 * Ownership  Copies are given back before the pool is freed.
 * Threads    Any.
 * Limits     Of a large page the kernel has all as long as it has a part.
 *            `max_bytes` of copies, FB_FROZEN_MAX each. A file descriptor, and for each copy its
 *            pages and fb_frozen_cost() of them for the kernel's tables.
 * Failures   new: NULL where files of memory or mappings of them are denied. take: -ENOMEM.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"
#include "base/loop/reader.h"

#include <stddef.h>
#include <stdint.h>

enum {
    FB_FROZEN_MAX = 1 << 20,
    FB_FROZEN_MIN = 64 * 1024,
    FB_FROZEN_SMALL = 4096,
    FB_FROZEN_LARGE = 64 * 1024
};

struct fb_frozen_pool;

/* The page that the system allows now. */
size_t fb_frozen_system_page(void);

/* The page that the kernel's settings allow: `own`, of memory files with large pages, and `all`,
 * of all memory files, each with the word that is chosen in brackets. */
size_t fb_frozen_page_of(struct fb_str own, struct fb_str all);

/* `max_bytes`: of all copies together. `page`: FB_FROZEN_SMALL, or FB_FROZEN_LARGE: then large ones
 * are asked for. NULL: there is none to be had. */
struct fb_frozen_pool *fb_frozen_pool_new(uint64_t max_bytes, size_t page);

/* Accepts NULL. */
void fb_frozen_pool_free(struct fb_frozen_pool *pool);

/* A copy of `bytes`, from FB_FROZEN_MIN to FB_FROZEN_MAX of them: ret_file->begin is where, until
 * it is given back. */
FB_MUST_CHECK int fb_frozen_take(struct fb_frozen_pool *pool, struct fb_str bytes,
                                 struct fb_slice_file *ret_file);

/* Ends a copy of `n` bytes. Who still has some of the kernel's making keeps them. */
void fb_frozen_give(struct fb_frozen_pool *pool, const struct fb_slice_file *file, size_t n);

/* The page that was asked for. */
size_t fb_frozen_page(const struct fb_frozen_pool *pool);

/* Memory that a copy of `n` bytes takes. */
size_t fb_frozen_cost(size_t n);
