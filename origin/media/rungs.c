#include "origin/media/rungs.h"

#include "base/core/err.h"
#include "origin/media/codec.h"
#include "origin/media/complexity.h"
#include "origin/media/ladder.h"
#include "origin/media/probe.h"
#include "origin/model/recipe.h"

/* The encoders of HEVC and AV1 take no smaller pictures. */
enum { RUNGS_MIN_SIDE = 64 };

static unsigned rungs_share(enum origin_recipe_codec codec)
{
    switch (codec) {
    case ORIGIN_RECIPE_HEVC:
        return 70;
    case ORIGIN_RECIPE_AV1:
        return 60;
    case ORIGIN_RECIPE_H264:
    case ORIGIN_RECIPE_N_CODECS:
        break;
    }
    return 100;
}

static void rungs_add(struct origin_recipe *recipe, enum origin_recipe_codec codec,
                      const struct origin_rung *rungs, unsigned n_rungs)
{
    unsigned share = rungs_share(codec);
    bool has_passes = recipe->request.early_ready && n_rungs > 1;

    for (unsigned i = 0; i < n_rungs && recipe->n_rungs < ORIGIN_RECIPE_RUNGS_MAX; i++) {
        const struct origin_rung *rung = &rungs[i];
        bool is_h264 = codec == ORIGIN_RECIPE_H264;
        bool is_early = is_h264 && i + 1 == n_rungs;
        if (!is_h264 && FB_MIN(rung->width, rung->height) < RUNGS_MIN_SIDE) {
            continue;
        }
        recipe->rungs[recipe->n_rungs++] = (struct origin_recipe_rung){
            .codec = codec,
            .rung = rung->rung,
            .width = rung->width,
            .height = rung->height,
            .crf = origin_encoder_crf(codec, recipe->request.crf),
            .max_rate = (uint32_t)((uint64_t)rung->max_rate * share / 100),
            .buffer = (uint32_t)((uint64_t)rung->buffer * share / 100),
            .pass = !has_passes ? ORIGIN_PASS_ALL
                    : is_early  ? ORIGIN_PASS_EARLY
                                : ORIGIN_PASS_LATE,
        };
    }
}

int origin_rungs_choose(struct origin_source *source, struct origin_recipe *recipe,
                        struct fb_diag *diag)
{
    const struct origin_request *request = &recipe->request;
    struct origin_rung rungs[ORIGIN_TRANSCODE_MAX_RENDITIONS];
    unsigned n =
        origin_ladder(source->width, source->height, origin_ratio_value(source->rate), rungs);

    if (request->per_title && !request->is_degraded) {
        struct origin_complexity complexity = {.top_rate = 0.0};
        struct origin_complexity_options options = {
            .rungs = rungs,
            .n_rungs = n,
            .crf = origin_encoder_crf(ORIGIN_RECIPE_H264, request->crf),
            .preset = request->preset,
            .n_threads = recipe->n_threads,
        };
        int err = origin_complexity_measure(source, &options, &complexity, diag);
        if (err < 0) {
            return err;
        }
        n = origin_complexity_fit(&complexity, rungs, n);
    }
    recipe->n_rungs = 0;
    rungs_add(recipe, ORIGIN_RECIPE_H264, rungs, n);
    if (request->with_hevc && !request->is_degraded &&
        origin_encoder_is_there(ORIGIN_RECIPE_HEVC)) {
        rungs_add(recipe, ORIGIN_RECIPE_HEVC, rungs, n);
    }
    if (request->with_av1 && !request->is_degraded && origin_encoder_is_there(ORIGIN_RECIPE_AV1)) {
        rungs_add(recipe, ORIGIN_RECIPE_AV1, rungs, n);
    }
    return FB_OK;
}
