#include "origin/media/scan.h"

#include "base/core/attr.h"
#include "base/core/err.h"
#include "origin/media/filter.h"
#include "origin/media/probe.h"
#include "origin/media/sample.h"

#include <libavutil/dict.h>

#include <string.h>

enum {
    SCAN_SPOTS = 5,
    SCAN_FRAMES = 12,   /* looked at in each */
    SCAN_MIN_CLEAR = 8, /* fewer frames that move tell nothing */
};

static const char *const scan_names[] = {
    [ORIGIN_SCAN_FLAGGED] = "flagged",     [ORIGIN_SCAN_WHOLE] = "whole",
    [ORIGIN_SCAN_TOP_FIRST] = "top_first", [ORIGIN_SCAN_BOTTOM_FIRST] = "bottom_first",
    [ORIGIN_SCAN_MIXED] = "mixed",
};

const char *origin_scan_name(enum origin_scan scan)
{
    return scan_names[scan];
}

int origin_scan_parse(struct fb_str name, enum origin_scan *ret_scan)
{
    for (size_t i = 0; i < FB_ARRAY_LEN(scan_names); i++) {
        if (fb_str_equal(name, fb_str_from(scan_names[i]))) {
            *ret_scan = (enum origin_scan)i;
            return FB_OK;
        }
    }
    return FB_E_MALFORMED;
}

enum origin_scan origin_scan_judge(const struct origin_scan_counts *counts)
{
    unsigned major = FB_MAX(counts->n_top_first, counts->n_bottom_first);
    unsigned minor = FB_MIN(counts->n_top_first, counts->n_bottom_first);
    unsigned n_clear = major + minor + counts->n_whole;

    if (n_clear < SCAN_MIN_CLEAR) {
        return ORIGIN_SCAN_FLAGGED;
    }
    if ((major + minor) * 20 <= n_clear) {
        return ORIGIN_SCAN_WHOLE;
    }
    if (minor * 4 > major) {
        return ORIGIN_SCAN_FLAGGED; /* no camera does that: a pattern looks like fields */
    }
    if (major * 5 < n_clear * 4) {
        return ORIGIN_SCAN_MIXED;
    }
    return counts->n_top_first == major ? ORIGIN_SCAN_TOP_FIRST : ORIGIN_SCAN_BOTTOM_FIRST;
}

const char *origin_scan_filters(enum origin_scan scan, bool is_flagged)
{
    switch (scan) {
    case ORIGIN_SCAN_FLAGGED:
        return is_flagged ? "bwdif=mode=send_frame:deint=interlaced," : "";
    case ORIGIN_SCAN_TOP_FIRST:
        return "bwdif=mode=send_frame:parity=tff:deint=all,";
    case ORIGIN_SCAN_BOTTOM_FIRST:
        return "bwdif=mode=send_frame:parity=bff:deint=all,";
    case ORIGIN_SCAN_MIXED:
        return "idet,bwdif=mode=send_frame:deint=interlaced,";
    case ORIGIN_SCAN_WHOLE:
        break;
    }
    return "";
}

/* ---- looking ----------------------------------------------------------- */

struct scan {
    AVRational unit;            /* of times */
    struct origin_filter *idet; /* owned; NULL until a frame was decoded */
    AVFrame *frame;             /* owned, scratch */
    struct origin_scan_counts counts;
};

static void scan_done(struct scan *scan)
{
    origin_filter_free(scan->idet);
    av_frame_free(&scan->frame);
}

/* What the filter wrote onto the frame. */
static void scan_count(struct scan *scan)
{
    const AVDictionaryEntry *entry =
        av_dict_get(scan->frame->metadata, "lavfi.idet.multiple.current_frame", NULL, 0);
    const char *said = entry != NULL ? entry->value : "";

    if (strcmp(said, "tff") == 0) {
        scan->counts.n_top_first++;
    } else if (strcmp(said, "bff") == 0) {
        scan->counts.n_bottom_first++;
    } else if (strcmp(said, "progressive") == 0) {
        scan->counts.n_whole++;
    } else {
        scan->counts.n_unclear++;
    }
}

static int scan_pull(struct scan *scan)
{
    for (;;) {
        int err = origin_filter_pull(scan->idet, scan->frame);
        if (err < 0) {
            return err == FB_E_LATER || err == FB_E_END ? FB_OK : err;
        }
        scan_count(scan);
        av_frame_unref(scan->frame);
    }
}

static int scan_end_spot(void *ctx, struct fb_diag *diag)
{
    struct scan *scan = ctx;
    int err = FB_OK;

    (void)diag;
    if (scan->idet != NULL) {
        err = origin_filter_push(scan->idet, NULL);
        if (err == FB_OK) {
            err = scan_pull(scan);
        }
        origin_filter_free(scan->idet);
        scan->idet = NULL;
    }
    return err;
}

/* The frame goes through the filter, another one if it is of another kind. */
static int scan_take(void *ctx, AVFrame *frame, struct fb_diag *diag)
{
    struct scan *scan = ctx;
    int err = FB_OK;

    if (scan->idet != NULL && !origin_filter_fits(scan->idet, frame)) {
        err = scan_end_spot(scan, diag);
    }
    if (err == FB_OK && scan->idet == NULL) {
        struct origin_filter_options options = {
            .like = frame,
            .time_base = scan->unit,
            .chain = "idet",
            .n_threads = 1,
        };
        err = origin_filter_new(&options, &scan->idet, diag);
    }
    if (err == FB_OK) {
        err = origin_filter_push(scan->idet, frame);
    }
    return err == FB_OK ? scan_pull(scan) : err;
}

/* Cameras of fields wrote these heights, and only at these rates. */
static bool scan_may_have_fields(const struct origin_source *source)
{
    const AVCodecParameters *codec = source->video->codecpar;
    double rate = origin_ratio_value(source->rate);
    bool is_said =
        codec->field_order != AV_FIELD_UNKNOWN && codec->field_order != AV_FIELD_PROGRESSIVE;
    bool is_height = codec->height == 480 || codec->height == 486 || codec->height == 576 ||
                     codec->height == 608 || codec->height == 1080 || codec->height == 1088;
    bool is_rate = (rate > 24.9 && rate < 30.1) || (rate > 49.9 && rate < 60.1);
    return is_said || (is_height && is_rate);
}

int origin_scan_look(struct origin_source *source, enum origin_scan *ret_scan, struct fb_diag *diag)
{
    FB_AUTO(scan_done) struct scan scan = {.unit = source->video->time_base};
    struct origin_sample sample = {
        .max_spots = SCAN_SPOTS,
        .max_frames = SCAN_FRAMES,
        .n_threads = 1,
        .is_rough = true,
        .ctx = &scan,
        .take = scan_take,
        .end_spot = scan_end_spot,
    };
    *ret_scan = ORIGIN_SCAN_FLAGGED;
    if (!scan_may_have_fields(source)) {
        return FB_OK;
    }
    scan.frame = origin_av_frame_new();
    int err = origin_sample(source, &sample, diag);
    if (err == FB_OK) {
        *ret_scan = origin_scan_judge(&scan.counts);
    }
    return err;
}
