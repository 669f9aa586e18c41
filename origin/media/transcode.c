#include "origin/media/transcode.h"

#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "origin/media/steps_internal.h"

#include <stdio.h>

enum { SHARE_PREPARE = 30, SHARE_CHUNKS = 930, SHARE_SOUND = 35 };

struct transcode {
    const struct origin_transcode_options *options;
    struct fb_diag *diag;
    struct origin_request request;
    struct origin_recipe recipe;
    struct origin_part *parts; /* owned; chunks, then sound */
    size_t n_parts;
    unsigned permille;
    unsigned from; /* the share of the step that runs */
    unsigned share;
};

static void transcode_done(struct transcode *t)
{
    for (size_t i = 0; i < t->n_parts; i++) {
        origin_part_done(&t->parts[i]);
    }
    fb_free(t->parts);
    origin_recipe_done(&t->recipe);
}

static void transcode_report(struct transcode *t, unsigned permille)
{
    if (permille > t->permille && t->options->progress != NULL) {
        t->permille = permille;
        t->options->progress(t->options->ctx, permille);
    }
}

static void transcode_on_progress(void *ctx, unsigned permille)
{
    struct transcode *t = ctx;
    transcode_report(t, t->from + t->share * permille / ORIGIN_STEP_PERMILLE);
}

static bool transcode_is_canceled(void *ctx)
{
    const struct transcode *t = ctx;
    return t->options->is_canceled != NULL && t->options->is_canceled(t->options->ctx);
}

static struct origin_step_hooks transcode_hooks(struct transcode *t)
{
    return (struct origin_step_hooks){t, transcode_on_progress, transcode_is_canceled};
}

static int transcode_prepare(struct transcode *t)
{
    t->share = SHARE_PREPARE;
    struct origin_prepare_options options = {
        .source_path = t->options->source_path,
        .request = &t->request,
        .n_threads = t->options->n_threads,
        .hooks = transcode_hooks(t),
    };
    return origin_media_prepare(&options, &t->recipe, t->diag);
}

static int transcode_parts(struct transcode *t)
{
    size_t n_chunks = t->recipe.n_chunks;
    struct origin_step_options options = {
        .recipe = &t->recipe,
        .source_path = t->options->source_path,
        .output_dir = t->options->output_dir,
        .hooks = transcode_hooks(t),
    };
    int err = FB_OK;

    t->parts = fb_alloc_array(n_chunks + 1, sizeof(*t->parts));
    for (size_t i = 0; err == FB_OK && i < n_chunks; i++) {
        t->from = SHARE_PREPARE + (unsigned)(SHARE_CHUNKS * i / n_chunks);
        t->share = (unsigned)(SHARE_CHUNKS / n_chunks);
        options.index = (unsigned)i;
        err = origin_media_chunk(&options, &t->parts[i], t->diag);
        t->n_parts += err == FB_OK ? 1 : 0;
    }
    if (err == FB_OK) {
        t->from = SHARE_PREPARE + SHARE_CHUNKS;
        t->share = SHARE_SOUND;
        options.index = 0;
        err = origin_media_sound(&options, &t->parts[n_chunks], t->diag);
        t->n_parts += err == FB_OK ? 1 : 0;
    }
    return err;
}

static void transcode_describe(const struct transcode *t, const struct origin_result *from,
                               struct origin_transcode_result *result)
{
    *result = (struct origin_transcode_result){
        .duration_ms = from->duration_ms,
        .width = from->width,
        .height = from->height,
        .has_audio = from->has_audio,
        .is_partial = t->recipe.is_partial,
        .n_chunks = (unsigned)t->recipe.n_chunks,
    };
    for (size_t i = 0; i < t->n_parts; i++) {
        result->is_partial = result->is_partial || t->parts[i].is_partial;
    }
    for (size_t i = 0; i < from->n_renditions && i < ORIGIN_TRANSCODE_MAX_RENDITIONS; i++) {
        struct origin_rendition *rendition = &result->renditions[result->n_renditions++];
        rendition->rung = t->recipe.rungs[i].rung;
        rendition->width = from->renditions[i].width;
        rendition->height = from->renditions[i].height;
        rendition->bandwidth = from->renditions[i].bandwidth;
        rendition->frame_rate = origin_ratio_value(origin_step_rate(&t->recipe));
        (void)snprintf(rendition->codecs, sizeof(rendition->codecs), "%.*s",
                       ORIGIN_TRANSCODE_CODECS_MAX - 1, from->renditions[i].codecs);
    }
}

int origin_transcode(const struct origin_transcode_options *options,
                     struct origin_transcode_result *ret_result, struct fb_diag *diag)
{
    FB_AUTO(transcode_done)
    struct transcode t = {.options = options, .diag = diag, .request = origin_request_preset()};
    FB_AUTO(origin_result_done) struct origin_result result = {.files = NULL};

    if (options->preset != NULL) {
        (void)snprintf(t.request.preset, sizeof(t.request.preset), "%s", options->preset);
    }
    if (options->segment_ms > 0) {
        t.request.segment_ms = options->segment_ms;
    }
    if (options->chunk_ms > 0) {
        t.request.chunk_ms = options->chunk_ms;
    }
    int err = transcode_prepare(&t);
    if (err == FB_OK) {
        err = transcode_parts(&t);
    }
    if (err == FB_OK) {
        struct origin_finish_options finish = {
            .recipe = &t.recipe,
            .parts = t.parts,
            .n_parts = t.n_parts,
            .output_dir = options->output_dir,
        };
        err = origin_media_finish(&finish, &result, diag);
    }
    if (err == FB_OK) {
        transcode_describe(&t, &result, ret_result);
        transcode_report(&t, ORIGIN_STEP_PERMILLE);
    }
    return err;
}
