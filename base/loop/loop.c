#include "base/loop/loop.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/loop/loop_internal.h"
#include "base/loop/op.h"

#include <signal.h>

/* More rounds than this leave the rest to the next turn. */
enum { LOOP_MAX_BATCHES = 16 };

/* ---- finished operations ----------------------------------------------- */

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* its being active keeps the poll from waiting */
}

void fb_loop_ready(struct fb_loop *loop, struct fb_op *op)
{
    FB_REQUIRE(fb_loop_is_mine(loop));
    if (fb_list_empty(&loop->ready)) {
        (void)uv_idle_start(&loop->idle, on_idle);
    }
    fb_list_append(&loop->ready, &op->link);
}

static void loop_run_batch(struct fb_loop *loop)
{
    struct fb_list batch;
    struct fb_list *node = NULL;

    fb_list_init(&batch);
    fb_list_splice(&batch, &loop->ready);
    while ((node = fb_list_pop(&batch)) != NULL) {
        struct fb_op *op = FB_CONTAINER_OF(node, struct fb_op, link);
        op->phase = FB_OP_IDLE;
        loop->n_ops--;
        op->done(op); /* op may no longer exist */
    }
}

static void loop_drain(struct fb_loop *loop)
{
    for (int n = 0; n < LOOP_MAX_BATCHES && !fb_list_empty(&loop->ready); n++) {
        loop_run_batch(loop);
    }
    if (fb_list_empty(&loop->ready)) {
        (void)uv_idle_stop(&loop->idle);
    }
}

/* ---- a turn ------------------------------------------------------------ */

void fb_loop_read_clock(struct fb_loop *loop)
{
    loop->now_ms = fb_clock_mono_ms(loop->clock);
    loop->steady_ms = fb_clock_steady_ns(loop->clock) / FB_NS_PER_MS;
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct fb_loop *loop = FB_CONTAINER_OF(prepare, struct fb_loop, prepare);
    fb_loop_run_timers(loop);
    loop_drain(loop);
    fb_loop_run_flushes(loop); /* what was drained may have asked for them */
    fb_loop_set_alarm(loop);   /* last: what was drained may have set timers */
}

static void on_check(uv_check_t *check)
{
    struct fb_loop *loop = FB_CONTAINER_OF(check, struct fb_loop, check);
    fb_loop_read_clock(loop);
    fb_loop_run_timers(loop);
    loop_drain(loop);
}

void fb_loop_on_alarm(uv_timer_t *alarm)
{
    struct fb_loop *loop = FB_CONTAINER_OF(alarm, struct fb_loop, alarm);
    loop->alarm_ms = UINT64_MAX;
}

static void on_async(uv_async_t *async)
{
    struct fb_loop *loop = FB_CONTAINER_OF(async, struct fb_loop, async);
    struct fb_list batch;
    struct fb_list *node = NULL;

    fb_list_init(&batch);
    (void)pthread_mutex_lock(&loop->mail_lock);
    fb_list_splice(&batch, &loop->mail);
    (void)pthread_mutex_unlock(&loop->mail_lock);

    fb_loop_read_clock(loop);
    while ((node = fb_list_pop(&batch)) != NULL) {
        struct fb_post *post = FB_CONTAINER_OF(node, struct fb_post, link);
        post->run(post);
    }
}

static void loop_post_locked(struct fb_loop *loop, struct fb_post *post)
{
    bool was_empty = fb_list_empty(&loop->mail);

    fb_list_init(&post->link);
    fb_list_append(&loop->mail, &post->link);
    /* Under the lock: once the mail is seen, the loop may end and be freed. */
    if (was_empty) {
        (void)uv_async_send(&loop->async);
    }
}

void fb_loop_post(struct fb_loop *loop, struct fb_post *post)
{
    (void)pthread_mutex_lock(&loop->mail_lock);
    loop_post_locked(loop, post);
    (void)pthread_mutex_unlock(&loop->mail_lock);
}

/* ---- life -------------------------------------------------------------- */

static void ignore_sigpipe(void)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
}

int fb_loop_new(const struct fb_clock *clock, struct fb_loop **ret_loop)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    struct fb_loop *loop = fb_alloc_apart(sizeof(*loop));

    (void)pthread_once(&once, ignore_sigpipe);
    loop->clock = clock;
    loop->owner = pthread_self();
    loop->alarm_ms = UINT64_MAX;
    fb_list_init(&loop->ready);
    fb_list_init(&loop->flushes);
    fb_list_init(&loop->mail);
    (void)pthread_mutex_init(&loop->mail_lock, NULL);
    fb_loop_read_clock(loop);

    int err = uv_loop_init(&loop->uv);
    if (err < 0) {
        fb_free(loop);
        return err;
    }
    /* Of these only the first can fail, for want of a descriptor. */
    err = uv_async_init(&loop->uv, &loop->async, on_async);
    if (err < 0) {
        (void)uv_loop_close(&loop->uv);
        fb_free(loop);
        return err;
    }
    (void)uv_prepare_init(&loop->uv, &loop->prepare);
    (void)uv_check_init(&loop->uv, &loop->check);
    (void)uv_idle_init(&loop->uv, &loop->idle);
    (void)uv_timer_init(&loop->uv, &loop->alarm);
    (void)uv_prepare_start(&loop->prepare, on_prepare);
    (void)uv_check_start(&loop->check, on_check);
    *ret_loop = loop;
    return FB_OK;
}

