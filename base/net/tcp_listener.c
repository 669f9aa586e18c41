#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/net/net_internal.h"
#include "base/net/tcp.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <unistd.h>

enum { LISTENER_BACKLOG = 1024 };

struct fb_listener {
    uv_tcp_t handle;
    struct fb_loop *loop;
    void (*accepted)(void *ctx, struct fb_stream *stream);
    void *ctx;
};

/* libuv calls this for each connection of a burst; when descriptors are out, it
 * has turned the connection away with its spare one and reports nothing. */
static void on_connection(uv_stream_t *server, int status)
{
    struct fb_listener *self = FB_CONTAINER_OF(server, struct fb_listener, handle);
    struct tcp_stream *stream = NULL;

    if (status < 0 || fb_tcp_stream_new(self->loop, &stream) < 0) {
        return;
    }
    if (uv_accept(server, (uv_stream_t *)&stream->handle) < 0) {
        fb_stream_close(&stream->stream);
        return;
    }
    fb_loop_read_clock(self->loop);
    self->accepted(self->ctx, &stream->stream);
}

static void on_closed(uv_handle_t *handle)
{
    struct fb_listener *self = FB_CONTAINER_OF(handle, struct fb_listener, handle);
    fb_free(self);
}

/* Accepted sockets inherit TCP_NODELAY, which saves a call for each. */
static int listener_set_options(struct fb_listener *self)
{
    int fd = -1;
    int on = 1;

    int err = uv_fileno((uv_handle_t *)&self->handle, &fd);
    if (err < 0) {
        return err;
    }
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) < 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)) < 0) {
        return -errno;
    }
    return FB_OK;
}

static int listener_listen(struct fb_listener *self, const struct fb_listener_options *options)
{
    int err = listener_set_options(self);
    if (err < 0) {
        return err;
    }
    err = uv_tcp_bind(&self->handle, (const struct sockaddr *)&options->address.storage, 0);
    if (err < 0) {
        return err;
    }
    int backlog = options->backlog == 0 ? LISTENER_BACKLOG : options->backlog;
    return uv_listen((uv_stream_t *)&self->handle, backlog, on_connection);
}

/* A bind without SO_REUSEPORT fails beside sockets that have it. */
int fb_listener_probe(const struct fb_address *address)
{
    int on = 1;

    int fd = socket(address->storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -errno;
    }
    int err = FB_OK;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(fd, (const struct sockaddr *)&address->storage, address->len) < 0) {
        err = -errno;
    }
    (void)close(fd);
    return err;
}

int fb_listener_open(struct fb_loop *loop, const struct fb_listener_options *options,
                     struct fb_listener **ret_listener)
{
    struct fb_listener *self = FB_NEW(struct fb_listener);

    self->loop = loop;
    self->accepted = options->accepted;
    self->ctx = options->ctx;
    int err = uv_tcp_init_ex(fb_loop_uv(loop), &self->handle, options->address.storage.ss_family);
    if (err < 0) {
        fb_free(self);
        return err;
    }
    err = listener_listen(self, options);
    if (err < 0) {
        uv_close((uv_handle_t *)&self->handle, on_closed);
        return err;
    }
    *ret_listener = self;
    return FB_OK;
}

struct fb_address fb_listener_address(const struct fb_listener *listener)
{
    struct fb_address address = {.len = 0};
    int len = (int)sizeof(address.storage);

    if (uv_tcp_getsockname(&listener->handle, (struct sockaddr *)&address.storage, &len) == 0) {
        address.len = (socklen_t)len;
    }
    return address;
}

void fb_listener_close(struct fb_listener *listener)
{
    if (listener != NULL) {
        uv_close((uv_handle_t *)&listener->handle, on_closed);
    }
}
