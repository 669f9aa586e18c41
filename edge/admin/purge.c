#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/http/url.h"
#include "base/json/json.h"
#include "base/log/log.h"
#include "base/loop/loop.h"
#include "base/loop/reader.h"
#include "base/server/exchange.h"
#include "edge/admin/admin.h"
#include "edge/admin/ask.h"
#include "edge/serve/crew.h"
#include "edge/site/site.h"
#include "edge/store/store.h"
#include "edge/store/sweeper.h"

#include <errno.h>

/* One POST /purge. */
struct admin_call {
    const struct edge_admin *admin;
    struct fb_exchange *exchange;
    struct fb_op more;   /* of the body */
    struct fb_buf body;  /* owned */
    struct edge_ask ask; /* in the exchange's arena */
    struct edge_purges_add add;
    size_t n_pending;
    size_t n_objects;
    bool is_durable;
};

/* One of its URLs, which is looked for at once: the room it took is found again. */
struct admin_drop {
    struct edge_store_purge io;
    struct admin_call *call;
};

static void call_end(struct admin_call *call)
{
    fb_buf_done(&call->body);
    fb_free(call);
}

static void call_refuse(struct admin_call *call, unsigned status, const char *slug,
                        const char *detail)
{
    fb_exchange_problem(call->exchange, status, slug, detail);
    call_end(call);
}

static void call_respond(struct fb_exchange *exchange, const struct fb_json *json)
{
    static const struct fb_header headers[] = {
        {FB_STR("Content-Type"), FB_STR("application/json")}};
    struct fb_buf body = {0};

    fb_json_dump(json, &body);
    fb_buf_append_byte(&body, '\n');
    int64_t length = (int64_t)body.len;
    fb_exchange_respond(exchange, &(struct fb_response){.status = 200,
                                                        .headers = headers,
                                                        .n_headers = FB_ARRAY_LEN(headers),
                                                        .body = fb_reader_of_buf(&body),
                                                        .length = length});
}

/* ---- from URLs to keys --------------------------------------------------- */

static size_t count_slashes(struct fb_str path)
{
    size_t n = 0;

    for (size_t i = 0; i < path.len; i++) {
        n += path.ptr[i] == '/' ? 1 : 0;
    }
    return n;
}

/* The key of a URL, or the beginning of the keys that a prefix means. */
static int call_find_key(struct admin_call *call, struct edge_purge *purge)
{
    struct fb_arena *arena = fb_exchange_arena(call->exchange);
    struct fb_str text = purge->text;
    struct edge_target target;
    struct fb_url url;

    int err = fb_url_parse(text, &url, NULL);
    if (err < 0) {
        return err;
    }
    size_t split = fb_str_find(url.target, '?');
    struct fb_str host = fb_str_skip(text, fb_str_find(text, '/') + 2); /* past "http://" */
    host = fb_str_first(host, fb_str_find(host, '/'));
    host = fb_str_first(host, fb_str_find(host, '?'));
    struct fb_request_head head = {
        .method = FB_METHOD_GET,
        .target = url.target,
        .path = fb_str_first(url.target, split),
        .query = split < url.target.len ? fb_str_skip(url.target, split + 1) : FB_STR_NONE,
        .host = host,
    };
    const struct edge_site *site = edge_sites_find(edge_crew_sites(call->admin->crew), head.host);
    err = edge_site_key(site, arena, &head, &target);
    if (err < 0) {
        return err;
    }
    /* "/a/.." would mean more than is written. */
    bool is_other = head.query.ptr != NULL || count_slashes(target.path) < count_slashes(head.path);
    if (purge->kind == EDGE_PURGE_PREFIX && is_other) {
        return FB_E_MALFORMED;
    }
    purge->text = target.key;
    return FB_OK;
}

/* ---- the steps ----------------------------------------------------------- */

static void call_answer(struct admin_call *call)
{
    FB_AUTO(fb_json_freep) struct fb_json *json = fb_json_new_object();

    fb_json_set_int(json, "epoch", (int64_t)call->add.epoch);
    fb_json_set_int(json, "purged", (int64_t)call->n_objects);
    if (!call->is_durable) {
        fb_json_set_bool(json, "durable", false);
    }
    call_respond(call->exchange, json);
    call_end(call);
}

