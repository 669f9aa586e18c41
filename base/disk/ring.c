#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/disk/disk_internal.h"
#include "base/disk/queue_internal.h"
#include "base/loop/loop.h"
#include "base/loop/timer.h"
#include "base/loop/watch.h"

#include <liburing.h>

#include <errno.h>

enum {
    RING_BATCH = 32, /* so many are handed over without waiting for the turn's end */
    RING_REAP = 64,
    RING_RETRY_MS = 2,
    RING_MAX_BYTES = 1 << 30 /* of one entry; its length has 32 bits */
};

struct disk_ring {
    struct fb_disk_queue *queue;
    struct io_uring uring;
    struct fb_watch *watch; /* owned; rings when there are completions */
    struct fb_flush flush;
    struct fb_timer retry;
    unsigned n_prepared; /* not yet handed to the kernel */
};

/* ---- completions ------------------------------------------------------- */

static void ring_complete(struct disk_ring *ring, struct fb_disk_io *io, int moved)
{
    int err = fb_disk_advance(io->verb, moved, io->n, &io->n_moved);

    if (err == FB_E_LATER) {
        fb_disk_ring_start(ring, io); /* the rest */
    } else {
        fb_disk_io_finish(io, err);
    }
}

static void ring_reap(struct disk_ring *ring)
{
    struct io_uring_cqe *cqes[RING_REAP];
    struct fb_disk_io *ios[RING_REAP];
    int moved[RING_REAP];
    unsigned n = 0;

    while ((n = io_uring_peek_batch_cqe(&ring->uring, cqes, RING_REAP)) > 0) {
        /* Room is given back first: completing may hand over new requests. */
        for (unsigned i = 0; i < n; i++) {
            ios[i] = io_uring_cqe_get_data(cqes[i]);
            moved[i] = cqes[i]->res;
        }
        io_uring_cq_advance(&ring->uring, n);
        for (unsigned i = 0; i < n; i++) {
            ring_complete(ring, ios[i], moved[i]);
        }
    }
}

static void on_readable(void *ctx)
{
    ring_reap(ctx);
}

/* ---- requests ---------------------------------------------------------- */

static void ring_submit(struct disk_ring *ring)
{
    while (ring->n_prepared > 0) {
        int n = io_uring_submit(&ring->uring);
        if (n == -EINTR) {
            continue;
        }
        ring->queue->counts.n_enters++;
        if (n == -EAGAIN || n == -EBUSY || n == -ENOMEM) {
            fb_timer_set(&ring->retry, RING_RETRY_MS); /* the kernel is short of memory */
            break;
        }
        FB_REQUIRE(n > 0);
        ring->n_prepared -= (unsigned)n;
    }
    fb_flush_clear(&ring->flush);
}

static void on_retry(struct fb_timer *timer)
{
    ring_submit(FB_CONTAINER_OF(timer, struct disk_ring, retry));
}

static void on_flush(struct fb_flush *flush)
{
    ring_submit(FB_CONTAINER_OF(flush, struct disk_ring, flush));
}

static void prepare(struct io_uring_sqe *sqe, const struct fb_disk_io *io)
{
    if (io->verb == FB_DISK_SYNC) {
        io_uring_prep_fsync(sqe, io->disk->fd, IORING_FSYNC_DATASYNC);
        return;
    }
    char *bytes = (char *)io->bytes + io->n_moved;
    uint64_t offset = io->offset + io->n_moved;
    unsigned n = (unsigned)FB_MIN(io->n - io->n_moved, (size_t)RING_MAX_BYTES);
    if (io->verb == FB_DISK_READ) {
        io_uring_prep_read(sqe, io->disk->fd, bytes, n, offset);
    } else {
        io_uring_prep_write(sqe, io->disk->fd, bytes, n, offset);
    }
}

void fb_disk_ring_start(struct disk_ring *ring, struct fb_disk_io *io)
{
    /* There is one entry for each request that may be in flight. */
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);
    FB_REQUIRE(sqe != NULL);

    prepare(sqe, io);
    io_uring_sqe_set_data(sqe, io);
    ring->n_prepared++;
    if (ring->n_prepared >= RING_BATCH) {
        ring_submit(ring);
    } else {
        fb_flush_soon(&ring->flush, ring->queue->loop);
    }
}

/* ---- life -------------------------------------------------------------- */

/* Completions need not interrupt the loop: it enters the kernel soon enough by
 * itself. Linux before 5.19 cannot do without. */
static int ring_set_up(unsigned n_entries, struct io_uring *uring)
{
    int err = io_uring_queue_init(n_entries, uring, IORING_SETUP_COOP_TASKRUN);
    return err == -EINVAL ? io_uring_queue_init(n_entries, uring, 0) : err;
}

int fb_disk_ring_new(struct fb_disk_queue *queue, struct disk_ring **ret_ring)
{
    struct disk_ring *ring = FB_NEW(struct disk_ring);

    ring->queue = queue;
    fb_flush_init(&ring->flush, on_flush);
    fb_timer_init(&ring->retry, queue->loop, on_retry);
    int err = ring_set_up(queue->max_in_flight, &ring->uring);
    if (err < 0) {
        fb_free(ring);
        return err;
    }
    /* The ring's own descriptor: an eventfd would have to be read at each wake. */
    err = fb_watch_new(queue->loop, ring->uring.ring_fd, on_readable, ring, &ring->watch);
    if (err < 0) {
        io_uring_queue_exit(&ring->uring);
        fb_free(ring);
        return err;
    }
    *ret_ring = ring;
    return FB_OK;
}

void fb_disk_ring_free(struct disk_ring *ring)
{
    if (ring == NULL) {
        return;
    }
    fb_flush_clear(&ring->flush);
    fb_timer_clear(&ring->retry);
    fb_watch_free(ring->watch);
    io_uring_queue_exit(&ring->uring);
    fb_free(ring);
}
