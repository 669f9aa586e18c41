/*
 * transcode-cli: all steps of a transcode in order over one folder, from the command
 * line, for tests.
 *
 *     transcode-cli SOURCE OUTPUT_DIR [threads=N] [segment_ms=N] [preset=NAME]
 *                   [chunk_ms=N] [hevc=1] [av1=1] [per_title=1] [loudness=1] [surround=1]
 *                   [cancel_at=PERMILLE]
 *
 * Prints the result as one JSON object, with "progress" as the list of values
 * reported. On failure prints {"err": name, "text": sentence} and ends with 1.
 */
#include "base/core/alloc.h"
#include "base/core/buf.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/log/log.h"
#include "origin/media/steps.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct transcode_options {
    const char *source_path;
    const char *output_dir;
    unsigned n_threads;
    unsigned segment_ms; /* 0: the preset's, as for the next two */
    unsigned chunk_ms;
    const char *preset; /* of x264 */
    bool with_hevc;     /* these five as in struct origin_request */
    bool with_av1;
    bool per_title;
    bool loudness;
    bool keeps_surround; /* no downmix */
    void *ctx;
    void (*progress)(void *ctx, unsigned permille);
    bool (*is_canceled)(void *ctx);
};

struct transcode_rendition {
    unsigned rung;
    unsigned width;
    unsigned height;
    uint64_t bandwidth;
    char codecs[ORIGIN_TRANSCODE_CODECS_MAX];
    double frame_rate;
};

struct transcode_result {
    uint64_t duration_ms;
    unsigned width;
    unsigned height;
    bool has_audio;
    bool is_partial;
    unsigned n_chunks;
    unsigned n_renditions;
    struct transcode_rendition renditions[ORIGIN_RENDITIONS_MAX];
};

/* ---- the steps in order ------------------------------------------------ */

enum { SHARE_PREPARE = 30, SHARE_CHUNKS = 930, SHARE_SOUND = 35, PERMILLE = 1000 };

struct transcode {
    const struct transcode_options *options;
    struct fb_diag *diag;
    struct origin_request request;
    struct origin_recipe recipe;
    struct origin_part *parts; /* owned; chunks, then sound */
    size_t n_parts;
    unsigned permille;
    unsigned from; /* the share of the step that runs */
    unsigned share;
};

static void transcode_freep(struct transcode **slot)
{
    struct transcode *t = *slot;
    for (size_t i = 0; i < t->n_parts; i++) {
        origin_part_done(&t->parts[i]);
    }
    fb_free(t->parts);
    origin_recipe_done(&t->recipe);
    fb_free(t);
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
    transcode_report(t, t->from + t->share * permille / PERMILLE);
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
                               struct transcode_result *result)
{
    *result = (struct transcode_result){
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
    for (size_t i = 0; i < from->n_renditions && i < ORIGIN_RENDITIONS_MAX; i++) {
        struct transcode_rendition *rendition = &result->renditions[result->n_renditions++];
        rendition->rung = t->recipe.rungs[i].rung;
        rendition->width = from->renditions[i].width;
        rendition->height = from->renditions[i].height;
        rendition->bandwidth = from->renditions[i].bandwidth;
        rendition->frame_rate = (double)t->recipe.rate_num / t->recipe.rate_den;
        (void)snprintf(rendition->codecs, sizeof(rendition->codecs), "%.*s",
                       ORIGIN_TRANSCODE_CODECS_MAX - 1, from->renditions[i].codecs);
    }
}

static int transcode(const struct transcode_options *options, struct transcode_result *ret_result,
                     struct fb_diag *diag)
{
    FB_AUTO(transcode_freep) struct transcode *t = FB_NEW(struct transcode);
    FB_AUTO(origin_result_done) struct origin_result result = {.files = NULL};

