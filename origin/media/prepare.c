/*
 * PREPARE: a source becomes a recipe.
 */
#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "base/crypto/hash.h"
#include "base/sys/file.h"
#include "origin/media/codec.h"
#include "origin/media/reader.h"
#include "origin/media/rungs.h"
#include "origin/media/survey.h"

#include <libavfilter/avfilter.h>
#include <libswresample/swresample.h>
#include <libswscale/swscale.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { HASH_BYTES = 1 << 20, FIRST_PICTURE_MAX_PACKETS = 2000, POSTER_SHARE = 10 };

/* Counts up when our own code, with the same recipe, gives other bytes than before. */
#define PREPARE_OURS "steps 3"

struct prepare {
    const struct origin_prepare_options *options;
    struct origin_step_progress progress;
    struct origin_source *source; /* owned */
    struct origin_recipe recipe;  /* owned */
};

static void prepare_done(struct prepare *prepare)
{
    origin_source_close(prepare->source);
    origin_recipe_done(&prepare->recipe);
}

static bool prepare_is_canceled(const struct prepare *prepare)
{
    const struct origin_step_hooks *hooks = &prepare->options->hooks;
    return hooks->is_canceled != NULL && hooks->is_canceled(hooks->ctx);
}

/* ---- the file ---------------------------------------------------------- */

static int prepare_hash(struct prepare *prepare, struct fb_diag *diag)
{
    FB_AUTO(fb_fd_done) int fd = open(prepare->options->source_path, O_RDONLY | O_CLOEXEC);
    FB_AUTO(fb_sha256_done) struct fb_sha256 hash;
    FB_AUTO(fb_buf_done) struct fb_buf room = {0};
    char *bytes = fb_buf_reserve(&room, HASH_BYTES);

    fb_sha256_init(&hash);
    if (fd < 0) {
        int err = -errno;
        return fb_diag_set(diag, err, "open the file: %s", fb_err_text(err));
    }
    for (;;) {
        ssize_t n = read(fd, bytes, HASH_BYTES);
        if (n < 0 && errno != EINTR) {
            int err = -errno;
            return fb_diag_set(diag, err, "read the file: %s", fb_err_text(err));
        }
        if (prepare_is_canceled(prepare)) {
            return fb_diag_set(diag, FB_E_CANCELED, "canceled");
        }
        if (n == 0) {
            break;
        }
        fb_sha256_update(&hash, (struct fb_str){bytes, n > 0 ? (size_t)n : 0});
    }
    fb_sha256_finish(&hash, prepare->recipe.source_sha256);
    return FB_OK;
}

static int prepare_open(struct prepare *prepare, enum origin_scan scan, struct fb_diag *diag)
{
    struct origin_source_hooks hooks = {prepare->options->hooks.ctx,
                                        prepare->options->hooks.is_canceled};
    origin_source_close(prepare->source);
    prepare->source = NULL;
    int err = origin_source_open(prepare->options->source_path, &hooks, &prepare->source, diag);
    if (err == FB_OK) {
        prepare->source->scan = scan;
    }
    return err;
}

/* ---- the picture ------------------------------------------------------- */

/* FB_OK if some packet gives a frame. */
static int prepare_decode_one(struct prepare *prepare, struct origin_decoder *decoder,
                              struct fb_diag *diag)
{
    FB_AUTO(origin_av_packet_done) AVPacket *packet = origin_av_packet_new();
    FB_AUTO(origin_av_frame_done) AVFrame *frame = origin_av_frame_new();
    struct origin_reader reader = {.source = prepare->source};

    for (unsigned n = 0; n < FIRST_PICTURE_MAX_PACKETS;) {
        int err = origin_reader_next(&reader, packet, diag);
        bool is_end = err == FB_E_END;
        if (err < 0 && !is_end) {
            return err;
        }
        if (!is_end && packet->stream_index != prepare->source->video->index) {
            av_packet_unref(packet);
            continue;
        }
        n++;
        err = origin_decoder_send(decoder, is_end ? NULL : packet);
        av_packet_unref(packet);
        if (err == FB_OK) {
            err = origin_decoder_receive(decoder, frame);
        }
        if (err == FB_OK || is_end) {
            return err;
        }
        if (err != FB_E_LATER) {
            break;
        }
    }
    return FB_E_CORRUPT;
}

/* A file without a single picture is told so before anything else is done. */
static int prepare_find_picture(struct prepare *prepare, struct fb_diag *diag)
{
    struct origin_decoder *decoder = NULL;
    int err = origin_decoder_new(prepare->source->video, 1, &decoder, diag);
    if (err < 0) {
        return err;
    }
    err = prepare_decode_one(prepare, decoder, diag);
    origin_decoder_free(decoder);
    if (err < 0 && err != FB_E_CANCELED) {
        return fb_diag_set(diag, FB_E_CORRUPT, "the video has no picture that we can read");
    }
    return err;
}

