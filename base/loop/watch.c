#include "base/loop/watch.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/loop/loop_internal.h"

struct fb_watch {
    uv_poll_t poll;
    void (*readable)(void *ctx);
    void *ctx;
};

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct fb_watch *watch = FB_CONTAINER_OF(poll, struct fb_watch, poll);

    (void)status; /* an error shows when the descriptor is read */
    (void)events;
    fb_loop_read_clock(FB_CONTAINER_OF(poll->loop, struct fb_loop, uv));
    watch->readable(watch->ctx);
}

static void on_closed(uv_handle_t *handle)
{
    fb_free(FB_CONTAINER_OF(handle, struct fb_watch, poll));
}

int fb_watch_new(struct fb_loop *loop, int fd, void (*readable)(void *ctx), void *ctx,
                 struct fb_watch **ret_watch)
{
    FB_REQUIRE(fb_loop_is_mine(loop));
    struct fb_watch *watch = FB_NEW(struct fb_watch);

    watch->readable = readable;
    watch->ctx = ctx;
    int err = uv_poll_init(&loop->uv, &watch->poll, fd);
    if (err < 0) {
        fb_free(watch);
        return err;
    }
    err = uv_poll_start(&watch->poll, UV_READABLE, on_poll);
    if (err < 0) {
        fb_watch_free(watch);
        return err;
    }
    *ret_watch = watch;
    return FB_OK;
}

void fb_watch_free(struct fb_watch *watch)
{
    if (watch != NULL) {
        uv_close((uv_handle_t *)&watch->poll, on_closed);
    }
}

void fb_flush_init(struct fb_flush *flush, void (*run)(struct fb_flush *flush))
{
    *flush = (struct fb_flush){.run = run};
    fb_list_init(&flush->link);
}

void fb_flush_soon(struct fb_flush *flush, struct fb_loop *loop)
{
    FB_REQUIRE(fb_loop_is_mine(loop));
    fb_list_remove(&flush->link);
    fb_list_append(&loop->flushes, &flush->link);
}

void fb_flush_clear(struct fb_flush *flush)
{
    fb_list_remove(&flush->link);
}

void fb_loop_run_flushes(struct fb_loop *loop)
{
    struct fb_list batch;
    struct fb_list *node = NULL;

    fb_list_init(&batch);
    fb_list_splice(&batch, &loop->flushes);
    while ((node = fb_list_pop(&batch)) != NULL) {
        struct fb_flush *flush = FB_CONTAINER_OF(node, struct fb_flush, link);
        flush->run(flush);
    }
}
