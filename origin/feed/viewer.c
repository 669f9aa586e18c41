#include "origin/feed/viewer.h"

#include "base/core/attr.h"
#include "origin/feed/order.h"

#include <stdlib.h>

static const double step_back = 0.95;

enum { MS_PER_MINUTE = 60000 };

static size_t interest_add(struct origin_interest *interests, size_t n, size_t max, uint32_t what,
                           double weight)
{
    for (size_t i = 0; i < n; i++) {
        if (interests[i].what == what) {
            interests[i].share += weight;
            return n;
        }
    }
    if (n < max) {
        interests[n++] = (struct origin_interest){what, weight};
    }
    return n;
}

static int interest_compare(const void *left, const void *right)
{
    const struct origin_interest *a = left;
    const struct origin_interest *b = right;

    return origin_feed_order(a->share, b->share, a->what, b->what);
}

static void interests_finish(struct origin_interest *interests, size_t n, double total)
{
    for (size_t i = 0; i < n; i++) {
        interests[i].share /= total;
    }
    qsort(interests, n, sizeof(*interests), interest_compare);
}

/* From the newest back, so that what does not find room is the oldest. */
void origin_viewer_sum_up(struct origin_viewer *viewer, const struct origin_shelf *shelf)
{
    double weight = 1;
    double total = 0;
    double minutes = 0;

    viewer->n_tags = 0;
    viewer->n_owners = 0;
    for (size_t i = viewer->n_history; i-- > 0;) {
        const struct origin_shelf_video *video = origin_shelf_at(shelf, viewer->history[i]);
        for (size_t k = 0; k < video->n_tags; k++) {
            viewer->n_tags = interest_add(viewer->tags, viewer->n_tags, ORIGIN_VIEWER_INTERESTS_MAX,
                                          video->tags[k], weight);
        }
        viewer->n_owners = interest_add(viewer->owners, viewer->n_owners, ORIGIN_VIEWER_HISTORY_MAX,
                                        video->owner_number, weight);
        minutes += weight * (double)video->duration_ms / (double)MS_PER_MINUTE;
        total += weight;
        weight *= step_back;
    }
    if (total > 0) {
        interests_finish(viewer->tags, viewer->n_tags, total);
        interests_finish(viewer->owners, viewer->n_owners, total);
        minutes /= total;
    }
    viewer->mean_minutes = minutes;
}

double origin_interest_of(const struct origin_interest *interests, size_t n, uint32_t what)
{
    for (size_t i = 0; i < n; i++) {
        if (interests[i].what == what) {
            return interests[i].share;
        }
    }
    return 0;
}

bool origin_viewer_has_watched(const struct origin_viewer *viewer, uint32_t video)
{
    for (size_t i = 0; i < viewer->n_history; i++) {
        if (viewer->history[i] == video) {
            return true;
        }
    }
    return false;
}

bool origin_viewer_follows(const struct origin_viewer *viewer, const struct origin_id *owner)
{
    for (size_t i = 0; i < viewer->n_follows; i++) {
        if (origin_id_equal(&viewer->follows[i], owner)) {
            return true;
        }
    }
    return false;
}
