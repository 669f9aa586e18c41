/*
 * forebay-transcode: does one task and ends. The child of a worker, by which it is confined and
 * told what to do (origin/model/order.h); it handles strangers' bytes and knows nothing of
 * origins, leases or stores.
 */
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/json/json.h"
#include "base/sys/file.h"
#include "origin/confine/confine.h"
#include "origin/media/steps.h"
#include "origin/model/order.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    MODE_FOLDER = 0700,
    MODE_FILE = 0600,
    READ_BYTES = 65536,
    PATH_LEN = ORIGIN_ORDER_PATH_MAX + 32,
    EXIT_USAGE = 2
};

/* A task under way. */
struct errand {
    struct origin_order order; /* owned */
    struct origin_request request;
    struct origin_recipe recipe; /* owned */
    char media[PATH_LEN];
    struct fb_buf told; /* owned; becomes told.json */
    uint32_t permille;
    struct fb_diag diag;
};

static void say(const struct origin_word *word)
{
    FB_AUTO(fb_buf_done) struct fb_buf line = {0};

    origin_word_dump(&line, word);
    /* A worker that does not listen has ended, and this process with it. */
    FB_IGNORE(fb_fd_write(STDOUT_FILENO, fb_buf_str(&line)));
}

static void errand_on_progress(void *ctx, unsigned permille)
{
    struct errand *errand = ctx;

    if (permille > errand->permille && permille <= 1000) {
        errand->permille = permille;
        say(&(struct origin_word){.permille = permille});
    }
}

static struct origin_step_hooks errand_hooks(struct errand *errand)
{
    return (struct origin_step_hooks){.ctx = errand, .progress = errand_on_progress};
}

static const struct origin_content_key *errand_key(const struct errand *errand)
{
    return errand->order.key.scheme != ORIGIN_SCHEME_CLEAR ? &errand->order.key : NULL;
}

/* ---- kinds of tasks ---------------------------------------------------------------- */

static int errand_prepare(struct errand *errand)
{
    int err = origin_media_prepare(
        &(struct origin_prepare_options){
            .source_path = errand->order.source.ptr,
            .request = &errand->request,
            .n_threads = errand->order.n_threads,
            .key = errand_key(errand),
            .hooks = errand_hooks(errand),
        },
        &errand->recipe, &errand->diag);
    if (err == FB_OK) {
        origin_recipe_dump(&errand->told, &errand->recipe);
    }
    return err;
}

/* Local copies of the subtitles that were uploaded beside the video. */
struct errand_texts {
    char paths[ORIGIN_SUBTITLES_MAX][PATH_LEN];
    const char *list[ORIGIN_SUBTITLES_MAX];
};

static int errand_texts(const struct errand *errand, struct errand_texts *texts)
{
    uint32_t n = errand->recipe.request.n_subtitles;

    if (errand->order.n_inputs != n) {
        return FB_E_CONFLICT;
    }
    for (uint32_t i = 0; i < n; i++) {
        (void)snprintf(texts->paths[i], PATH_LEN, "%.*s/%u", FB_STR_ARG(errand->order.inputs), i);
        texts->list[i] = texts->paths[i];
    }
    return FB_OK;
}

static int errand_encode(struct errand *errand)
{
    FB_AUTO(origin_part_done) struct origin_part part = {.tracks = NULL};
    FB_AUTO(fb_freep) struct errand_texts *texts = FB_NEW(struct errand_texts);
    const struct origin_order *order = &errand->order;
    bool is_sound = order->kind == ORIGIN_TASK_SOUND;
    const struct origin_step_options options = {
        .recipe = &errand->recipe,
        .source_path = order->source.ptr,
        .output_dir = errand->media,
        .index = order->index,
        .pass = (unsigned)order->pass,
        .key = errand_key(errand),
        .subtitle_paths = is_sound && order->n_inputs > 0 ? texts->list : NULL,
        .hooks = errand_hooks(errand),
    };

    int err = is_sound ? errand_texts(errand, texts) : FB_OK;
    if (err == FB_OK) {
        err = is_sound ? origin_media_sound(&options, &part, &errand->diag)
                       : origin_media_chunk(&options, &part, &errand->diag);
    }
    if (err == FB_OK) {
        origin_part_dump(&errand->told, &part);
    }
    return err;
}

static int errand_read_part(struct errand *errand, uint32_t i, struct origin_part *ret_part)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    char path[PATH_LEN];

    (void)snprintf(path, sizeof(path), "%.*s/%u", FB_STR_ARG(errand->order.inputs), i);
    int err = fb_file_read(AT_FDCWD, path, ORIGIN_PART_JSON_MAX, &text, &errand->diag);
    return err < 0 ? err : origin_part_parse(fb_buf_str(&text), ret_part, &errand->diag);
}

