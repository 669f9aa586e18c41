#include "origin/reply/reply.h"

#include "base/core/buf.h"
#include "base/server/problem.h"

#include <stdio.h>

void origin_reply_add(struct fb_exchange *exchange, struct fb_headers *headers, const char *name,
                      struct fb_str value)
{
    struct fb_arena *arena = fb_exchange_arena(exchange);
    fb_headers_add(headers, arena, fb_str_from(name), fb_arena_dup(arena, value));
}

void origin_reply_problem(struct fb_exchange *exchange, const struct origin_problem *problem)
{
    struct fb_headers headers = {.n = 0};
    FB_AUTO(fb_buf_done) struct fb_buf content = {0};
    char freshness[64] = "no-store";

    fb_problem_json(&content, problem->status, problem->slug,
                    problem->detail != NULL ? fb_str_from(problem->detail) : FB_STR_NONE);
    origin_reply_add(exchange, &headers, "Content-Type", FB_STR("application/problem+json"));
    origin_reply_add(exchange, &headers, "Access-Control-Allow-Origin", FB_STR("*"));
    if (problem->max_age_s >= 0) {
        (void)snprintf(freshness, sizeof(freshness), "public, max-age=%d", problem->max_age_s);
    }
    origin_reply_add(exchange, &headers, "Cache-Control", fb_str_from(freshness));
    for (size_t i = 0; i < problem->n_headers; i++) {
        fb_headers_add(&headers, fb_exchange_arena(exchange),
                       fb_arena_dup(fb_exchange_arena(exchange), problem->headers[i].name),
                       fb_arena_dup(fb_exchange_arena(exchange), problem->headers[i].value));
    }
    int64_t length = (int64_t)content.len;
    fb_exchange_respond(exchange, &(struct fb_response){
                                      .status = problem->status,
                                      .headers = headers.items,
                                      .n_headers = headers.n,
                                      .body = fb_reader_of_buf(&content),
                                      .length = length,
                                      .closes = problem->closes,
                                  });
}

void origin_reply_preflight(struct fb_exchange *exchange, const char *methods, const char *names)
{
    struct fb_headers headers = {.n = 0};

    origin_reply_add(exchange, &headers, "Access-Control-Allow-Origin", FB_STR("*"));
    origin_reply_add(exchange, &headers, "Access-Control-Allow-Methods", fb_str_from(methods));
    origin_reply_add(exchange, &headers, "Access-Control-Allow-Headers", fb_str_from(names));
    origin_reply_add(exchange, &headers, "Access-Control-Max-Age", FB_STR("86400"));
    fb_exchange_respond(exchange, &(struct fb_response){
                                      .status = 204,
                                      .headers = headers.items,
                                      .n_headers = headers.n,
                                  });
}