static void drop_on_done(struct fb_op *op)
{
    struct admin_drop *drop = FB_CONTAINER_OF(op, struct admin_drop, io.op);
    struct admin_call *call = drop->call;

    call->n_objects += drop->io.n_objects;
    call->is_durable =
        call->is_durable && (drop->io.is_durable || edge_purges_are_durable(call->admin->purges));
    if (--call->n_pending == 0) {
        call_answer(call);
    }
}

/* They count by now. URLs are looked for as well, the rest is swept. */
static void call_drop(struct admin_call *call)
{
    struct fb_loop *loop = fb_exchange_loop(call->exchange);
    bool is_swept = false;

    call->is_durable = true;
    call->n_pending = 1;
    for (size_t i = 0; i < call->ask.n; i++) {
        const struct edge_purge *purge = &call->ask.purges[i];
        is_swept |= purge->kind != EDGE_PURGE_URL && !purge->is_soft;
        if (purge->kind == EDGE_PURGE_URL && !purge->is_soft) {
            struct admin_drop *drop =
                fb_arena_alloc(fb_exchange_arena(call->exchange), sizeof(*drop));
            *drop = (struct admin_drop){.call = call, .io.key = purge->text};
            fb_op_init(&drop->io.op, loop, drop_on_done);
            call->n_pending++;
            edge_store_purge(call->admin->store, &drop->io);
        }
    }
    if (is_swept) {
        edge_sweeper_wake(call->admin->sweeper);
    }
    if (--call->n_pending == 0) {
        call_answer(call);
    }
}

static void call_on_added(struct fb_op *op)
{
    struct admin_call *call = FB_CONTAINER_OF(op, struct admin_call, add.op);

    if (op->result == FB_OK) {
        FB_LOG(INFO, "purge", "purged", FB_LOG_INT("epoch", (int64_t)call->add.epoch),
               FB_LOG_INT("purges", (int64_t)call->ask.n),
               FB_LOG_TEXT("kind", edge_purge_kind_name(call->ask.purges[0].kind)),
               FB_LOG_STR("text", call->ask.purges[0].text));
        call_drop(call);
        return;
    }
    if (op->result == FB_E_UNAVAILABLE) {
        call_refuse(call, 503, "restarting", "A new process takes over; ask again.");
        return;
    }
    FB_LOG(ERROR, "purge", "a purge could not be written down, and has no effect",
           FB_LOG_TEXT("cause", fb_err_text(op->result)));
    if (op->result == FB_E_BUSY) {
        call_refuse(call, 503, "busy", "Too many purges wait; ask again.");
    } else {
        call_refuse(call, op->result == -ENOSPC ? 507 : 500, "not-written",
                    "The purge could not be written to the folder of 'state', and has no effect.");
    }
}

/* What no log keeps must at least be known to the volumes, which know keys alone. */
static bool call_is_possible(const struct admin_call *call)
{
    const struct edge_admin *admin = call->admin;

    for (size_t i = 0; i < call->ask.n; i++) {
        const struct edge_purge *purge = &call->ask.purges[i];
        if (admin->volumes != NULL && !edge_purges_are_durable(admin->purges) &&
            (purge->kind != EDGE_PURGE_URL || purge->is_soft)) {
            return false;
        }
    }
    return true;
}

static void call_start(struct admin_call *call)
{
    for (size_t i = 0; i < call->ask.n; i++) {
        struct edge_purge *purge = &call->ask.purges[i];
        if (purge->kind != EDGE_PURGE_TAG && call_find_key(call, purge) < 0) {
            call_refuse(call, 400, "bad-url",
                        "A 'url' or 'prefix' must be the whole URL that clients ask for, or how it "
                        "begins: http://host/path. A prefix has neither a query nor '..'.");
            return;
        }
    }
    if (!call_is_possible(call)) {
        call_refuse(call, 409, "no-state",
                    "This node has volumes and no folder to remember purges in: configure 'state' "
                    "to purge prefixes and tags, or softly.");
        return;
    }
    call->add = (struct edge_purges_add){.purges = call->ask.purges, .n = call->ask.n};
    fb_op_init(&call->add.op, fb_exchange_loop(call->exchange), call_on_added);
    edge_purges_add(call->admin->purges, &call->add);
}

