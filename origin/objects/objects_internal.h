/*
 * What a store behind struct origin_objects provides; see objects.h for what
 * each function means. Keys were checked before.
 */
#pragma once

#include "origin/objects/objects.h"

struct origin_objects_ops {
    void (*close)(struct origin_objects *objects);
    int (*put_begin)(struct origin_objects *objects, struct fb_str key, uint64_t size,
                     struct origin_put **ret_put);
    int (*put_write)(struct origin_put *put, const struct fb_str *pieces, size_t n_pieces);
    int (*put_commit)(struct origin_put *put);
    void (*put_abort)(struct origin_put *put);
    int (*put_file)(struct origin_objects *objects, struct fb_str key, const char *path);
    int (*get)(struct origin_objects *objects, struct fb_str key, struct origin_object *ret_object);
    int (*stat)(struct origin_objects *objects, struct fb_str key,
                struct origin_object *ret_object);
    int (*local_path)(struct origin_objects *objects, struct fb_str key, struct fb_buf *ret_path);
    int (*remove)(struct origin_objects *objects, struct fb_str key);
    int (*remove_prefix)(struct origin_objects *objects, struct fb_str prefix);
};

/* The first member of every store. */
struct origin_objects {
    const struct origin_objects_ops *ops;
};

/* The first member of every store's puts. */
struct origin_put {
    struct origin_objects *objects;
};

/* The store "file:<folder>". */
FB_MUST_CHECK int origin_folder_open(struct fb_str path, struct origin_objects **ret_objects,
                                     struct fb_diag *diag);
