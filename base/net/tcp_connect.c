#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/loop/timer.h"
#include "base/net/net_internal.h"
#include "base/net/tcp.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>

/* Addresses of one name that are tried at most, and the time after which the
 * next is tried beside those under way (RFC 8305 section 8 recommends 250 ms). */
enum { CONNECT_MAX_TRIES = 8, CONNECT_STAGGER_MS = 250, CONNECT_MAX_HOST = 253 };

struct tcp_try {
    uv_connect_t request;
    struct tcp_connecting *parent; /* NULL once it has lost */
    struct tcp_stream *stream;     /* owned until won or lost */
};

/*
 * One connect under way: look up, then try. Lives until libuv has called back
 * all that was begun, which may be after the caller's operation has finished.
 */
struct tcp_connecting {
    struct fb_connect *connect; /* borrowed; NULL once finished */
    struct fb_loop *loop;
    struct net_state *state;
    struct fb_timer deadline;
    struct fb_timer stagger;
    uv_getaddrinfo_t lookup;

    struct fb_address addresses[CONNECT_MAX_TRIES];
    unsigned n_addresses;
    struct tcp_try tries[CONNECT_MAX_TRIES];
    unsigned n_tries;   /* begun */
    unsigned n_pending; /* of libuv's requests */
    int err;            /* of the last try that failed */
};

static void connecting_unref(struct tcp_connecting *self)
{
    if (--self->n_pending == 0) {
        fb_free(self);
    }
}

/* Tells the caller; what else is under way ends by itself. */
static void connecting_finish(struct tcp_connecting *self, int result, struct tcp_stream *stream)
{
    struct fb_connect *connect = self->connect;

    self->connect = NULL;
    fb_timer_clear(&self->deadline);
    fb_timer_clear(&self->stagger);
    for (unsigned i = 0; i < self->n_tries; i++) {
        struct tcp_try *attempt = &self->tries[i];
        if (attempt->stream != NULL && attempt->stream != stream) {
            fb_stream_close(&attempt->stream->stream);
        }
        attempt->stream = NULL;
    }
    connect->connecting = NULL;
    if (result == FB_OK) {
        connect->stream = &stream->stream;
    }
    fb_op_finish(&connect->op, result);
}

/* ---- trying -------------------------------------------------------------- */

static void connecting_try_next(struct tcp_connecting *self);

static void on_connected(uv_connect_t *request, int status)
{
    struct tcp_try *attempt = FB_CONTAINER_OF(request, struct tcp_try, request);
    struct tcp_connecting *self = attempt->parent;

    if (self->connect != NULL && status == 0) {
        (void)uv_tcp_nodelay(&attempt->stream->handle, 1);
        connecting_finish(self, FB_OK, attempt->stream);
    } else if (self->connect != NULL) {
        self->err = status;
        fb_stream_close(&attempt->stream->stream);
        attempt->stream = NULL;
        fb_loop_read_clock(self->loop);
        connecting_try_next(self);
    }
    connecting_unref(self);
}

static int connecting_try(struct tcp_connecting *self, const struct fb_address *address)
{
    struct tcp_try *attempt = &self->tries[self->n_tries];

    int err = fb_tcp_stream_new(self->loop, &attempt->stream);
    if (err < 0) {
        return err;
    }
    attempt->parent = self;
    err = uv_tcp_connect(&attempt->request, &attempt->stream->handle,
                         (const struct sockaddr *)&address->storage, on_connected);
    if (err < 0) {
        fb_stream_close(&attempt->stream->stream);
        attempt->stream = NULL;
        return err;
    }
    self->n_pending++;
    return FB_OK;
}

static bool connecting_is_trying(const struct tcp_connecting *self)
{
    for (unsigned i = 0; i < self->n_tries; i++) {
        if (self->tries[i].stream != NULL) {
            return true;
        }
    }
    return false;
}

static void connecting_try_next(struct tcp_connecting *self)
{
    fb_timer_clear(&self->stagger);
    while (self->n_tries < self->n_addresses) {
        int err = connecting_try(self, &self->addresses[self->n_tries]);
        self->n_tries++;
        if (err == FB_OK) {
            if (self->n_tries < self->n_addresses) {
                fb_timer_set(&self->stagger, CONNECT_STAGGER_MS);
            }
            return;
        }
        self->err = err;
    }
    if (!connecting_is_trying(self)) {
        connecting_finish(self, self->err, NULL);
    }
}

