#include "base/core/err.h"
#include "base/loop/reader.h"
#include "edge/warm/warm_internal.h"

/* So much is taken in one go, and clients' turn comes next: a plan is long, and its lines are read
 * on the loop that serves. */
enum { GET_PIECE_BYTES = 32 * 1024, GET_PAUSE_MS = 1 };

static void get_pump(struct warm_get *get);

static void get_finish(struct warm_get *get, int result)
{
    fb_reader_close(get->body);
    get->body = NULL;
    fb_arena_done(&get->arena);
    fb_op_finish(&get->op, result);
}

static void get_on_more(struct fb_op *op)
{
    struct warm_get *get = FB_CONTAINER_OF(op, struct warm_get, wait);

    if (op->result < 0) {
        get_finish(get, op->result);
    } else {
        get_pump(get);
    }
}

static void get_on_pause_over(struct fb_timer *timer)
{
    get_pump(FB_CONTAINER_OF(timer, struct warm_get, pause));
}

static void get_pump(struct warm_get *get)
{
    struct fb_slice slice = {0};
    size_t n_taken = 0;
    int err = FB_OK;

    while (n_taken < GET_PIECE_BYTES && (err = fb_reader_next(get->body, &slice)) == FB_OK) {
        n_taken += slice.bytes.len;
        err = get->take(get, slice.bytes);
        fb_slice_release(&slice);
        if (err < 0) {
            get_finish(get, err);
            return;
        }
    }
    if (err == FB_OK) {
        fb_timer_set(&get->pause, GET_PAUSE_MS);
    } else if (err == FB_E_LATER) {
        fb_op_init(&get->wait, get->op.loop, get_on_more);
        fb_reader_wait(get->body, &get->wait);
    } else {
        get_finish(get, err == FB_E_END ? FB_OK : err);
    }
}

static void get_on_head(struct fb_op *op)
{
    struct warm_get *get = FB_CONTAINER_OF(op, struct warm_get, fetch.op);
    unsigned status = get->fetch.response.status;

    if (op->result < 0) {
        get_finish(get, op->result);
        return;
    }
    get->body = get->fetch.body;
    if (status != 200) {
        get_finish(get, status == 404 ? FB_E_NOT_FOUND : FB_E_UNAVAILABLE);
        return;
    }
    get_pump(get);
}

static void get_cancel(struct fb_op *op)
{
    struct warm_get *get = FB_CONTAINER_OF(op, struct warm_get, op);

    fb_op_cancel(&get->fetch.op);
    fb_op_cancel(&get->wait);
    if (fb_timer_is_set(&get->pause)) {
        fb_timer_clear(&get->pause);
        get_finish(get, FB_E_CANCELED);
    }
}

void edge_warm_get(struct warm_get *get)
{
    struct edge_warm *warm = get->warm;
    size_t question = fb_str_find(get->target, '?');

    fb_op_begin(&get->op, get_cancel);
    get->body = NULL;
    get->request = (struct fb_request_head){
        .method = FB_METHOD_GET,
        .method_text = FB_STR("GET"),
        .target = get->target,
        .path = fb_str_first(get->target, question),
        .host = warm->options.settings.host,
        .version_minor = 1,
    };
    get->fetch = (struct edge_fetch){
        .request = &get->request,
        .pool = warm->options.pool,
        .arena = &get->arena,
    };
    fb_timer_init(&get->pause, get->op.loop, get_on_pause_over);
    fb_op_init(&get->wait, get->op.loop, get_on_more);
    fb_op_init(&get->fetch.op, get->op.loop, get_on_head);
    warm->options.fetch(warm->options.uplink, &get->fetch);
}
