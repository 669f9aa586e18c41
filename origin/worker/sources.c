#include "origin/worker/sources.h"

#include "base/core/alloc.h"
#include "base/core/buf.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/core/list.h"
#include "base/sys/file.h"
#include "origin/objects/objects.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

enum { WAIT_MS = 100, NS_PER_S = 1000000000, NS_PER_MS = 1000000 };

struct origin_source {
    struct origin_sources *all;
    struct fb_list link; /* the least lately used first; not of local ones */
    char *key;           /* owned */
    char *path;          /* owned */
    uint64_t n_bytes;
    uint32_t n_users; /* under lock, as what follows */
    bool is_local;    /* not ours: never kept */
    bool is_fetching;
};

struct origin_sources {
    char *folder; /* owned */
    uint64_t max_bytes;
    uint64_t reserve_bytes;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct fb_list items; /* under lock, as what follows */
    uint64_t n_bytes;
    uint64_t n_made; /* names files */
};

struct origin_sources *origin_sources_new(const struct origin_sources_options *options)
{
    struct origin_sources *sources = FB_NEW(struct origin_sources);

    sources->folder = fb_str_dup(fb_str_from(options->folder));
    sources->max_bytes = options->max_bytes;
    sources->reserve_bytes = options->reserve_bytes;
    fb_list_init(&sources->items);
    (void)pthread_mutex_init(&sources->lock, NULL);
    (void)pthread_cond_init(&sources->changed, NULL);
    return sources;
}

static void source_free(struct origin_source *source)
{
    fb_free(source->key);
    fb_free(source->path);
    fb_free(source);
}

/* Under lock. */
static void source_forget(struct origin_source *source)
{
    fb_list_remove(&source->link);
    source->all->n_bytes -= source->n_bytes;
    (void)unlink(source->path);
    source_free(source);
}

void origin_sources_free(struct origin_sources *sources)
{
    if (sources == NULL) {
        return;
    }
    FB_LIST_EACH(node, &sources->items) {
        struct origin_source *source = FB_CONTAINER_OF(node, struct origin_source, link);
        FB_REQUIRE(source->n_users == 0);
        source_forget(source);
    }
    (void)pthread_cond_destroy(&sources->changed);
    (void)pthread_mutex_destroy(&sources->lock);
    fb_free(sources->folder);
    fb_free(sources);
}

/* ---- under lock ------------------------------------------------------------------ */

static struct origin_source *sources_find(struct origin_sources *sources, const char *key)
{
    FB_LIST_EACH(node, &sources->items) {
        struct origin_source *source = FB_CONTAINER_OF(node, struct origin_source, link);
        if (strcmp(source->key, key) == 0) {
            return source;
        }
    }
    return NULL;
}

/* Lets go what nobody uses until `n_bytes` more are within the bound, and leave the reserve. */
static int sources_make_room(struct origin_sources *sources, uint64_t n_bytes)
{
    struct statvfs disk;

    FB_LIST_EACH(node, &sources->items) {
        struct origin_source *source = FB_CONTAINER_OF(node, struct origin_source, link);
        if (sources->n_bytes + n_bytes > sources->max_bytes && source->n_users == 0) {
            source_forget(source);
        }
    }
    if (statvfs(sources->folder, &disk) < 0) {
        return -errno;
    }
    uint64_t n_free = (uint64_t)disk.f_bavail * disk.f_frsize;
    return n_free < n_bytes || n_free - n_bytes < sources->reserve_bytes ? -ENOSPC : FB_OK;
}

static struct origin_source *sources_add(struct origin_sources *sources, const char *key,
                                         uint64_t n_bytes)
{
    struct origin_source *source = FB_NEW(struct origin_source);
    FB_AUTO(fb_buf_done) struct fb_buf path = {0};

    fb_buf_printf(&path, "%s/%llu", sources->folder, (unsigned long long)++sources->n_made);
    source->all = sources;
    source->key = fb_str_dup(fb_str_from(key));
    source->path = fb_str_dup(fb_buf_str(&path));
    source->n_bytes = n_bytes;
    source->n_users = 1;
    source->is_fetching = true;
    sources->n_bytes += n_bytes;
    fb_list_append(&sources->items, &source->link);
    return source;
}

static bool is_canceled(const struct origin_sources_wait *wait)
{
    return wait != NULL && wait->is_canceled != NULL && wait->is_canceled(wait->ctx);
}

