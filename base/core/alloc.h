/*
 * Memory.
 *
 * Small allocations do not fail: the process ends instead, because branches
 * that cannot be tested are worse than a restart. A size that came from
 * outside is checked against a configured limit first and then goes through
 * fb_try_alloc() if it is large.
 *
 * Threads    Any.
 */
#pragma once

#include "base/core/attr.h"

#include <stddef.h>

/* `size` bytes, zeroed; never NULL, also for 0. Free with fb_free(). */
void *fb_alloc(size_t size);

/* `n` zeroed elements of `size` bytes each; the product is checked. */
void *fb_alloc_array(size_t n, size_t size);

/* Grows or shrinks; bytes past the old size are undefined. */
void *fb_realloc(void *ptr, size_t size);

/* As fb_alloc(), not zeroed, but NULL when there is no memory. */
FB_MUST_CHECK void *fb_try_alloc(size_t size);

/* `size` bytes at a multiple of `alignment`, which is a power of two; not zeroed,
 * never NULL. */
void *fb_alloc_aligned(size_t alignment, size_t size);

/* `size` bytes, zeroed, in cache lines of their own: for what one loop writes all the time, lest
 * it slow down who reads or writes what happens to lie beside. Never NULL. */
void *fb_alloc_apart(size_t size);

/* A copy of `len` bytes with a NUL after them. */
char *fb_memdup0(const void *ptr, size_t len);

void fb_free(void *ptr);

/* For FB_AUTO on a pointer variable: frees what it points at. */
void fb_freep(void *pointer_to_pointer);

/* Blocks of so many bytes and more are mapped by themselves once fb_alloc_map_large() was called.
 */
enum { FB_ALLOC_MAPPED_BYTES = 128 * 1024 };

/* Has what is freed of large blocks go back to the system at once, instead of staying in a heap
 * where others may not fit. For programs that are bound in memory; at the start of main(). */
void fb_alloc_map_large(void);

#define FB_NEW(type) ((type *)fb_alloc(sizeof(type)))
