/*
 * What a store behind struct origin_objects provides; see objects.h for what
 * each function means. Keys, prefixes, ids and numbers were checked before. What is NULL is
 * FB_E_UNSUPPORTED.
 */
#pragma once

#include "base/metrics/metrics.h"
#include "origin/objects/objects.h"

struct origin_objects_ops {
    const char *kind; /* for metrics */
    bool is_local;
    void (*close)(struct origin_objects *objects);

    int (*put_begin)(struct origin_objects *objects, struct fb_str key, uint64_t size,
                     struct origin_put **ret_put);
    int (*put_write)(struct origin_put *put, const struct fb_str *pieces, size_t n_pieces);
    int (*put_commit)(struct origin_put *put);
    void (*put_abort)(struct origin_put *put);
    int (*put_file)(struct origin_objects *objects, struct fb_str key, const char *path,
                    struct origin_stored *ret_stored);

    int (*multipart_begin)(struct origin_objects *objects, struct fb_str key,
                           char ret_id[ORIGIN_MULTIPART_ID_MAX + 1]);
    int (*multipart_part)(struct origin_objects *objects, struct fb_str key, struct fb_str id,
                          uint32_t number, uint64_t size, struct origin_put **ret_put);
    int (*put_commit_part)(struct origin_put *put, struct fb_str etag,
                           struct origin_part *ret_part); /* not NULL */
    int (*multipart_parts)(struct origin_objects *objects, struct fb_str key, struct fb_str id,
                           struct origin_part_page *page);
    int (*multipart_complete)(struct origin_objects *objects, struct fb_str key, struct fb_str id,
                              const struct origin_part_name *parts, size_t n_parts);
    int (*multipart_abort)(struct origin_objects *objects, struct fb_str key, struct fb_str id);
    int (*multipart_list)(struct origin_objects *objects, int64_t before_ms,
                          struct origin_multipart *items, size_t max, size_t *ret_n);

    /* Fills all but `objects` and `key`. */
    int (*get)(struct origin_objects *objects, struct fb_str key, struct origin_object *ret_object);
    int (*stat)(struct origin_objects *objects, struct fb_str key,
                struct origin_object *ret_object);
    int (*read)(const struct origin_object *object, uint64_t offset, void *buf, size_t n);
    int (*local_path)(struct origin_objects *objects, struct fb_str key, struct fb_buf *ret_path);

    int (*list)(struct origin_objects *objects, struct fb_str prefix, struct fb_str after,
                struct origin_listed *items, size_t max, size_t *ret_n);
    int (*remove)(struct origin_objects *objects, struct fb_str key);
    int (*remove_prefix)(struct origin_objects *objects, struct fb_str prefix);
};

/* The first member of every store, which sets `ops`. */
struct origin_objects {
    const struct origin_objects_ops *ops;
    const struct fb_clock *clock;
    struct fb_metrics_table *metrics; /* the registry's; NULL: nothing is counted */
};

/* The first member of every store's puts; set by objects.c. */
struct origin_put {
    struct origin_objects *objects;
    uint64_t size;
    uint64_t begun_ns;
    bool is_part;
};

/* All of `n` bytes. */
FB_MUST_CHECK int origin_file_read(int fd, uint64_t offset, void *buf, size_t n);

/* The SHA-256 of `n` bytes. */
FB_MUST_CHECK int origin_file_hash(int fd, uint64_t offset, uint64_t n, uint8_t sha256[32]);

/* The store "file:<folder>". */
FB_MUST_CHECK int origin_folder_open(struct fb_str path, struct origin_objects **ret_objects,
                                     struct fb_diag *diag);

/* The store "s3://<bucket>[/<prefix>]". */
FB_MUST_CHECK int origin_bucket_open(const struct origin_objects_options *options,
                                     struct origin_objects **ret_objects, struct fb_diag *diag);