/* A stop that came when the loop had already ended is no mail left unread. */
static void loop_take_stop(struct fb_loop *loop)
{
    (void)pthread_mutex_lock(&loop->mail_lock);
    if (loop->is_stop_posted) {
        fb_list_remove(&loop->stop.link);
    }
    (void)pthread_mutex_unlock(&loop->mail_lock);
}

void fb_loop_free(struct fb_loop *loop)
{
    if (loop == NULL) {
        return;
    }
    loop->owner = pthread_self();
    if (loop->release_kept != NULL) {
        loop->release_kept(loop);
    }
    FB_REQUIRE(loop->n_ops == 0 && loop->n_timers == 0);
    loop_take_stop(loop);
    uv_close((uv_handle_t *)&loop->prepare, NULL);
    uv_close((uv_handle_t *)&loop->check, NULL);
    uv_close((uv_handle_t *)&loop->idle, NULL);
    uv_close((uv_handle_t *)&loop->async, NULL);
    uv_close((uv_handle_t *)&loop->alarm, NULL);
    for (unsigned i = 0; i < loop->n_signals; i++) {
        uv_close((uv_handle_t *)&loop->signals[i].handle, NULL);
    }
    (void)uv_run(&loop->uv, UV_RUN_NOWAIT);
    FB_REQUIRE(uv_loop_close(&loop->uv) == 0);
    FB_REQUIRE(fb_list_empty(&loop->mail) && fb_list_empty(&loop->flushes));
    (void)pthread_mutex_destroy(&loop->mail_lock);
    fb_free(loop->heap);
    fb_free(loop);
}

void fb_loop_run(struct fb_loop *loop)
{
    loop->owner = pthread_self();
    fb_loop_read_clock(loop);
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
}

static void on_stop(struct fb_post *post)
{
    struct fb_loop *loop = FB_CONTAINER_OF(post, struct fb_loop, stop);

    (void)pthread_mutex_lock(&loop->mail_lock);
    loop->is_stop_posted = false;
    (void)pthread_mutex_unlock(&loop->mail_lock);
    uv_stop(&loop->uv);
}

void fb_loop_stop(struct fb_loop *loop)
{
    (void)pthread_mutex_lock(&loop->mail_lock);
    if (!loop->is_stop_posted) {
        loop->is_stop_posted = true;
        loop->stop.run = on_stop;
        loop_post_locked(loop, &loop->stop);
    }
    (void)pthread_mutex_unlock(&loop->mail_lock);
}

void fb_loop_turn(struct fb_loop *loop)
{
    loop->owner = pthread_self();
    fb_loop_read_clock(loop);
    (void)uv_run(&loop->uv, UV_RUN_NOWAIT);
}

void fb_loop_turn_waiting(struct fb_loop *loop)
{
    loop->owner = pthread_self();
    fb_loop_read_clock(loop);
    (void)uv_run(&loop->uv, UV_RUN_ONCE);
}

uint64_t fb_loop_now_ms(const struct fb_loop *loop)
{
    return loop->now_ms;
}

const struct fb_clock *fb_loop_clock(const struct fb_loop *loop)
{
    return loop->clock;
}

bool fb_loop_is_mine(const struct fb_loop *loop)
{
    return pthread_equal(loop->owner, pthread_self()) != 0;
}

struct uv_loop_s *fb_loop_uv(struct fb_loop *loop)
{
    return &loop->uv;
}

void fb_loop_keep(struct fb_loop *loop, void *kept, void (*release)(struct fb_loop *loop))
{
    FB_REQUIRE(loop->release_kept == NULL);
    loop->kept = kept;
    loop->release_kept = release;
}

void *fb_loop_kept(const struct fb_loop *loop)
{
    return loop->kept;
}

/* ---- signals ----------------------------------------------------------- */

static void on_signal(uv_signal_t *handle, int signum)
{
    struct loop_signal *wanted = FB_CONTAINER_OF(handle, struct loop_signal, handle);
    fb_loop_read_clock(FB_CONTAINER_OF(handle->loop, struct fb_loop, uv));
    wanted->caught(wanted->ctx, signum);
}

int fb_loop_on_signal(struct fb_loop *loop, int signum, void (*caught)(void *ctx, int signum),
                      void *ctx)
{
    FB_REQUIRE(loop->n_signals < LOOP_MAX_SIGNALS);
    struct loop_signal *wanted = &loop->signals[loop->n_signals];

    wanted->caught = caught;
    wanted->ctx = ctx;
    int err = uv_signal_init(&loop->uv, &wanted->handle);
    if (err < 0) {
        return err;
    }
    loop->n_signals++;
    return uv_signal_start(&wanted->handle, on_signal, signum);
}
