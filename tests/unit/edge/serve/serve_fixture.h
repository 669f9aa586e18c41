/*
 * What the tests of edge/serve share. The store and the fills are real; the exchange
 * and the uplink are fakes. A test asks, answers the fetches that this causes, and looks
 * at the response.
 */
#pragma once

#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/loop/reader.h"
#include "base/metrics/metrics.h"
#include "base/server/exchange.h"
#include "edge/fill/fill.h"
#include "edge/serve/serve.h"
#include "edge/site/site.h"
#include "edge/store/store.h"
#include "edge/upstream/upstream.h"
#include "tests/support/test_clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_FETCHES = 8, MAX_BODY = 3 * 1024 * 1024, MEMORY = 32 * 1024 * 1024 };

/* ---- fakes ------------------------------------------------------------- */

struct fb_exchange {
    struct fb_arena arena;
    struct fb_loop *loop;
    struct fb_request_head request;
    struct fb_str content;
    struct fb_reader *content_reader;
    struct fb_exchange_hooks hooks;

    unsigned n_responses;
    struct fb_response response; /* its fields live until `finished` */
};

const struct fb_request_head *fb_exchange_request(const struct fb_exchange *exchange)
{
    return &exchange->request;
}

struct fb_arena *fb_exchange_arena(struct fb_exchange *exchange)
{
    return &exchange->arena;
}

const struct fb_tls_facts *fb_exchange_tls(const struct fb_exchange *exchange)
{
    (void)exchange;
    return NULL;
}

struct fb_address fb_exchange_peer(const struct fb_exchange *exchange)
{
    (void)exchange;
    return (struct fb_address){.len = 0};
}

struct fb_str fb_exchange_protocol(const struct fb_exchange *exchange)
{
    (void)exchange;
    return FB_STR("HTTP/1.1");
}

int64_t fb_exchange_body_length(const struct fb_exchange *exchange)
{
    return (int64_t)exchange->content.len;
}

struct fb_reader *fb_exchange_body(struct fb_exchange *exchange)
{
    if (exchange->content_reader == NULL) {
        exchange->content_reader =
            fb_reader_of_slice((struct fb_slice){.bytes = exchange->content});
    }
    return exchange->content_reader;
}

void fb_exchange_pace(struct fb_exchange *exchange, uint64_t rate)
{
    (void)exchange;
    (void)rate;
}

void fb_exchange_set_hooks(struct fb_exchange *exchange, const struct fb_exchange_hooks *hooks)
{
    exchange->hooks = *hooks;
}

void fb_exchange_respond(struct fb_exchange *exchange, const struct fb_response *response)
{
    exchange->n_responses++;
    exchange->response = *response;
}

/* Fetches that the test has yet to answer, in order. */
static struct edge_fetch *fetches[MAX_FETCHES];
static unsigned n_fetches;
static unsigned n_canceled;

static inline void fake_cancel(struct fb_op *op)
{
    for (unsigned i = 0; i < n_fetches; i++) {
        if (&fetches[i]->op == op) {
            fetches[i] = fetches[--n_fetches];
        }
    }
    n_canceled++;
    fb_op_finish(op, FB_E_CANCELED);
}

void edge_uplink_fetch(void *uplink, struct edge_fetch *fetch)
{
    (void)uplink;
    assert_true(n_fetches < MAX_FETCHES);
    fb_op_begin(&fetch->op, fake_cancel);
    fetches[n_fetches++] = fetch;
}

/* ---- fixture ----------------------------------------------------------- */

struct fixture {
    struct test_clock clock;
    struct fb_loop *loop;
    struct fb_metrics *metrics;
    struct edge_store *store;
    struct edge_fill_table *fills;
    struct edge_serve *serve;
    char body[MAX_BODY];
};

/* For a node whose only site is `site`. */
static inline int set_up_site(void **state, const struct edge_site_spec *site)
{
    static struct fixture f;

    memset(&f, 0, sizeof(f));
    n_fetches = 0;
    n_canceled = 0;
    f.clock = test_clock_at_start();
    assert_int_equal(fb_loop_new(&f.clock.clock, &f.loop), FB_OK);
    f.metrics = fb_metrics_new();
    f.store = edge_store_new(
        &(struct edge_store_options){.memory_bytes = MEMORY, .clock = &f.clock.clock});
    f.fills = edge_fill_table_new(
        &(struct edge_fill_options){.store = f.store, .max_fills = 2, .fetch = edge_uplink_fetch});
    struct edge_sites *sites = NULL;
    assert_int_equal(edge_sites_new(&(struct edge_sites_spec){.rest = *site}, &sites, NULL), FB_OK);
    f.serve = edge_serve_new(f.loop, NULL,
                             &(struct edge_serve_options){.node = FB_STR("box-1"),
                                                          .sites = sites,
                                                          .store = f.store,
                                                          .fills = f.fills,
                                                          .metrics = f.metrics});
    edge_sites_unref(sites);
    *state = &f;
    return 0;
}

