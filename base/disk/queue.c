#include "base/disk/queue.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/disk/disk_internal.h"
#include "base/disk/queue_internal.h"
#include "base/loop/loop.h"

enum { QUEUE_IN_FLIGHT = 256, QUEUE_MAX_IN_FLIGHT = 4096, QUEUE_POOL_THREADS = 8 };

/* ---- the pool's way ---------------------------------------------------- */

static int run_on_pool(struct fb_work *work)
{
    struct fb_disk_io *io = FB_CONTAINER_OF(work, struct fb_disk_io, work);
    return fb_disk_perform(io->disk, io->verb, io->offset, io->bytes, io->n);
}

static void on_pool_done(struct fb_op *op)
{
    struct fb_work *work = FB_CONTAINER_OF(op, struct fb_work, op);
    fb_disk_io_finish(FB_CONTAINER_OF(work, struct fb_disk_io, work), op->result);
}

static void pool_start(struct fb_pool *pool, struct fb_disk_io *io)
{
    fb_op_init(&io->work.op, io->op.loop, on_pool_done);
    io->work.run = run_on_pool;
    fb_work_start(pool, &io->work);
}

/* ---- requests ---------------------------------------------------------- */

static void queue_hand_over(struct fb_disk_queue *queue, struct fb_disk_io *io)
{
    queue->n_in_flight++;
    if (queue->ring != NULL) {
        fb_disk_ring_start(queue->ring, io);
    } else {
        pool_start(queue->pool, io);
    }
}

static void count_done(struct fb_disk_queue_counts *counts, const struct fb_disk_io *io, int result)
{
    counts->n_unfinished--;
    counts->n_reads += io->verb == FB_DISK_READ;
    counts->n_writes += io->verb == FB_DISK_WRITE;
    counts->n_syncs += io->verb == FB_DISK_SYNC;
    counts->n_failed += result < 0;
    if (result == FB_OK && io->verb == FB_DISK_READ) {
        counts->read_bytes += io->n;
    }
    if (result == FB_OK && io->verb == FB_DISK_WRITE) {
        counts->written_bytes += io->n;
    }
}

/* For a request that was never handed over. */
static void queue_answer(struct fb_disk_queue *queue, struct fb_disk_io *io, int result)
{
    count_done(&queue->counts, io, result);
    fb_op_finish(&io->op, result);
}

void fb_disk_io_finish(struct fb_disk_io *io, int result)
{
    struct fb_disk_queue *queue = io->queue;

    queue->n_in_flight--;
    queue_answer(queue, io, result);
    struct fb_list *next = fb_list_pop(&queue->waiting);
    if (next != NULL) {
        queue_hand_over(queue, FB_CONTAINER_OF(next, struct fb_disk_io, link));
    }
}

static bool is_sound(const struct fb_disk_io *io)
{
    return io->verb == FB_DISK_SYNC ||
           (io->offset % FB_DISK_BLOCK == 0 && io->n % FB_DISK_BLOCK == 0 && io->n > 0 &&
            (uintptr_t)io->bytes % FB_DISK_BLOCK == 0);
}

void fb_disk_resume(struct fb_disk_io *io)
{
    int result = fb_disk_perform(io->disk, io->verb, io->offset, io->bytes, io->n);
    queue_answer(io->queue, io, result);
}

void fb_disk_start(struct fb_disk_queue *queue, struct fb_disk_io *io)
{
    struct fb_disk_ops *ops = io->disk->ops;

    FB_REQUIRE(io->op.loop == queue->loop && is_sound(io));
    fb_op_begin(&io->op, NULL);
    io->queue = queue;
    io->n_moved = 0;
    fb_list_init(&io->link);
    queue->counts.n_unfinished++;

    if (io->verb != FB_DISK_SYNC && !fb_disk_has(io->disk, io->offset, io->n)) {
        queue_answer(queue, io, FB_E_CLOSED);
    } else if (ops != NULL) {
        if (ops->hold == NULL || !ops->hold(ops, io)) {
            fb_disk_resume(io);
        }
    } else if (queue->n_in_flight >= queue->max_in_flight) {
        fb_list_append(&queue->waiting, &io->link);
    } else {
        queue_hand_over(queue, io);
    }
}

/* ---- life -------------------------------------------------------------- */

int fb_disk_queue_new(struct fb_loop *loop, const struct fb_disk_queue_options *options,
                      struct fb_disk_queue **ret_queue)
{
    const struct fb_disk_queue_options usual = {0};
    struct fb_disk_queue *queue = FB_NEW(struct fb_disk_queue);

    if (options == NULL) {
        options = &usual;
    }
    queue->loop = loop;
    queue->max_in_flight = options->max_in_flight == 0 ? QUEUE_IN_FLIGHT : options->max_in_flight;
    FB_REQUIRE(queue->max_in_flight <= QUEUE_MAX_IN_FLIGHT);
    fb_list_init(&queue->waiting);

    int err = options->without_ring ? FB_E_UNSUPPORTED : fb_disk_ring_new(queue, &queue->ring);
    if (err < 0) {
        err = fb_pool_new("disk", QUEUE_POOL_THREADS, queue->max_in_flight, &queue->pool);
    }
    if (err < 0) {
        fb_free(queue);
        return err;
    }
    *ret_queue = queue;
    return FB_OK;
}

void fb_disk_queue_free(struct fb_disk_queue *queue)
{
    if (queue == NULL) {
        return;
    }
    FB_REQUIRE(queue->counts.n_unfinished == 0);
    fb_disk_ring_free(queue->ring);
    fb_pool_free(queue->pool);
    fb_free(queue);
}

bool fb_disk_queue_has_ring(const struct fb_disk_queue *queue)
{
    return queue->ring != NULL;
}

struct fb_disk_queue_counts fb_disk_queue_counts(const struct fb_disk_queue *queue)
{
    return queue->counts;
}
