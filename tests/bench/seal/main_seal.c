/*
 * What sealing costs: segments of 1 MiB, sealed as records by every backend that the machine has,
 * and sealed and sent over loopback in batches of several sizes. Rounds alternate; what is printed
 * is the median of CPU seconds per GB of the sealing thread, and the ratio to mbedTLS, or to the
 * smallest batch.
 *
 * usage: seal-bench [ROUNDS]
 */
#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/core/str.h"
#include "base/loop/thread.h"
#include "base/tls/backend.h"
#include "base/tls/record.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    SEGMENT = 1024 * 1024,
    N_SEALED = 192, /* segments a round; mbedTLS gets a twelfth */
    N_SENT = 256,
    MAX_ROUNDS = 31,
    MAX_LINES = 32
};

struct line {
    enum fb_tls_aead aead;
    const struct fb_tls_backend *backend;
    size_t batch;
    bool is_sent;
    double costs[MAX_ROUNDS];
};

static double cpu_seconds(void)
{
    struct timespec now;

    FB_REQUIRE(clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now) == 0);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* ---- a peer that reads ----------------------------------------------------- */

struct sink {
    int out; /* the sender's end */
    int in;
    struct fb_thread *thread;
};

static void sink_run(void *ctx)
{
    static char bytes[256 * 1024];
    const struct sink *sink = ctx;

    while (read(sink->in, bytes, sizeof(bytes)) > 0) {
    }
}

static void sink_open(struct sink *sink)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    sink->out = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    FB_REQUIRE(bind(listener, (struct sockaddr *)&address, len) == 0 && listen(listener, 1) == 0 &&
               getsockname(listener, (struct sockaddr *)&address, &len) == 0 &&
               connect(sink->out, (struct sockaddr *)&address, len) == 0);
    sink->in = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    FB_REQUIRE(sink->in >= 0);
    (void)close(listener);
    FB_REQUIRE(fb_thread_start_body("sink", sink_run, sink, &sink->thread) == FB_OK);
}

static void sink_close(struct sink *sink)
{
    (void)close(sink->out);
    fb_thread_join(sink->thread);
    (void)close(sink->in);
}

/* ---- measuring ------------------------------------------------------------- */

static void send_all(int fd, const uint8_t *bytes, size_t n)
{
    while (n > 0) {
        ssize_t n_sent = send(fd, bytes, n, MSG_NOSIGNAL);
        FB_REQUIRE(n_sent > 0);
        bytes += n_sent;
        n -= (size_t)n_sent;
    }
}

static void seal_segment(struct fb_tls_direction *direction, const struct line *line,
                         struct fb_str segment, uint8_t *sealed, int fd)
{
    for (size_t from = 0; from < SEGMENT; from += line->batch) {
        size_t size = fb_tls_sealed_size(direction, line->batch);
        FB_REQUIRE(fb_tls_seal(direction, &segment, 1, from, from + line->batch, sealed) == FB_OK);
        if (line->is_sent) {
            send_all(fd, sealed, size);
        }
    }
}

static double line_cost(const struct line *line, struct fb_str segment, uint8_t *sealed)
{
    struct fb_tls_keys keys = {
        .version = FB_TLS_1_2, .aead = line->aead, .max_content = FB_TLS_RECORD_MAX};
    struct fb_tls_direction direction;
    struct sink sink = {.out = -1};
    bool is_slow = strcmp(line->backend->name, "mbedtls") == 0;
    int n = (line->is_sent ? N_SENT : N_SEALED) / (is_slow ? 12 : 1);

    fb_tls_direction_init(&direction, &keys, &keys.out, line->backend);
    if (line->is_sent) {
        sink_open(&sink);
    }
    double start = cpu_seconds();
    for (int i = 0; i < n; i++) {
        seal_segment(&direction, line, segment, sealed, sink.out);
    }
    double cost = (cpu_seconds() - start) / n / (double)SEGMENT * 1e9;
    if (line->is_sent) {
        sink_close(&sink);
    }
    fb_tls_direction_done(&direction);
    return cost;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return (a > b) - (a < b);
}

static double median(double *costs, size_t n)
{
    qsort(costs, n, sizeof(*costs), compare);
    return costs[n / 2];
}

/* ---- what is compared ------------------------------------------------------ */

static size_t all_lines(struct line *lines)
{
    static const size_t batches[] = {16U << 10, 64U << 10, 128U << 10};
    size_t n = 0;

    for (int aead = 0; aead < FB_TLS_N_AEADS; aead++) {
        const struct fb_tls_backend *backend = NULL;
        for (size_t i = 0; (backend = fb_tls_backend_at(i, (enum fb_tls_aead)aead)) != NULL; i++) {
            lines[n++] = (struct line){
                .aead = (enum fb_tls_aead)aead, .backend = backend, .batch = FB_TLS_BATCH_BYTES};
        }
    }
    for (size_t i = 0; i < FB_ARRAY_LEN(batches); i++) {
        lines[n++] = (struct line){.aead = FB_TLS_AES_128_GCM,
                                   .backend = fb_tls_backend_for(FB_TLS_AES_128_GCM),
                                   .batch = batches[i],
                                   .is_sent = true};
    }
    return n;
}

/* The median of the line that `line` is set beside. */
static double beside(const struct line *lines, const double *medians, size_t n,
                     const struct line *line)
{
    for (size_t i = 0; i < n; i++) {
        bool is_it = line->is_sent ? lines[i].is_sent
                                   : lines[i].aead == line->aead && !lines[i].is_sent &&
                                         strcmp(lines[i].backend->name, "mbedtls") == 0;
        if (is_it) {
            return medians[i];
        }
    }
    return 0;
}

static void print(struct line *lines, size_t n, size_t n_rounds)
{
    double medians[MAX_LINES];

    for (size_t i = 0; i < n; i++) {
        medians[i] = median(lines[i].costs, n_rounds);
    }
    (void)printf("%-18s %-9s %-14s %9s %7s\n", "cipher", "backend", "batch", "CPU s/GB", "ratio");
    for (size_t i = 0; i < n; i++) {
        const struct line *line = &lines[i];
        (void)printf("%-18s %-9s %4zu KiB %-5s %9.4f %7.3f\n", fb_tls_aead_name(line->aead),
                     line->backend->name, line->batch / 1024, line->is_sent ? "sent" : "",
                     medians[i], medians[i] / beside(lines, medians, n, line));
    }
}

int main(int argc, char **argv)
{
    static struct line lines[MAX_LINES];
    uint64_t n_rounds = 5;

    if (argc > 1 && (fb_str_to_u64(fb_str_from(argv[1]), &n_rounds) < 0 || n_rounds < 1 ||
                     n_rounds > MAX_ROUNDS)) {
        (void)fprintf(stderr, "usage: seal-bench [ROUNDS]\n");
        return 2;
    }
    char *segment = fb_alloc(SEGMENT);
    uint8_t *sealed = fb_alloc((size_t)2 * FB_TLS_BATCH_BYTES);
    size_t n = all_lines(lines);
    memset(segment, 'v', SEGMENT);
    for (size_t round = 0; round < n_rounds; round++) {
        for (size_t i = 0; i < n; i++) {
            lines[i].costs[round] = line_cost(&lines[i], (struct fb_str){segment, SEGMENT}, sealed);
        }
    }
    print(lines, n, n_rounds);
    fb_free(sealed);
    fb_free(segment);
    return 0;
}