/* Until another one's fetch has ended, or a moment has passed. */
static void sources_wait(struct origin_sources *sources)
{
    struct timespec until;

    /* A wait with no other purpose than to look again: which clock is all the same. */
    (void)timespec_get(&until, TIME_UTC);
    until.tv_nsec += (long)WAIT_MS * NS_PER_MS;
    until.tv_sec += until.tv_nsec / NS_PER_S;
    until.tv_nsec %= NS_PER_S;
    (void)pthread_cond_timedwait(&sources->changed, &sources->lock, &until);
}

/* What is there or, if *ret_is_new, is to be fetched. */
static int sources_claim(struct origin_sources *sources, const char *key, uint64_t n_bytes,
                         const struct origin_sources_wait *wait, struct origin_source **ret_source,
                         bool *ret_is_new)
{
    struct origin_source *source = NULL;

    while ((source = sources_find(sources, key)) != NULL && source->is_fetching) {
        sources_wait(sources);
        if (is_canceled(wait)) {
            return FB_E_CANCELED;
        }
    }
    if (source != NULL) {
        source->n_users++;
        fb_list_remove(&source->link);
        fb_list_append(&sources->items, &source->link);
        *ret_source = source;
        *ret_is_new = false;
        return FB_OK;
    }
    int err = sources_make_room(sources, n_bytes);
    if (err == FB_OK) {
        *ret_source = sources_add(sources, key, n_bytes);
        *ret_is_new = true;
    }
    return err;
}

/* ---- get and put ------------------------------------------------------------------ */

static int source_get_local(struct origin_sources *sources, struct origin_objects *objects,
                            const char *key, struct origin_source **ret_source)
{
    FB_AUTO(fb_buf_done) struct fb_buf path = {0};

    int err = origin_objects_local_path(objects, fb_str_from(key), &path);
    if (err < 0) {
        return err;
    }
    char whole[PATH_MAX]; /* for a child that is in another folder */
    if (realpath(path.ptr, whole) == NULL) {
        return errno == ENOENT ? FB_E_NOT_FOUND : -errno;
    }
    struct origin_source *source = FB_NEW(struct origin_source);
    source->all = sources;
    source->path = fb_str_dup(fb_str_from(whole));
    source->is_local = true;
    *ret_source = source;
    return FB_OK;
}

static int source_fetch(struct origin_source *source, struct origin_objects *objects,
                        const struct origin_sources_wait *wait)
{
    struct origin_sources *sources = source->all;
    struct origin_transfer transfer = {.ctx = NULL};

    if (wait != NULL) {
        transfer.ctx = wait->ctx;
        transfer.is_canceled = wait->is_canceled;
    }
    int err = origin_objects_fetch(objects, fb_str_from(source->key), source->path, &transfer);
    (void)pthread_mutex_lock(&sources->lock);
    source->is_fetching = false;
    if (err < 0) {
        source_forget(source);
    }
    (void)pthread_cond_broadcast(&sources->changed);
    (void)pthread_mutex_unlock(&sources->lock);
    return err;
}

int origin_sources_get(struct origin_sources *sources, struct origin_objects *objects,
                       const char *key, const struct origin_sources_wait *wait,
                       struct origin_source **ret_source)
{
    struct origin_object object = {.fd = -1};
    struct origin_source *source = NULL;
    bool is_new = false;

    if (origin_objects_are_local(objects)) {
        return source_get_local(sources, objects, key, ret_source);
    }
    int err = origin_objects_stat(objects, fb_str_from(key), &object);
    if (err < 0) {
        return err;
    }
    (void)pthread_mutex_lock(&sources->lock);
    err = sources_claim(sources, key, object.size, wait, &source, &is_new);
    (void)pthread_mutex_unlock(&sources->lock);
    if (err == FB_OK && is_new) {
        err = source_fetch(source, objects, wait);
    }
    if (err == FB_OK) {
        *ret_source = source;
    }
    return err;
}

const char *origin_source_path(const struct origin_source *source)
{
    return source->path;
}

void origin_source_put(struct origin_source *source)
{
    if (source == NULL) {
        return;
    }
    if (source->is_local) {
        source_free(source);
        return;
    }
    struct origin_sources *sources = source->all;
    (void)pthread_mutex_lock(&sources->lock);
    source->n_users--;
    if (source->n_users == 0 && sources->n_bytes > sources->max_bytes) {
        source_forget(source);
    }
    (void)pthread_mutex_unlock(&sources->lock);
}
