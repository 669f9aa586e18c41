/*
 * Asynchronous operations: the one callback shape in forebay.
 *
 * An operation is a struct owned by the caller whose first member is a
 * struct fb_op, followed by its inputs and outputs. The module that performs
 * it is called the provider.
 *
 *   - Starting cannot fail. Every outcome arrives through `done`.
 *   - `done` runs once per start, on the loop's thread, and never inside the
 *     call that started, finished or canceled the operation.
 *   - The struct stays valid from start until `done` is entered. Inside
 *     `done` it is idle again: restart it, free it or let it go.
 *   - Outputs may be read only when `result` is FB_OK.
 *   - Cancel is a request: `done` still runs, with FB_E_CANCELED unless the
 *     outcome was already decided. Canceling an idle operation does nothing.
 *
 *        fb_op_begin           fb_op_finish          loop turn
 *   IDLE ───────────► RUNNING ─────────────► FINISHED ─────────► IDLE, done()
 *
 * Threads    Every call is made on the thread of `loop`. A provider that works
 *            on another thread comes back through fb_loop_post().
 */
#pragma once

#include "base/core/list.h"

#include <stdbool.h>

struct fb_loop;
struct fb_op;

typedef void fb_op_done_fn(struct fb_op *op);
typedef void fb_op_cancel_fn(struct fb_op *op);

enum fb_op_phase { FB_OP_IDLE, FB_OP_RUNNING, FB_OP_FINISHED };

struct fb_op {
    struct fb_loop *loop; /* borrowed; outlives the operation */
    fb_op_done_fn *done;
    int result; /* out: FB_OK or a negative code */

    void *provider; /* the provider's own, from begin to finish */

    /* Private to base/loop. */
    enum fb_op_phase phase;
    fb_op_cancel_fn *cancel;
    struct fb_list link;
};

/* For callers. */
void fb_op_init(struct fb_op *op, struct fb_loop *loop, fb_op_done_fn *done);
void fb_op_cancel(struct fb_op *op);
bool fb_op_is_idle(const struct fb_op *op);

/* For providers. `cancel` may be NULL if the operation cannot be stopped; it
 * is called at most once, and must see to it that the operation finishes. */
void fb_op_begin(struct fb_op *op, fb_op_cancel_fn *cancel);
void fb_op_finish(struct fb_op *op, int result);
