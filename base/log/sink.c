#include "base/log/sink.h"

#include "base/core/attr.h"
#include "base/core/clock.h"
#include "base/core/err.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/* A terminal that poll(2) calls writable has room for 256 bytes; a newline takes two. */
enum { SINK_TERMINAL_BYTES = 128 };

static pthread_mutex_t sink_lock = PTHREAD_MUTEX_INITIALIZER; /* of what follows */
static int sink_fd = STDERR_FILENO;
static struct fb_buf sink_rest;   /* of lines that have begun to go out */
static uint64_t sink_n_dropped;   /* and not told yet */
static uint64_t sink_patience_ns; /* steady time until which anybody waits */

/* How a descriptor is written to. */
struct sink_way {
    int fd;
    size_t chunk; /* bytes that it takes at once when it is writable */
    bool is_file; /* never has to wait for a reader */
    bool is_socket;
};

static struct sink_way sink_look(int fd)
{
    struct sink_way way = {.fd = fd, .chunk = PIPE_BUF};
    struct stat status;

    if (fstat(fd, &status) < 0) {
        return way; /* write() says why */
    }
    way.is_file = S_ISREG(status.st_mode);
    way.is_socket = S_ISSOCK(status.st_mode);
    if (way.is_file) {
        way.chunk = SIZE_MAX;
    } else if (S_ISCHR(status.st_mode) && isatty(fd) == 1) {
        way.chunk = SINK_TERMINAL_BYTES;
    }
    return way;
}

static bool sink_has_room(const struct sink_way *way)
{
    struct pollfd poller = {.fd = way->fd, .events = POLLOUT};

    return poll(&poller, 1, 0) > 0; /* or an error, which write() tells */
}

/* Writes what goes without waiting. Returns how much, -EAGAIN if there is no room, or an error. */
static ssize_t sink_put(const struct sink_way *way, struct fb_str bytes)
{
    size_t len = FB_MIN(bytes.len, way->chunk);
    ssize_t n = 0;

    do {
        if (way->is_socket) {
            n = send(way->fd, bytes.ptr, len, MSG_DONTWAIT | MSG_NOSIGNAL);
        } else if (way->is_file || sink_has_room(way)) {
            n = write(way->fd, bytes.ptr, len);
        } else {
            return -EAGAIN;
        }
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

static int sink_put_rest(const struct sink_way *way)
{
    while (sink_rest.len > 0) {
        ssize_t n = sink_put(way, fb_buf_str(&sink_rest));
        if (n == -EPIPE || n == -ECONNRESET) {
            fb_buf_clear(&sink_rest); /* who read its beginning is gone */
        }
        if (n < 0) {
            return (int)n;
        }
        fb_buf_consume(&sink_rest, (size_t)n);
    }
    return FB_OK;
}

/* Writes `lines`, the end of which may have to wait in sink_rest, or nothing of them. */
static int sink_put_lines(const struct sink_way *way, struct fb_str lines)
{
    int err = sink_put_rest(way);
    ssize_t n = err == FB_OK ? sink_put(way, lines) : err;

    if (n < 0) {
        return (int)n;
    }
    fb_buf_append(&sink_rest, fb_str_skip(lines, (size_t)n));
    (void)sink_put_rest(way); /* the next line finds out */
    return FB_OK;
}

/* As many whole lines as go out at once, at least one. */
static struct fb_str sink_first_lines(const struct sink_way *way, struct fb_str lines)
{
    size_t len = 0;

    while (len < lines.len) {
        struct fb_str rest = fb_str_skip(lines, len);
        size_t end = len + FB_MIN(fb_str_find(rest, '\n') + 1, rest.len);
        if (len > 0 && end > way->chunk) {
            break;
        }
        len = end;
    }
    return fb_str_first(lines, len);
}

static int sink_put_dropped(const struct sink_way *way)
{
    FB_AUTO(fb_buf_done) struct fb_buf line = {0};

    if (sink_n_dropped == 0) {
        return FB_OK;
    }
    fb_log_tell_dropped(&line, sink_n_dropped);
    int err = sink_put_lines(way, fb_buf_str(&line));
    if (err == FB_OK) {
        sink_n_dropped = 0;
    }
    return err;
}

/* Writes from the front of `*lines` what there is room for. */
static int sink_put_all(struct fb_str *lines)
{
    struct sink_way way = sink_look(sink_fd);
    int err = sink_put_rest(&way);

    if (err == FB_OK) {
        err = sink_put_dropped(&way);
    }
    while (err == FB_OK && lines->len > 0) {
        struct fb_str first = sink_first_lines(&way, *lines);
        err = sink_put_lines(&way, first);
        if (err == FB_OK) {
            *lines = fb_str_skip(*lines, first.len);
        }
    }
    return err;
}

/* Waits for room without the lock; false once it is `until_ns`. */
static bool sink_wait(uint64_t until_ns)
{
    uint64_t now_ns = fb_clock_steady_ns(fb_clock_system());
    struct pollfd poller = {.fd = sink_fd, .events = POLLOUT};

    if (now_ns >= until_ns) {
        return false;
    }
    (void)pthread_mutex_unlock(&sink_lock);
    (void)poll(&poller, 1, (int)((until_ns - now_ns) / FB_NS_PER_MS) + 1);
    (void)pthread_mutex_lock(&sink_lock);
    return true;
}

static size_t sink_count(struct fb_str lines)
{
    struct fb_str line;
    size_t n = 0;

    while (lines.len > 0 && fb_str_cut(&lines, '\n', &line)) {
        n++;
    }
    return n;
}

void fb_log_sink_open(int fd)
{
    (void)pthread_mutex_lock(&sink_lock);
    sink_fd = fd;
    sink_n_dropped = 0;
    sink_patience_ns = 0;
    fb_buf_done(&sink_rest);
    (void)pthread_mutex_unlock(&sink_lock);
}

size_t fb_log_sink_write(struct fb_str lines, unsigned wait_ms)
{
    uint64_t until_ns =
        wait_ms == 0 ? 0 : fb_clock_steady_ns(fb_clock_system()) + (uint64_t)wait_ms * FB_NS_PER_MS;
    int err = FB_OK;

    (void)pthread_mutex_lock(&sink_lock);
    do {
        err = sink_put_all(&lines);
    } while (err == -EAGAIN && sink_wait(FB_MAX(until_ns, sink_patience_ns)));
    size_t n_dropped = sink_count(lines);
    sink_n_dropped += n_dropped;
    (void)pthread_mutex_unlock(&sink_lock);
    return n_dropped;
}

void fb_log_sink_end(unsigned wait_ms)
{
    (void)pthread_mutex_lock(&sink_lock);
    sink_patience_ns = fb_clock_steady_ns(fb_clock_system()) + (uint64_t)wait_ms * FB_NS_PER_MS;
    (void)pthread_mutex_unlock(&sink_lock);
}
