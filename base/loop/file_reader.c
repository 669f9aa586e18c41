#include "base/loop/file_reader.h"

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/loop/ahead_reader.h"

#include <errno.h>
#include <unistd.h>

struct file_source {
    int fd; /* owned */
};

static int file_read(void *ctx, uint64_t offset, char *to, size_t len)
{
    const struct file_source *file = ctx;
    size_t n_read = 0;

    while (n_read < len) {
        ssize_t n = pread(file->fd, to + n_read, len - n_read, (off_t)(offset + n_read));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return n < 0 ? -errno : FB_E_CLOSED;
        }
        n_read += (size_t)n;
    }
    return FB_OK;
}

static void file_done(void *ctx)
{
    struct file_source *file = ctx;

    (void)close(file->fd);
    fb_free(file);
}

struct fb_reader *fb_file_reader_open(struct fb_loop *loop, struct fb_pool *pool, int fd,
                                      uint64_t offset, uint64_t length)
{
    struct file_source *file = FB_NEW(struct file_source);

    file->fd = fd;
    return fb_ahead_reader_open(
        loop, pool,
        &(struct fb_ahead_source){
            .ctx = file, .read = file_read, .done = file_done, .piece_bytes = FB_FILE_READER_PIECE},
        offset, length);
}
