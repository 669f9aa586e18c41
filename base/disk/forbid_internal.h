/*
 * Memory that is kept though nobody has it: to AddressSanitizer it is as if it had been freed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#ifdef FB_SANITIZED
#include <sanitizer/asan_interface.h>
#endif

/* Whoever touches `bytes` is shown, until they are allowed again. Nothing without a sanitizer. */
static inline void fb_disk_forbid(const char *bytes, size_t n, bool is_forbidden)
{
#ifdef FB_SANITIZED
    if (is_forbidden) {
        ASAN_POISON_MEMORY_REGION(bytes, n);
    } else {
        ASAN_UNPOISON_MEMORY_REGION(bytes, n);
    }
#endif
    (void)bytes;
    (void)n;
    (void)is_forbidden;
}
