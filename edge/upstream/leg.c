/*
 * Legs: one request of a fetch to one server, what its end tells of that server's health, and the
 * body that comes of it. uplink.c begins them: the first, one more for a hedge, the next after a
 * failure.
 */
#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/http/cache_control.h"
#include "base/http/date.h"
#include "edge/upstream/uplink_internal.h"

#include <errno.h>

enum { NS_PER_US = 1000, MS_PER_S = 1000 };

struct edge_server *edge_leg_server(const struct uplink_leg *leg)
{
    return leg->try->pool->members[leg->place].server;
}

/* ---- bodies ------------------------------------------------------------ */

/* A body that tells the server's health when it breaks, and counts as under way. */
struct leg_body {
    struct fb_reader reader;
    struct fb_reader *inner; /* owned */
    struct edge_upstreams *upstreams;
    struct edge_server *server;
    bool is_over; /* and was told to be */
};

static void body_end(struct leg_body *body)
{
    if (!body->is_over) {
        body->is_over = true;
        edge_server_leave(body->server);
    }
}

static int body_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    struct leg_body *body = FB_CONTAINER_OF(reader, struct leg_body, reader);

    int err = fb_reader_next(body->inner, ret_slice);
    if (err == FB_OK) {
        edge_server_received(body->server, ret_slice->bytes.len);
    } else if (err == FB_E_END) {
        edge_server_ended(body->server);
        body_end(body);
    } else if (err != FB_E_LATER && !body->is_over) {
        edge_server_tell(body->upstreams, body->server, "a body broke off");
        edge_server_broke(body->upstreams, body->server);
        body_end(body);
    }
    return err;
}

static void body_wait(struct fb_reader *reader, struct fb_op *op)
{
    fb_reader_wait(FB_CONTAINER_OF(reader, struct leg_body, reader)->inner, op);
}

static void body_close(struct fb_reader *reader)
{
    struct leg_body *body = FB_CONTAINER_OF(reader, struct leg_body, reader);

    body_end(body);
    fb_reader_close(body->inner);
    fb_free(body);
}

static const struct fb_reader_ops body_ops = {
    .next = body_next,
    .wait = body_wait,
    .close = body_close,
};

static struct fb_reader *body_new(const struct uplink_leg *leg)
{
    struct leg_body *body = FB_NEW(struct leg_body);

    body->reader.ops = &body_ops;
    body->inner = leg->io.body;
    body->upstreams = leg->try->uplink->upstreams;
    body->server = edge_leg_server(leg);
    return &body->reader;
}

/* The body that edge_leg_give() gave was wrong. */
static void body_blame(struct fb_reader *reader)
{
    struct leg_body *body = FB_CONTAINER_OF(reader, struct leg_body, reader);

    edge_server_tell(body->upstreams, body->server, "a body was not what its digest said");
    edge_server_broke(body->upstreams, body->server);
}

/* ---- requests ---------------------------------------------------------- */

static struct uplink_leg *leg_free_one(struct uplink_try *try)
{
    size_t i = 0;

    while (try->legs[i].is_live) {
        i++;
        FB_REQUIRE(i < UPLINK_MAX_LEGS);
    }
    return &try->legs[i];
}

static struct fb_str leg_host(const struct edge_fetch *fetch, const struct pool_member *member)
{
    if (member->host != NULL) {
        return fb_str_from(member->host);
    }
    return fetch->request->host.len > 0 ? fetch->request->host : FB_STR_NONE;
}

/* The request's fields, and for this upstream those that tell whose it is. */
static struct fb_headers leg_fields(const struct uplink_try *try, const struct pool_member *member)
{
    struct edge_fetch *fetch = try->fetch;
    struct fb_headers told = {0};

    if (fetch->client == NULL || member->forwarding == EDGE_FORWARDING_OFF) {
        return try->sent;
    }
    for (size_t i = 0; i < try->sent.n; i++) {
        fb_headers_add(&told, fetch->arena, try->sent.items[i].name, try->sent.items[i].value);
    }
    edge_forwarded_add(&told, fetch->arena, member->forwarding, fetch->client);
    return told;
}

struct uplink_leg *edge_leg_start(struct uplink_try *try, size_t place, bool is_probe,
                                  fb_op_done_fn *done)
{
    struct uplink_leg *leg = leg_free_one(try);
    struct edge_fetch *fetch = try->fetch;
    struct edge_uplink *uplink = try->uplink;
    const struct pool_member *member = &try->pool->members[place];
    struct fb_headers fields = leg_fields(try, member);

    try->tried |= 1U << place;
    try->n_live++;
    *leg = (struct uplink_leg){
        .try = try,
        .place = place,
        .begun_ns = fb_clock_mono_ns(uplink->upstreams->clock),
        .is_live = true,
        .is_probe = is_probe,
        .io =
            {
                .url = member->server->url,
                .protocol = member->protocol,
                .tls = member->tls,
                .tls_name = fb_str_from(member->tls_name),
                .method = fetch->request->method,
                .headers = fields.items,
                .n_headers = fields.n,
                .host_header = leg_host(fetch, member),
                .request_body = fetch->request_body,
                .request_length = fetch->request_length,
                .connect_timeout_ms = try->options->connect_timeout_ms,
                .head_timeout_ms =
                    fetch->patience_ms != 0 ? fetch->patience_ms : try->options->head_timeout_ms,
                .body_timeout_ms = try->options->body_timeout_ms,
                .arena = fetch->arena,
                .diag = &leg->diag,
            },
    };
    leg->io.url.target = fetch->request->target;
    fetch->request_body = NULL; /* the client's from here on */
    edge_server_enter(edge_leg_server(leg));
    fb_op_init(&leg->io.op, uplink->loop, done);
    fb_client_fetch(fetch->is_for_one ? uplink->for_one : uplink->for_all, &leg->io);
    return leg;
}

