#include "base/client/client.h"
#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/core/machine.h"
#include "base/log/log.h"
#include "edge/upstream/upstream.h"
#include "edge/upstream/upstream_internal.h"
#include "edge/upstream/via.h"

#include <errno.h>

enum uplink_state { UPLINK_PICK, UPLINK_TRY, UPLINK_DONE };

static const struct fb_state uplink_states[] = {
    [UPLINK_PICK] = {"pick", FB_TO(UPLINK_TRY) | FB_TO(UPLINK_DONE)},
    [UPLINK_TRY] = {"try", FB_TO(UPLINK_PICK) | FB_TO(UPLINK_DONE)},
    [UPLINK_DONE] = {"done", 0},
};

struct edge_uplink {
    struct edge_upstreams *upstreams; /* borrowed */
    struct fb_client *for_all;        /* owned; its connections go at our pace */
    struct fb_client *for_one;        /* owned; at a client's, who must not hold up fills */
    struct fb_loop *loop;
    size_t n_fetches;
};

struct uplink_try {
    struct edge_uplink *uplink;
    struct edge_fetch *fetch; /* the caller's */
    struct fb_machine machine;
    struct fb_fetch io;     /* the try under way */
    struct fb_headers sent; /* in the fetch's arena */
    unsigned tried;         /* bits of servers that had their chance */
    size_t server;          /* of the try under way */
    bool is_probe;
    bool is_canceled;
    int result;
    struct fb_buf story; /* what each server did, for the log */
};

static void uplink_run(struct uplink_try *try);

/* ---- bodies ------------------------------------------------------------ */

/* A body that tells the server's health when it breaks. */
struct uplink_body {
    struct fb_reader reader;
    struct fb_reader *inner; /* owned */
    struct edge_upstreams *upstreams;
    size_t server;
    bool is_broken;
};

static int body_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    struct uplink_body *body = FB_CONTAINER_OF(reader, struct uplink_body, reader);

    int err = fb_reader_next(body->inner, ret_slice);
    if (err == FB_OK) {
        edge_upstreams_received(body->upstreams, body->server, ret_slice->bytes.len);
    } else if (err == FB_E_END) {
        edge_upstreams_ended(body->upstreams, body->server);
    } else if (err != FB_E_LATER && !body->is_broken) {
        body->is_broken = true;
        edge_upstreams_broke(body->upstreams, body->server);
    }
    return err;
}

static void body_wait(struct fb_reader *reader, struct fb_op *op)
{
    fb_reader_wait(FB_CONTAINER_OF(reader, struct uplink_body, reader)->inner, op);
}

static void body_close(struct fb_reader *reader)
{
    struct uplink_body *body = FB_CONTAINER_OF(reader, struct uplink_body, reader);

    fb_reader_close(body->inner);
    fb_free(body);
}

static const struct fb_reader_ops body_ops = {
    .next = body_next,
    .wait = body_wait,
    .close = body_close,
};

static struct fb_reader *body_new(struct fb_reader *inner, struct edge_upstreams *upstreams,
                                  size_t server)
{
    struct uplink_body *body = FB_NEW(struct uplink_body);

    body->reader.ops = &body_ops;
    body->inner = inner;
    body->upstreams = upstreams;
    body->server = server;
    return &body->reader;
}

/* ---- steps ------------------------------------------------------------- */

static enum fb_step uplink_to(struct uplink_try *try, enum uplink_state next)
{
    fb_machine_move(&try->machine, next);
    return FB_STEP_AGAIN;
}

/* One more clause for whoever reads why nothing came. */
static void uplink_tell(struct uplink_try *try, const char *what)
{
    fb_buf_printf(&try->story, "%s%s %s", try->story.len > 0 ? "; " : "",
                  try->uplink->upstreams->servers[try->server].text, what);
}

static void uplink_write_fields(struct uplink_try *try)
{
    const struct edge_fetch *fetch = try->fetch;
    const struct fb_headers *from = &fetch->request->headers;
    struct fb_str node = fb_str_from(try->uplink->upstreams->node);

    for (size_t i = 0; i < from->n; i++) {
        if (!fb_str_equal_nocase(from->items[i].name, FB_STR("via"))) {
            fb_headers_add(&try->sent, fetch->arena, from->items[i].name, from->items[i].value);
        }
    }
    fb_headers_add(&try->sent, fetch->arena, FB_STR("Via"),
                   edge_via_append(fetch->arena, from, node));
}

