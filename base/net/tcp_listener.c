#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/loop/timer.h"
#include "base/net/net_internal.h"
#include "base/net/sockets.h"
#include "base/net/tcp.h"
#include "base/net/tcp_depth.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

/* Connections taken in one turn, so that a flood of new ones does not starve
 * those that stand; the pause after a failure that would only repeat. */
enum { LISTENER_BACKLOG = 1024, LISTENER_MAX_BURST = 64, LISTENER_PAUSE_MS = 100 };

/*
 * Accepting is ours and not libuv's, whose loop over accept() spins for as
 * long as it fails when its spare descriptor was lost to another thread.
 */
struct fb_listener {
    uv_poll_t poll;
    struct fb_loop *loop;
    int fd;       /* owned; -1 once closed */
    int spare_fd; /* owned; given up to turn connections away; -1: none */
    struct fb_timer pause;
    void (*accepted)(void *ctx, struct fb_stream *stream);
    void *ctx;
};

static int open_spare(void)
{
    return open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static int accept_one(int fd, struct fb_address *ret_peer)
{
    struct fb_address peer = {.len = sizeof(peer.storage)};

    int accepted =
        accept4(fd, (struct sockaddr *)&peer.storage, &peer.len, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (accepted < 0) {
        return -errno;
    }
    *ret_peer = peer;
    return accepted;
}

static void listener_deliver(struct fb_listener *self, int fd, const struct fb_address *peer)
{
    struct tcp_stream *stream = NULL;

    if (fb_tcp_stream_new(self->loop, &stream) < 0) {
        (void)close(fd);
        return;
    }
    if (uv_tcp_open(&stream->handle, fd) < 0) {
        (void)close(fd);
        fb_stream_close(&stream->stream);
        return;
    }
    stream->n_peer = (socklen_t)FB_MIN((size_t)peer->len, sizeof(stream->peer));
    memcpy(&stream->peer, &peer->storage, stream->n_peer);
    self->accepted(self->ctx, &stream->stream);
}

/* Without a descriptor for it, the first in the queue is turned away with the
 * spare one: it would be reported for ever otherwise. False if there is none. */
static bool listener_turn_away(struct fb_listener *self)
{
    struct fb_address peer;

    if (self->spare_fd < 0) {
        return false;
    }
    (void)close(self->spare_fd);
    int fd = accept_one(self->fd, &peer);
    if (fd >= 0) {
        (void)close(fd);
    }
    self->spare_fd = open_spare();
    return true;
}

static void on_connections(uv_poll_t *poll, int status, int events)
{
    struct fb_listener *self = FB_CONTAINER_OF(poll, struct fb_listener, poll);
    struct fb_address peer = {.len = 0};

    (void)status;
    (void)events;
    fb_loop_read_clock(self->loop);
    for (int n = 0; n < LISTENER_MAX_BURST && self->fd >= 0; n++) {
        int fd = accept_one(self->fd, &peer);
        if (fd >= 0) {
            listener_deliver(self, fd, &peer);
        } else if (fd == -EAGAIN) {
            return;
        } else if (fd == -ECONNABORTED || fd == -EINTR || fd == -EPROTO) {
            continue; /* that one is gone */
        } else if ((fd != -EMFILE && fd != -ENFILE) || !listener_turn_away(self)) {
            (void)uv_poll_stop(&self->poll);
            fb_timer_set(&self->pause, LISTENER_PAUSE_MS);
            return;
        }
    }
}

static void on_pause_over(struct fb_timer *timer)
{
    struct fb_listener *self = FB_CONTAINER_OF(timer, struct fb_listener, pause);

    if (self->spare_fd < 0) {
        self->spare_fd = open_spare();
    }
    (void)uv_poll_start(&self->poll, UV_READABLE, on_connections);
}

/* ---- life ---------------------------------------------------------------- */

static int set_option(int fd, int level, int option, int value)
{
    return setsockopt(fd, level, option, &value, sizeof(value)) < 0 ? -errno : FB_OK;
}

static int socket_listen(int fd, const struct fb_address *address, int backlog)
{
    int err = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (err == FB_OK) {
        err = set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
    }
    if (err == FB_OK) {
        /* Accepted sockets inherit it, which saves a call for each. */
        err = set_option(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    }
    if (err == FB_OK) {
        /* Inherited too. What a peer's window or the network do not take yet would lie in the
         * kernel, up to 4 MiB for each slow peer, and no faster for it. */
        err = set_option(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, TCP_DEPTH_BYTES);
    }
    if (err == FB_OK && address->storage.ss_family == AF_INET6) {
        err = set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0);
    }
    if (err < 0) {
        return err;
    }
    if (bind(fd, (const struct sockaddr *)&address->storage, address->len) < 0 ||
        listen(fd, backlog) < 0) {
        return -errno;
    }
    return FB_OK;
}

/* "All interfaces" on a machine without IPv6. */
static struct fb_address without_ip6(const struct fb_address *address)
{
    struct sockaddr_in6 ip6;
    struct fb_address ip4 = *address;

    memcpy(&ip6, &address->storage, sizeof(ip6));
    if (address->storage.ss_family == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&ip6.sin6_addr)) {
        struct fb_address any;
        if (fb_address_from_ip(FB_STR("0.0.0.0"), fb_address_port(address), &any) == FB_OK) {
            ip4 = any;
        }
    }
    return ip4;
}

/* A socket for `*address`, which is changed where there is no IPv6. */
static int socket_for(struct fb_address *address)
{
    int type = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;

    int fd = socket(address->storage.ss_family, type, 0);
    if (fd < 0 && errno == EAFNOSUPPORT) {
        *address = without_ip6(address);
        fd = socket(address->storage.ss_family, type, 0);
    }
    return fd < 0 ? -errno : fd;
}

/* A listening socket, or a negative code. */
static int listener_socket(const struct fb_listener_options *options)
{
    struct fb_address address = options->address;

    int fd = socket_for(&address);
    if (fd < 0) {
        return fd;
    }
    int backlog = options->backlog == 0 ? LISTENER_BACKLOG : options->backlog;
    int err = socket_listen(fd, &address, backlog);
    if (err < 0) {
        (void)close(fd);
        return err;
    }
    return fd;
}

/* A bind without SO_REUSEPORT fails beside sockets that have it. */
int fb_listener_probe(const struct fb_address *wanted)
{
    struct fb_address address = *wanted;

    int fd = socket_for(&address);
    if (fd < 0) {
        return fd;
    }
    int err = set_option(fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (err == FB_OK && bind(fd, (const struct sockaddr *)&address.storage, address.len) < 0) {
        err = -errno;
    }
    (void)close(fd);
    return err;
}

static void on_closed(uv_handle_t *handle)
{
    struct fb_listener *self = FB_CONTAINER_OF(handle, struct fb_listener, poll);
    fb_free(self);
}

int fb_listener_open(struct fb_loop *loop, const struct fb_listener_options *options,
                     struct fb_listener **ret_listener)
{
    int fd = options->fd > 0 ? options->fd : listener_socket(options);
    if (fd < 0) {
        return fd;
    }
    struct fb_listener *self = FB_NEW(struct fb_listener);
    self->loop = loop;
    self->fd = fd;
    self->accepted = options->accepted;
    self->ctx = options->ctx;
    fb_timer_init(&self->pause, loop, on_pause_over);
    int err = uv_poll_init(fb_loop_uv(loop), &self->poll, fd);
    if (err < 0) {
        (void)close(fd);
        fb_free(self);
        return err;
    }
    self->spare_fd = open_spare();
    (void)uv_poll_start(&self->poll, UV_READABLE, on_connections);
    *ret_listener = self;
    return FB_OK;
}

int fb_listener_share(const struct fb_listener *listener, struct fb_sockets *sockets)
{
    int fd = fcntl(listener->fd, F_DUPFD_CLOEXEC, 0);

    return fd < 0 ? -errno : fb_sockets_add(sockets, fd);
}

/* Set on the listener, and inherited by what it accepts. */
int fb_listener_tune(struct fb_listener *listener, const struct fb_tcp_tuning *tuning)
{
    struct fb_str name = tuning->congestion;
    uint64_t rate = tuning->max_rate;

    if (name.len > 0 &&
        setsockopt(listener->fd, IPPROTO_TCP, TCP_CONGESTION, name.ptr, (socklen_t)name.len) < 0) {
        return -errno;
    }
    if (rate > 0 &&
        setsockopt(listener->fd, SOL_SOCKET, SO_MAX_PACING_RATE, &rate, sizeof(rate)) < 0) {
        return -errno;
    }
    return FB_OK;
}

struct fb_address fb_listener_address(const struct fb_listener *listener)
{
    struct fb_address address = {.len = sizeof(address.storage)};

    if (getsockname(listener->fd, (struct sockaddr *)&address.storage, &address.len) < 0) {
        address.len = 0;
    }
    return address;
}

void fb_listener_close(struct fb_listener *listener)
{
    if (listener == NULL) {
        return;
    }
    fb_timer_clear(&listener->pause);
    uv_close((uv_handle_t *)&listener->poll, on_closed);
    (void)close(listener->fd);
    listener->fd = -1;
    if (listener->spare_fd >= 0) {
        (void)close(listener->spare_fd);
        listener->spare_fd = -1;
    }
}
