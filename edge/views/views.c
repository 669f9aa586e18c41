#include "edge/views/views.h"

#include "base/core/alloc.h"
#include "base/core/err.h"

int edge_views_open(const struct edge_views_options *options, struct edge_views **ret_views,
                    struct fb_diag *diag)
{
    *ret_views = NULL;
    return options->is_on ? fb_diag_set(diag, FB_E_UNSUPPORTED, "count views: not built in")
                          : FB_OK;
}

void edge_views_close(struct edge_views *views)
{
    fb_free(views);
}

void edge_views_status(const struct edge_views *views, struct fb_json *status)
{
    (void)views;
    (void)status;
}
