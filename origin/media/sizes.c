#include "origin/media/sizes.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "origin/media/filter.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { SIZES_STEP = 140, SIZES_WHOLE = 100 }; /* percent */

struct sizes_one {
    struct origin_size size;
    size_t parent;
    struct origin_filter *scaler; /* owned; NULL until a picture needs it */
    AVFrame *frame;               /* owned */
};

struct origin_sizes {
    struct sizes_one all[ORIGIN_SIZES_MAX];
    size_t order[ORIGIN_SIZES_MAX]; /* parents first */
    size_t n;
};

/* ---- which from which -------------------------------------------------- */

static uint64_t size_area(struct origin_size size)
{
    return (uint64_t)size.width * size.height;
}

static bool size_is(struct origin_size a, struct origin_size b)
{
    return a.width == b.width && a.height == b.height;
}

static bool side_is_far_above(unsigned a, unsigned b)
{
    return (uint64_t)a * SIZES_WHOLE >= (uint64_t)b * SIZES_STEP;
}

static bool size_is_far_above(struct origin_size a, struct origin_size b)
{
    return side_is_far_above(a.width, b.width) && side_is_far_above(a.height, b.height);
}

size_t origin_sizes_parent(const struct origin_size *sizes, size_t n, size_t index)
{
    size_t best = ORIGIN_SIZES_WHOLE;

    for (size_t i = 0; i < n; i++) {
        if (i < index && size_is(sizes[i], sizes[index])) {
            return i;
        }
        bool is_less = best == ORIGIN_SIZES_WHOLE || size_area(sizes[i]) < size_area(sizes[best]);
        if (is_less && size_is_far_above(sizes[i], sizes[index])) {
            best = i;
        }
    }
    return best;
}

/* The largest first, those of one size as they came. */
static void sizes_sort(struct origin_sizes *sizes)
{
    for (size_t i = 0; i < sizes->n; i++) {
        size_t at = i;
        uint64_t area = size_area(sizes->all[i].size);
        for (; at > 0 && size_area(sizes->all[sizes->order[at - 1]].size) < area; at--) {
            sizes->order[at] = sizes->order[at - 1];
        }
        sizes->order[at] = i;
    }
}

struct origin_sizes *origin_sizes_new(const struct origin_size *wanted, size_t n)
{
    struct origin_sizes *sizes = FB_NEW(struct origin_sizes);

    FB_REQUIRE(n <= ORIGIN_SIZES_MAX);
    sizes->n = n;
    for (size_t i = 0; i < n; i++) {
        sizes->all[i].size = wanted[i];
        sizes->all[i].parent = origin_sizes_parent(wanted, n, i);
        sizes->all[i].frame = origin_av_frame_new();
    }
    sizes_sort(sizes);
    return sizes;
}

void origin_sizes_free(struct origin_sizes *sizes)
{
    if (sizes == NULL) {
        return;
    }
    for (size_t i = 0; i < sizes->n; i++) {
        origin_filter_free(sizes->all[i].scaler);
        av_frame_free(&sizes->all[i].frame);
    }
    fb_free(sizes);
}

/* ---- making ------------------------------------------------------------ */

static int one_open(struct sizes_one *one, const AVFrame *from, struct fb_diag *diag)
{
    char chain[64];
    (void)snprintf(chain, sizeof(chain), "scale=%u:%u:flags=bicubic,setsar=1", one->size.width,
                   one->size.height);
    struct origin_filter_options options = {
        .like = from,
        .time_base = AV_TIME_BASE_Q,
        .chain = chain,
        .n_threads = 1, /* the renditions run beside */
    };
    origin_filter_free(one->scaler);
    one->scaler = NULL;
    return origin_filter_new(&options, &one->scaler, diag);
}

static int one_make(struct sizes_one *one, AVFrame *from, struct fb_diag *diag)
{
    int err = FB_OK;

    av_frame_unref(one->frame);
    if (from->width == (int)one->size.width && from->height == (int)one->size.height) {
        return origin_av_error(av_frame_ref(one->frame, from));
    }
    if (one->scaler == NULL || !origin_filter_fits(one->scaler, from)) {
        err = one_open(one, from, diag);
    }
    if (err == FB_OK) {
        err = origin_filter_push(one->scaler, from);
    }
    return err == FB_OK ? origin_filter_pull(one->scaler, one->frame) : err;
}

int origin_sizes_make(struct origin_sizes *sizes, AVFrame *whole, struct fb_diag *diag)
{
    for (size_t i = 0; i < sizes->n; i++) {
        struct sizes_one *one = &sizes->all[sizes->order[i]];
        AVFrame *from = one->parent == ORIGIN_SIZES_WHOLE ? whole : sizes->all[one->parent].frame;
        int err = one_make(one, from, diag);
        if (err < 0) {
            return fb_diag_set(diag, err, "scale the picture: %s", fb_err_text(err));
        }
    }
    return FB_OK;
}

const AVFrame *origin_sizes_get(const struct origin_sizes *sizes, size_t index)
{
    return sizes->all[index].frame;
}
