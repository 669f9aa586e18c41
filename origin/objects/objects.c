#include "origin/objects/objects.h"

#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/sys/file.h"
#include "origin/model/result.h"
#include "origin/objects/count.h"
#include "origin/objects/objects_internal.h"

#include <string.h>

_Static_assert((int)ORIGIN_OBJECTS_KEY_MAX == (int)ORIGIN_KEY_MAX, "one limit for keys");

static bool key_is_good(struct fb_str key)
{
    return origin_path_is_plain(key, ORIGIN_OBJECTS_KEY_MAX);
}

/* What could stand in a path or a query without harm. */
static bool id_is_good(struct fb_str id)
{
    for (size_t i = 0; i < id.len; i++) {
        if (id.ptr[i] <= ' ' || id.ptr[i] > '~' || id.ptr[i] == '/') {
            return false;
        }
    }
    return id.len > 0 && id.len <= ORIGIN_MULTIPART_ID_MAX && id.ptr[0] != '.';
}

/* ---- open and close ------------------------------------------------------- */

int origin_objects_open(const struct origin_objects_options *options,
                        struct origin_objects **ret_objects, struct fb_diag *diag)
{
    struct origin_objects *objects = NULL;
    struct fb_str url = options->url;
    int err = FB_OK;

    if (fb_str_starts_with(url, FB_STR("file:")) && url.len > 5) {
        err = origin_folder_open(fb_str_skip(url, 5), &objects, diag);
    } else if (fb_str_starts_with(url, FB_STR("s3://"))) {
        err = origin_bucket_open(options, &objects, diag);
    } else {
        err =
            fb_diag_set(diag, FB_E_UNSUPPORTED,
                        "objects '%.*s': expected file:<folder> or s3://<bucket>", FB_STR_ARG(url));
    }
    if (err < 0 || objects == NULL) {
        return err;
    }
    objects->clock = options->clock != NULL ? options->clock : fb_clock_system();
    objects->metrics = origin_count_table(options->metrics, objects->ops->kind);
    *ret_objects = objects;
    return FB_OK;
}

void origin_objects_close(struct origin_objects *objects)
{
    if (objects != NULL) {
        objects->ops->close(objects);
    }
}

bool origin_objects_are_local(const struct origin_objects *objects)
{
    return objects->ops->is_local;
}

/* ---- writing --------------------------------------------------------------- */

static void put_set(struct origin_put *put, struct origin_objects *objects, uint64_t size,
                    bool is_part)
{
    put->objects = objects;
    put->is_part = is_part;
    put->size = size;
    put->begun_ns = origin_count_begin(objects);
}

int origin_put_begin(struct origin_objects *objects, struct fb_str key, uint64_t size,
                     struct origin_put **ret_put)
{
    int err =
        key_is_good(key) ? objects->ops->put_begin(objects, key, size, ret_put) : FB_E_MALFORMED;
    if (err < 0) {
        origin_count_end(objects, ORIGIN_COUNT_PUT, origin_count_begin(objects), err);
        return err;
    }
    put_set(*ret_put, objects, size, false);
    return FB_OK;
}

int origin_put_write(struct origin_put *put, const struct fb_str *pieces, size_t n_pieces)
{
    return put->objects->ops->put_write(put, pieces, n_pieces);
}

static int put_counted(struct origin_objects *objects, uint64_t begun_ns, uint64_t size, int err)
{
    origin_count_end(objects, ORIGIN_COUNT_PUT, begun_ns, err);
    origin_count_bytes(objects, ORIGIN_COUNT_WRITTEN, err < 0 ? 0 : size);
    return err;
}

int origin_put_commit(struct origin_put *put)
{
    struct origin_objects *objects = put->objects;
    uint64_t begun_ns = put->begun_ns;
    uint64_t size = put->size;

    if (put->is_part) {
        origin_put_abort(put);
        return FB_E_MALFORMED;
    }
    return put_counted(objects, begun_ns, size, objects->ops->put_commit(put));
}

void origin_put_abort(struct origin_put *put)
{
    if (put != NULL) {
        put->objects->ops->put_abort(put);
    }
}

int origin_objects_put_file(struct origin_objects *objects, struct fb_str key, const char *path,
                            struct origin_stored *ret_stored)
{
    uint64_t begun_ns = origin_count_begin(objects);
    struct origin_stored stored = {.size = 0};

    int err =
        key_is_good(key) ? objects->ops->put_file(objects, key, path, &stored) : FB_E_MALFORMED;
    if (err == FB_OK && ret_stored != NULL) {
        *ret_stored = stored;
    }
    return put_counted(objects, begun_ns, stored.size, err);
}

int origin_objects_put_bytes(struct origin_objects *objects, struct fb_str key, struct fb_str bytes)
{
    struct origin_put *put = NULL;

    int err = origin_put_begin(objects, key, bytes.len, &put);
    if (err < 0) {
        return err;
    }
    err = bytes.len > 0 ? origin_put_write(put, &bytes, 1) : FB_OK;
    if (err < 0) {
        origin_put_abort(put);
        return err;
    }
    return origin_put_commit(put);
}

