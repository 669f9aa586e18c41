/* Taking over from the process before, if there is one: the new process' part. */
#include "base/core/err.h"
#include "base/daemon/daemon_internal.h"

#include <string.h>

enum { GO_MS = 30000, QUIET_MS = 10000 };

bool fb_daemon_is_heir(const struct fb_daemon *daemon)
{
    return daemon->heir.fd > 0;
}

struct fb_sockets *fb_daemon_sockets(struct fb_daemon *daemon)
{
    return &daemon->sockets;
}

struct fb_str fb_daemon_words(const struct fb_daemon *daemon)
{
    return fb_buf_str(&daemon->words);
}

void fb_daemon_wipe(struct fb_buf *words)
{
    if (words->ptr != NULL) {
        explicit_bzero(words->ptr, words->len);
    }
    fb_buf_done(words);
}

static int heir_run(struct fb_work *work)
{
    struct fb_daemon *daemon = FB_CONTAINER_OF(work, struct fb_daemon, heir_work);

    fb_heir_wait_free(&daemon->heir);
    return FB_OK;
}

static void heir_on_free(struct fb_op *op)
{
    struct fb_work *work = FB_CONTAINER_OF(op, struct fb_work, op);
    struct fb_daemon *daemon = FB_CONTAINER_OF(work, struct fb_daemon, heir_work);

    daemon->is_waiting = false;
    if (daemon->state == FB_DAEMON_READY) {
        FB_LOG(INFO, "daemon", "the process before has given up what it had");
        daemon->program->succession->own(daemon->ctx);
    }
    fb_daemon_end(daemon);
}

void fb_daemon_stop_waiting(struct fb_daemon *daemon)
{
    if (daemon->is_waiting) {
        fb_heir_interrupt(&daemon->heir);
    }
}

/* The thread is there before anything depends on it. */
static int heir_agree(struct fb_daemon *daemon, struct fb_diag *diag)
{
    int err = fb_pool_new("heir", 1, 1, &daemon->heir_pool);
    if (err < 0) {
        return fb_diag_set(diag, err, "start a thread: %s", fb_err_text(err));
    }
    return fb_heir_be_ready(&daemon->heir, GO_MS, diag);
}

int fb_daemon_begin(struct fb_daemon *daemon, struct fb_diag *diag)
{
    const struct fb_daemon_succession *succession = daemon->program->succession;
    int err = FB_OK;

    fb_sockets_done(&daemon->sockets); /* of addresses that are listened on no more */
    fb_daemon_wipe(&daemon->words);
    if (fb_daemon_is_heir(daemon)) {
        err = heir_agree(daemon, diag);
    }
    if (err == FB_OK && succession != NULL) {
        err = succession->serve(daemon->ctx, diag);
    }
    if (err < 0 || succession == NULL) {
        return err;
    }
    if (!fb_daemon_is_heir(daemon)) {
        succession->own(daemon->ctx);
        return FB_OK;
    }
    fb_heir_take(&daemon->heir, QUIET_MS);
    daemon->is_waiting = true;
    daemon->heir_work.run = heir_run;
    fb_op_init(&daemon->heir_work.op, daemon->loop, heir_on_free);
    fb_work_start(daemon->heir_pool, &daemon->heir_work);
    return FB_OK;
}
