/*
 * The least that answers: one thread, epoll, no cache, no HTTP to speak of. It is the bound that
 * servers are held against, and the origin behind them.
 *
 * usage: bare PORT send|sendfile
 *
 * GET /SIZE/NAME gives SIZE bytes, which depend on the path: from memory in one sendmsg() with
 * the head, or by sendfile(). Both lie in one memory file on huge pages, if there are any.
 * GET /paced/RATE/LATENCY/SIZE/NAME waits LATENCY ms and then gives RATE bytes a second. One Range
 * is answered with 206.
 * GET /count gives the number of paced answers so far.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FDS = 16384, MAX_REQUEST = 4096, MAX_HEAD = 512, MAX_EVENTS = 256, TICK_MS = 1 };

static const size_t pool_bytes = (size_t)384 << 20;

struct conn {
    int fd;
    bool is_writing;
    size_t n_request;
    char request[MAX_REQUEST];
    size_t n_head, head_sent;
    char head[MAX_HEAD];
    off_t offset;   /* of the rest of the body, in the pool */
    uint64_t left;  /* of the body */
    uint64_t rate;  /* bytes a second; 0: at once */
    uint64_t start; /* ms, of the first byte of a paced body */
    uint64_t size;  /* of the answer */
};

static struct conn *conns[MAX_FDS];
static int epoll_fd, pool_fd;
static char *pool;
static bool uses_sendfile;
static unsigned n_paced_now, n_paced;

static uint64_t now_ms(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

static void make_pool(void)
{
    pool_fd = memfd_create("pool", MFD_CLOEXEC);
    if (pool_fd < 0 || ftruncate(pool_fd, (off_t)pool_bytes) < 0) {
        fail("memfd");
    }
    pool = mmap(NULL, pool_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, pool_fd, 0);
    if (pool == MAP_FAILED) {
        fail("mmap");
    }
    (void)madvise(pool, pool_bytes, MADV_HUGEPAGE);
    uint64_t state = 88172645463325252ULL;
    for (size_t i = 0; i < pool_bytes; i += sizeof(state)) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        memcpy(pool + i, &state, sizeof(state));
    }
}

static void conn_close(struct conn *conn)
{
    if (conn->rate > 0) {
        n_paced_now--;
    }
    conns[conn->fd] = NULL;
    (void)close(conn->fd);
    free(conn);
}

static void conn_wants(struct conn *conn, bool writing)
{
    if (conn->is_writing != writing) {
        struct epoll_event event = {.events = EPOLLIN | (writing ? EPOLLOUT : 0),
                                    .data.fd = conn->fd};
        conn->is_writing = writing;
        (void)epoll_ctl(epoll_fd, EPOLL_CTL_MOD, conn->fd, &event);
    }
}

/* ---- answers ------------------------------------------------------------- */

static void answer_count(struct conn *conn)
{
    char body[16];
    int n = snprintf(body, sizeof(body), "%u\n", n_paced);
    conn->n_head = (size_t)snprintf(conn->head, MAX_HEAD,
                                    "HTTP/1.1 200 OK\r\nCache-Control: no-store\r\n"
                                    "Content-Length: %d\r\n\r\n%s",
                                    n, body);
}

/* What Range leaves of `size` bytes, as the first and one past the last; false: all of it. */
static bool read_range(const char *request, uint64_t size, uint64_t *ret_first, uint64_t *ret_end)
{
    const char *field = strcasestr(request, "\r\nRange: bytes=");
    uint64_t first = 0;
    uint64_t end = size;

    if (field == NULL) {
        return false;
    }
    char *at = strchr(field, '=') + 1;
    if (*at == '-') {
        uint64_t n = strtoull(at + 1, NULL, 10);
        first = n < size ? size - n : 0;
    } else {
        first = strtoull(at, &at, 10);
        end = at[0] == '-' && at[1] >= '0' && at[1] <= '9' ? strtoull(at + 1, NULL, 10) + 1 : size;
        end = end < size ? end : size;
    }
    if (first >= end) {
        return false;
    }
    *ret_first = first;
    *ret_end = end;
    return true;
}

static bool answer(struct conn *conn)
{
    char *at = conn->request + 4;
    uint64_t hash = 14695981039346656037ULL;
    uint64_t latency = 0;
    uint64_t first = 0;
    uint64_t end = 0;
    char range[96] = "";

    conn->head_sent = 0;
    if (strncmp(conn->request, "GET /", 5) != 0) {
        return false;
    }
    if (strncmp(at, "/count ", 7) == 0) {
        answer_count(conn);
        return true;
    }
    if (strncmp(at, "/paced/", 7) == 0) {
        conn->rate = strtoull(at + 7, &at, 10);
        latency = strtoull(at + 1, &at, 10);
        conn->start = now_ms() + latency;
        n_paced++;
        n_paced_now++;
    }
    conn->size = conn->left = strtoull(at + 1, &at, 10);
    for (; *at != ' ' && *at != '\r'; at++) {
        hash = (hash ^ (uint8_t)*at) * 1099511628211ULL;
    }
    if (conn->size == 0 || conn->size > pool_bytes) {
        return false;
    }
    uint64_t slots = pool_bytes / conn->size;
    conn->offset = (off_t)((hash >> 20) % slots * conn->size);
    bool is_part = read_range(conn->request, conn->size, &first, &end);
    if (is_part) {
        (void)snprintf(range, sizeof(range), "Content-Range: bytes %llu-%llu/%llu\r\n",
                       (unsigned long long)first, (unsigned long long)end - 1,
                       (unsigned long long)conn->size);
        conn->offset += (off_t)first;
        conn->size = conn->left = end - first;
    }
    conn->n_head = (size_t)snprintf(
        conn->head, MAX_HEAD,
        "HTTP/1.1 %s\r\n%sServer: bare\r\nContent-Type: video/mp4\r\n"
        "Cache-Control: public, max-age=31536000\r\nETag: \"%016llx\"\r\n"
        "Last-Modified: Mon, 05 Jan 2026 10:00:00 GMT\r\nContent-Length: %llu\r\n\r\n",
        is_part ? "206 Partial Content" : "200 OK", range, (unsigned long long)hash,
        (unsigned long long)conn->size);
    return true;
}

