#include "edge/tool/load.h"

#include "base/core/alloc.h"
#include "base/core/buf.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/mix.h"
#include "base/core/order.h"
#include "base/disk/disk.h"
#include "base/loop/timer.h"
#include "base/sys/random.h"
#include "edge/volume/volumes.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

enum { TICK_MS = 1, KEY_MAX = 32, FIND_TRIES = 16, MAX_SAMPLES = 16 * 1024 * 1024 };

/*
 * The phases, moved on by a tick and by what finishes:
 *
 *     (online) ──► RUNNING ──► ENDING, reads come in ──► FLUSHING ──► next phase, or draining
 */
enum load_step { LOAD_OPENING, LOAD_RUNNING, LOAD_ENDING, LOAD_FLUSHING, LOAD_DRAINING };

struct load_reader {
    struct edge_volume_read read;
    struct load *load;
    char key[KEY_MAX];
    char *memory; /* of the longest chunk and its head; a part of load->memory */
    uint64_t began_ns;
    bool is_busy;
};

struct load {
    const struct tool_load_options *options;
    struct fb_loop *loop; /* owned, as volumes */
    struct edge_volumes *volumes;
    struct fb_timer tick;
    struct fb_op op; /* flush, drain */
    enum load_step step;
    enum tool_load_phase phase;
    uint64_t began_ns;
    double began_cpu_s;
    uint64_t n_objects;  /* that were ever taken */
    uint64_t n_retained; /* of them the last ones, that are likely there */
    uint64_t chance;
    char *memory;                /* owned; the readers' */
    char *content;               /* owned; an extent's */
    struct load_reader *readers; /* owned; TOOL_LOAD_READERS */
    unsigned n_busy;
    struct fb_buf samples; /* of uint32_t, microseconds of reads */
    struct tool_load_result *results;
    int err;
    struct fb_diag *diag;
};

static uint64_t load_now_ns(void)
{
    return fb_clock_mono_ns(fb_clock_system());
}

