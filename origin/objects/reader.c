#include "origin/objects/reader.h"

#include "base/core/alloc.h"
#include "base/loop/ahead_reader.h"
#include "base/loop/file_reader.h"
#include "base/sys/file.h"

static int object_read(void *ctx, uint64_t offset, char *to, size_t n)
{
    return origin_object_read(ctx, offset, to, n);
}

static void object_done(void *ctx)
{
    origin_object_done(ctx);
    fb_free(ctx);
}

struct fb_reader *origin_object_reader_open(struct fb_loop *loop, struct fb_pool *pool,
                                            struct origin_object *object, uint64_t offset,
                                            uint64_t length)
{
    if (object->fd >= 0) {
        struct fb_reader *reader =
            fb_file_reader_open(loop, pool, fb_fd_take(&object->fd), offset, length);
        origin_object_done(object);
        return reader;
    }
    struct origin_object *taken = FB_NEW(struct origin_object);
    *taken = *object;
    *object = (struct origin_object){.fd = -1};
    return fb_ahead_reader_open(loop, pool,
                                &(struct fb_ahead_source){.ctx = taken,
                                                          .read = object_read,
                                                          .done = object_done,
                                                          .piece_bytes = ORIGIN_OBJECT_READ},
                                offset, length);
}