/* How much may go now. */
static uint64_t conn_budget(const struct conn *conn)
{
    if (conn->rate == 0) {
        return conn->left;
    }
    uint64_t now = now_ms();
    uint64_t due = now < conn->start ? 0 : conn->rate * (now - conn->start + 1) / 1000;
    due = due < conn->size ? due : conn->size;
    uint64_t sent = conn->size - conn->left;
    return due > sent ? due - sent : 0;
}

static ssize_t send_some(struct conn *conn, uint64_t budget)
{
    struct iovec pieces[2] = {{conn->head + conn->head_sent, conn->n_head - conn->head_sent},
                              {pool + conn->offset, budget}};
    bool has_head = pieces[0].iov_len > 0;
    struct msghdr message = {.msg_iov = pieces, .msg_iovlen = 2};

    if (uses_sendfile && budget > 0 && !has_head) {
        ssize_t n = sendfile(conn->fd, pool_fd, &conn->offset, budget);
        if (n > 0) {
            conn->left -= (uint64_t)n;
        }
        return n;
    }
    if (uses_sendfile) {
        message.msg_iovlen = 1;
    }
    ssize_t n =
        sendmsg(conn->fd, &message, MSG_NOSIGNAL | (uses_sendfile && budget > 0 ? MSG_MORE : 0));
    if (n > 0) {
        size_t of_head = (size_t)n < pieces[0].iov_len ? (size_t)n : pieces[0].iov_len;
        conn->head_sent += of_head;
        conn->offset += n - (ssize_t)of_head;
        conn->left -= (uint64_t)n - of_head;
    }
    return n;
}

/* False when the connection is gone. */
static bool conn_push(struct conn *conn)
{
    while (conn->head_sent < conn->n_head || conn->left > 0) {
        uint64_t budget = conn_budget(conn);
        if (conn->rate > 0 && (now_ms() < conn->start || budget == 0)) {
            conn_wants(conn, false); /* the tick comes back */
            return true;
        }
        ssize_t n = send_some(conn, budget);
        if (n < 0 && errno == EAGAIN) {
            conn_wants(conn, true);
            return true;
        }
        if (n < 0) {
            conn_close(conn);
            return false;
        }
    }
    if (conn->rate > 0) {
        conn->rate = 0;
        n_paced_now--;
    }
    conn->n_head = conn->head_sent = 0;
    conn_wants(conn, false);
    return true;
}

/* ---- events -------------------------------------------------------------- */

static void on_readable(struct conn *conn)
{
    ssize_t n =
        recv(conn->fd, conn->request + conn->n_request, MAX_REQUEST - 1 - conn->n_request, 0);

    if (n <= 0) {
        if (n == 0 || errno != EAGAIN) {
            conn_close(conn);
        }
        return;
    }
    conn->n_request += (size_t)n;
    conn->request[conn->n_request] = '\0';
    char *end = strstr(conn->request, "\r\n\r\n");
    if (end == NULL) {
        if (conn->n_request == MAX_REQUEST - 1) {
            conn_close(conn);
        }
        return;
    }
    conn->n_request = 0; /* one at a time: nobody here pipelines */
    if (!answer(conn)) {
        conn_close(conn);
        return;
    }
    (void)conn_push(conn);
}

static void on_connection(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    if (fd < 0) {
        return;
    }
    struct conn *conn = fd < MAX_FDS ? malloc(sizeof(*conn)) : NULL;
    if (conn == NULL) {
        (void)close(fd);
        return;
    }
    memset(conn, 0, sizeof(*conn));
    conn->fd = fd;
    conns[fd] = conn;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    (void)epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static void on_tick(void)
{
    for (int fd = 0; fd < MAX_FDS; fd++) {
        if (conns[fd] != NULL && conns[fd]->rate > 0) {
            (void)conn_push(conns[fd]);
        }
    }
}

static int open_listener(int port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int one = 1;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 4096) < 0) {
        fail("listen");
    }
    return fd;
}

int main(int argc, char **argv)
{
    struct epoll_event events[MAX_EVENTS];

    if (argc != 3) {
        (void)fputs("usage: bare PORT send|sendfile\n", stderr);
        return 2;
    }
    (void)signal(SIGPIPE, SIG_IGN); /* sendfile() has no flag for it */
    uses_sendfile = strcmp(argv[2], "sendfile") == 0;
    make_pool();
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int listener = open_listener((int)strtol(argv[1], NULL, 10));
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    (void)epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        int n = epoll_wait(epoll_fd, events, MAX_EVENTS, n_paced_now > 0 ? TICK_MS : -1);
        for (int i = 0; i < n; i++) {
            struct conn *conn = conns[events[i].data.fd];
            if (events[i].data.fd == listener) {
                on_connection(listener);
            } else if (conn != NULL && (events[i].events & EPOLLOUT) != 0) {
                (void)conn_push(conn);
            } else if (conn != NULL) {
                on_readable(conn);
            }
        }
        if (n_paced_now > 0) {
            on_tick();
        }
    }
}