static int errand_finish(struct errand *errand)
{
    FB_AUTO(origin_result_done) struct origin_result result = {.files = NULL};
    FB_AUTO(fb_json_freep) struct fb_json *root = NULL;
    uint32_t n = errand->order.n_inputs;
    uint32_t n_read = 0;
    struct origin_part *parts = fb_alloc_array(n, sizeof(*parts));
    int err = FB_OK;

    for (; n_read < n && err == FB_OK; n_read += err == FB_OK ? 1 : 0) {
        err = errand_read_part(errand, n_read, &parts[n_read]);
    }
    if (err == FB_OK) {
        err = origin_media_finish(
            &(struct origin_finish_options){
                .recipe = &errand->recipe,
                .parts = parts,
                .n_parts = n,
                .pass = (unsigned)errand->order.pass,
                .output_dir = errand->media,
                .key = errand_key(errand),
            },
            &result, &errand->diag);
    }
    for (uint32_t i = 0; i < n_read; i++) {
        origin_part_done(&parts[i]);
    }
    fb_free(parts);
    if (err == FB_OK) {
        root = fb_json_new_object();
        origin_result_store(root, &result);
        fb_json_dump(root, &errand->told);
    }
    return err;
}

/* Not by a name such as /dev/stdin: there is no file of it that might be opened. */
static int read_input(struct fb_buf *ret_text)
{
    ssize_t n = 1;

    while (n != 0) {
        char *to = fb_buf_reserve(ret_text, READ_BYTES);
        n = read(STDIN_FILENO, to, READ_BYTES);
        if (n < 0 && errno != EINTR) {
            return -errno;
        }
        fb_buf_add(ret_text, n > 0 ? (size_t)n : 0);
        if (ret_text->len > ORIGIN_ORDER_MAX) {
            return FB_E_LIMIT;
        }
    }
    return FB_OK;
}

/* ---- from order to end --------------------------------------------------------------- */

static int errand_read(struct errand *errand)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    FB_AUTO(fb_json_freep) struct fb_json *request = NULL;
    struct origin_order *order = &errand->order;

    int err = read_input(&text);
    if (err < 0 || (err = origin_order_parse(fb_buf_str(&text), order, &errand->diag)) < 0 ||
        order->is_about) {
        return err;
    }
    err = fb_json_parse(order->request, ORIGIN_REQUEST_MAX, &request, &errand->diag);
    if (err < 0 || (err = origin_request_load(request, &errand->request, &errand->diag)) < 0) {
        return err;
    }
    return order->kind == ORIGIN_TASK_PREPARE
               ? FB_OK
               : origin_recipe_parse(order->recipe, &errand->recipe, &errand->diag);
}

static int errand_do(struct errand *errand)
{
    const struct origin_order *order = &errand->order;

    if (order->is_about) {
        fb_buf_append(&errand->told, fb_str_from(origin_media_toolchain()));
        return FB_OK;
    }
    (void)snprintf(errand->media, sizeof(errand->media), "%.*s/" ORIGIN_ORDER_MEDIA,
                   FB_STR_ARG(order->output));
    int err = fb_dir_make(AT_FDCWD, errand->media, MODE_FOLDER);
    if (err < 0) {
        return err;
    }
    switch (order->kind) {
    case ORIGIN_TASK_PREPARE:
        return errand_prepare(errand);
    case ORIGIN_TASK_CHUNK:
    case ORIGIN_TASK_SOUND:
        return errand_encode(errand);
    case ORIGIN_TASK_FINISH:
        return errand_finish(errand);
    case ORIGIN_TASK_N_KINDS:
        break;
    }
    return FB_E_UNSUPPORTED;
}

static int errand_tell(struct errand *errand)
{
    char path[PATH_LEN];

    (void)snprintf(path, sizeof(path), "%.*s/" ORIGIN_ORDER_TOLD, FB_STR_ARG(errand->order.output));
    FB_AUTO(fb_fd_done) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, MODE_FILE);
    return fd < 0 ? -errno : fb_fd_write(fd, fb_buf_str(&errand->told));
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        (void)fprintf(stderr, "%s: does one task, as its worker tells it; start forebay-worker\n",
                      argv[0]);
        return EXIT_USAGE;
    }
    struct errand *errand = FB_NEW(struct errand); /* too large for a stack */
    struct origin_word end = {.is_end = true};

    end.err = origin_confine_settle();
    if (end.err == FB_OK && (end.err = errand_read(errand)) == FB_OK &&
        (end.err = errand_do(errand)) == FB_OK) {
        end.err = errand_tell(errand);
    }
    (void)snprintf(end.text, sizeof(end.text), "%s", errand->diag.text);
    say(&end);
    fb_buf_done(&errand->told);
    origin_recipe_done(&errand->recipe);
    origin_order_done(&errand->order);
    fb_free(errand);
    return 0;
}
