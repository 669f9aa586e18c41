#include "base/loop/thread.h"

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/loop/loop.h"

#include <pthread.h>
#include <signal.h>

struct fb_thread {
    pthread_t id;
    void (*body)(void *ctx);
    void *ctx;
};

static void *thread_main(void *arg)
{
    struct fb_thread *thread = arg;
    thread->body(thread->ctx);
    return NULL;
}

/* Signals are for the main thread alone. */
static int start_without_signals(struct fb_thread *thread)
{
    sigset_t all;
    sigset_t old;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &old);
    int err = pthread_create(&thread->id, NULL, thread_main, thread);
    (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    return -err;
}

int fb_thread_start_body(const char *name, void (*body)(void *ctx), void *ctx,
                         struct fb_thread **ret_thread)
{
    struct fb_thread *thread = FB_NEW(struct fb_thread);

    thread->body = body;
    thread->ctx = ctx;
    int err = start_without_signals(thread);
    if (err < 0) {
        fb_free(thread);
        return err;
    }
    (void)pthread_setname_np(thread->id, name);
    *ret_thread = thread;
    return FB_OK;
}

static void run_loop(void *ctx)
{
    fb_loop_run(ctx);
}

int fb_thread_start(const char *name, struct fb_loop *loop, struct fb_thread **ret_thread)
{
    return fb_thread_start_body(name, run_loop, loop, ret_thread);
}

void fb_thread_join(struct fb_thread *thread)
{
    (void)pthread_join(thread->id, NULL);
    fb_free(thread);
}
