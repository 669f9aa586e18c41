#include "edge/fill/ahead.h"

#include "base/core/err.h"
#include "base/loop/reader.h"

static void ahead_pump(struct edge_fill_ahead *ahead);

static void ahead_finish(struct edge_fill_ahead *ahead, int result)
{
    fb_reader_close(ahead->reader);
    ahead->reader = NULL;
    if (result < 0) {
        edge_object_unref(ahead->object);
        ahead->object = NULL;
    }
    fb_op_finish(&ahead->op, result);
}

static void ahead_on_more(struct fb_op *op)
{
    struct edge_fill_ahead *ahead = FB_CONTAINER_OF(op, struct edge_fill_ahead, wait);

    if (op->result < 0) {
        ahead_finish(ahead, op->result);
    } else {
        ahead_pump(ahead);
    }
}

static void ahead_pump(struct edge_fill_ahead *ahead)
{
    struct fb_slice slice = {0};
    int err = FB_OK;

    while ((err = fb_reader_next(ahead->reader, &slice)) == FB_OK) {
        ahead->n_read += slice.bytes.len;
        fb_slice_release(&slice);
    }
    if (err == FB_E_LATER) {
        fb_op_init(&ahead->wait, ahead->op.loop, ahead_on_more);
        fb_reader_wait(ahead->reader, &ahead->wait);
    } else {
        ahead_finish(ahead, err == FB_E_END ? FB_OK : err);
    }
}

/* Where the range begins, and how long it is, of the object that there is now. */
static int ahead_span(const struct edge_fill_ahead *ahead, uint64_t *ret_offset,
                      int64_t *ret_length)
{
    const struct fb_range_spec *range = ahead->ask.range;
    int64_t length = edge_object_length(ahead->object);

    *ret_offset = 0;
    *ret_length = FB_LENGTH_UNKNOWN;
    if (range == NULL || length == FB_LENGTH_UNKNOWN) {
        return FB_OK;
    }
    struct fb_range_specs specs = {.items = {*range}, .n = 1};
    struct fb_ranges ranges;
    if (fb_range_resolve(&specs, (uint64_t)length, &ranges) != FB_RANGE_PARTIAL) {
        return FB_E_UNSUPPORTED;
    }
    *ret_offset = ranges.items[0].first;
    *ret_length = (int64_t)(ranges.items[0].last - ranges.items[0].first + 1);
    return FB_OK;
}

static void ahead_take_object(struct edge_fill_ahead *ahead)
{
    uint64_t offset = 0;
    int64_t length = 0;

    ahead->object = ahead->join.object;
    ahead->is_shared = ahead->join.is_collapsed || ahead->join.was_stored;
    if (ahead->is_canceled) {
        ahead_finish(ahead, FB_E_CANCELED);
        return;
    }
    if (edge_object_head(ahead->object)->status != 200) {
        ahead->refusal = "the answer is an error";
        ahead_finish(ahead, FB_E_UNSUPPORTED);
        return;
    }
    int err = ahead_span(ahead, &offset, &length);
    if (err < 0) {
        ahead->refusal = "there is no such range";
        ahead_finish(ahead, err);
        return;
    }
    edge_fill_chunks_init(&ahead->chunks, ahead->table, ahead->op.loop, &ahead->ask);
    ahead->reader =
        edge_object_reader(ahead->object, ahead->op.loop, offset, length, &ahead->chunks.source);
    ahead_pump(ahead);
}

static void ahead_take_pass(struct edge_fill_ahead *ahead)
{
    unsigned status = ahead->join.pass->response.status;

    ahead->refusal = ahead->join.pass->refusal;
    edge_pass_free(ahead->join.pass);
    ahead->join.pass = NULL;
    ahead_finish(ahead, status < 500 ? FB_E_UNSUPPORTED : FB_E_UNAVAILABLE);
}

static void ahead_on_joined(struct fb_op *op)
{
    struct edge_fill_ahead *ahead = FB_CONTAINER_OF(op, struct edge_fill_ahead, join.op);

    if (op->result < 0) {
        ahead_finish(ahead, op->result);
        return;
    }
    switch (ahead->join.outcome) {
    case EDGE_FILL_OBJECT:
        ahead_take_object(ahead);
        return;
    case EDGE_FILL_PASS:
        ahead_take_pass(ahead);
        return;
    case EDGE_FILL_ALONE:
        ahead_finish(ahead, FB_E_UNAVAILABLE);
        return;
    case EDGE_FILL_PAST_END:
        ahead->refusal = "there is no such range";
        ahead_finish(ahead, FB_E_UNSUPPORTED);
        return;
    }
}

static void ahead_cancel(struct fb_op *op)
{
    struct edge_fill_ahead *ahead = FB_CONTAINER_OF(op, struct edge_fill_ahead, op);

    ahead->is_canceled = true;
    fb_op_cancel(&ahead->join.op);
    fb_op_cancel(&ahead->wait);
}

void edge_fill_ahead(struct edge_fill_table *table, struct edge_fill_ahead *ahead)
{
    fb_op_begin(&ahead->op, ahead_cancel);
    ahead->object = NULL;
    ahead->is_shared = false;
    ahead->n_read = 0;
    ahead->refusal = NULL;
    ahead->table = table;
    ahead->reader = NULL;
    ahead->is_canceled = false;
    ahead->join.ask = ahead->ask;
    fb_op_init(&ahead->wait, ahead->op.loop, ahead_on_more);
    fb_op_init(&ahead->join.op, ahead->op.loop, ahead_on_joined);
    edge_fill_join(table, &ahead->join);
}
