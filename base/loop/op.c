#include "base/loop/op.h"

#include "base/core/check.h"
#include "base/core/err.h"
#include "base/loop/loop_internal.h"

void fb_op_init(struct fb_op *op, struct fb_loop *loop, fb_op_done_fn *done)
{
    *op = (struct fb_op){.loop = loop, .done = done};
    fb_list_init(&op->link);
}

bool fb_op_is_idle(const struct fb_op *op)
{
    return op->phase == FB_OP_IDLE;
}

void fb_op_begin(struct fb_op *op, fb_op_cancel_fn *cancel)
{
    FB_REQUIRE(op->phase == FB_OP_IDLE && op->done != NULL);
    FB_REQUIRE(fb_loop_is_mine(op->loop));
    op->phase = FB_OP_RUNNING;
    op->cancel = cancel;
    op->provider = NULL;
    op->result = FB_OK;
    op->loop->n_ops++;
}

void fb_op_finish(struct fb_op *op, int result)
{
    FB_REQUIRE(op->phase == FB_OP_RUNNING);
    op->phase = FB_OP_FINISHED;
    op->cancel = NULL;
    op->result = result;
    fb_loop_ready(op->loop, op);
}

void fb_op_cancel(struct fb_op *op)
{
    fb_op_cancel_fn *cancel = op->cancel;

    if (op->phase == FB_OP_RUNNING && cancel != NULL) {
        op->cancel = NULL;
        cancel(op);
    }
}
