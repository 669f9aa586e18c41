#include "origin/node/stores.h"

#include "base/core/err.h"
#include "base/loop/work.h"
#include "base/server/router.h"
#include "origin/config/config.h"
#include "origin/jobs/task_objects.h"
#include "origin/node/node.h"
#include "origin/objects/objects.h"

enum { POOL_QUEUE = 1024 };

int origin_stores_open(struct origin_node *node, struct fb_diag *diag)
{
    const struct origin_conf_s3 *s3 = &node->conf->s3;
    FB_AUTO(fb_buf_done) struct fb_buf spool = {0};

    fb_buf_printf(&spool, "%s/spool", node->data);
    return origin_objects_open(
        &(struct origin_objects_options){
            .url = node->conf->objects,
            .s3 = {.endpoint = s3->endpoint,
                   .region = s3->region,
                   .credentials = s3->credentials,
                   .ca_file = s3->ca,
                   .spool = s3->spool.len > 0 ? s3->spool : fb_buf_str(&spool),
                   .has_bucket_host = s3->bucket_host,
                   .connect_timeout_ms = (uint32_t)s3->connect_timeout,
                   .stall_timeout_ms = (uint32_t)s3->stall_timeout,
                   .max_attempts = (uint32_t)s3->attempts,
                   .part_bytes = s3->part_size},
            .metrics = node->metrics,
        },
        &node->objects, diag);
}

int origin_stores_make(struct origin_node *node, struct fb_diag *diag)
{
    struct origin_stores *stores = &node->stores;
    size_t n = 0;

    /* Who waits for a server shall not keep those waiting who ask the catalog. */
    stores->pool = node->pool;
    if (!origin_objects_are_local(node->objects)) {
        int err = fb_pool_new("objects", (unsigned)node->conf->s3.connections, POOL_QUEUE,
                              &stores->own_pool);
        if (err < 0) {
            return fb_diag_set(diag, err, "start the pool of objects: %s", fb_err_text(err));
        }
        stores->pool = stores->own_pool;
    }
    stores->task_objects = origin_task_objects_new(&(struct origin_task_objects_options){
        .catalog = node->catalog,
        .objects = node->objects,
        .pool = stores->pool,
        .worker_token = node->conf->worker_token,
    });
    const struct fb_route *routes = origin_task_objects_routes(stores->task_objects, &n);
    stores->router = fb_router_new(routes, n, node->pool, stores->task_objects);
    return FB_OK;
}

void origin_stores_close(struct origin_stores *stores)
{
    if (stores->router != NULL) {
        fb_router_free(stores->router);
        origin_task_objects_free(stores->task_objects);
    }
    if (stores->own_pool != NULL) {
        fb_pool_free(stores->own_pool);
    }
    *stores = (struct origin_stores){.pool = NULL};
}