/* ---- reading what is asked for ------------------------------------------- */

static void call_read_ask(struct admin_call *call)
{
    struct fb_arena *arena = fb_exchange_arena(call->exchange);
    struct fb_diag diag = {0};

    int err = call->body.len > 0
                  ? edge_ask_read_json(arena, fb_buf_str(&call->body), &call->ask, &diag)
                  : edge_ask_read_query(arena, fb_exchange_request(call->exchange)->query,
                                        &call->ask, &diag);
    if (err < 0) {
        call_refuse(call, 400, "bad-purge", diag.text);
        return;
    }
    call_start(call);
}

static void call_read_body(struct admin_call *call);

static void call_on_more(struct fb_op *op)
{
    call_read_body(FB_CONTAINER_OF(op, struct admin_call, more));
}

static void call_read_body(struct admin_call *call)
{
    struct fb_reader *reader = fb_exchange_body(call->exchange);
    struct fb_slice slice;
    int err = FB_OK;

    while (call->body.len <= EDGE_ASK_MAX_BODY && (err = fb_reader_next(reader, &slice)) == FB_OK) {
        fb_buf_append(&call->body, slice.bytes);
        fb_slice_release(&slice);
    }
    if (call->body.len > EDGE_ASK_MAX_BODY) {
        call_refuse(call, 413, "too-large", "So much cannot be purged in one call.");
    } else if (err == FB_E_LATER) {
        fb_op_init(&call->more, fb_exchange_loop(call->exchange), call_on_more);
        fb_reader_wait(reader, &call->more);
    } else if (err == FB_E_END) {
        call_read_ask(call);
    } else {
        call_refuse(call, 400, "cut", "The body broke off.");
    }
}

void edge_admin_purge(const struct edge_admin *admin, struct fb_exchange *exchange)
{
    struct admin_call *call = FB_NEW(struct admin_call);

    call->admin = admin;
    call->exchange = exchange;
    if (fb_exchange_body_length(exchange) == 0) {
        call_read_ask(call);
    } else {
        call_read_body(call);
    }
}

/* ---- what was purged ------------------------------------------------------ */

static void list_visit(void *ctx, const struct edge_purge *purge, uint64_t epoch)
{
    struct fb_json *one = fb_json_add_object(ctx);
    char at[FB_TIMESTAMP_MAX];

    fb_json_set_int(one, "epoch", (int64_t)epoch);
    fb_json_set_text(one, "at", fb_timestamp((int64_t)epoch, at));
    fb_json_set_str(one, edge_purge_kind_name(purge->kind), purge->text);
    fb_json_set_bool(one, "soft", purge->is_soft);
}

void edge_admin_list_purges(const struct edge_admin *admin, struct fb_exchange *exchange)
{
    FB_AUTO(fb_json_freep) struct fb_json *json = fb_json_new_object();
    struct edge_purges_status status = edge_purges_status(admin->purges);
    struct edge_sweeper_status sweeper = edge_sweeper_status(admin->sweeper);

    fb_json_set_int(json, "epoch", (int64_t)status.epoch);
    fb_json_set_int(json, "floor", (int64_t)status.floor);
    fb_json_set_int(json, "rules", (int64_t)status.n_rules);
    fb_json_set_bool(json, "durable", edge_purges_are_durable(admin->purges));
    struct fb_json *sweep = fb_json_set_object(json, "sweep");
    fb_json_set_bool(sweep, "running", sweeper.is_running);
    fb_json_set_int(sweep, "epoch", (int64_t)sweeper.epoch);
    fb_json_set_int(sweep, "freed", (int64_t)sweeper.n_freed);
    edge_purges_recent(admin->purges, fb_json_set_array(json, "purges"), list_visit);
    call_respond(exchange, json);
}
