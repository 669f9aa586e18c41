#include "base/core/list.h"
#include "edge/fill/fill.h"
#include "edge/fill/fill_internal.h"

/* ---- an answer that nobody waits for any more --------------------------- */

static void abandon_on_mail(struct fb_post *post)
{
    struct edge_fill *fill = FB_CONTAINER_OF(post, struct edge_fill, left);

    edge_fill_lock(fill->table);
    fill->is_posted = false;
    bool is_left = fill->is_joinable && fb_list_empty(&fill->joiners) && !fill->is_canceled &&
                   fill->machine.state == FILL_FETCH;
    if (is_left) {
        edge_fill_unlist(fill); /* who comes now begins another one */
    }
    edge_fill_unlock(fill->table);
    if (fill->machine.state == FILL_DONE) {
        edge_fill_free(fill);
    } else if (is_left) {
        edge_fill_metric(fill->table, FILL_ABANDONED, 1);
        edge_fill_cancel(fill);
    }
}

void edge_fill_left(struct edge_fill *fill)
{
    if (fill->is_blocking && !fill->is_posted && fb_list_empty(&fill->joiners)) {
        fill->is_posted = true;
        fill->left.run = abandon_on_mail;
        fb_loop_post(fill->loop, &fill->left);
    }
}

/* ---- a body that nobody reads any more ----------------------------------- */

/* True if enough of it is here, or little enough is missing. */
static bool abandon_is_worth_it(const struct edge_fill *fill)
{
    const struct edge_fill_options *options = &fill->table->options;
    uint64_t offset = edge_fill_offset(fill);

    if (fill->goal == UINT64_MAX) {
        return offset <= options->complete_missing;
    }
    return offset >= fill->goal || fill->goal - offset <= options->complete_missing ||
           (double)offset * 100 >= (double)fill->goal * options->complete_percent;
}

bool edge_fill_is_abandoned(struct edge_fill *fill)
{
    int64_t now_ms = edge_fill_now_ms(fill);

    if (fill->table->options.complete_percent == 0 || fill->is_own || abandon_is_worth_it(fill)) {
        return false;
    }
    if (edge_writer_has_clients(fill->writer)) {
        fill->lonely_ms = INT64_MAX;
        return false;
    }
    fill->lonely_ms = FB_MIN(fill->lonely_ms, now_ms);
    return now_ms - fill->lonely_ms >= EDGE_FILL_GRACE_MS;
}