static inline int set_up(void **state)
{
    static const struct fb_str suffixes[] = {FB_STR(".m4s"), FB_STR(".m3u8")};
    const struct edge_rule rules[] = {
        {.suffixes = &suffixes[0], .n_suffixes = 1, .class = EDGE_CLASS_SEGMENT},
        {.suffixes = &suffixes[1], .n_suffixes = 1, .class = EDGE_CLASS_MANIFEST},
    };

    return set_up_site(state, &(struct edge_site_spec){.rules = rules, .n_rules = 2});
}

static inline void turn(struct fixture *f)
{
    for (int i = 0; i < 20; i++) {
        fb_loop_turn(f->loop);
    }
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;

    turn(f);
    assert_int_equal(n_fetches, 0);
    assert_int_equal(edge_fill_count(f->fills), 0);
    edge_serve_free(f->serve); /* which requires that no request is left */
    edge_fill_table_free(f->fills);
    edge_store_free(f->store);
    fb_metrics_free(f->metrics);
    fb_loop_free(f->loop);
    return 0;
}

static inline void ask(struct fixture *f, struct fb_exchange *exchange, enum fb_method method,
                       const char *path, const char *name, const char *value)
{
    *exchange = (struct fb_exchange){.loop = f->loop};
    exchange->request = (struct fb_request_head){
        .method = method,
        .method_text = fb_method_text(method),
        .target = fb_str_from(path),
        .path = fb_str_from(path),
        .host = FB_STR("h"),
    };
    if (name != NULL) {
        fb_headers_add(&exchange->request.headers, &exchange->arena, fb_str_from(name),
                       fb_str_from(value));
    }
    edge_serve_handle(f->serve, exchange);
}

/* Takes the oldest fetch. */
static inline struct edge_fetch *take_fetch(void)
{
    assert_true(n_fetches > 0);
    struct edge_fetch *fetch = fetches[0];

    n_fetches--;
    memmove(&fetches[0], &fetches[1], n_fetches * sizeof(fetches[0]));
    return fetch;
}

/* Answers the oldest fetch with `status`, one field and `text`, or fails it. */
static inline void answer(struct fixture *f, int status, const char *name, const char *value,
                          const char *text)
{
    struct edge_fetch *fetch = take_fetch();

    if (status > 0 && text != NULL) {
        fetch->response = (struct fb_response_head){.status = (unsigned)status};
        if (name != NULL) {
            fb_headers_add(&fetch->response.headers, fetch->arena, fb_str_from(name),
                           fb_str_from(value));
        }
        fetch->length = (int64_t)strlen(text);
        fetch->body = fb_reader_of_slice((struct fb_slice){.bytes = fb_str_from(text)});
    }
    fb_reader_close(fetch->request_body);
    fb_op_finish(&fetch->op, status > 0 ? FB_OK : status);
    turn(f);
}

/* Plays the server to the end: pulls the body, then says that all was sent. */
static inline const char *finish(struct fixture *f, struct fb_exchange *exchange)
{
    struct fb_slice slice;
    size_t len = 0;
    int err = FB_E_END;

    assert_int_equal(exchange->n_responses, 1);
    while (exchange->response.body != NULL) {
        err = fb_reader_next(exchange->response.body, &slice);
        if (err == FB_E_LATER) {
            turn(f);
            continue;
        }
        if (err < 0) {
            break;
        }
        assert_true(len + slice.bytes.len < MAX_BODY);
        memcpy(f->body + len, slice.bytes.ptr, slice.bytes.len);
        len += slice.bytes.len;
        fb_slice_release(&slice);
    }
    assert_int_equal(err, FB_E_END);
    f->body[len] = '\0';
    fb_reader_close(exchange->response.body);
    fb_reader_close(exchange->content_reader);
    struct fb_exchange_outcome outcome = {.status = exchange->response.status, .body_bytes = len};
    exchange->hooks.finished(exchange->hooks.ctx, &outcome);
    fb_arena_done(&exchange->arena);
    return f->body;
}

/* The first field of that name, or ptr NULL. */
static inline struct fb_str field(const struct fb_exchange *exchange, const char *name)
{
    for (size_t i = 0; i < exchange->response.n_headers; i++) {
        if (fb_str_equal_nocase(exchange->response.headers[i].name, fb_str_from(name))) {
            return exchange->response.headers[i].value;
        }
    }
    return FB_STR_NONE;
}

static inline void assert_field(const struct fb_exchange *exchange, const char *name,
                                const char *text)
{
    struct fb_str value = field(exchange, name);

    if (!fb_str_equal(value, fb_str_from(text))) {
        fail_msg("%s is '%.*s', not '%s'", name, FB_STR_ARG(value), text);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