/* This process or machine is at a limit of its own. */
static bool is_own_trouble(int err)
{
    return err == -EMFILE || err == -ENFILE || err == -ENOBUFS || err == -ENOMEM ||
           err == -EADDRNOTAVAIL || err == FB_E_BUSY;
}

/* How long a head took, or was waited for in vain. What a client sends first takes
 * its own time. */
static void leg_note_time(struct uplink_leg *leg)
{
    int result = leg->io.op.result;
    uint64_t ns = fb_clock_mono_ns(leg->try->uplink->upstreams->clock) - leg->begun_ns;
    bool tells = result == FB_OK || result == FB_E_TIMEOUT || leg->is_lost;

    if (tells && leg->try->fetch->request_length == 0 && leg->try->fetch->patience_ms == 0) {
        edge_server_took(edge_leg_server(leg), ns / NS_PER_US);
    }
}

static void leg_note_failure(struct uplink_leg *leg)
{
    int err = leg->io.op.result;
    bool is_patient = leg->try->fetch->patience_ms != 0;
    bool is_innocent = err == FB_E_CANCELED || leg->try->is_canceled || leg->io.content_failed ||
                       is_own_trouble(err) || (is_patient && err == FB_E_TIMEOUT);
    bool was_overtaken = leg->is_lost && !leg->is_hedge && !leg->try->is_canceled;

    if (was_overtaken && !leg->is_probe) {
        edge_server_overtaken(leg->try->uplink->upstreams, edge_leg_server(leg));
        return;
    }
    if (is_innocent && !was_overtaken) {
        if (leg->is_probe) {
            edge_server_unprobed(edge_leg_server(leg));
        }
        return;
    }
    edge_server_failed(leg->try->uplink->upstreams, edge_leg_server(leg), leg->is_probe);
}

/* When it wants to be asked again (RFC 9110 section 10.2.3), from now; 0: it does not say. */
static uint64_t leg_rest_ms(const struct uplink_leg *leg)
{
    struct fb_str text = fb_headers_find(&leg->io.response.headers, FB_STR("retry-after"));
    int64_t now_s = fb_clock_wall_ms(leg->try->uplink->upstreams->clock) / MS_PER_S;
    int64_t at_s = 0;

    if (text.len == 0) {
        return 0;
    }
    if (fb_date_parse(text, now_s, &at_s) < 0) {
        at_s = now_s + fb_delta_parse(text);
    }
    return at_s > now_s ? (uint64_t)(at_s - now_s) * MS_PER_S : 0;
}

/* 502 and 504 tell of what is behind a server, 503 of itself. Of a regional node they
 * tell that it is cut off, and what it cannot get somebody else may. */
static void leg_note_answer(struct uplink_leg *leg)
{
    struct edge_upstreams *upstreams = leg->try->uplink->upstreams;
    unsigned status = leg->io.response.status;
    bool is_regional = leg->try->pool->members[leg->place].tier == EDGE_TIER_REGIONAL;

    if (status == 503) {
        edge_server_failed(upstreams, edge_leg_server(leg), leg->is_probe);
        edge_server_rest(upstreams, edge_leg_server(leg), leg_rest_ms(leg));
    } else {
        edge_server_answered(upstreams, edge_leg_server(leg),
                             is_regional && (status == 502 || status == 504), leg->is_probe);
    }
}

bool edge_leg_end(struct uplink_leg *leg)
{
    leg->is_live = false;
    leg->try->n_live--;
    leg_note_time(leg);
    if (leg->io.op.result < 0) {
        edge_server_leave(edge_leg_server(leg));
        leg_note_failure(leg);
        return false;
    }
    leg_note_answer(leg);
    return true;
}

void edge_leg_drop(struct uplink_leg *leg)
{
    fb_reader_close(leg->io.body);
    edge_server_leave(edge_leg_server(leg));
}

/* For HEAD the content is empty, and the field tells what a GET would give. */
static int64_t leg_length(const struct uplink_leg *leg)
{
    if (leg->try->fetch->request->method != FB_METHOD_HEAD) {
        return leg->io.length;
    }
    uint64_t length = 0;
    struct fb_str text = fb_headers_find(&leg->io.response.headers, FB_STR("content-length"));
    bool is_known = text.len > 0 && fb_str_to_u64(text, &length) == FB_OK && length <= INT64_MAX;
    return is_known ? (int64_t)length : -1;
}

void edge_leg_give(struct uplink_leg *leg)
{
    struct edge_fetch *fetch = leg->try->fetch;

    fetch->response = leg->io.response;
    fetch->length = leg_length(leg);
    fetch->upstream = (unsigned)leg->place;
    fetch->tier = edge_tier_name(leg->try->pool->members[leg->place].tier);
    fetch->body = body_new(leg);
    fetch->blame = body_blame;
}
