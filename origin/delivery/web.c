/*
 * The pages, watch and studio: files of one folder, found by plain names.
 */
#include "base/core/err.h"
#include "base/http/content_type.h"
#include "base/server/router.h"
#include "base/sys/file.h"
#include "origin/delivery/delivery_internal.h"
#include "origin/model/result.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { WEB_PATH_MAX = 127 };

static int web_open(struct origin_lookup *lookup, struct fb_str name)
{
    struct fb_str web = lookup->delivery->options.web;
    FB_AUTO(fb_buf_done) struct fb_buf path = {0};
    struct origin_found *found = &lookup->found;
    struct stat st;

    if (web.len == 0 || !origin_path_is_plain(name, WEB_PATH_MAX)) {
        return FB_E_NOT_FOUND;
    }
    fb_buf_printf(&path, "%.*s/%.*s", FB_STR_ARG(web), FB_STR_ARG(name));
    FB_AUTO(fb_fd_done) int fd = open(path.ptr, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || fstat(fd, &st) < 0) {
        return errno == ENOENT || errno == ENOTDIR || errno == ELOOP ? FB_E_NOT_FOUND : -errno;
    }
    if (!S_ISREG(st.st_mode)) {
        return FB_E_NOT_FOUND;
    }
    found->object = origin_object_of_file(fb_fd_take(&fd), (uint64_t)st.st_size,
                                          (int64_t)st.st_mtim.tv_sec * 1000);
    found->type = fb_content_type_of(name);
    found->cache_control = FB_STR("no-cache");
    (void)snprintf(found->etag, sizeof(found->etag), "\"%" PRIx64 "-%" PRIx64 "%08" PRIx64 "\"",
                   (uint64_t)st.st_size, (uint64_t)st.st_mtim.tv_sec, (uint64_t)st.st_mtim.tv_nsec);
    return FB_OK;
}

static int watch_find(struct fb_work *work)
{
    struct origin_lookup *lookup = FB_CONTAINER_OF(work, struct origin_lookup, work);
    struct origin_id video;

    int err = origin_id_parse(fb_exchange_param(lookup->exchange, "video"), &video);
    if (err < 0 || (err = web_open(lookup, FB_STR("watch.html"))) < 0) {
        return err;
    }
    lookup->found.csp = lookup->delivery->csp;
    return FB_OK;
}

static int studio_find(struct fb_work *work)
{
    struct origin_lookup *lookup = FB_CONTAINER_OF(work, struct origin_lookup, work);

    lookup->found.csp = lookup->delivery->csp;
    return web_open(lookup, FB_STR("studio.html"));
}

static int asset_find(struct fb_work *work)
{
    struct origin_lookup *lookup = FB_CONTAINER_OF(work, struct origin_lookup, work);

    return web_open(lookup, fb_exchange_param(lookup->exchange, "file"));
}

void origin_delivery_watch(void *ctx, struct fb_exchange *exchange)
{
    origin_lookup_start(ctx, exchange, watch_find);
}

void origin_delivery_studio(void *ctx, struct fb_exchange *exchange)
{
    origin_lookup_start(ctx, exchange, studio_find);
}

void origin_delivery_asset(void *ctx, struct fb_exchange *exchange)
{
    origin_lookup_start(ctx, exchange, asset_find);
}
