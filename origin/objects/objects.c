#include "origin/objects/objects.h"

#include "base/core/err.h"
#include "origin/model/task.h"
#include "origin/objects/objects_internal.h"

_Static_assert((int)ORIGIN_OBJECTS_KEY_MAX == (int)ORIGIN_KEY_MAX, "one limit for keys");

static bool key_is_good(struct fb_str key)
{
    return origin_path_is_plain(key, ORIGIN_OBJECTS_KEY_MAX);
}

int origin_objects_open(struct fb_str url, struct origin_objects **ret_objects,
                        struct fb_diag *diag)
{
    if (fb_str_starts_with(url, FB_STR("file:")) && url.len > 5) {
        return origin_folder_open(fb_str_skip(url, 5), ret_objects, diag);
    }
    return fb_diag_set(diag, FB_E_UNSUPPORTED, "objects '%.*s': expected file:<folder>",
                       FB_STR_ARG(url));
}

void origin_objects_close(struct origin_objects *objects)
{
    if (objects != NULL) {
        objects->ops->close(objects);
    }
}

int origin_put_begin(struct origin_objects *objects, struct fb_str key, uint64_t size,
                     struct origin_put **ret_put)
{
    return key_is_good(key) ? objects->ops->put_begin(objects, key, size, ret_put) : FB_E_MALFORMED;
}

int origin_put_write(struct origin_put *put, const struct fb_str *pieces, size_t n_pieces)
{
    return put->objects->ops->put_write(put, pieces, n_pieces);
}

int origin_put_commit(struct origin_put *put)
{
    return put->objects->ops->put_commit(put);
}

void origin_put_abort(struct origin_put *put)
{
    if (put != NULL) {
        put->objects->ops->put_abort(put);
    }
}

int origin_objects_put_file(struct origin_objects *objects, struct fb_str key, const char *path)
{
    return key_is_good(key) ? objects->ops->put_file(objects, key, path) : FB_E_MALFORMED;
}

int origin_objects_get(struct origin_objects *objects, struct fb_str key,
                       struct origin_object *ret_object)
{
    return key_is_good(key) ? objects->ops->get(objects, key, ret_object) : FB_E_MALFORMED;
}

int origin_objects_stat(struct origin_objects *objects, struct fb_str key,
                        struct origin_object *ret_object)
{
    return key_is_good(key) ? objects->ops->stat(objects, key, ret_object) : FB_E_MALFORMED;
}

int origin_objects_local_path(struct origin_objects *objects, struct fb_str key,
                              struct fb_buf *ret_path)
{
    return key_is_good(key) ? objects->ops->local_path(objects, key, ret_path) : FB_E_MALFORMED;
}

int origin_objects_remove(struct origin_objects *objects, struct fb_str key)
{
    return key_is_good(key) ? objects->ops->remove(objects, key) : FB_E_MALFORMED;
}

int origin_objects_remove_prefix(struct origin_objects *objects, struct fb_str prefix)
{
    return key_is_good(prefix) ? objects->ops->remove_prefix(objects, prefix) : FB_E_MALFORMED;
}