static double load_cpu_s(void)
{
    struct rusage usage = {.ru_nswap = 0};

    (void)getrusage(RUSAGE_SELF, &usage);
    return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static uint64_t load_below(struct load *load, uint64_t n)
{
    return fb_draw(&load->chance) % n;
}

static struct fb_str load_key(uint64_t object, char key[KEY_MAX])
{
    int n = snprintf(key, KEY_MAX, "bench/%" PRIu64, object);

    return (struct fb_str){key, (size_t)n};
}

static bool load_writes(const struct load *load)
{
    return load->phase != TOOL_LOAD_READ;
}

static bool load_reads(const struct load *load)
{
    return load->phase != TOOL_LOAD_WRITE;
}

/* ---- writing ------------------------------------------------------------- */

/* The content is never given up before the load. */
static void on_release(void *owner)
{
    (void)owner;
}

static struct edge_volume_write load_object(struct load *load, char key[KEY_MAX])
{
    uint32_t length = load->options->object_bytes;
    struct edge_volume_write write = {
        .head = {.key = load_key(load->n_objects, key),
                 .length = length,
                 .wall_ms = fb_clock_wall_ms(fb_clock_system())},
        .release = on_release,
    };

    write.head.id =
        (struct edge_extent_id){.fingerprint = edge_fingerprint_of(write.head.key), .version = 1};
    for (unsigned i = 0; i < EDGE_EXTENT_CHUNKS; i++) {
        uint32_t n = edge_chunk_bytes(length, i);
        write.chunks[i] = (struct fb_str){load->content + (size_t)i * EDGE_CHUNK_BYTES, n};
        write.head.mask = (uint8_t)(write.head.mask | (n > 0 ? 1U << i : 0));
    }
    return write;
}

static void load_write(struct load *load)
{
    struct tool_load_result *result = &load->results[load->phase];
    char key[KEY_MAX];

    for (;;) {
        struct edge_volume_write write = load_object(load, key);
        int err = edge_volumes_write(load->volumes, &write);
        if (err == FB_E_BUSY) {
            return;
        }
        if (err < 0) {
            load->err = fb_diag_set(load->diag, err, "'%s' takes no more: %s", load->options->path,
                                    fb_err_text(err));
            return;
        }
        load->n_objects++;
        result->n_writes++;
        result->written_bytes += load->options->object_bytes;
    }
}

/* ---- reading ------------------------------------------------------------- */

static void load_step(struct load *load);

static void load_sample(struct load *load, uint64_t ns)
{
    uint32_t us = (uint32_t)FB_MIN(ns / 1000, (uint64_t)UINT32_MAX);

    if (load->samples.len < (size_t)MAX_SAMPLES * sizeof(us)) {
        fb_buf_append(&load->samples, (struct fb_str){(const char *)&us, sizeof(us)});
    }
}

static void load_read(struct load *load, struct load_reader *reader)
{
    struct edge_volume_read *read = &reader->read;

    for (unsigned i = 0; i < FIND_TRIES && load->n_retained > 0; i++) {
        uint64_t object = load->n_objects - 1 - load_below(load, load->n_retained);
        read->key = load_key(object, reader->key);
        read->id =
            (struct edge_extent_id){.fingerprint = edge_fingerprint_of(read->key), .version = 1};
        read->chunk = (int)load_below(load, (load->options->object_bytes + EDGE_CHUNK_BYTES - 1) /
                                                EDGE_CHUNK_BYTES);
        if (edge_volumes_find(load->volumes, &read->id, read->chunk, 0, &read->place)) {
            read->memory = reader->memory;
            reader->began_ns = load_now_ns();
            reader->is_busy = true;
            load->n_busy++;
            edge_volumes_read(load->volumes, read);
            return;
        }
        load->results[load->phase].n_gone++;
    }
}

static void on_read(struct fb_op *op)
{
    struct edge_volume_read *read = FB_CONTAINER_OF(op, struct edge_volume_read, op);
    struct load_reader *reader = FB_CONTAINER_OF(read, struct load_reader, read);
    struct load *load = reader->load;
    struct tool_load_result *result = &load->results[load->phase];

    reader->is_busy = false;
    load->n_busy--;
    if (op->result == FB_OK) {
        result->n_reads++;
        result->read_bytes += read->bytes.len;
        load_sample(load, load_now_ns() - reader->began_ns);
    } else if (op->result == FB_E_NOT_FOUND) {
        result->n_gone++;
    } else {
        result->n_failed++;
    }
    if (load->step == LOAD_RUNNING) {
        load_read(load, reader);
    } else {
        load_step(load);
    }
}

/* ---- phases -------------------------------------------------------------- */

static int compare_samples(const void *a, const void *b)
{
    uint32_t left = *(const uint32_t *)a;
    uint32_t right = *(const uint32_t *)b;

    return FB_ORDER(left, right);
}

static void load_begin_phase(struct load *load)
{
    load->step = LOAD_RUNNING;
    load->began_ns = load_now_ns();
    load->began_cpu_s = load_cpu_s();
    fb_buf_clear(&load->samples);
}

static void load_end_phase(struct load *load)
{
    struct tool_load_result *result = &load->results[load->phase];
    uint32_t *samples = (uint32_t *)(void *)load->samples.ptr;
    size_t n = load->samples.len / sizeof(uint32_t);

    result->seconds = (double)(load_now_ns() - load->began_ns) / 1e9;
    result->cpu_seconds = load_cpu_s() - load->began_cpu_s;
    if (n > 0) {
        qsort(samples, n, sizeof(*samples), compare_samples);
        result->p50_us = samples[n / 2];
        result->p99_us = samples[n - 1 - n / 100];
        result->max_us = samples[n - 1];
    }
}

static void on_drained(struct fb_op *op)
{
    fb_loop_stop(op->loop);
}

static void load_drain(struct load *load)
{
    load->step = LOAD_DRAINING;
    fb_timer_clear(&load->tick);
    fb_op_init(&load->op, load->loop, on_drained);
    edge_volumes_drain(load->volumes, load->loop, &load->op);
}

static void on_flushed(struct fb_op *op)
{
    struct load *load = FB_CONTAINER_OF(op, struct load, op);

    if (op->result < 0 && load->err == FB_OK) {
        load->err = fb_diag_set(load->diag, op->result, "cannot write to '%s': %s",
                                load->options->path, fb_err_text(op->result));
    }
    load_end_phase(load);
    if (load->err < 0 || load->phase + 1 == TOOL_LOAD_PHASES) {
        load_drain(load);
        return;
    }
    load->phase++;
    load_begin_phase(load);
}

static void load_flush(struct load *load)
{
    load->step = LOAD_FLUSHING;
    fb_op_init(&load->op, load->loop, on_flushed);
    edge_volumes_flush(load->volumes, &load->op);
}

static void load_open(struct load *load)
{
    struct edge_volume_status status;

    edge_volumes_status(load->volumes, 0, &status);
    if (status.state == EDGE_VOLUME_ONLINE) {
        load_begin_phase(load);
    } else if (status.state != EDGE_VOLUME_STARTING) {
        load->err = fb_diag_set(load->diag, FB_E_UNAVAILABLE, "%s", status.reason);
        load_drain(load);
    }
}

static void load_run(struct load *load)
{
    uint64_t ns = load_now_ns() - load->began_ns;
    struct edge_volume_status status;

    if (load->err < 0 || ns >= (uint64_t)load->options->seconds * 1000 * FB_NS_PER_MS) {
        load->step = LOAD_ENDING;
        load_step(load);
        return;
    }
    edge_volumes_status(load->volumes, 0, &status);
    load->n_retained = FB_MIN(load->n_objects, status.n_extents);
    if (load_writes(load)) {
        load_write(load);
    }
    for (unsigned i = 0; load_reads(load) && i < TOOL_LOAD_READERS; i++) {
        if (!load->readers[i].is_busy) {
            load_read(load, &load->readers[i]);
        }
    }
}

static void load_step(struct load *load)
{
    if (load->step == LOAD_OPENING) {
        load_open(load);
    } else if (load->step == LOAD_RUNNING) {
        load_run(load);
    } else if (load->step == LOAD_ENDING && load->n_busy == 0) {
        load_flush(load);
    }
}

static void on_tick(struct fb_timer *timer)
{
    struct load *load = FB_CONTAINER_OF(timer, struct load, tick);

    fb_timer_set(timer, TICK_MS);
    load_step(load);
}

/* ---- the whole ----------------------------------------------------------- */

static void load_start(struct load *load)
{
    size_t n_memory = EDGE_CHUNK_BYTES + (size_t)16 * FB_DISK_BLOCK;

    load->chance = fb_random_u64();
    load->content = fb_disk_buffer(EDGE_EXTENT_BYTES);
    fb_random_bytes(load->content, EDGE_EXTENT_BYTES);
    load->readers = fb_alloc_array(TOOL_LOAD_READERS, sizeof(*load->readers));
    load->memory = fb_disk_buffer(TOOL_LOAD_READERS * n_memory); /* of huge pages, as an edge's */
    for (unsigned i = 0; i < TOOL_LOAD_READERS; i++) {
        load->readers[i].load = load;
        load->readers[i].memory = load->memory + i * n_memory;
        fb_op_init(&load->readers[i].read.op, load->loop, on_read);
    }
    edge_volumes_start(load->volumes);
    fb_timer_init(&load->tick, load->loop, on_tick);
    fb_timer_set(&load->tick, TICK_MS);
    fb_loop_run(load->loop);
}

static void load_done(struct load *load)
{
    edge_volumes_free(load->volumes);
    fb_loop_free(load->loop);
    fb_free(load->content);
    fb_free(load->memory);
    fb_free(load->readers);
    fb_buf_done(&load->samples);
}

int edge_tool_load_run(const struct tool_load_options *options,
                       struct tool_load_result ret_results[TOOL_LOAD_PHASES], struct fb_diag *diag)
{
    const struct edge_volume_spec spec = {.path = options->path};
    struct tool_load_result results[TOOL_LOAD_PHASES] = {{.seconds = 0}};
    FB_AUTO(load_done) struct load load = {.options = options, .results = results, .diag = diag};

    int err = fb_loop_new(fb_clock_system(), &load.loop);
    if (err < 0) {
        return fb_diag_set(diag, err, "cannot make a loop: %s", fb_err_text(err));
    }
    load.volumes = edge_volumes_new(&(struct edge_volumes_options){
        .volumes = &spec,
        .n = 1,
        .node = fb_str_from(options->node),
        .clock = fb_clock_system(),
    });
    err = edge_volumes_attach(load.volumes, load.loop);
    if (err < 0) {
        return fb_diag_set(diag, err, "cannot make a queue: %s", fb_err_text(err));
    }
    load_start(&load);
    if (load.err == FB_OK) {
        memcpy(ret_results, results, sizeof(results));
    }
    return load.err;
}
