/*
 * A segment of two and a half chunks, for tests of edge/serve that ask for parts of it.
 */
#pragma once

#include "serve_fixture.h"

enum { MIB = EDGE_CHUNK_BYTES, LENGTH = 2 * MIB + MIB / 2 };

static char film[LENGTH];

static inline int set_up_film(void **state)
{
    for (size_t i = 0; i < LENGTH; i++) {
        film[i] = (char)(1 + i % 113);
    }
    return set_up(state);
}

static inline void assert_asked(const char *range, const char *if_range)
{
    const struct fb_headers *headers = &fetches[0]->request->headers;

    assert_true(fb_str_equal(fb_headers_find(headers, FB_STR("range")), fb_str_from(range)));
    assert_true(fb_str_equal(fb_headers_find(headers, FB_STR("if-range")), fb_str_from(if_range)));
}

/* Answers the oldest fetch with the bytes from `first` up to `end`: a 206, or a 200 if that is
 * all. */
static inline void answer_film(struct fixture *f, size_t first, size_t end)
{
    struct edge_fetch *fetch = take_fetch();
    char *text = fb_arena_alloc(fetch->arena, 64);
    bool is_part = end - first < LENGTH;

    (void)snprintf(text, 64, "bytes %zu-%zu/%d", first, end - 1, (int)LENGTH);
    fetch->response = (struct fb_response_head){.status = is_part ? 206 : 200};
    fb_headers_add(&fetch->response.headers, fetch->arena, FB_STR("ETag"), FB_STR("\"a\""));
    if (is_part) {
        fb_headers_add(&fetch->response.headers, fetch->arena, FB_STR("Content-Range"),
                       fb_str_from(text));
    }
    fetch->length = (int64_t)(end - first);
    fetch->body = fb_reader_of_slice((struct fb_slice){.bytes = {film + first, end - first}});
    fb_op_finish(&fetch->op, FB_OK);
    turn(f);
}

/* Takes what the exchange was answered with: the bytes from `first` up to `end`. */
static inline void finish_film(struct fixture *f, struct fb_exchange *exchange, size_t first,
                               size_t end)
{
    assert_int_equal(exchange->response.length, end - first);
    (void)finish(f, exchange);
    assert_memory_equal(f->body, film + first, end - first);
    assert_int_equal(strlen(f->body), end - first);
}

#define FILM_TEST(name) cmocka_unit_test_setup_teardown(name, set_up_film, tear_down)