static void on_stagger(struct fb_timer *timer)
{
    struct tcp_connecting *self = FB_CONTAINER_OF(timer, struct tcp_connecting, stagger);

    self->n_pending++;
    connecting_try_next(self);
    connecting_unref(self);
}

/* ---- looking up ---------------------------------------------------------- */

/* Copies the addresses, families alternating, beginning with the resolver's
 * first choice. */
static void connecting_sort(struct tcp_connecting *self, const struct addrinfo *list)
{
    const struct addrinfo *next[2] = {list, list}; /* of the first's family, of others */
    int first_family = list != NULL ? list->ai_family : AF_UNSPEC;

    for (unsigned turn = 0; next[0] != NULL || next[1] != NULL; turn++) {
        const struct addrinfo **from = &next[turn % 2];
        while (*from != NULL && ((*from)->ai_family == first_family) != (turn % 2 == 0)) {
            *from = (*from)->ai_next;
        }
        if (*from == NULL || self->n_addresses == CONNECT_MAX_TRIES) {
            *from = NULL;
            continue;
        }
        struct fb_address *address = &self->addresses[self->n_addresses++];
        memcpy(&address->storage, (*from)->ai_addr, (*from)->ai_addrlen);
        address->len = (*from)->ai_addrlen;
        *from = (*from)->ai_next;
    }
}

static void on_looked_up(uv_getaddrinfo_t *request, int status, struct addrinfo *list)
{
    struct tcp_connecting *self = FB_CONTAINER_OF(request, struct tcp_connecting, lookup);

    self->state->n_lookups--;
    if (self->connect != NULL) {
        fb_loop_read_clock(self->loop);
        self->err = status < 0 ? status : UV_EAI_NODATA;
        if (status == 0) {
            connecting_sort(self, list);
        }
        connecting_try_next(self);
    }
    uv_freeaddrinfo(list);
    connecting_unref(self);
}

static int connecting_look_up(struct tcp_connecting *self, struct fb_str host, uint16_t port)
{
    static const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICSERV};
    char name[CONNECT_MAX_HOST + 1];
    char service[8];

    if (host.len == 0 || host.len > CONNECT_MAX_HOST || memchr(host.ptr, '\0', host.len) != NULL) {
        return FB_E_MALFORMED;
    }
    memcpy(name, host.ptr, host.len);
    name[host.len] = '\0';
    (void)snprintf(service, sizeof(service), "%u", (unsigned)port);
    int err =
        uv_getaddrinfo(fb_loop_uv(self->loop), &self->lookup, on_looked_up, name, service, &hints);
    if (err < 0) {
        return err;
    }
    self->n_pending++;
    self->state->n_lookups++;
    return FB_OK;
}

/* ---- life ---------------------------------------------------------------- */

static void connecting_end(struct tcp_connecting *self, int result)
{
    self->n_pending++;
    connecting_finish(self, result, NULL);
    (void)uv_cancel((uv_req_t *)&self->lookup); /* an error if it has begun, or never did */
    connecting_unref(self);
}

static void on_deadline(struct fb_timer *timer)
{
    connecting_end(FB_CONTAINER_OF(timer, struct tcp_connecting, deadline), FB_E_TIMEOUT);
}

static void connect_cancel(struct fb_op *op)
{
    struct fb_connect *connect = FB_CONTAINER_OF(op, struct fb_connect, op);
    connecting_end(connect->connecting, FB_E_CANCELED);
}

void fb_tcp_connect(struct fb_connect *connect)
{
    struct fb_loop *loop = connect->op.loop;
    struct tcp_connecting *self = FB_NEW(struct tcp_connecting);

    fb_op_begin(&connect->op, connect_cancel);
    connect->connecting = self;
    self->connect = connect;
    self->loop = loop;
    self->state = fb_net_state(loop);
    self->n_pending = 1; /* this function */
    fb_timer_init(&self->deadline, loop, on_deadline);
    fb_timer_init(&self->stagger, loop, on_stagger);
    if (connect->timeout_ms > 0) {
        fb_timer_set(&self->deadline, connect->timeout_ms);
    }
    if (fb_address_from_ip(connect->host, connect->port, &self->addresses[0]) == FB_OK) {
        self->n_addresses = 1;
        connecting_try_next(self);
    } else {
        int err = connecting_look_up(self, connect->host, connect->port);
        if (err < 0) {
            connecting_finish(self, err, NULL);
        }
    }
    connecting_unref(self);
}
