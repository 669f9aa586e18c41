/*
 * Readers: one pull of bytes, wherever they come from.
 *
 * Whoever serves bytes asks a reader for the next slice and gets one of
 *
 *     FB_OK        a slice: memory that stays as it is until it is released
 *     FB_E_LATER   nothing yet: wait() finishes when asking again makes sense
 *     FB_E_END     all bytes were given
 *     other        broken: the bytes given so far are not the whole
 *
 * and never learns whether memory, a disk, or a fetch still running stands
 * behind it. Asking is a plain function, so bytes that are there cost no turn
 * of the loop; only waiting is an operation.
 *
 * The same interface carries objects in the store, request and response
 * bodies, and files.
 *
 * Ownership  open (by the module that implements it) → fb_reader_close(). A
 *            slice outlives its reader. At most one wait at a time; whoever
 *            closes a reader has canceled it or seen it finish, but need not
 *            have been in its `done` yet.
 * Threads    One loop's. A slice may be released on the loop that got it.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/str.h"
#include "base/loop/op.h"

#include <stdbool.h>
#include <stdint.h>

/* Memory that is a part of a file, whose pages can be sent as they are instead of a copy. They are
 * never written to again: what the kernel still has of them when the slice is released stays as
 * it was (base/disk/frozen.h). */
struct fb_slice_file {
    int fd;
    uint64_t offset;   /* in the file, of `begin` */
    const char *begin; /* the slice begins here, or later */
};

/* Memory kept alive for whoever holds the slice. */
struct fb_slice {
    struct fb_str bytes;          /* never empty */
    void (*release)(void *owner); /* NULL: static or otherwise kept memory */
    void *owner;
    const struct fb_slice_file *file; /* NULL, or where they lie; borrowed until released */
};

/* Gives the slice back and leaves it zero; safe on zero. */
void fb_slice_release(struct fb_slice *slice);

struct fb_reader;

struct fb_reader_ops {
    /* See above. The reader chooses how much it gives at a time. */
    int (*next)(struct fb_reader *reader, struct fb_slice *ret_slice);

    /* Begins `op`, and finishes it with FB_OK as soon as next() may have news
     * (spurious news is allowed). Cancelable. NULL if next() is never LATER. */
    void (*wait)(struct fb_reader *reader, struct fb_op *op);

    void (*close)(struct fb_reader *reader);

    /* Steps back over the last `n` bytes that were given: they are given again, next. Their
     * slices are the caller's to release as ever. No wait is under way. NULL: it cannot. */
    void (*unread)(struct fb_reader *reader, uint64_t n);

    /* Whoever takes the slices sends them as they are, and prefers those that are files. NULL: all
     * the same to the reader. */
    void (*prefer_files)(struct fb_reader *reader);
};

/* The first member of every reader. */
struct fb_reader {
    const struct fb_reader_ops *ops;
};

FB_MUST_CHECK int fb_reader_next(struct fb_reader *reader, struct fb_slice *ret_slice);
void fb_reader_wait(struct fb_reader *reader, struct fb_op *op);

/* True if fb_reader_unread() may be called: whoever is in no hurry for bytes need not hold
 * their memory meanwhile. */
bool fb_reader_can_unread(const struct fb_reader *reader);
void fb_reader_unread(struct fb_reader *reader, uint64_t n);

/* From here on slices with a `file` are worth more than others. */
void fb_reader_prefer_files(struct fb_reader *reader);

/* Accepts NULL. */
void fb_reader_close(struct fb_reader *reader);

/* A reader of one run of memory. Takes `slice` over, hands it on, or releases it
 * when closed. */
struct fb_reader *fb_reader_of_slice(struct fb_slice slice);

/* A reader of a buffer's contents, which it takes over. */
struct fb_reader *fb_reader_of_buf(struct fb_buf *buf);
