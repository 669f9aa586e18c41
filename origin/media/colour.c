#include "origin/media/colour.h"

#include <libavfilter/avfilter.h>
#include <libavutil/pixdesc.h>

#include <stdio.h>

enum { SD_MAX_WIDTH = 1279, SD_MAX_HEIGHT = 576 };

/* Linear light, narrower primaries, a curve for the highlights, and back. White of
 * 203 cd/m2 (BT.2408) lands at three quarters, the 1000 of most masters at white. */
#define COLOUR_TONE_MAP                                                                      \
    "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=tonemap=hable:desat=0," \
    "zscale=t=bt709:m=bt709:r=tv,"

/* ---- what a source says ------------------------------------------------ */

static bool matrix_is_known(enum AVColorSpace matrix)
{
    switch (matrix) {
    case AVCOL_SPC_BT709:
    case AVCOL_SPC_FCC:
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
    case AVCOL_SPC_SMPTE240M:
    case AVCOL_SPC_YCGCO:
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
        return true;
    default:
        return false;
    }
}

static bool primaries_are_known(enum AVColorPrimaries primaries)
{
    switch (primaries) {
    case AVCOL_PRI_BT709:
    case AVCOL_PRI_BT470M:
    case AVCOL_PRI_BT470BG:
    case AVCOL_PRI_SMPTE170M:
    case AVCOL_PRI_SMPTE240M:
    case AVCOL_PRI_FILM:
    case AVCOL_PRI_BT2020:
    case AVCOL_PRI_SMPTE428:
    case AVCOL_PRI_SMPTE431:
    case AVCOL_PRI_SMPTE432:
    case AVCOL_PRI_EBU3213:
        return true;
    default:
        return false;
    }
}

static bool is_hdr_curve(enum AVColorTransferCharacteristic curve)
{
    return curve == AVCOL_TRC_SMPTE2084 || curve == AVCOL_TRC_ARIB_STD_B67;
}

/* Curves of light itself; all others are a display's and taken for BT.709's. */
static bool is_light_curve(enum AVColorTransferCharacteristic curve)
{
    return curve == AVCOL_TRC_LINEAR || curve == AVCOL_TRC_LOG || curve == AVCOL_TRC_LOG_SQRT ||
           curve == AVCOL_TRC_SMPTE428;
}

static void colours_read_format(struct origin_colours *colours, const AVFrame *frame)
{
    const AVPixFmtDescriptor *format = av_pix_fmt_desc_get(frame->format);
    uint64_t flags = format != NULL ? format->flags : 0;

    colours->is_rgb = (flags & (AV_PIX_FMT_FLAG_RGB | AV_PIX_FMT_FLAG_PAL)) != 0;
    colours->has_alpha = (flags & AV_PIX_FMT_FLAG_ALPHA) != 0;
    bool is_grey = format != NULL && !colours->is_rgb && format->nb_components < 3;
    switch (frame->format) {
    case AV_PIX_FMT_YUVJ420P:
    case AV_PIX_FMT_YUVJ422P:
    case AV_PIX_FMT_YUVJ444P:
    case AV_PIX_FMT_YUVJ440P:
    case AV_PIX_FMT_YUVJ411P:
        colours->is_full = true;
        break;
    default:
        /* Grey alone, where nothing is said, is a still camera's. */
        colours->is_full = frame->color_range == AVCOL_RANGE_JPEG ||
                           (is_grey && frame->color_range == AVCOL_RANGE_UNSPECIFIED);
        break;
    }
}

struct origin_colours origin_colours_of(const AVFrame *frame, const AVCodecParameters *claims)
{
    struct origin_colours colours = {
        .primaries = frame->color_primaries,
        .curve = frame->color_trc,
        .matrix = frame->colorspace,
    };
    colours_read_format(&colours, frame);
    if (claims != NULL && colours.curve == AVCOL_TRC_UNSPECIFIED) {
        colours.curve = claims->color_trc;
    }
    if (claims != NULL && !primaries_are_known(colours.primaries)) {
        colours.primaries = claims->color_primaries;
    }
    if (claims != NULL && !matrix_is_known(colours.matrix)) {
        colours.matrix = claims->color_space;
    }
    bool is_hdr = is_hdr_curve(colours.curve);
    if (!is_hdr && !is_light_curve(colours.curve)) {
        colours.curve = AVCOL_TRC_BT709;
    }
    if (colours.is_rgb) {
        colours.matrix = AVCOL_SPC_BT709; /* what it is about to get */
    } else if (!matrix_is_known(colours.matrix)) {
        bool is_small = frame->width <= SD_MAX_WIDTH && frame->height <= SD_MAX_HEIGHT;
        colours.matrix = is_hdr     ? AVCOL_SPC_BT2020_NCL
                         : is_small ? AVCOL_SPC_SMPTE170M
                                    : AVCOL_SPC_BT709;
    }
    if (!primaries_are_known(colours.primaries)) {
        bool is_wide = is_hdr || colours.matrix == AVCOL_SPC_BT2020_NCL ||
                       colours.matrix == AVCOL_SPC_BT2020_CL;
        colours.primaries = is_wide ? AVCOL_PRI_BT2020 : AVCOL_PRI_BT709;
    }
    return colours;
}

/* ---- what becomes of it ------------------------------------------------ */

static bool colours_can_convert(void)
{
    return avfilter_get_by_name("zscale") != NULL && avfilter_get_by_name("tonemap") != NULL;
}

void origin_colours_chain(const struct origin_colours *colours,
                          char ret_chain[ORIGIN_COLOUR_CHAIN_MAX])
{
    bool is_hdr = is_hdr_curve(colours->curve);
    bool is_right = colours->primaries == AVCOL_PRI_BT709 && colours->curve == AVCOL_TRC_BT709 &&
                    colours->matrix == AVCOL_SPC_BT709;

    ret_chain[0] = '\0';
    if (!is_right && colours_can_convert()) {
        (void)snprintf(ret_chain, ORIGIN_COLOUR_CHAIN_MAX,
                       "setparams=range=tv:color_primaries=%d:color_trc=%d:colorspace=%d,%s",
                       (int)colours->primaries, (int)colours->curve, (int)colours->matrix,
                       is_hdr ? COLOUR_TONE_MAP : "zscale=p=bt709:t=bt709:m=bt709:r=tv,");
    }
}

const char *origin_colours_scale_matrix(const struct origin_colours *colours)
{
    switch (colours->matrix) {
    case AVCOL_SPC_FCC:
        return "fcc";
    case AVCOL_SPC_BT470BG:
    case AVCOL_SPC_SMPTE170M:
        return "smpte170m";
    case AVCOL_SPC_SMPTE240M:
        return "smpte240m";
    case AVCOL_SPC_BT2020_NCL:
    case AVCOL_SPC_BT2020_CL:
        return "bt2020";
    default:
        return "bt709";
    }
}
