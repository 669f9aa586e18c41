#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/clock.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "base/disk/disk.h"
#include "base/loop/loop.h"
#include "base/loop/thread.h"
#include "base/loop/timer.h"
#include "edge/volume/volumes.h"
#include "tests/support/test_disk.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum {
    MIB = 1024 * 1024,
    WORKERS = 2,
    DISKS = 2,
    KEYS = 300,
    BODY = 3000,
    KEY_MAX = 32,
    BEATS = 8
};

struct crew;

/* Writes, finds, reads and purges on its own loop, one thing after the other. */
struct worker {
    struct crew *crew;
    struct fb_loop *loop;
    struct fb_thread *thread;
    struct fb_timer next;
    struct fb_post stop;
    struct fb_op drained;
    struct fb_post report;
    struct fb_post beat; /* to the main loop, now and then */
    bool is_beat_posted; /* atomic */
    unsigned turn;
    bool is_stopping;
    unsigned n_hits;
    unsigned n_wrong;

    unsigned key;
    char text[KEY_MAX];
    char *memory;
    struct edge_volume_read read;
    struct edge_volumes_purge purge;
};

struct crew {
    struct fb_loop *main_loop;
    struct edge_volumes *volumes;
    struct test_disk *disks[DISKS];
    struct worker workers[WORKERS];
    unsigned n_given; /* atomic */
    unsigned n_drained;
    unsigned n_beats;
};

static int open_disk(void *ctx, const char *path, const struct fb_disk_options *options,
                     struct fb_disk **ret_disk, struct fb_diag *diag)
{
    struct crew *crew = ctx;

    (void)options;
    (void)diag;
    *ret_disk = test_disk_open(crew->disks[path[0] - '0']);
    return FB_OK;
}

static struct edge_extent_id id_of(struct worker *worker)
{
    int len = snprintf(worker->text, KEY_MAX, "/key/%u", worker->key);
    struct fb_str key = {worker->text, (size_t)len};

    return (struct edge_extent_id){.fingerprint = edge_fingerprint_of(key),
                                   .version = UINT64_C(1) << 32};
}

struct given {
    struct crew *crew;
    char bytes[BODY];
};

static void on_release(void *owner)
{
    struct given *given = owner;

    __atomic_sub_fetch(&given->crew->n_given, 1, __ATOMIC_SEQ_CST);
    fb_free(given);
}

static void worker_write(struct worker *worker)
{
    struct given *given = FB_NEW(struct given);
    struct edge_volume_write write = {
        .head = {.id = id_of(worker),
                 .key = fb_str_from(worker->text),
                 .meta = FB_STR("m"),
                 .length = BODY,
                 .mask = 1},
        .chunks = {{given->bytes, BODY}},
        .release = on_release,
        .owner = given,
    };

    given->crew = worker->crew;
    memset(given->bytes, (int)(worker->key % 251), BODY);
    __atomic_add_fetch(&worker->crew->n_given, 1, __ATOMIC_SEQ_CST);
    if (edge_volumes_write(worker->crew->volumes, &write) < 0) {
        on_release(given);
    }
}

static void worker_go_on(struct worker *worker)
{
    if (worker->is_stopping) {
        edge_volumes_drain(worker->crew->volumes, worker->loop, &worker->drained);
        return;
    }
    fb_timer_set(&worker->next, worker->turn % 16 == 0 ? 1 : 0);
}

static void worker_on_read(struct fb_op *op)
{
    struct worker *worker =
        FB_CONTAINER_OF(FB_CONTAINER_OF(op, struct edge_volume_read, op), struct worker, read);

    if (op->result == FB_OK) {
        struct fb_str bytes = worker->read.bytes;

        worker->n_hits++;
        if (bytes.len != BODY || (unsigned char)bytes.ptr[0] != worker->key % 251 ||
            memcmp(bytes.ptr, bytes.ptr + 1, BODY - 1) != 0) {
            worker->n_wrong++;
        }
    }
    fb_free(worker->memory);
    worker_go_on(worker);
}

static void worker_on_purged(struct fb_op *op)
{
    worker_go_on(
        FB_CONTAINER_OF(FB_CONTAINER_OF(op, struct edge_volumes_purge, op), struct worker, purge));
}

static void worker_on_next(struct fb_timer *timer)
{
    struct worker *worker = FB_CONTAINER_OF(timer, struct worker, next);
    struct edge_volumes *volumes = worker->crew->volumes;
    struct edge_volume_place place;

    if (worker->turn++ % 64 == 0 &&
        !__atomic_exchange_n(&worker->is_beat_posted, true, __ATOMIC_SEQ_CST)) {
        fb_loop_post(worker->crew->main_loop, &worker->beat);
    }
    worker->key = worker->turn * 7919 % KEYS;
    struct edge_extent_id id = id_of(worker);
    if (worker->turn % 50 == 0) {
        worker->purge.fingerprint = id.fingerprint;
        fb_op_init(&worker->purge.op, worker->loop, worker_on_purged);
        edge_volumes_purge(volumes, &worker->purge);
        return;
    }
    edge_volumes_touch(volumes, &id, 1);
    if (!edge_volumes_find(volumes, &id, 0, 0, &place)) {
        worker_write(worker);
        worker_go_on(worker);
        return;
    }
    worker->memory = fb_disk_buffer(edge_volumes_read_bytes(&place));
    worker->read = (struct edge_volume_read){
        .place = place, .id = id, .key = fb_str_from(worker->text), .memory = worker->memory};
    fb_op_init(&worker->read.op, worker->loop, worker_on_read);
    edge_volumes_read(volumes, &worker->read);
}

