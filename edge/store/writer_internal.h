/*
 * Writers: one run of bytes on its way into a body.
 *
 * A writer that is ahead of its readers waits; the reader that comes near
 * sends it mail. Between those two moments it belongs to the mail, as
 * readers do (reader_internal.h).
 *
 * `offset`, `is_done`, `is_waiting` and `is_posted` are under the body's lock
 * (the writer's own loop reads `offset` without); the rest is the loop's.
 */
#pragma once

#include "base/core/list.h"
#include "base/loop/loop.h"
#include "base/loop/op.h"
#include "base/loop/timer.h"

#include <stdbool.h>
#include <stdint.h>

struct edge_body;
struct edge_object;
struct store_buffer;
struct store_extent;

struct edge_writer {
    struct edge_object *object; /* counted */
    struct fb_loop *loop;       /* borrowed */
    struct fb_op *waiter;       /* borrowed until finished; NULL if nobody waits */
    struct fb_timer patience;
    bool is_closed;
    bool is_unproven;

    uint64_t begin;
    uint64_t end;                /* it will come no further; under the lock */
    struct store_extent *extent; /* pinned; where `offset` is, once there is a byte */
    struct store_buffer *buffer; /* of the chunk that fills: the extent's; NULL between chunks */
    uint64_t n_unknown;          /* bytes claimed for a body of unknown length */

    struct fb_list link; /* in the body's writers */
    uint64_t offset;
    bool is_done; /* nothing more will come */
    bool is_waiting;
    bool is_posted;
    struct fb_post post;
};

/* Before anything else of pace: `object` and `loop` are set. */
void edge_writer_init_pace(struct edge_writer *writer);

/* Under the body's lock: sends mail to the writers that wait and are no longer ahead. */
void edge_writers_release(struct edge_body *body);
