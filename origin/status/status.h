/*
 * Status: whoever waits for a video hears how far it is.
 *
 *     a subscriber ──► watched ──► a round: the rows of all that are watched ──► another text? ──►
 *                                                                                    push tells
 *
 * Who may see how far a video is hears of it (origin/access/access.h), and is asked with each
 * round: what becomes private while somebody listens is told to its owner alone.
 *
 * The catalog is asked and nobody tells: workers elsewhere, and another process that takes over,
 * move videos on as well as those of this process do. Progress never falls, since that of the
 * catalog does not. What is published in full or failed is told of once, and the stream ends. One
 * row is read for all who are nobody that is known, and one for each user.
 *
 * Ownership  new → free, when no subscriber is left; everything given is borrowed.
 * Threads    origin_status_stream() on a loop; origin_status_run(), and with it `describe`, on one
 *            thread at a time.
 * Limits     The push's subscribers.
 * Failures   A row that cannot be read is asked for again with the next round.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "origin/model/id.h"

struct fb_exchange;
struct origin_access;
struct origin_catalog;
struct origin_push;
struct origin_status;
struct origin_video;

/* How long news may wait, in milliseconds: the period of the round. */
enum { ORIGIN_STATUS_PERIOD_MS = 500 };

struct origin_status_options {
    struct origin_catalog *catalog;
    struct origin_access *access;
    struct origin_push *push;

    /* Appends what is told of a video, as JSON on one line. */
    void (*describe)(void *ctx, const struct origin_video *video, struct fb_buf *json);
    void *ctx;
};

struct origin_status *origin_status_new(const struct origin_status_options *options);
void origin_status_free(struct origin_status *status); /* accepts NULL */

/* Answers `user` (empty: nobody that is known) with server-sent events named "status". Of a video
 * that is not there for them, or is not active, the data are `null`. */
void origin_status_stream(struct origin_status *status, struct fb_exchange *exchange,
                          const struct origin_id *video, const struct origin_id *user);

/* One round, with the status as `ctx`. FB_OK, whatever could be read. */
FB_MUST_CHECK int origin_status_run(void *ctx);
