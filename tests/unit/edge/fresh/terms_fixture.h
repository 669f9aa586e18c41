/*
 * What the tests of terms share: a response and its request, written as lines of fields, and
 * the terms that follow from them.
 */
#pragma once

#include "base/core/arena.h"
#include "edge/fresh/terms.h"
#include "tests/support/test_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { S = 1000, MAX_LINES = 6 };

/* 2026-01-01T00:00:00Z, when every response of these tests arrives. */
#define ARRIVED "Thu, 01 Jan 2026 00:00:00 GMT"

struct lines {
    const char *line[MAX_LINES]; /* "Name: value" */
};

static inline struct fb_headers make_headers(struct fb_arena *arena, const struct lines *lines)
{
    struct fb_headers headers = {0};

    for (size_t i = 0; i < MAX_LINES && lines->line[i] != NULL; i++) {
        struct fb_str line = fb_str_from(lines->line[i]);
        size_t colon = fb_str_find(line, ':');
        fb_headers_add(&headers, arena, fb_str_first(line, colon),
                       fb_str_trim(fb_str_skip(line, colon + 1)));
    }
    return headers;
}

struct question {
    const char *what;
    struct lines response;
    struct lines request;
    struct edge_treatment treatment;
    unsigned status; /* 0: 200 */
    enum fb_method method;
    int64_t delay_ms; /* between request and response */
};

static inline struct edge_terms find_terms(const struct question *question)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    struct test_clock clock = test_clock_at_start();
    struct fb_request_head request = {.method = question->method,
                                      .headers = make_headers(&arena, &question->request)};
    struct fb_response_head response = {.status = question->status != 0 ? question->status : 200,
                                        .headers = make_headers(&arena, &question->response)};
    struct edge_moment received = edge_moment_now(&clock.clock);
    struct edge_moment requested = received;

    requested.mono_ms -= question->delay_ms;
    requested.wall_ms -= question->delay_ms;
    return edge_terms_find(&(struct edge_terms_of){.request = &request,
                                                   .response = &response,
                                                   .treatment = question->treatment,
                                                   .requested = requested,
                                                   .received = received});
}

#define SEGMENT                      \
    {                                \
        .class = EDGE_CLASS_SEGMENT, \
    }
#define NEGATIVE(status_, ttl)                                                          \
    {                                                                                   \
        .caching = {.n_negative = 1, .negative = {{.status = status_, .ttl_ms = ttl}} } \
    }
#define HEURISTIC(percent, most)                                                 \
    {                                                                            \
        .caching = {.heuristic_percent = (percent), .heuristic_max_ms = (most) } \
    }
#define COOKIES(policy)                   \
    {                                     \
        .caching = {.cookies = (policy) } \
    }
#define MANIFEST                                                                \
    {                                                                           \
        .class = EDGE_CLASS_MANIFEST, .min_ttl_ms = 2 * S, .max_ttl_ms = 30 * S \
    }
