#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/daemon/daemon_internal.h"
#include "base/json/json.h"
#include "base/loop/loop.h"
#include "base/metrics/metrics.h"
#include "base/net/tcp.h"
#include "base/server/exchange.h"
#include "base/server/router.h"
#include "base/server/server.h"
#include "base/tls/config.h"

enum { ADMIN_MAX_CONNECTIONS = 256, ADMIN_MAX_BODY = 65536, ADMIN_GRACE_MS = 1000 };

/* ---- answers ------------------------------------------------------------------ */

/* Takes `content` over. */
static void admin_answer(struct fb_exchange *exchange, unsigned status, struct fb_str type,
                         struct fb_buf *content)
{
    struct fb_arena *arena = fb_exchange_arena(exchange);
    struct fb_headers headers = {0};
    int64_t length = (int64_t)content->len;

    fb_headers_add(&headers, arena, FB_STR("Content-Type"), type);
    fb_headers_add(&headers, arena, FB_STR("Cache-Control"), FB_STR("no-store"));
    const struct fb_response response = {
        .status = status,
        .headers = headers.items,
        .n_headers = headers.n,
        .body = fb_reader_of_buf(content),
        .length = length,
    };
    fb_exchange_respond(exchange, &response);
}

static void admin_answer_text(struct fb_exchange *exchange, unsigned status, const char *text)
{
    FB_AUTO(fb_buf_done) struct fb_buf content = {0};

    fb_buf_printf(&content, "%s\n", text);
    admin_answer(exchange, status, FB_STR("text/plain; charset=utf-8"), &content);
}

static void admin_metrics(void *ctx, struct fb_exchange *exchange)
{
    struct fb_daemon *daemon = ctx;
    FB_AUTO(fb_buf_done) struct fb_buf content = {0};

    fb_metrics_render(daemon->metrics, &content);
    admin_answer(exchange, 200, FB_STR("text/plain; version=0.0.4; charset=utf-8"), &content);
}

/* Alive: the main loop turns. */
static void admin_healthz(void *ctx, struct fb_exchange *exchange)
{
    (void)ctx;
    admin_answer_text(exchange, 200, "ok");
}

static enum fb_daemon_state admin_state(const struct fb_daemon *daemon)
{
    bool is_ready = daemon->state != FB_DAEMON_READY || daemon->program->is_ready == NULL ||
                    daemon->program->is_ready(daemon->ctx);

    return is_ready ? daemon->state : FB_DAEMON_STARTING;
}

static const char *admin_state_name(enum fb_daemon_state state)
{
    static const char *const names[] = {
        [FB_DAEMON_STARTING] = "starting",
        [FB_DAEMON_READY] = "ready",
        [FB_DAEMON_DRAINING] = "draining",
    };
    return names[state];
}

static void admin_readyz(void *ctx, struct fb_exchange *exchange)
{
    enum fb_daemon_state state = admin_state(ctx);

    admin_answer_text(exchange, state == FB_DAEMON_READY ? 200 : 503, admin_state_name(state));
}

static void admin_status(void *ctx, struct fb_exchange *exchange)
{
    struct fb_daemon *daemon = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *status = fb_json_new_object();
    FB_AUTO(fb_buf_done) struct fb_buf content = {0};
    uint64_t now_ms = fb_clock_mono_ms(fb_loop_clock(daemon->loop));

    fb_json_set_text(status, "version", FB_VERSION);
    fb_json_set_text(status, "tls_library", fb_tls_about());
    fb_json_set_text(status, "state", admin_state_name(admin_state(daemon)));
    fb_json_set_int(status, "uptime_s", (int64_t)((now_ms - daemon->started_ms) / 1000));
    if (daemon->program->status != NULL && daemon->state != FB_DAEMON_STARTING) {
        daemon->program->status(daemon->ctx, status);
    }
    fb_json_dump(status, &content);
    fb_buf_append_byte(&content, '\n');
    admin_answer(exchange, 200, FB_STR("application/json"), &content);
}

static const struct fb_route admin_routes[] = {
    {.method = FB_METHOD_GET, .pattern = "/metrics", .handle = admin_metrics},
    {.method = FB_METHOD_GET, .pattern = "/healthz", .handle = admin_healthz},
    {.method = FB_METHOD_GET, .pattern = "/readyz", .handle = admin_readyz},
    {.method = FB_METHOD_GET, .pattern = "/status", .handle = admin_status},
    {.method = FB_METHOD_POST, .pattern = "/reload", .handle = fb_daemon_admin_reload},
    {.method = FB_METHOD_POST, .pattern = "/restart", .handle = fb_daemon_admin_restart},
};

enum { ADMIN_N_ROUTES = FB_ARRAY_LEN(admin_routes) };

/* Of them, those that `program` has. */
static size_t admin_pick_routes(const struct fb_daemon_program *program,
                                struct fb_route picked[ADMIN_N_ROUTES])
{
    size_t n = 0;

