/*
 * What reads and writes through a disk queue cost, on one loop. Prints one line
 * of JSON: how many, in what time, for how much CPU time of the whole process.
 * tests/bench/store runs it beside fio.
 *
 * usage: disk-bench PATH read|write random|sequential BYTES DEPTH SECONDS ring|pool huge|small
 *
 * PATH exists, and is overwritten by a write. huge: the memory comes out of huge
 * pages, as the store's does; small: out of pages of 4 KiB.
 */
#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "base/core/str.h"
#include "base/disk/memory.h"
#include "base/disk/queue.h"
#include "base/loop/loop.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

enum { MAX_DEPTH = 256, MAX_BYTES = 16 << 20 };

struct bench {
    struct fb_loop *loop;
    struct fb_disk_queue *queue;
    struct fb_disk *disk;
    struct fb_disk_memory *memory;
    enum fb_disk_verb verb;
    bool is_random;
    bool is_pool;
    bool is_small;
    uint64_t bytes; /* per request */
    uint64_t depth;
    uint64_t seconds;

    uint64_t next;   /* request, if they are in sequence */
    uint64_t chance; /* state of the generator, if not */
    uint64_t end_ms;
    uint64_t n_running;
};

struct request {
    struct fb_disk_io io;
    struct bench *bench;
};

static uint64_t next_offset(struct bench *bench)
{
    uint64_t n = fb_disk_size(bench->disk) / bench->bytes;

    if (!bench->is_random) {
        return bench->next++ % n * bench->bytes;
    }
    bench->chance = bench->chance * 6364136223846793005U + 1442695040888963407U;
    return (bench->chance >> 33) % n * bench->bytes;
}

static void request_start(struct request *request)
{
    request->io.offset = next_offset(request->bench);
    fb_disk_start(request->bench->queue, &request->io);
}

static void on_done(struct fb_op *op)
{
    struct fb_disk_io *io = FB_CONTAINER_OF(op, struct fb_disk_io, op);
    struct request *request = FB_CONTAINER_OF(io, struct request, io);
    struct bench *bench = request->bench;

    FB_REQUIRE(op->result == FB_OK);
    if (fb_loop_now_ms(bench->loop) < bench->end_ms) {
        request_start(request);
    } else if (--bench->n_running == 0) {
        fb_loop_stop(bench->loop);
    }
}

static double cpu_seconds(void)
{
    struct rusage usage;

    FB_REQUIRE(getrusage(RUSAGE_SELF, &usage) == 0);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void report(const struct bench *bench, double seconds, double cpu)
{
    struct fb_disk_queue_counts counts = fb_disk_queue_counts(bench->queue);
    uint64_t n = counts.n_reads + counts.n_writes;

    (void)printf("{\"ios\": %" PRIu64 ", \"bytes\": %" PRIu64
                 ", \"seconds\": %.4f, \"cpu_seconds\": %.4f, \"enters\": %" PRIu64
                 ", \"direct\": %s, \"ring\": %s}\n",
                 n, counts.read_bytes + counts.written_bytes, seconds, cpu, counts.n_enters,
                 fb_disk_is_direct(bench->disk) ? "true" : "false",
                 fb_disk_queue_has_ring(bench->queue) ? "true" : "false");
}

static void measure(struct bench *bench)
{
    const struct fb_clock *clock = fb_clock_system();
    struct request *requests = fb_alloc_array(bench->depth, sizeof(struct request));

    for (uint64_t i = 0; i < bench->depth; i++) {
        requests[i] = (struct request){
            .io = {.disk = bench->disk, .verb = bench->verb, .n = bench->bytes}, .bench = bench};
        requests[i].io.bytes = bench->is_small ? fb_disk_buffer(bench->bytes)
                                               : fb_disk_memory_take(bench->memory, bench->bytes);
        FB_REQUIRE(requests[i].io.bytes != NULL);
        memset(requests[i].io.bytes, (int)i + 1, bench->bytes);
        fb_op_init(&requests[i].io.op, bench->loop, on_done);
    }
    double cpu = cpu_seconds();
    uint64_t start_ns = fb_clock_mono_ns(clock);
    bench->end_ms = start_ns / FB_NS_PER_MS + bench->seconds * 1000;
    bench->n_running = bench->depth;
    for (uint64_t i = 0; i < bench->depth; i++) {
        request_start(&requests[i]);
    }
    fb_loop_run(bench->loop);
    uint64_t spent_ns = fb_clock_mono_ns(clock) - start_ns;
    report(bench, (double)spent_ns / 1e9, cpu_seconds() - cpu);
    for (uint64_t i = 0; i < bench->depth; i++) {
        if (bench->is_small) {
            fb_free(requests[i].io.bytes);
        } else {
            fb_disk_memory_give(bench->memory, requests[i].io.bytes, bench->bytes);
        }
    }
    fb_free(requests);
}

/* ---- arguments --------------------------------------------------------- */

/* Whether `text` is the second of the two words that are allowed. */
static bool read_word(const char *text, const char *first, const char *second, bool *ret_is_second)
{
    *ret_is_second = strcmp(text, second) == 0;
    return *ret_is_second || strcmp(text, first) == 0;
}

static bool read_number(const char *text, uint64_t max, uint64_t *ret_number)
{
    return fb_str_to_u64(fb_str_from(text), ret_number) == FB_OK && *ret_number >= 1 &&
           *ret_number <= max;
}

static bool read_arguments(int argc, char **argv, struct bench *bench)
{
    bool is_write = false;
    bool is_sequential = false;

    if (argc != 9 || !read_word(argv[2], "read", "write", &is_write) ||
        !read_word(argv[3], "random", "sequential", &is_sequential) ||
        !read_number(argv[4], MAX_BYTES, &bench->bytes) ||
        !read_number(argv[5], MAX_DEPTH, &bench->depth) ||
        !read_number(argv[6], 3600, &bench->seconds) ||
        !read_word(argv[7], "ring", "pool", &bench->is_pool) ||
        !read_word(argv[8], "huge", "small", &bench->is_small)) {
        return false;
    }
    bench->verb = is_write ? FB_DISK_WRITE : FB_DISK_READ;
    bench->is_random = !is_sequential;
    return bench->bytes % FB_DISK_BLOCK == 0;
}

int main(int argc, char **argv)
{
    struct bench bench = {.chance = 1};
    struct fb_diag diag;

    if (!read_arguments(argc, argv, &bench)) {
        (void)fprintf(stderr, "usage: disk-bench PATH read|write random|sequential BYTES DEPTH "
                              "SECONDS ring|pool huge|small\n");
        return 2;
    }
    if (fb_disk_open(argv[1], &(struct fb_disk_options){0}, &bench.disk, &diag) < 0) {
        (void)fprintf(stderr, "disk-bench: %s\n", diag.text);
        return 1;
    }
    FB_REQUIRE(fb_disk_size(bench.disk) >= bench.bytes);
    const struct fb_disk_queue_options options = {.without_ring = bench.is_pool};
    FB_REQUIRE(fb_loop_new(fb_clock_system(), &bench.loop) == FB_OK);
    FB_REQUIRE(fb_disk_queue_new(bench.loop, &options, &bench.queue) == FB_OK);
    bench.memory = fb_disk_memory_new();
    measure(&bench);
    fb_disk_memory_free(bench.memory);
    fb_disk_queue_free(bench.queue);
    fb_loop_free(bench.loop);
    fb_disk_close(bench.disk);
    return 0;
}
