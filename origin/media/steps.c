#include "base/core/diag.h"
#include "base/core/err.h"
#include "origin/media/steps_internal.h"

#include <libavfilter/avfilter.h>

#include <stdio.h>

void origin_step_report(struct origin_step_progress *progress, uint64_t done, uint64_t whole)
{
    uint64_t permille =
        whole > 0 ? FB_MIN(done, whole) * ORIGIN_STEP_PERMILLE / whole : ORIGIN_STEP_PERMILLE;
    if (permille > progress->permille) {
        progress->permille = (unsigned)permille;
        if (progress->hooks->progress != NULL) {
            progress->hooks->progress(progress->hooks->ctx, progress->permille);
        }
    }
}

struct origin_ratio origin_step_rate(const struct origin_recipe *recipe)
{
    return (struct origin_ratio){(int)recipe->rate_num, (int)recipe->rate_den};
}

int64_t origin_step_end_us(const struct origin_recipe *recipe)
{
    return origin_rate_time_us(origin_step_rate(recipe), (int64_t)recipe->n_places);
}

int origin_step_open(const struct origin_step_options *options, struct origin_source **ret_source,
                     struct fb_diag *diag)
{
    const struct origin_recipe *recipe = options->recipe;
    struct origin_source_hooks hooks = {options->hooks.ctx, options->hooks.is_canceled};
    struct origin_source *source = NULL;
    enum origin_scan scan = ORIGIN_SCAN_FLAGGED;

    origin_av_log_open();
    int err = origin_scan_parse(fb_str_from(recipe->scan), &scan);
    if (err < 0) {
        return fb_diag_set(diag, err, "the recipe tells of fields that nobody knows");
    }
    err = origin_source_open(options->source_path, &hooks, &source, diag);
    if (err < 0) {
        return err;
    }
    bool is_same = source->n_bytes == recipe->source_bytes && source->zero_us == recipe->zero_us &&
                   source->width == recipe->width && source->height == recipe->height;
    if (!is_same) {
        origin_source_close(source);
        return fb_diag_set(diag, FB_E_CONFLICT, "the file is not the one that was prepared");
    }
    source->scan = scan;
    source->rate = origin_step_rate(recipe);
    *ret_source = source;
    return FB_OK;
}

struct origin_storyboard_options origin_step_storyboard(const struct origin_recipe *recipe)
{
    return (struct origin_storyboard_options){
        .width = recipe->rungs[0].width,
        .height = recipe->rungs[0].height,
        .duration_ms = recipe->duration_ms,
        .segment_ms = recipe->request.segment_ms,
        .sheet_ms = recipe->sheet_ms,
        .has_sheets = recipe->request.storyboard,
        .poster_sheet = recipe->poster_sheet,
    };
}

void origin_step_track_path(const struct origin_recipe_rung *rung,
                            char ret_path[ORIGIN_TRACK_PATH_MAX])
{
    bool is_plain = rung->codec == ORIGIN_RECIPE_H264;
    (void)snprintf(ret_path, ORIGIN_TRACK_PATH_MAX, "v/%up%s%s", rung->rung, is_plain ? "" : "-",
                   is_plain ? "" : origin_recipe_codec_text(rung->codec));
}
