#include "origin/removal/way.h"

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "origin/calls/calls.h"

enum { STATUS_OK = 200 };

static void way_post(void *ctx, struct origin_purge_post *posts, size_t n)
{
    struct origin_call *batch = fb_alloc_array(n, sizeof(*batch));

    for (size_t i = 0; i < n; i++) {
        batch[i] = (struct origin_call){.url = posts[i].url, .body = posts[i].body};
    }
    origin_calls_post(ctx, batch, n);
    for (size_t i = 0; i < n; i++) {
        posts[i].result = batch[i].status == STATUS_OK ? FB_OK : FB_E_UNAVAILABLE;
    }
    fb_free(batch);
}

struct origin_purge_way origin_way_of(struct origin_calls *calls)
{
    return (struct origin_purge_way){.ctx = calls, .post = way_post};
}
