#include "base/core/alloc.h"

#include "base/core/check.h"

#include <malloc.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

enum { CACHE_LINE = 64 };

/* What malloc() keeps for each thread goes up to so many bytes; calloc() takes nothing of it. */
enum { QUICK_BYTES = 1024 };

void *fb_alloc(size_t size)
{
    if (size == 0 || size > QUICK_BYTES) {
        return fb_alloc_array(1, size);
    }
    void *ptr = malloc(size);
    FB_REQUIRE(ptr != NULL);
    return memset(ptr, 0, size);
}

void *fb_alloc_array(size_t n, size_t size)
{
    void *ptr = calloc(n == 0 ? 1 : n, size == 0 ? 1 : size);
    FB_REQUIRE(ptr != NULL);
    return ptr;
}

void *fb_realloc(void *ptr, size_t size)
{
    void *bigger = realloc(ptr, size == 0 ? 1 : size);
    FB_REQUIRE(bigger != NULL);
    return bigger;
}

void *fb_try_alloc(size_t size)
{
    return malloc(size == 0 ? 1 : size);
}

void *fb_alloc_aligned(size_t alignment, size_t size)
{
    void *ptr = NULL;
    int err = posix_memalign(&ptr, alignment, size == 0 ? 1 : size);
    FB_REQUIRE(err == 0);
    return ptr;
}

void *fb_alloc_apart(size_t size)
{
    size_t whole = (size + CACHE_LINE - 1) / CACHE_LINE * CACHE_LINE;
    void *ptr = fb_alloc_aligned(CACHE_LINE, whole);

    memset(ptr, 0, whole);
    return ptr;
}

char *fb_memdup0(const void *ptr, size_t len)
{
    FB_REQUIRE(len < SIZE_MAX);
    char *copy = fb_alloc(len + 1);
    if (len > 0) {
        memcpy(copy, ptr, len);
    }
    return copy;
}

void fb_free(void *ptr)
{
    free(ptr);
}

void fb_freep(void *pointer_to_pointer)
{
    void **pointer = pointer_to_pointer;
    free(*pointer);
    *pointer = NULL;
}

/* The system has a limit of mappings (vm.max_map_count, 65530), at which unmapping fails too. */
enum { ALLOC_MAX_MAPPED = 16384 };

void fb_alloc_map_large(void)
{
    /* Setting it also keeps it from growing with what is freed. */
    /* Both before there are threads. The first fails only for larger ones. */
    (void)mallopt(M_MMAP_THRESHOLD, FB_ALLOC_MAPPED_BYTES); /* NOLINT(concurrency-mt-unsafe) */
    (void)mallopt(M_MMAP_MAX, ALLOC_MAX_MAPPED);            /* NOLINT(concurrency-mt-unsafe) */
}
