/*
 * Objects: named runs of bytes that never change in place.
 *
 * A key is a relative path of plain names ("media/<video>/<version>/v/720p/
 * init.mp4"). An object appears whole or not at all: bytes are written to a
 * temporary beside the objects, made durable, and then given their name.
 *
 *     put_begin ──► write … write ──► commit ──► readable under its key
 *                        └──► abort (or a crash): nothing
 *
 * Which store stands behind is chosen by URL: "file:<folder>".
 *
 * Ownership  open → close. A put belongs to its beginner until commit or abort,
 *            both of which free it. A found object's descriptor is the
 *            caller's to close.
 * Threads    All functions block; any thread. One put is used by one thread at
 *            a time.
 * Limits     Keys of ORIGIN_OBJECTS_KEY_MAX bytes.
 * Failures   FB_E_MALFORMED for a bad key, FB_E_NOT_FOUND, -ENOSPC, -EDQUOT,
 *            -EIO and the like.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/diag.h"
#include "base/core/str.h"

#include <stdint.h>

struct origin_objects;
struct origin_put;

enum { ORIGIN_OBJECTS_KEY_MAX = 255 };

struct origin_object {
    int fd; /* -1 after stat */
    uint64_t size;
    int64_t modified_ms; /* Unix time */
};

/* Makes the folder if need be, and removes temporaries that a crash left. */
FB_MUST_CHECK int origin_objects_open(struct fb_str url, struct origin_objects **ret_objects,
                                      struct fb_diag *diag);

/* Requires that no put is left. Accepts NULL. */
void origin_objects_close(struct origin_objects *objects);

/* Begins an object of exactly `size` bytes; reserves the space if it can. */
FB_MUST_CHECK int origin_put_begin(struct origin_objects *objects, struct fb_str key, uint64_t size,
                                   struct origin_put **ret_put);

/* Appends pieces; FB_E_LIMIT beyond `size`. */
FB_MUST_CHECK int origin_put_write(struct origin_put *put, const struct fb_str *pieces,
                                   size_t n_pieces);

/* Makes the bytes durable and visible, replacing an older object of that key.
 * FB_E_CLOSED if fewer than `size` were written. Frees in every case. */
FB_MUST_CHECK int origin_put_commit(struct origin_put *put);

/* Forgets it all. Accepts NULL. */
void origin_put_abort(struct origin_put *put);

/* Moves the file at `path` in (copies it across file systems). */
FB_MUST_CHECK int origin_objects_put_file(struct origin_objects *objects, struct fb_str key,
                                          const char *path);

FB_MUST_CHECK int origin_objects_get(struct origin_objects *objects, struct fb_str key,
                                     struct origin_object *ret_object);
FB_MUST_CHECK int origin_objects_stat(struct origin_objects *objects, struct fb_str key,
                                      struct origin_object *ret_object);

/* Appends the path of a local file with the object's bytes, for libraries that
 * read files themselves. */
FB_MUST_CHECK int origin_objects_local_path(struct origin_objects *objects, struct fb_str key,
                                            struct fb_buf *ret_path);

/* Removing what is not there is fine. */
FB_MUST_CHECK int origin_objects_remove(struct origin_objects *objects, struct fb_str key);

/* Removes every object whose key begins with `prefix` and a slash. */
FB_MUST_CHECK int origin_objects_remove_prefix(struct origin_objects *objects,
                                               struct fb_str prefix);