    for (size_t i = 0; i < ADMIN_N_ROUTES; i++) {
        bool is_missing =
            (admin_routes[i].handle == fb_daemon_admin_reload && program->reload == NULL) ||
            (admin_routes[i].handle == fb_daemon_admin_restart && program->succession == NULL);
        if (!is_missing) {
            picked[n++] = admin_routes[i];
        }
    }
    return n;
}

/* ---- the server ----------------------------------------------------------------- */

struct fb_daemon_admin {
    struct fb_daemon *daemon; /* borrowed */
    struct fb_route routes[ADMIN_N_ROUTES];
    size_t n_routes;
    struct fb_router *own;      /* owned; ctx is the daemon */
    struct fb_router *programs; /* owned, or NULL; ctx is the program's */
    struct fb_server *server;   /* owned */
};

static bool admin_is_own(const struct fb_daemon_admin *admin, struct fb_str path)
{
    for (size_t i = 0; i < admin->n_routes; i++) {
        if (fb_str_equal(path, fb_str_from(admin->routes[i].pattern))) {
            return true;
        }
    }
    return false;
}

static void admin_handle(void *ctx, struct fb_exchange *exchange)
{
    const struct fb_daemon_admin *admin = ctx;

    if (fb_daemon_is_foreign(fb_exchange_request(exchange))) {
        fb_exchange_problem(exchange, 403, NULL,
                            "A browser is obeyed only from a page of this address itself, opened "
                            "by its IP address or as localhost.");
        return;
    }
    bool is_own =
        admin->programs == NULL || admin_is_own(admin, fb_exchange_request(exchange)->path);

    fb_router_handle(is_own ? admin->own : admin->programs, exchange);
}

static int admin_listen(struct fb_daemon_admin *admin, const struct fb_address *address,
                        struct fb_address *ret_bound)
{
    struct fb_daemon *daemon = admin->daemon;
    struct fb_tls_party *(*admin_tls)(void *ctx) = daemon->program->admin_tls;
    struct fb_tls_party *tls = admin_tls == NULL ? NULL : admin_tls(daemon->ctx);
    int fd = fb_sockets_take(&daemon->sockets, address);

    if (fd >= 0) {
        *ret_bound = *address;
        return fb_server_adopt(admin->server, fd, tls);
    }
    int err = fb_listener_probe(address);
    return err == FB_OK ? fb_server_listen_tls(admin->server, address, tls, ret_bound) : err;
}

int fb_daemon_admin_open(struct fb_daemon *daemon, struct fb_str address,
                         struct fb_daemon_admin **ret_admin, struct fb_diag *diag)
{
    const struct fb_daemon_program *program = daemon->program;
    struct fb_address where;

    int err = fb_address_parse(address, &where, diag);
    if (err < 0) {
        return fb_diag_prefix(diag, err, "admin address");
    }
    struct fb_daemon_admin *admin = FB_NEW(struct fb_daemon_admin);
    admin->daemon = daemon;
    admin->n_routes = admin_pick_routes(program, admin->routes);
    admin->own = fb_router_new(admin->routes, admin->n_routes, NULL, daemon);
    if (program->n_routes > 0) {
        admin->programs = fb_router_new(program->routes, program->n_routes, NULL, daemon->ctx);
    }
    const struct fb_server_options options = {
        .name = "admin",
        .limits = {.max_connections = ADMIN_MAX_CONNECTIONS, .max_body_bytes = ADMIN_MAX_BODY},
        .metrics = daemon->metrics,
        .handle = admin_handle,
        .ctx = admin,
    };
    admin->server = fb_server_new(daemon->loop, &options);
    struct fb_address bound;
    err = admin_listen(admin, &where, &bound);
    if (err < 0) {
        fb_daemon_admin_free(admin);
        return fb_diag_set(diag, err, "listen on admin address %.*s: %s", FB_STR_ARG(address),
                           fb_err_text(err));
    }
    char text[FB_ADDRESS_TEXT_MAX];
    FB_LOG(INFO, "daemon", "admin address open",
           FB_LOG_TEXT("address", fb_address_text(&bound, text)));
    *ret_admin = admin;
    return FB_OK;
}

int fb_daemon_admin_share(const struct fb_daemon_admin *admin, struct fb_sockets *sockets)
{
    return fb_server_share(admin->server, sockets);
}

void fb_daemon_admin_drain(struct fb_daemon_admin *admin, struct fb_op *op)
{
    fb_server_drain(admin->server, ADMIN_GRACE_MS, op);
}

void fb_daemon_admin_free(struct fb_daemon_admin *admin)
{
    if (admin == NULL) {
        return;
    }
    fb_server_free(admin->server);
    fb_router_free(admin->programs);
    fb_router_free(admin->own);
    fb_free(admin);
}