/* True if it does no harm to send the request again (RFC 9110 section 9.2.2). */
static bool uplink_may_repeat(const struct edge_fetch *fetch)
{
    switch (fetch->request->method) {
    case FB_METHOD_GET:
    case FB_METHOD_HEAD:
    case FB_METHOD_OPTIONS:
    case FB_METHOD_PUT:
    case FB_METHOD_DELETE:
        return fetch->request_length == 0;
    case FB_METHOD_POST:
    case FB_METHOD_PATCH:
    case FB_METHOD_OTHER:
        break;
    }
    return false;
}

/* The next server that has not had its chance: those in service first, in
 * order; those ejected or to be avoided only if nobody else is left and
 * `takes_any`. */
static bool uplink_choose(struct uplink_try *try, bool takes_any)
{
    struct edge_upstreams *upstreams = try->uplink->upstreams;
    size_t last_resort = upstreams->n;

    if (try->tried != 0 && !uplink_may_repeat(try->fetch)) {
        return false;
    }
    for (size_t i = 0; i < upstreams->n; i++) {
        if ((try->tried & (1U << i)) != 0) {
            continue;
        }
        if ((try->fetch->avoided & (1U << i)) != 0) {
            last_resort = FB_MIN(last_resort, i);
            continue;
        }
        enum upstream_chance chance = edge_upstreams_chance(upstreams, i);
        if (chance != UPSTREAM_EJECTED) {
            try->server = i;
            try->is_probe = chance == UPSTREAM_PROBE;
            return true;
        }
        last_resort = FB_MIN(last_resort, i);
    }
    if (!takes_any || last_resort == upstreams->n) {
        return false;
    }
    try->server = last_resort;
    try->is_probe = false;
    return true;
}

static void uplink_on_head(struct fb_op *op)
{
    uplink_run(FB_CONTAINER_OF(op, struct uplink_try, io.op));
}

static void uplink_start(struct uplink_try *try)
{
    struct edge_fetch *fetch = try->fetch;
    const struct edge_upstreams_options *options = &try->uplink->upstreams->options;

    try->tried |= 1U << try->server;
    try->io = (struct fb_fetch){
        .url = try->uplink->upstreams->servers[try->server].url,
        .method = fetch->request->method,
        .headers = try->sent.items,
        .n_headers = try->sent.n,
        .host_header = fetch->request->host.len > 0 ? fetch->request->host : FB_STR_NONE,
        .request_body = fetch->request_body,
        .request_length = fetch->request_length,
        .connect_timeout_ms = options->connect_timeout_ms,
        .head_timeout_ms = options->head_timeout_ms,
        .body_timeout_ms = options->body_timeout_ms,
        .arena = fetch->arena,
    };
    try->io.url.target = fetch->request->target;
    fetch->request_body = NULL; /* the client's from here on */
    fb_op_init(&try->io.op, try->uplink->loop, uplink_on_head);
    fb_client_fetch(fetch->is_for_one ? try->uplink->for_one : try->uplink->for_all, &try->io);
}

static enum fb_step uplink_pick(struct uplink_try *try)
{
    if (!uplink_choose(try, true)) {
        FB_LOG(WARN, "upstream", "no upstream gave an answer",
               FB_LOG_STR("tried", fb_buf_str(&try->story)),
               FB_LOG_STR("target", try->fetch->request->target));
        return uplink_to(try, UPLINK_DONE);
    }
    (void)uplink_to(try, UPLINK_TRY);
    uplink_start(try);
    return FB_STEP_WAIT;
}

/* This process or machine is at a limit of its own. */
static bool is_own_trouble(int err)
{
    return err == -EMFILE || err == -ENFILE || err == -ENOBUFS || err == -ENOMEM ||
           err == -EADDRNOTAVAIL || err == FB_E_BUSY;
}

/* No head came from this server. */
static enum fb_step uplink_missed(struct uplink_try *try, int err)
{
    if (err == FB_E_CANCELED || try->is_canceled) {
        try->result = FB_E_CANCELED;
        return uplink_to(try, UPLINK_DONE);
    }
    if (try->io.content_failed) {
        /* The client's doing, of which the server is innocent. */
        try->fetch->content_failed = true;
        try->result = err;
        return uplink_to(try, UPLINK_DONE);
    }
    uplink_tell(try, fb_err_text(err));
    if (!is_own_trouble(err)) {
        edge_upstreams_failed(try->uplink->upstreams, try->server, try->is_probe);
    }
    try->result = err == FB_E_TIMEOUT || err == FB_E_BUSY ? err : FB_E_UNAVAILABLE;
    return uplink_to(try, UPLINK_PICK);
}

