#include "base/regex/regex.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { REGEX_HEAP_KIB = 64, REGEX_NESTING = 32, REGEX_MESSAGE_MAX = 160 };

struct fb_regex {
    pcre2_code *code;            /* owned */
    pcre2_match_context *limits; /* owned; only read by matches */
};

static void *regex_heap_alloc(size_t size, void *ctx)
{
    (void)ctx;
    return fb_alloc(size);
}

static void regex_heap_free(void *piece, void *ctx)
{
    (void)ctx;
    fb_free(piece);
}

static void *regex_arena_alloc(size_t size, void *arena)
{
    return fb_arena_alloc(arena, size);
}

static void regex_arena_free(void *piece, void *arena)
{
    (void)piece; /* it goes with the arena */
    (void)arena;
}

/* Compiled with nothing in it that could run wild or reach out: no look at single
 * code units (\C), and a bounded depth of groups. */
static pcre2_code *regex_compile(pcre2_general_context *heap, struct fb_str pattern, int *ret_error,
                                 size_t *ret_offset)
{
    pcre2_compile_context *context = pcre2_compile_context_create(heap);

    FB_REQUIRE(context != NULL);
    (void)pcre2_set_parens_nest_limit(context, REGEX_NESTING); /* never fails */
    pcre2_code *code = pcre2_compile((PCRE2_SPTR)pattern.ptr, pattern.len,
                                     PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UTF | PCRE2_NEVER_UCP |
                                         PCRE2_NO_AUTO_CAPTURE | PCRE2_DOLLAR_ENDONLY,
                                     ret_error, ret_offset, context);
    pcre2_compile_context_free(context);
    return code;
}

int fb_regex_new(struct fb_str pattern, struct fb_regex **ret_regex, struct fb_diag *diag)
{
    int error = 0;
    size_t offset = 0;

    if (pattern.len == 0 || pattern.len > FB_REGEX_PATTERN_MAX) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "a regular expression of 1 to %d bytes is expected",
                           FB_REGEX_PATTERN_MAX);
    }
    pcre2_general_context *heap =
        pcre2_general_context_create(regex_heap_alloc, regex_heap_free, NULL);
    FB_REQUIRE(heap != NULL);
    pcre2_code *code = regex_compile(heap, pattern, &error, &offset);
    if (code == NULL) {
        PCRE2_UCHAR message[REGEX_MESSAGE_MAX] = "";
        (void)pcre2_get_error_message(error, message, sizeof(message)); /* cut, if at all */
        pcre2_general_context_free(heap);
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "'%.*s' is no regular expression: %s, at offset %zu",
                           FB_STR_ARG(pattern), (const char *)message, offset);
    }
    (void)pcre2_jit_compile(code, PCRE2_JIT_COMPLETE); /* without it, it is interpreted */

    struct fb_regex *regex = FB_NEW(struct fb_regex);
    regex->code = code;
    regex->limits = pcre2_match_context_create(heap);
    FB_REQUIRE(regex->limits != NULL);
    (void)pcre2_set_match_limit(regex->limits, FB_REGEX_STEPS); /* none of them fails */
    (void)pcre2_set_depth_limit(regex->limits, FB_REGEX_STEPS);
    (void)pcre2_set_heap_limit(regex->limits, REGEX_HEAP_KIB);
    pcre2_general_context_free(heap); /* what was made with it has a copy */
    *ret_regex = regex;
    return FB_OK;
}

void fb_regex_free(struct fb_regex *regex)
{
    if (regex == NULL) {
        return;
    }
    pcre2_match_context_free(regex->limits);
    pcre2_code_free(regex->code);
    fb_free(regex);
}

enum fb_regex_result fb_regex_match(const struct fb_regex *regex, struct fb_arena *arena,
                                    struct fb_str text)
{
    pcre2_general_context *memory =
        pcre2_general_context_create(regex_arena_alloc, regex_arena_free, arena);
    pcre2_match_data *data = pcre2_match_data_create(1, memory);

    int n = pcre2_match(regex->code, (PCRE2_SPTR)(text.ptr != NULL ? text.ptr : ""), text.len, 0, 0,
                        data, regex->limits);
    if (n == PCRE2_ERROR_NOMATCH) {
        return FB_REGEX_DIFFERS;
    }
    return n >= 0 ? FB_REGEX_MATCHES : FB_REGEX_GAVE_UP;
}

int fb_regex_check(struct fb_str pattern, struct fb_diag *diag)
{
    struct fb_regex *regex = NULL;

    int err = fb_regex_new(pattern, &regex, diag);
    if (err < 0) {
        return err;
    }
    fb_regex_free(regex);
    return FB_OK;
}
