/* Reading the configuration again, while the program runs. */
#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/daemon/daemon_internal.h"
#include "base/json/json.h"
#include "base/loop/loop.h"
#include "base/server/exchange.h"

#include <systemd/sd-daemon.h>

/* ---- telling ----------------------------------------------------------- */

struct reload_told {
    struct fb_json *restart_needed; /* an array, borrowed */
    struct fb_buf text;
};

static void reload_tell(void *ctx, struct fb_str key)
{
    struct reload_told *told = ctx;

    fb_json_add_str(told->restart_needed, key);
    fb_buf_printf(&told->text, "%s%.*s", told->text.len > 0 ? ", " : "", FB_STR_ARG(key));
}

void fb_daemon_answer(struct fb_exchange *exchange, const struct fb_json *answer)
{
    FB_AUTO(fb_buf_done) struct fb_buf content = {0};
    struct fb_arena *arena = fb_exchange_arena(exchange);
    struct fb_headers headers = {0};

    fb_json_dump(answer, &content);
    fb_buf_append_byte(&content, '\n');
    fb_headers_add(&headers, arena, FB_STR("Content-Type"), FB_STR("application/json"));
    fb_headers_add(&headers, arena, FB_STR("Cache-Control"), FB_STR("no-store"));
    int64_t length = (int64_t)content.len;
    fb_exchange_respond(exchange, &(struct fb_response){.status = 200,
                                                        .headers = headers.items,
                                                        .n_headers = headers.n,
                                                        .body = fb_reader_of_buf(&content),
                                                        .length = length});
}

/* It is in force, but for the keys that need a restart: they are as they were at the start. */
static void reload_succeed(struct fb_daemon *daemon, struct fb_exchange *exchange)
{
    FB_AUTO(fb_json_freep) struct fb_json *answer = fb_json_new_object();
    struct reload_told told = {0};

    fb_json_set_bool(answer, "reloaded", true);
    told.restart_needed = fb_json_set_array(answer, "restart_needed");
    fb_conf_tell_restarts(daemon->program->conf, daemon->conf, daemon->reloading,
                          &(struct fb_conf_teller){.tell = reload_tell, .ctx = &told});
    FB_LOG(INFO, "daemon", "configuration reloaded", FB_LOG_TEXT("path", daemon->config_path));
    if (told.text.len > 0) {
        FB_LOG(WARN, "daemon", "changes that need a restart were left out",
               FB_LOG_STR("keys", fb_buf_str(&told.text)));
    }
    if (exchange != NULL) {
        fb_daemon_answer(exchange, answer);
    }
    fb_buf_done(&told.text);
}

static void reload_fail(struct fb_exchange *exchange, const struct fb_diag *diag)
{
    FB_LOG(ERROR, "daemon", "configuration not reloaded, nothing has changed",
           FB_LOG_TEXT("reason", diag->text));
    if (exchange != NULL) {
        fb_exchange_problem(exchange, 422, NULL, diag->text);
    }
}

/* ---- doing ------------------------------------------------------------- */

static void reload_begin(struct fb_daemon *daemon, struct fb_exchange *exchange);

static void reload_end(struct fb_daemon *daemon)
{
    bool again = daemon->reloads_again && daemon->state == FB_DAEMON_READY;

    fb_conf_done(daemon->program->conf, daemon->reloading);
    fb_free(daemon->reloading);
    daemon->reloading = NULL;
    daemon->reload_exchange = NULL;
    daemon->reloads_again = false;
    if (daemon->state == FB_DAEMON_READY) {
        (void)sd_notify(0, "READY=1"); /* without systemd there is nobody to tell */
    }
    if (again) {
        reload_begin(daemon, NULL);
    }
}

static void reload_on_done(struct fb_op *op)
{
    struct fb_daemon *daemon = FB_CONTAINER_OF(op, struct fb_daemon, reload.op);

    if (op->result == FB_OK) {
        reload_succeed(daemon, daemon->reload_exchange);
    } else {
        if (daemon->reload.diag.err == FB_OK) {
            (void)fb_diag_set(&daemon->reload.diag, op->result, "%s", fb_err_text(op->result));
        }
        reload_fail(daemon->reload_exchange, &daemon->reload.diag);
    }
    reload_end(daemon);
}

/* `exchange` is to be answered, or NULL. */
static void reload_begin(struct fb_daemon *daemon, struct fb_exchange *exchange)
{
    const struct fb_daemon_program *program = daemon->program;
    void *conf = fb_alloc(program->conf->size);
    struct fb_diag diag = {0};

    if (program->reopen_logs != NULL) {
        program->reopen_logs(daemon->ctx);
    }
    int err = fb_daemon_load(program, daemon->config_path, false, conf, &diag);
    if (err < 0) {
        fb_free(conf);
        reload_fail(exchange, &diag);
        return;
    }
    (void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%llu",
                     (unsigned long long)(fb_clock_mono_ns(fb_clock_system()) / 1000));
    daemon->reloading = conf;
    daemon->reload_exchange = exchange;
    daemon->reload = (struct fb_daemon_reload){.conf = conf};
    fb_op_init(&daemon->reload.op, daemon->loop, reload_on_done);
    program->reload(daemon->ctx, &daemon->reload);
}

void fb_daemon_on_hangup(void *ctx, int signum)
{
    struct fb_daemon *daemon = ctx;

    (void)signum;
    if (daemon->state != FB_DAEMON_READY) {
        FB_LOG(INFO, "daemon", "not reloaded: starting or draining");
    } else if (daemon->reloading != NULL || fb_daemon_is_restarting(daemon)) {
        FB_LOG(INFO, "daemon", "a reload or restart is under way, another will follow");
        daemon->reloads_again = true;
    } else {
        reload_begin(daemon, NULL);
    }
}

void fb_daemon_admin_reload(void *ctx, struct fb_exchange *exchange)
{
    struct fb_daemon *daemon = ctx;

    if (daemon->state != FB_DAEMON_READY) {
        fb_exchange_problem(exchange, 409, NULL, "The program is starting or draining.");
    } else if (daemon->reloading != NULL || fb_daemon_is_restarting(daemon)) {
        fb_exchange_problem(exchange, 409, NULL, "Another reload or restart is under way.");
    } else {
        reload_begin(daemon, exchange);
    }
}
