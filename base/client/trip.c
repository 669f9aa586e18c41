#include "base/client/trip.h"

#include "base/core/err.h"

/* ---- on the loop ------------------------------------------------------------------ */

static void trip_finish(struct fb_trip *trip, int result)
{
    fb_reader_close(trip->fetch.body);
    trip->fetch.body = NULL;
    (void)pthread_mutex_lock(&trip->lock);
    trip->result = result;
    trip->is_done = true;
    (void)pthread_cond_signal(&trip->changed);
    (void)pthread_mutex_unlock(&trip->lock);
}

static void trip_on_more(struct fb_op *op);

static void trip_read(struct fb_trip *trip)
{
    struct fb_slice slice;
    int err = FB_OK;

    while ((err = fb_reader_next(trip->fetch.body, &slice)) == FB_OK) {
        int taken = trip->take != NULL ? trip->take(trip, slice.bytes) : FB_OK;
        fb_slice_release(&slice);
        if (taken < 0) {
            trip_finish(trip, taken);
            return;
        }
    }
    if (err == FB_E_LATER) {
        fb_op_init(&trip->wait, trip->loop, trip_on_more);
        fb_reader_wait(trip->fetch.body, &trip->wait);
        return;
    }
    trip_finish(trip, err == FB_E_END ? FB_OK : err);
}

static void trip_on_more(struct fb_op *op)
{
    struct fb_trip *trip = FB_CONTAINER_OF(op, struct fb_trip, wait);

    if (op->result < 0) {
        trip_finish(trip, op->result);
        return;
    }
    trip_read(trip);
}

static void trip_on_head(struct fb_op *op)
{
    struct fb_trip *trip = FB_CONTAINER_OF(op, struct fb_trip, fetch.op);

    if (op->result < 0) {
        trip->fetch.body = NULL;
        trip_finish(trip, op->result);
        return;
    }
    trip_read(trip);
}

static void trip_start(struct fb_post *post)
{
    struct fb_trip *trip = FB_CONTAINER_OF(post, struct fb_trip, post);
    int err = trip->prepare != NULL ? trip->prepare(trip) : FB_OK;

    if (err < 0) {
        trip_finish(trip, err);
        return;
    }
    fb_op_init(&trip->fetch.op, trip->loop, trip_on_head);
    fb_client_fetch(trip->client, &trip->fetch);
}

/* ---- on the caller's thread --------------------------------------------------------- */

int fb_trip_run(struct fb_trip *trip)
{
    trip->post.run = trip_start;
    trip->fetch.body = NULL;
    trip->is_done = false;
    (void)pthread_mutex_init(&trip->lock, NULL);
    (void)pthread_cond_init(&trip->changed, NULL);
    fb_loop_post(trip->loop, &trip->post);
    (void)pthread_mutex_lock(&trip->lock);
    while (!trip->is_done) {
        (void)pthread_cond_wait(&trip->changed, &trip->lock);
    }
    (void)pthread_mutex_unlock(&trip->lock);
    (void)pthread_cond_destroy(&trip->changed);
    (void)pthread_mutex_destroy(&trip->lock);
    return trip->result;
}
