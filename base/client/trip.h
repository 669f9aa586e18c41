/*
 * Trips: one fetch, there and back, for a thread that is not the loop's and waits meanwhile.
 *
 *     thread ── post ──► loop: prepare ──► fetch ──► its content, slice by slice: take
 *       ▲                                                    │
 *       └────────────────────── signal ──────────────────────┘
 *
 * Ownership  The caller's, on its stack until fb_trip_run() has returned. Content is read to its
 *            end, and its reader closed.
 * Threads    fb_trip_run(): any but the loop's. `prepare` and `take` run on the loop while the
 *            caller waits, so they may use what is the caller's.
 * Limits     Those of the fetch; how much content may come is for `take` to say.
 * Failures   As base/client/client.h, and what `prepare` and `take` failed with. Any head is
 *            FB_OK, whatever its status.
 */
#pragma once

#include "base/client/client.h"
#include "base/core/attr.h"
#include "base/core/str.h"
#include "base/loop/loop.h"

#include <pthread.h>
#include <stdbool.h>

struct fb_trip {
    struct fb_loop *loop;     /* borrowed; runs on a thread of its own */
    struct fb_client *client; /* borrowed; of that loop */
    struct fb_fetch fetch;    /* as client.h says; its op and body are the trip's */

    /* Makes what belongs to the loop, such as the fetch's request_body; ends the trip if it
     * fails, and has then left no request_body. May be NULL. */
    int (*prepare)(struct fb_trip *trip);
    /* Takes content of the response, whose head is there; ends the trip if it fails. NULL: what
     * comes is dropped. */
    int (*take)(struct fb_trip *trip, struct fb_str bytes);

    /* Private to base/client. */
    struct fb_post post;
    struct fb_op wait;
    int result;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool is_done; /* under lock; the trip may be gone once it is set */
};

/* Makes the trip and waits for its end. */
FB_MUST_CHECK int fb_trip_run(struct fb_trip *trip);
