/*
 * Requests that are held: for a range of a body that is still arriving and whose length
 * nobody knows. It is answered when its last byte is there, or the body has ended.
 */
#include "base/core/err.h"
#include "base/loop/reader.h"
#include "edge/serve/serve_internal.h"

/* In the arena of its exchange. */
struct serve_hold {
    struct fb_op op;
    struct serve_request *request;
    struct fb_reader *reader; /* owned; of the last byte that is wanted */
    enum edge_serve_result result;
};

static void hold_end(struct serve_hold *hold)
{
    struct serve_request *request = hold->request;

    fb_reader_close(hold->reader);
    if (request->is_aborted || edge_object_state(request->object) == EDGE_OBJECT_BROKEN) {
        edge_serve_fail_upstream(request, FB_E_UNAVAILABLE);
        return;
    }
    edge_serve_select(request);
    edge_serve_settle(request, hold->result);
    edge_serve_respond_object(request);
}

static void hold_look(struct serve_hold *hold)
{
    struct fb_slice slice = {0};

    int err = fb_reader_next(hold->reader, &slice);
    fb_slice_release(&slice);
    if (err == FB_E_LATER && !hold->request->is_aborted) {
        fb_reader_wait(hold->reader, &hold->op);
    } else {
        hold_end(hold);
    }
}

static void hold_on_news(struct fb_op *op)
{
    hold_look(FB_CONTAINER_OF(op, struct serve_hold, op));
}

void edge_serve_hold(struct serve_request *request, enum edge_serve_result result)
{
    struct serve_hold *hold = fb_arena_alloc(request->arena, sizeof(*hold));

    fb_machine_move(&request->machine, SERVE_HOLD);
    request->hold = hold;
    hold->request = request;
    hold->result = result;
    hold->reader = edge_object_reader(request->object, request->serve->loop,
                                      request->selection.awaited - 1, 1, NULL);
    fb_op_init(&hold->op, request->serve->loop, hold_on_news);
    hold_look(hold);
}

void edge_serve_hold_cancel(struct serve_request *request)
{
    fb_op_cancel(&request->hold->op);
}