static void worker_on_stop(struct fb_post *post)
{
    FB_CONTAINER_OF(post, struct worker, stop)->is_stopping = true;
}

static void worker_on_report(struct fb_post *post)
{
    FB_CONTAINER_OF(post, struct worker, report)->crew->n_drained++;
}

static void worker_on_drained(struct fb_op *op)
{
    struct worker *worker = FB_CONTAINER_OF(op, struct worker, drained);

    fb_loop_post(worker->crew->main_loop, &worker->report);
}

static void worker_on_beat(struct fb_post *post)
{
    struct worker *worker = FB_CONTAINER_OF(post, struct worker, beat);

    worker->crew->n_beats++;
    __atomic_store_n(&worker->is_beat_posted, false, __ATOMIC_SEQ_CST);
}

/* Waits on the main loop until the workers have done something. */
static void crew_wait(struct crew *crew)
{
    crew->n_beats = 0;
    while (crew->n_beats < BEATS) {
        fb_loop_turn_waiting(crew->main_loop);
    }
}

static void crew_await(struct crew *crew, size_t i, enum edge_volume_state state)
{
    struct edge_volume_status status;

    do {
        crew_wait(crew);
        edge_volumes_status(crew->volumes, i, &status);
    } while (status.state != state);
}

static void crew_start(struct crew *crew)
{
    static const struct edge_volume_spec specs[DISKS] = {{.path = "0"}, {.path = "1"}};

    assert_int_equal(fb_loop_new(fb_clock_system(), &crew->main_loop), FB_OK);
    for (size_t i = 0; i < DISKS; i++) {
        crew->disks[i] = test_disk_new(UINT64_C(64) * MIB);
    }
    crew->volumes = edge_volumes_new(&(struct edge_volumes_options){
        .volumes = specs,
        .n = DISKS,
        .node = FB_STR("box-1"),
        .clock = fb_clock_system(),
        .open = open_disk,
        .open_ctx = crew,
    });
    for (size_t i = 0; i < WORKERS; i++) {
        struct worker *worker = &crew->workers[i];

        worker->crew = crew;
        worker->turn = (unsigned)i * 31;
        worker->stop.run = worker_on_stop;
        worker->report.run = worker_on_report;
        worker->beat.run = worker_on_beat;
        assert_int_equal(fb_loop_new(fb_clock_system(), &worker->loop), FB_OK);
        assert_int_equal(edge_volumes_attach(crew->volumes, worker->loop), FB_OK);
        fb_op_init(&worker->drained, worker->loop, worker_on_drained);
        fb_timer_init(&worker->next, worker->loop, worker_on_next);
        fb_timer_set(&worker->next, 0);
    }
    for (size_t i = 0; i < WORKERS; i++) {
        assert_int_equal(fb_thread_start("worker", crew->workers[i].loop, &crew->workers[i].thread),
                         FB_OK);
    }
    edge_volumes_start(crew->volumes);
}

static void crew_stop(struct crew *crew)
{
    for (size_t i = 0; i < WORKERS; i++) {
        fb_loop_post(crew->workers[i].loop, &crew->workers[i].stop);
    }
    while (crew->n_drained < WORKERS) {
        fb_loop_turn_waiting(crew->main_loop);
    }
    for (size_t i = 0; i < WORKERS; i++) {
        fb_loop_stop(crew->workers[i].loop);
        fb_thread_join(crew->workers[i].thread);
        fb_loop_free(crew->workers[i].loop);
    }
    edge_volumes_free(crew->volumes);
    for (size_t i = 0; i < DISKS; i++) {
        test_disk_free(crew->disks[i]);
    }
    fb_loop_free(crew->main_loop);
}

static void loops_use_the_volumes_together_while_one_fails_and_comes_back(void **state)
{
    struct crew *crew = FB_NEW(struct crew);

    (void)state;
    crew_start(crew);
    crew_await(crew, 0, EDGE_VOLUME_ONLINE);
    crew_await(crew, 1, EDGE_VOLUME_ONLINE);
    crew_wait(crew);
    test_disk_set_present(crew->disks[1], false);
    crew_await(crew, 1, EDGE_VOLUME_OFFLINE);
    test_disk_set_present(crew->disks[1], true);
    crew_await(crew, 1, EDGE_VOLUME_ONLINE);
    crew_wait(crew);
    crew_stop(crew);
    for (size_t i = 0; i < WORKERS; i++) {
        assert_int_equal(crew->workers[i].n_wrong, 0);
        assert_true(crew->workers[i].n_hits > 0);
    }
    assert_int_equal(crew->n_given, 0);
    fb_free(crew);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loops_use_the_volumes_together_while_one_fails_and_comes_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