/* ---- writing in parts ------------------------------------------------------- */

static int multipart_counted(struct origin_objects *objects, uint64_t begun_ns, int err)
{
    origin_count_end(objects, ORIGIN_COUNT_MULTIPART, begun_ns, err);
    return err;
}

static bool multipart_is_good(struct fb_str key, struct fb_str id)
{
    return key_is_good(key) && id_is_good(id);
}

int origin_multipart_begin(struct origin_objects *objects, struct fb_str key,
                           char ret_id[ORIGIN_MULTIPART_ID_MAX + 1])
{
    const struct origin_objects_ops *ops = objects->ops;
    uint64_t begun_ns = origin_count_begin(objects);

    if (ops->multipart_begin == NULL) {
        return FB_E_UNSUPPORTED;
    }
    int err = key_is_good(key) ? ops->multipart_begin(objects, key, ret_id) : FB_E_MALFORMED;
    return multipart_counted(objects, begun_ns, err);
}

int origin_multipart_part(struct origin_objects *objects, struct fb_str key, struct fb_str id,
                          uint32_t number, uint64_t size, struct origin_put **ret_put)
{
    const struct origin_objects_ops *ops = objects->ops;

    if (ops->multipart_part == NULL) {
        return FB_E_UNSUPPORTED;
    }
    bool is_good = multipart_is_good(key, id) && number >= 1 && number <= ORIGIN_PART_MAX;
    int err =
        is_good ? ops->multipart_part(objects, key, id, number, size, ret_put) : FB_E_MALFORMED;
    if (err < 0) {
        origin_count_end(objects, ORIGIN_COUNT_PUT, origin_count_begin(objects), err);
        return err;
    }
    put_set(*ret_put, objects, size, true);
    return FB_OK;
}

int origin_put_commit_part(struct origin_put *put, struct fb_str etag, struct origin_part *ret_part)
{
    struct origin_objects *objects = put->objects;
    uint64_t begun_ns = put->begun_ns;
    uint64_t size = put->size;
    struct origin_part part = {.number = 0};

    if (!put->is_part || etag.len > ORIGIN_ETAG_MAX) {
        origin_put_abort(put);
        return FB_E_MALFORMED;
    }
    int err = put_counted(objects, begun_ns, size, objects->ops->put_commit_part(put, etag, &part));
    if (err == FB_OK && ret_part != NULL) {
        *ret_part = part;
    }
    return err;
}

int origin_multipart_parts(struct origin_objects *objects, struct fb_str key, struct fb_str id,
                           struct origin_part_page *page)
{
    const struct origin_objects_ops *ops = objects->ops;
    uint64_t begun_ns = origin_count_begin(objects);

    if (ops->multipart_parts == NULL) {
        return FB_E_UNSUPPORTED;
    }
    int err =
        multipart_is_good(key, id) ? ops->multipart_parts(objects, key, id, page) : FB_E_MALFORMED;
    return multipart_counted(objects, begun_ns, err);
}

static bool parts_ascend(const struct origin_part_name *parts, size_t n_parts)
{
    for (size_t i = 0; i < n_parts; i++) {
        uint32_t before = i == 0 ? 0 : parts[i - 1].number;
        if (parts[i].number <= before || parts[i].number > ORIGIN_PART_MAX) {
            return false;
        }
    }
    return n_parts > 0;
}

int origin_multipart_complete(struct origin_objects *objects, struct fb_str key, struct fb_str id,
                              const struct origin_part_name *parts, size_t n_parts)
{
    const struct origin_objects_ops *ops = objects->ops;
    uint64_t begun_ns = origin_count_begin(objects);

    if (ops->multipart_complete == NULL) {
        return FB_E_UNSUPPORTED;
    }
    int err = multipart_is_good(key, id) && parts_ascend(parts, n_parts)
                  ? ops->multipart_complete(objects, key, id, parts, n_parts)
                  : FB_E_MALFORMED;
    return multipart_counted(objects, begun_ns, err);
}

int origin_multipart_abort(struct origin_objects *objects, struct fb_str key, struct fb_str id)
{
    const struct origin_objects_ops *ops = objects->ops;
    uint64_t begun_ns = origin_count_begin(objects);

    if (ops->multipart_abort == NULL) {
        return FB_E_UNSUPPORTED;
    }
    int err = multipart_is_good(key, id) ? ops->multipart_abort(objects, key, id) : FB_E_MALFORMED;
    return multipart_counted(objects, begun_ns, err);
}

int origin_multipart_list(struct origin_objects *objects, int64_t before_ms,
                          struct origin_multipart *items, size_t max, size_t *ret_n)
{
    const struct origin_objects_ops *ops = objects->ops;
    uint64_t begun_ns = origin_count_begin(objects);

    if (ops->multipart_list == NULL) {
        return FB_E_UNSUPPORTED;
    }
    return multipart_counted(objects, begun_ns,
                             ops->multipart_list(objects, before_ms, items, max, ret_n));
}

