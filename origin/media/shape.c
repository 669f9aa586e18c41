#include "origin/media/shape.h"

#include <libavfilter/avfilter.h>
#include <libavutil/pixdesc.h>

#include <stdio.h>

/* Linear light, narrower primaries, a curve for the highlights, and back. */
static const char shape_tone_map[] =
    "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=tonemap=hable:desat=0,"
    "zscale=t=bt709:m=bt709:r=tv,";

/* RGB has no matrix of its own: it becomes BT.709 and says so. */
static const char shape_from_rgb[] =
    ",setparams=range=tv:color_primaries=bt709:color_trc=bt709:colorspace=bt709";

static bool shape_can_tone_map(void)
{
    return avfilter_get_by_name("zscale") != NULL && avfilter_get_by_name("tonemap") != NULL;
}

void origin_shape_chain(const struct origin_shape *shape, const AVFrame *frame,
                        char ret_chain[ORIGIN_SHAPE_MAX])
{
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(frame->format);
    bool is_rgb = format != NULL && (format->flags & AV_PIX_FMT_FLAG_RGB) != 0;
    bool is_full = frame->color_range == AVCOL_RANGE_JPEG || frame->format == AV_PIX_FMT_YUVJ420P ||
                   frame->format == AV_PIX_FMT_YUVJ422P || frame->format == AV_PIX_FMT_YUVJ444P;
    const char *range = is_rgb    ? ":out_range=tv:out_color_matrix=bt709"
                        : is_full ? ":in_range=pc:out_range=tv"
                                  : ":in_range=tv:out_range=tv";
    bool is_mapped = shape->is_hdr && !is_rgb && shape_can_tone_map();

    /* Scaling before turning and mapping: they cost by the pixel. */
    (void)snprintf(ret_chain, ORIGIN_SHAPE_MAX,
                   "%sscale=%u:%u:flags=bicubic%s,%s%ssetsar=1,format=yuv420p%s",
                   shape->is_interlaced ? "bwdif=mode=send_frame:deint=interlaced," : "",
                   shape->is_sideways ? shape->height : shape->width,
                   shape->is_sideways ? shape->width : shape->height, range,
                   is_mapped ? shape_tone_map : "", shape->turn, is_rgb ? shape_from_rgb : "");
}
