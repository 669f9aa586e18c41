#include "origin/media/shape.h"

#include "base/core/attr.h"
#include "origin/media/colour.h"

#include <math.h>
#include <stdio.h>

/* So far apart may proportions be before black is put beside. */
static const double shape_max_stretch = 1.04;

struct box {
    unsigned width; /* as coded: before the turn */
    unsigned height;
};

static unsigned even_part(unsigned side, double share)
{
    long half = lround(side * share / 2.0);
    return (unsigned)FB_MIN(FB_MAX(half * 2, 2L), (long)side);
}

/* The largest box of the frame's proportions inside `outer`; all of it if they
 * are nearly the same. */
static struct box shape_fit(const struct origin_shape *shape, const AVFrame *frame,
                            struct box outer)
{
    bool is_known = shape->aspect.num > 0 && shape->aspect.den > 0;
    double stretch = is_known ? av_q2d(shape->aspect) : 1.0;
    bool has_sides = frame->width > 0 && frame->height > 0;

    if (!has_sides || stretch <= 0.1 || stretch >= 10.0) {
        return outer;
    }
    double own = frame->width * stretch / frame->height;
    double wider = own * outer.height / outer.width;
    if (wider < shape_max_stretch && wider > 1.0 / shape_max_stretch) {
        return outer;
    }
    return wider > 1.0 ? (struct box){outer.width, even_part(outer.height, 1.0 / wider)}
                       : (struct box){even_part(outer.width, wider), outer.height};
}

/* What follows the size in `scale`, and lays black beneath what is transparent. */
static void shape_set_format(struct origin_colours *colours, char *ret_text, size_t size)
{
    const char *range = colours->is_full ? "pc" : "tv";

    if (colours->has_alpha) {
        (void)snprintf(ret_text, size,
                       ":in_range=%s:in_color_matrix=%s,format=gbrap,premultiply=inplace=1,"
                       "format=gbrp,scale=out_range=tv:out_color_matrix=bt709",
                       colours->is_rgb ? "pc" : range, origin_colours_scale_matrix(colours));
        colours->matrix = AVCOL_SPC_BT709;
        colours->is_rgb = false;
    } else if (colours->is_rgb) {
        (void)snprintf(ret_text, size, ":out_range=tv:out_color_matrix=bt709");
        colours->matrix = AVCOL_SPC_BT709;
        colours->is_rgb = false;
    } else {
        (void)snprintf(ret_text, size, ":in_range=%s:out_range=tv", range);
    }
}

void origin_shape_chain(const struct origin_shape *shape, const AVFrame *frame,
                        char ret_chain[ORIGIN_SHAPE_MAX])
{
    struct origin_colours colours = origin_colours_of(frame, shape->claims);
    struct box outer = {shape->is_sideways ? shape->height : shape->width,
                        shape->is_sideways ? shape->width : shape->height};
    struct box inner = shape_fit(shape, frame, outer);
    char convert[ORIGIN_COLOUR_CHAIN_MAX];
    char format[160];
    char pad[64] = "";

    shape_set_format(&colours, format, sizeof(format));
    origin_colours_chain(&colours, convert);
    if (inner.width != outer.width || inner.height != outer.height) {
        (void)snprintf(pad, sizeof(pad), "pad=%u:%u:%u:%u,", outer.width, outer.height,
                       (outer.width - inner.width) / 4 * 2, (outer.height - inner.height) / 4 * 2);
    }
    /* Scaling before turning and mapping: they cost by the pixel. */
    (void)snprintf(ret_chain, ORIGIN_SHAPE_MAX,
                   "%sscale=%u:%u:flags=bicubic%s,%sformat=yuv420p,%s%ssetsar=1,"
                   "setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709",
                   origin_scan_filters(shape->scan, shape->is_interlaced), inner.width,
                   inner.height, format, convert, pad, shape->turn);
}