/* ---- reading ----------------------------------------------------------------- */

static int object_find(struct origin_objects *objects, struct fb_str key,
                       int (*find)(struct origin_objects *objects, struct fb_str key,
                                   struct origin_object *ret_object),
                       enum origin_count_op op, struct origin_object *ret_object)
{
    struct origin_object object = {.fd = -1};
    uint64_t begun_ns = origin_count_begin(objects);

    int err = key_is_good(key) ? find(objects, key, &object) : FB_E_MALFORMED;
    origin_count_end(objects, op, begun_ns, err);
    if (err < 0) {
        return err;
    }
    memcpy(object.key, key.ptr, key.len);
    object.key[key.len] = '\0';
    object.objects = objects;
    object.is_open = op == ORIGIN_COUNT_GET;
    *ret_object = object;
    return FB_OK;
}

int origin_objects_get(struct origin_objects *objects, struct fb_str key,
                       struct origin_object *ret_object)
{
    return object_find(objects, key, objects->ops->get, ORIGIN_COUNT_GET, ret_object);
}

int origin_objects_stat(struct origin_objects *objects, struct fb_str key,
                        struct origin_object *ret_object)
{
    return object_find(objects, key, objects->ops->stat, ORIGIN_COUNT_STAT, ret_object);
}

struct origin_object origin_object_of_file(int fd, uint64_t size, int64_t modified_ms)
{
    return (struct origin_object){
        .fd = fd, .size = size, .modified_ms = modified_ms, .is_open = true};
}

int origin_object_read(const struct origin_object *object, uint64_t offset, void *buf, size_t n)
{
    struct origin_objects *objects = object->objects;

    if (offset > object->size || n > object->size - offset) {
        return FB_E_CLOSED;
    }
    if (n == 0 || objects == NULL) {
        return n == 0 ? FB_OK : origin_file_read(object->fd, offset, buf, n);
    }
    uint64_t begun_ns = origin_count_begin(objects);
    int err = objects->ops->read(object, offset, buf, n);
    origin_count_end(objects, ORIGIN_COUNT_READ, begun_ns, err);
    origin_count_bytes(objects, ORIGIN_COUNT_READ_BYTES, err < 0 ? 0 : n);
    return err;
}

void origin_object_done(struct origin_object *object)
{
    if (object->is_open) {
        fb_fd_done(&object->fd);
    }
    *object = (struct origin_object){.fd = -1};
}

int origin_objects_get_bytes(struct origin_objects *objects, struct fb_str key, size_t max,
                             struct fb_buf *ret_bytes)
{
    FB_AUTO(origin_object_done) struct origin_object object = {.fd = -1};

    int err = origin_objects_get(objects, key, &object);
    if (err < 0) {
        return err;
    }
    if (object.size > max) {
        return FB_E_LIMIT;
    }
    err = origin_object_read(&object, 0, fb_buf_reserve(ret_bytes, (size_t)object.size),
                             (size_t)object.size);
    if (err == FB_OK) {
        fb_buf_add(ret_bytes, (size_t)object.size);
    }
    return err;
}

int origin_objects_local_path(struct origin_objects *objects, struct fb_str key,
                              struct fb_buf *ret_path)
{
    if (objects->ops->local_path == NULL) {
        return FB_E_UNSUPPORTED;
    }
    return key_is_good(key) ? objects->ops->local_path(objects, key, ret_path) : FB_E_MALFORMED;
}

/* ---- listing and removal --------------------------------------------------------- */

int origin_objects_list(struct origin_objects *objects, struct fb_str prefix, struct fb_str after,
                        struct origin_listed *items, size_t max, size_t *ret_n)
{
    const struct origin_objects_ops *ops = objects->ops;
    uint64_t begun_ns = origin_count_begin(objects);

    if (ops->list == NULL) {
        return FB_E_UNSUPPORTED;
    }
    bool is_good = (prefix.len == 0 || key_is_good(prefix)) &&
                   (after.len == 0 || (key_is_good(after) && fb_str_starts_with(after, prefix)));
    int err = is_good ? ops->list(objects, prefix, after, items, max, ret_n) : FB_E_MALFORMED;
    origin_count_end(objects, ORIGIN_COUNT_LIST, begun_ns, err);
    return err;
}

static int remove_with(struct origin_objects *objects, struct fb_str key,
                       int (*act)(struct origin_objects *objects, struct fb_str key))
{
    uint64_t begun_ns = origin_count_begin(objects);

    if (act == NULL) {
        return FB_E_UNSUPPORTED;
    }
    int err = key_is_good(key) ? act(objects, key) : FB_E_MALFORMED;
    origin_count_end(objects, ORIGIN_COUNT_REMOVE, begun_ns, err);
    return err;
}

int origin_objects_remove(struct origin_objects *objects, struct fb_str key)
{
    return remove_with(objects, key, objects->ops->remove);
}

int origin_objects_remove_prefix(struct origin_objects *objects, struct fb_str prefix)
{
    return remove_with(objects, prefix, objects->ops->remove_prefix);
}