/* ---- the recipe -------------------------------------------------------- */

static void prepare_describe(struct prepare *prepare)
{
    const struct origin_prepare_options *options = prepare->options;
    const struct origin_source *source = prepare->source;
    struct origin_recipe *recipe = &prepare->recipe;
    uint32_t segment_ms = options->request->segment_ms;

    recipe->request = *options->request;
    (void)snprintf(recipe->toolchain, sizeof(recipe->toolchain), "%s", origin_media_toolchain());
    recipe->n_threads = options->n_threads > 0 ? options->n_threads : ORIGIN_STEP_THREADS;
    if (options->key != NULL) {
        recipe->scheme = options->key->scheme;
        memcpy(recipe->key_id, options->key->id, sizeof(recipe->key_id));
    }
    recipe->source_bytes = source->n_bytes;
    recipe->width = source->width;
    recipe->height = source->height;
    recipe->has_audio = source->n_audios > 0;
    recipe->rate_num = (uint32_t)source->rate.num;
    recipe->rate_den = (uint32_t)source->rate.den;
    recipe->zero_us = source->zero_us;
    recipe->sheet_ms =
        FB_MAX(options->request->chunk_ms + segment_ms / 2, segment_ms) / segment_ms * segment_ms;
    (void)snprintf(recipe->scan, sizeof(recipe->scan), "%s", origin_scan_name(source->scan));
}

/* The smallest of H.264 comes first if it is wanted early. */
static void prepare_set_passes(struct origin_recipe *recipe)
{
    size_t smallest = 0;

    for (size_t i = 0; i < recipe->n_rungs; i++) {
        smallest = recipe->rungs[i].codec == ORIGIN_RECIPE_H264 ? i : smallest;
    }
    bool is_split = recipe->request.early_ready && recipe->n_rungs > 1;
    for (size_t i = 0; i < recipe->n_rungs; i++) {
        enum origin_task_pass pass = i == smallest ? ORIGIN_PASS_EARLY : ORIGIN_PASS_LATE;
        recipe->rungs[i].pass = is_split ? pass : ORIGIN_PASS_ALL;
    }
}

/* What the source is and what will be made of it, by its header and by looking at
 * some pictures. */
static int prepare_look(struct prepare *prepare, struct fb_diag *diag)
{
    enum origin_scan scan = ORIGIN_SCAN_FLAGGED;

    int err = prepare_open(prepare, scan, diag);
    if (err == FB_OK) {
        err = prepare_find_picture(prepare, diag);
    }
    if (err == FB_OK) {
        err = prepare_open(prepare, scan, diag);
    }
    if (err == FB_OK) {
        err = origin_scan_look(prepare->source, &scan, diag);
    }
    if (err == FB_OK) {
        err = prepare_open(prepare, scan, diag);
    }
    if (err == FB_OK) {
        prepare_describe(prepare);
        err = origin_rungs_choose(prepare->source, &prepare->recipe, diag);
    }
    if (err == FB_OK) {
        prepare_set_passes(&prepare->recipe);
        err = prepare_open(prepare, scan, diag); /* from its beginning */
    }
    return err;
}

const char *origin_media_toolchain(void)
{
    static const char toolchain[] =
        LIBAVCODEC_IDENT " " LIBAVFORMAT_IDENT " " LIBAVFILTER_IDENT " " LIBSWSCALE_IDENT
                         " " LIBSWRESAMPLE_IDENT " " PREPARE_OURS;
    return toolchain;
}

int origin_media_prepare(const struct origin_prepare_options *options,
                         struct origin_recipe *ret_recipe, struct fb_diag *diag)
{
    FB_AUTO(prepare_done)
    struct prepare prepare = {.options = options, .progress = {.hooks = &options->hooks}};

    origin_av_log_open();
    int err = prepare_look(&prepare, diag);
    if (err == FB_OK) {
        err = origin_survey(prepare.source, &prepare.recipe, &prepare.progress, diag);
    }
    if (err == FB_OK) {
        err = prepare_hash(&prepare, diag);
    }
    if (err < 0) {
        return err;
    }
    struct origin_recipe *recipe = &prepare.recipe;
    recipe->poster_sheet = (uint32_t)(recipe->duration_ms / POSTER_SHARE / recipe->sheet_ms);
    origin_step_report(&prepare.progress, 1, 1);
    *ret_recipe = *recipe;
    *recipe = (struct origin_recipe){.chunks = NULL};
    return FB_OK;
}
