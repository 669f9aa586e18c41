/*
 * Memory for transfers: large aligned runs out of huge pages.
 *
 * A transfer pins each page of its memory and describes it to the device. With
 * pages of 4 KiB that is most of what a transfer of 1 MiB costs; with pages of
 * 2 MiB it is five times cheaper (tests/bench/store). Runs of any length are
 * cut from regions of such pages, first fit, in blocks.
 *
 *     region, 32 MiB:  [run......|run..|free.....|run.......|free..........]
 *
 * Where huge pages are denied the same runs come out of small ones.
 *
 * Ownership  Runs are given back before the memory is freed.
 * Threads    Any.
 * Limits     Whoever takes has one, and is told what each call costs and brings back, so that it
 *            can count what the process holds here, not what it asked for. Of huge pages that
 *            became idle 16 MiB and a 64th of what is taken are kept, until they are trimmed;
 *            the rest goes back to the system.
 */
#pragma once

#include "base/core/attr.h"

#include <stddef.h>

struct fb_disk_memory;

enum { FB_DISK_MEMORY_MAX = 16 << 20 };

struct fb_disk_memory *fb_disk_memory_new(void);
void fb_disk_memory_free(struct fb_disk_memory *memory);

/* At least `n` bytes (a multiple of FB_DISK_BLOCK, at most FB_DISK_MEMORY_MAX),
 * aligned to a block, not zeroed; NULL when there is no memory. */
FB_MUST_CHECK void *fb_disk_memory_take(struct fb_disk_memory *memory, size_t n);

/* The same, out of what is held if that has such a run, and NULL too if more than `max_more`
 * bytes would have to be held for it. *ret_more: how many more are held now. */
FB_MUST_CHECK void *fb_disk_memory_take_within(struct fb_disk_memory *memory, size_t n,
                                               size_t max_more, size_t *ret_more);

/* `n` as it was taken. Accepts NULL. Returns how many bytes less are held now: none, usually. */
size_t fb_disk_memory_give(struct fb_disk_memory *memory, void *bytes, size_t n);

/* Gives `n` bytes and the rest of a huge page back to the system, or as much as lies in whole idle
 * pages. Returns how many. */
size_t fb_disk_memory_trim(struct fb_disk_memory *memory, size_t n);

/* Bytes that the process holds here: in pages that were taken from, and to keep account. */
size_t fb_disk_memory_held(struct fb_disk_memory *memory);

/* Bytes of those pages that are not taken. */
size_t fb_disk_memory_idle(struct fb_disk_memory *memory);
