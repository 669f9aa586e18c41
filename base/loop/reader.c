#include "base/loop/reader.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"

void fb_slice_release(struct fb_slice *slice)
{
    if (slice->release != NULL) {
        slice->release(slice->owner);
    }
    *slice = (struct fb_slice){0};
}

int fb_reader_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    return reader->ops->next(reader, ret_slice);
}

void fb_reader_wait(struct fb_reader *reader, struct fb_op *op)
{
    FB_REQUIRE(reader->ops->wait != NULL);
    reader->ops->wait(reader, op);
}

bool fb_reader_can_unread(const struct fb_reader *reader)
{
    return reader->ops->unread != NULL;
}

void fb_reader_unread(struct fb_reader *reader, uint64_t n)
{
    FB_REQUIRE(reader->ops->unread != NULL);
    reader->ops->unread(reader, n);
}

void fb_reader_prefer_files(struct fb_reader *reader)
{
    if (reader->ops->prefer_files != NULL) {
        reader->ops->prefer_files(reader);
    }
}

void fb_reader_close(struct fb_reader *reader)
{
    if (reader != NULL) {
        reader->ops->close(reader);
    }
}

/* ---- one run of memory -------------------------------------------------- */

struct memory_reader {
    struct fb_reader reader;
    struct fb_slice slice; /* zero once given */
};

static int memory_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    struct memory_reader *self = FB_CONTAINER_OF(reader, struct memory_reader, reader);

    if (self->slice.bytes.len == 0) {
        return FB_E_END;
    }
    *ret_slice = self->slice;
    self->slice = (struct fb_slice){0};
    return FB_OK;
}

static void memory_close(struct fb_reader *reader)
{
    struct memory_reader *self = FB_CONTAINER_OF(reader, struct memory_reader, reader);
    fb_slice_release(&self->slice);
    fb_free(self);
}

static const struct fb_reader_ops memory_ops = {.next = memory_next, .close = memory_close};

struct fb_reader *fb_reader_of_slice(struct fb_slice slice)
{
    struct memory_reader *self = FB_NEW(struct memory_reader);
    self->reader.ops = &memory_ops;
    self->slice = slice;
    return &self->reader;
}

static void owned_buf_release(void *owner)
{
    struct fb_buf *buf = owner;
    fb_buf_done(buf);
    fb_free(buf);
}

struct fb_reader *fb_reader_of_buf(struct fb_buf *buf)
{
    struct fb_buf *owned = FB_NEW(struct fb_buf);
    *owned = fb_buf_take(buf);
    return fb_reader_of_slice((struct fb_slice){
        .bytes = fb_buf_str(owned), .release = owned_buf_release, .owner = owned});
}
