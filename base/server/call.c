/*
 * A request for a blocking handler:
 *
 *     READ ──► RUN (on the pool) ──► respond
 *       └────────────────────────────► respond: too large, cut, too slow
 */
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/loop/work.h"
#include "base/server/problem.h"
#include "base/server/router.h"
#include "base/server/router_internal.h"
#include "base/server/server_internal.h"
#include "base/tls/handshake.h"

#include <stdarg.h>
#include <stdio.h>

enum { CALL_DEFAULT_BODY = 64 * 1024 };

struct router_call {
    struct fb_call call;
    struct fb_exchange *exchange;
    struct fb_pool *pool;
    void *ctx;
    struct fb_buf content; /* the request's */
    size_t max_content;
    struct fb_op wait;
    struct fb_work work;
};

static void call_free(struct router_call *self)
{
    fb_buf_done(&self->content);
    fb_buf_done(&self->call.content);
    fb_free(self);
}

/* ---- after the handler --------------------------------------------------- */

static void call_respond(struct router_call *self)
{
    struct fb_call *call = &self->call;
    bool is_empty = call->content.len == 0;
    struct fb_response response = {
        .status = call->status >= 200 && call->status <= 599 ? call->status : 500,
        .headers = call->headers.items,
        .n_headers = call->headers.n,
        .length = (int64_t)call->content.len,
    };

    if (!is_empty) {
        response.body = fb_reader_of_buf(&call->content);
    }
    fb_exchange_respond(self->exchange, &response);
    call_free(self);
}

static void on_ran(struct fb_op *op)
{
    struct router_call *self = FB_CONTAINER_OF(op, struct router_call, work.op);

    if (op->result == FB_OK) {
        call_respond(self);
        return;
    }
    fb_exchange_problem(self->exchange, 503, "busy", "The server has too much to do right now.");
    call_free(self);
}

/* On a pool thread. */
static int run_call(struct fb_work *work)
{
    struct router_call *self = FB_CONTAINER_OF(work, struct router_call, work);

    self->call.route->call(self->ctx, &self->call);
    return FB_OK;
}

/* ---- before it ----------------------------------------------------------- */

static void call_refuse(struct router_call *self, int err)
{
    struct fb_exchange *exchange = self->exchange;

    if (err == FB_E_LIMIT) {
        fb_exchange_refuse(exchange, 413, NULL, "The content is larger than this path takes.",
                           true);
    } else if (err == FB_E_TIMEOUT) {
        fb_exchange_refuse(exchange, 408, NULL, "The content did not arrive in time.", true);
    } else {
        fb_exchange_refuse(exchange, 400, NULL, "The content is cut or badly framed.", true);
    }
    call_free(self);
}

/* Reads until the content is whole, broken, or later. */
static void call_read(struct router_call *self)
{
    struct fb_reader *body = fb_exchange_body(self->exchange);

    for (;;) {
        struct fb_slice slice = {0};
        int err = fb_reader_next(body, &slice);
        if (err == FB_E_LATER) {
            fb_reader_wait(body, &self->wait);
            return;
        }
        if (err == FB_E_END) {
            break;
        }
        bool fits = err == FB_OK && slice.bytes.len <= self->max_content - self->content.len;
        if (fits) {
            fb_buf_append(&self->content, slice.bytes);
        }
        fb_slice_release(&slice);
        if (!fits) {
            call_refuse(self, err < 0 ? err : FB_E_LIMIT);
            return;
        }
    }
    self->call.body = fb_buf_str(&self->content);
    fb_work_start(self->pool, &self->work);
}

static void on_content(struct fb_op *op)
{
    call_read(FB_CONTAINER_OF(op, struct router_call, wait));
}

void fb_call_start(struct fb_exchange *exchange, const struct fb_route *route, struct fb_pool *pool,
                   void *ctx)
{
    struct router_call *self = FB_NEW(struct router_call);
    struct fb_loop *loop = fb_exchange_loop(exchange);
    int64_t length = fb_exchange_body_length(exchange);

    self->exchange = exchange;
    self->pool = pool;
    self->ctx = ctx;
    self->max_content = route->max_body_bytes != 0 ? route->max_body_bytes : CALL_DEFAULT_BODY;
    self->work.run = run_call;
    fb_op_init(&self->wait, loop, on_content);
    fb_op_init(&self->work.op, loop, on_ran);
    self->call.request = fb_exchange_request(exchange);
    self->call.peer = fb_exchange_peer(exchange);
    const struct fb_tls_facts *facts = fb_exchange_tls(exchange);
    if (facts != NULL && facts->peer_name != NULL) {
        self->call.peer_name =
            fb_arena_dup(fb_exchange_arena(exchange), fb_str_from(facts->peer_name));
    }
    self->call.arena = fb_exchange_arena(exchange);
    self->call.status = 200;
    self->call.route = route;
    self->call.params = exchange->params;
    if (length > 0 && (uint64_t)length > self->max_content) {
        call_refuse(self, FB_E_LIMIT);
        return;
    }
    call_read(self);
}

void fb_call_problem(struct fb_call *call, unsigned status, const char *slug, const char *fmt, ...)
{
    char detail[512] = "";
    va_list args;

    if (fmt != NULL) {
        va_start(args, fmt);
        (void)vsnprintf(detail, sizeof(detail), fmt, args);
        va_end(args);
    }
    call->status = status;
    fb_headers_remove(&call->headers, FB_STR("Content-Type"));
    fb_headers_add(&call->headers, call->arena, FB_STR("Content-Type"),
                   FB_STR("application/problem+json"));
    fb_headers_remove(&call->headers, FB_STR("Cache-Control"));
    fb_headers_add(&call->headers, call->arena, FB_STR("Cache-Control"), FB_STR("no-store"));
    fb_buf_clear(&call->content);
    fb_problem_json(&call->content, status, slug, fb_str_from(detail));
}
