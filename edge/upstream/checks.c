#include "edge/upstream/checks.h"

#include "base/client/client.h"
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/core/list.h"
#include "base/loop/timer.h"
#include "base/sys/random.h"
#include "edge/upstream/upstream_internal.h"

/* How often it is looked for servers that are new. */
enum { CHECKS_LOOK_MS = 1000 };

/* One server that is checked. */
struct check {
    struct edge_checks *checks;
    struct fb_list link;
    struct edge_server *server; /* lives as long as the upstreams */
    struct fb_timer timer;      /* until the next time */
    struct fb_fetch io;
    struct fb_arena arena; /* of the answer's head */
};

struct edge_checks {
    struct edge_upstreams *upstreams; /* borrowed */
    struct fb_loop *loop;
    struct fb_client *client; /* owned */
    struct fb_list all;       /* of struct check */
    struct fb_timer look;
    bool is_closed;
};

/* ---- one server -------------------------------------------------------- */

static void checks_try_free(struct edge_checks *checks)
{
    if (checks->is_closed && fb_list_empty(&checks->all)) {
        fb_client_close(checks->client);
        fb_free(checks);
    }
}

static void check_free(struct check *check)
{
    struct edge_checks *checks = check->checks;

    fb_timer_clear(&check->timer);
    fb_list_remove(&check->link);
    fb_arena_done(&check->arena);
    fb_free(check);
    checks_try_free(checks);
}

static void check_wait(struct check *check)
{
    uint64_t interval = edge_upstreams_options(check->checks->upstreams)->check_interval_ms;

    fb_timer_set(&check->timer, interval * 3 / 4 + fb_random_u64() % (interval / 2 + 1));
}

static void check_on_head(struct fb_op *op)
{
    struct check *check = FB_CONTAINER_OF(op, struct check, io.op);
    bool has_passed = false;

    if (op->result == FB_OK) {
        has_passed = check->io.response.status >= 200 && check->io.response.status < 300;
        fb_reader_close(check->io.body);
    }
    fb_arena_reset(&check->arena);
    if (check->checks->is_closed) {
        check_free(check);
        return;
    }
    edge_server_checked(check->checks->upstreams, check->server, has_passed);
    check_wait(check);
}

/* What to ask of the server; false if nobody wants it to be asked any more. */
static bool check_find_url(struct check *check, struct fb_fetch *io)
{
    struct edge_upstreams *upstreams = check->checks->upstreams;
    struct fb_str path = edge_upstreams_options(upstreams)->check_path;
    struct edge_server *server = NULL;
    struct upstream_check own = {.tls = NULL};

    for (size_t i = 0; (server = edge_upstreams_used(upstreams, i, &own)) != NULL; i++) {
        if (server == check->server) {
            break;
        }
    }
    if (server == NULL || (own.url.len == 0 && path.len == 0)) {
        return false;
    }
    io->url = server->url;
    io->url.target = path;
    io->host_header = own.url.len == 0 ? own.host : FB_STR_NONE;
    if (own.url.len > 0 && fb_url_parse(own.url, &io->url, NULL) < 0) {
        return false;
    }
    bool is_secure = fb_str_equal(io->url.scheme, FB_STR("https"));
    if (is_secure) {
        io->tls = own.tls;
        io->tls_name = own.tls_name;
    }
    if (is_secure || own.url.len == 0) {
        io->protocol = own.protocol; /* another address may speak another one */
    }
    return true;
}

static void check_on_time(struct fb_timer *timer)
{
    struct check *check = FB_CONTAINER_OF(timer, struct check, timer);
    uint32_t timeout = edge_upstreams_options(check->checks->upstreams)->check_timeout_ms;

    check->io = (struct fb_fetch){
        .method = FB_METHOD_GET,
        .connect_timeout_ms = timeout,
        .head_timeout_ms = timeout,
        .body_timeout_ms = timeout,
        .arena = &check->arena,
    };
    if (!check_find_url(check, &check->io)) {
        check_free(check);
        return;
    }
    fb_op_init(&check->io.op, check->checks->loop, check_on_head);
    fb_client_fetch(check->checks->client, &check->io);
}

/* ---- all of them ------------------------------------------------------- */

static bool checks_has(const struct edge_checks *checks, const struct edge_server *server)
{
    FB_LIST_EACH(node, &checks->all) {
        if (FB_CONTAINER_OF(node, struct check, link)->server == server) {
            return true;
        }
    }
    return false;
}

static void checks_on_look(struct fb_timer *timer)
{
    struct edge_checks *checks = FB_CONTAINER_OF(timer, struct edge_checks, look);
    const struct edge_upstreams_options *options = edge_upstreams_options(checks->upstreams);
    struct edge_server *server = NULL;
    struct upstream_check own = {.tls = NULL};

    for (size_t i = 0; (server = edge_upstreams_used(checks->upstreams, i, &own)) != NULL; i++) {
        if ((own.url.len == 0 && options->check_path.len == 0) || checks_has(checks, server)) {
            continue;
        }
        struct check *check = FB_NEW(struct check);
        check->checks = checks;
        check->server = server;
        fb_list_append(&checks->all, &check->link);
        fb_timer_init(&check->timer, checks->loop, check_on_time);
        fb_timer_set(&check->timer, fb_random_u64() % (options->check_interval_ms + 1));
    }
    fb_timer_set(&checks->look, CHECKS_LOOK_MS);
}

struct edge_checks *edge_checks_new(struct edge_upstreams *upstreams, struct fb_loop *loop)
{
    struct edge_checks *checks = FB_NEW(struct edge_checks);

    checks->upstreams = upstreams;
    checks->loop = loop;
    checks->client = fb_client_new(loop, NULL, NULL);
    fb_list_init(&checks->all);
    fb_timer_init(&checks->look, loop, checks_on_look);
    checks_on_look(&checks->look);
    return checks;
}

void edge_checks_close(struct edge_checks *checks)
{
    if (checks == NULL) {
        return;
    }
    fb_timer_clear(&checks->look);
    FB_LIST_EACH(node, &checks->all) {
        struct check *check = FB_CONTAINER_OF(node, struct check, link);
        if (fb_op_is_idle(&check->io.op)) {
            check_free(check);
        } else {
            fb_op_cancel(&check->io.op);
        }
    }
    checks->is_closed = true;
    checks_try_free(checks);
}
