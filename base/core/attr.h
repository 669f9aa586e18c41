/*
 * Compiler attributes and the few macros that all code may use.
 */
#pragma once

#include <stddef.h>

#define FB_MUST_CHECK        __attribute__((warn_unused_result))
#define FB_COLD              __attribute__((cold))
#define FB_NORETURN          __attribute__((noreturn))
#define FB_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))

/* Drops a result that must be checked elsewhere; say why beside it. */
#define FB_IGNORE(call)                       \
    do {                                      \
        __typeof__(call) fb_ignored = (call); \
        (void)fb_ignored;                     \
    } while (0)

/* Runs `done(&variable)` when the variable leaves its scope. `done` accepts a
 * zero variable, so ownership leaves through a `take` that clears it. */
#define FB_AUTO(done) __attribute__((cleanup(done)))

#define FB_ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))

/* The struct of `type` whose `member` is at `ptr`. */
#define FB_CONTAINER_OF(ptr, type, member) ((type *)(void *)((char *)(ptr)-offsetof(type, member)))

#define FB_MIN(a, b) ((a) < (b) ? (a) : (b))
#define FB_MAX(a, b) ((a) > (b) ? (a) : (b))