    t->options = options;
    t->diag = diag;
    t->request = origin_request_preset();
    t->request.with_hevc = options->with_hevc;
    t->request.with_av1 = options->with_av1;
    t->request.per_title = options->per_title;
    t->request.loudness = options->loudness;
    t->request.downmix = !options->keeps_surround;
    if (options->preset != NULL) {
        (void)snprintf(t->request.preset, sizeof(t->request.preset), "%s", options->preset);
    }
    if (options->segment_ms > 0) {
        t->request.segment_ms = options->segment_ms;
    }
    if (options->chunk_ms > 0) {
        t->request.chunk_ms = options->chunk_ms;
    }
    int err = transcode_prepare(t);
    if (err == FB_OK) {
        err = transcode_parts(t);
    }
    if (err == FB_OK) {
        struct origin_finish_options finish = {
            .recipe = &t->recipe,
            .parts = t->parts,
            .n_parts = t->n_parts,
            .output_dir = options->output_dir,
        };
        err = origin_media_finish(&finish, &result, diag);
    }
    if (err == FB_OK) {
        transcode_describe(t, &result, ret_result);
        transcode_report(t, PERMILLE);
    }
    return err;
}

/* ---- the command line -------------------------------------------------- */

struct cli {
    struct transcode_options options;
    unsigned cancel_at; /* 0: never */
    unsigned permille;
    struct fb_buf progress;
};

static void cli_on_progress(void *ctx, unsigned permille)
{
    struct cli *cli = ctx;
    cli->permille = permille;
    fb_buf_printf(&cli->progress, "%s%u", cli->progress.len > 0 ? "," : "", permille);
}

static bool cli_is_canceled(void *ctx)
{
    const struct cli *cli = ctx;
    return cli->cancel_at > 0 && cli->permille >= cli->cancel_at;
}

static int cli_read_option(struct cli *cli, const char *argument)
{
    struct fb_str value = fb_str_from(argument);
    struct fb_str key = FB_STR_NONE;
    uint64_t number = 0;

    if (!fb_str_cut(&value, '=', &key)) {
        return FB_E_MALFORMED;
    }
    if (fb_str_equal(key, FB_STR("preset"))) {
        cli->options.preset = value.ptr;
        return FB_OK;
    }
    int err = fb_str_to_u64(value, &number);
    if (err < 0 || number > UINT32_MAX) {
        return FB_E_MALFORMED;
    }
    if (fb_str_equal(key, FB_STR("threads"))) {
        cli->options.n_threads = (unsigned)number;
    } else if (fb_str_equal(key, FB_STR("segment_ms"))) {
        cli->options.segment_ms = (unsigned)number;
    } else if (fb_str_equal(key, FB_STR("chunk_ms"))) {
        cli->options.chunk_ms = (unsigned)number;
    } else if (fb_str_equal(key, FB_STR("hevc"))) {
        cli->options.with_hevc = number > 0;
    } else if (fb_str_equal(key, FB_STR("av1"))) {
        cli->options.with_av1 = number > 0;
    } else if (fb_str_equal(key, FB_STR("per_title"))) {
        cli->options.per_title = number > 0;
    } else if (fb_str_equal(key, FB_STR("loudness"))) {
        cli->options.loudness = number > 0;
    } else if (fb_str_equal(key, FB_STR("surround"))) {
        cli->options.keeps_surround = number > 0;
    } else if (fb_str_equal(key, FB_STR("cancel_at"))) {
        cli->cancel_at = (unsigned)number;
    } else {
        return FB_E_MALFORMED;
    }
    return FB_OK;
}

static void cli_print_failure(struct fb_buf *out, const struct fb_diag *diag, int err)
{
    fb_buf_printf(out, "{\"err\":\"%s\",\"text\":", fb_err_name(err));
    fb_text_json_string(out, fb_str_from(diag->text));
    fb_buf_append(out, FB_STR("}\n"));
}

static void cli_print_result(struct fb_buf *out, const struct transcode_result *result,
                             struct fb_str progress)
{
    fb_buf_printf(out,
                  "{\"duration_ms\":%" PRIu64 ",\"width\":%u,\"height\":%u,\"has_audio\":%s,"
                  "\"is_partial\":%s,\"n_chunks\":%u,\"progress\":[%.*s],\"renditions\":[",
                  result->duration_ms, result->width, result->height,
                  result->has_audio ? "true" : "false", result->is_partial ? "true" : "false",
                  result->n_chunks, FB_STR_ARG(progress));
    for (unsigned i = 0; i < result->n_renditions; i++) {
        const struct transcode_rendition *one = &result->renditions[i];
        fb_buf_printf(out,
                      "%s{\"rung\":%u,\"width\":%u,\"height\":%u,\"bandwidth\":%" PRIu64
                      ",\"codecs\":\"%s\",\"frame_rate\":%.6f}",
                      i > 0 ? "," : "", one->rung, one->width, one->height, one->bandwidth,
                      one->codecs, one->frame_rate);
    }
    fb_buf_append(out, FB_STR("]}\n"));
}

int main(int argc, char **argv)
{
    struct cli cli = {0};
    struct transcode_result result = {0};
    struct fb_diag diag = {0};
    FB_AUTO(fb_buf_done) struct fb_buf out = {0};

    if (argc < 3) {
        (void)fprintf(stderr, "usage: transcode-cli SOURCE OUTPUT_DIR [key=value...]\n");
        return 2;
    }
    cli.options.source_path = argv[1];
    cli.options.output_dir = argv[2];
    cli.options.ctx = &cli;
    cli.options.progress = cli_on_progress;
    cli.options.is_canceled = cli_is_canceled;
    for (int i = 3; i < argc; i++) {
        if (cli_read_option(&cli, argv[i]) < 0) {
            (void)fprintf(stderr, "transcode-cli: what is '%s'?\n", argv[i]);
            return 2;
        }
    }
    if (getenv("TRANSCODE_DEBUG") != NULL) {
        fb_log_open(STDERR_FILENO, FB_LOG_FORMAT_TEXT, FB_LOG_DEBUG);
    }
    int err = transcode(&cli.options, &result, &diag);
    if (err < 0) {
        cli_print_failure(&out, &diag, err);
    } else {
        cli_print_result(&out, &result, fb_buf_str(&cli.progress));
    }
    fb_buf_done(&cli.progress);
    (void)fwrite(out.ptr, 1, out.len, stdout);
    return err < 0;
}