/* For HEAD the content is empty, and the field tells what a GET would give. */
static int64_t uplink_length(const struct uplink_try *try)
{
    if (try->fetch->request->method != FB_METHOD_HEAD) {
        return try->io.length;
    }
    uint64_t length = 0;
    struct fb_str text = fb_headers_find(&try->io.response.headers, FB_STR("content-length"));
    bool is_known = text.len > 0 && fb_str_to_u64(text, &length) == FB_OK && length <= INT64_MAX;
    return is_known ? (int64_t)length : -1;
}

/* A gateway's error is worth asking the next server; the last one's stands.
 * 502 and 504 tell of what is behind a server, 503 of itself. */
static bool uplink_goes_on(struct uplink_try *try, unsigned status)
{
    if (status != 502 && status != 503 && status != 504) {
        return false;
    }
    uplink_tell(try, status == 502   ? "answered 502"
                     : status == 503 ? "answered 503"
                                     : "answered 504");
    return !try->is_canceled && uplink_choose(try, false);
}

static enum fb_step uplink_judge(struct uplink_try *try)
{
    struct edge_fetch *fetch = try->fetch;

    if (try->io.op.result < 0) {
        return uplink_missed(try, try->io.op.result);
    }
    unsigned status = try->io.response.status;
    size_t answered = try->server;
    if (status == 503) {
        edge_upstreams_failed(try->uplink->upstreams, answered, try->is_probe);
    } else {
        edge_upstreams_answered(try->uplink->upstreams, answered);
    }
    if (uplink_goes_on(try, status)) {
        fb_reader_close(try->io.body);
        uplink_start(try);
        return FB_STEP_WAIT;
    }
    fetch->response = try->io.response;
    fetch->length = uplink_length(try);
    fetch->upstream = (unsigned)answered;
    fetch->body = body_new(try->io.body, try->uplink->upstreams, answered);
    try->result = FB_OK;
    return uplink_to(try, UPLINK_DONE);
}

static enum fb_step uplink_done(struct uplink_try *try)
{
    try->uplink->n_fetches--;
    fb_op_finish(&try->fetch->op, try->result);
    fb_buf_done(&try->story);
    fb_free(try);
    return FB_STEP_GONE;
}

static void uplink_run(struct uplink_try *try)
{
    enum fb_step step = FB_STEP_AGAIN;

    while (step == FB_STEP_AGAIN) {
        switch ((enum uplink_state)try->machine.state) {
        case UPLINK_PICK:
            step = uplink_pick(try);
            break;
        case UPLINK_TRY:
            step = uplink_judge(try);
            break;
        case UPLINK_DONE:
            step = uplink_done(try);
            break;
        }
    }
}

/* ---- entry points ------------------------------------------------------ */

struct edge_uplink *edge_uplink_new(struct edge_upstreams *upstreams, struct fb_loop *loop)
{
    struct edge_uplink *uplink = FB_NEW(struct edge_uplink);
    struct fb_client_limits limits = {.max_connections = upstreams->options.max_connections};

    uplink->upstreams = upstreams;
    uplink->loop = loop;
    uplink->for_all = fb_client_new(loop, &limits, upstreams->metrics);
    uplink->for_one = fb_client_new(loop, &limits, upstreams->metrics);
    return uplink;
}

void edge_uplink_close(struct edge_uplink *uplink)
{
    if (uplink == NULL) {
        return;
    }
    FB_REQUIRE(uplink->n_fetches == 0);
    fb_client_close(uplink->for_all);
    fb_client_close(uplink->for_one);
    fb_free(uplink);
}

static void uplink_cancel(struct fb_op *op)
{
    struct uplink_try *try = op->provider;

    try->is_canceled = true;
    fb_op_cancel(&try->io.op);
}

void edge_uplink_fetch(void *uplink, struct edge_fetch *fetch)
{
    struct uplink_try *try = FB_NEW(struct uplink_try);

    fb_op_begin(&fetch->op, uplink_cancel);
    fetch->op.provider = try;
    try->uplink = uplink;
    try->uplink->n_fetches++;
    try->fetch = fetch;
    try->result = FB_E_UNAVAILABLE;
    fb_machine_init(&try->machine, uplink_states, UPLINK_PICK);
    uplink_write_fields(try);
    uplink_run(try);
}
