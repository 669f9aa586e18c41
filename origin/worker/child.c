/*
 * A task in a child of its own.
 */
#include "base/core/buf.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/str.h"
#include "origin/worker/worker_internal.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATH_LEN = 1024 };

/* A child while it runs. */
struct child {
    const struct origin_child_options *options;
    struct origin_word word; /* its last */
    bool is_done;            /* that was the end */
};

static void child_on_line(void *ctx, struct fb_str line)
{
    struct child *child = ctx;
    struct origin_word word;

    /* What is no word is a library's that talks to itself. */
    if (child->is_done || origin_word_parse(line, &word) < 0) {
        return;
    }
    child->word = word;
    child->is_done = word.is_end;
    if (!word.is_end && child->options->progress != NULL) {
        child->options->progress(child->options->ctx, word.permille);
    }
}

static bool child_is_canceled(void *ctx)
{
    const struct child *child = ctx;
    const struct origin_child_options *options = child->options;

    return options->is_canceled != NULL && options->is_canceled(options->ctx);
}

static struct origin_confine_limits child_limits(const struct origin_task_limits *limits)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);

    return (struct origin_confine_limits){
        .memory_bytes = limits->memory,
        .wall_ms = limits->seconds * 1000ULL,
        .cpu_ms = limits->seconds * 1000ULL * (uint64_t)FB_MAX(cores, 1),
        .file_bytes = limits->bytes,
        .output_bytes = limits->bytes,
    };
}

/* What the child said counts, unless it was ended for something else. */
static int child_judge(const struct child *child, const struct origin_confine_end *end,
                       struct origin_trouble *trouble)
{
    const struct origin_child_options *options = child->options;

    if (end->cause == ORIGIN_ENDED_CANCELED) {
        return FB_E_CANCELED;
    }
    origin_trouble_of_end(end, trouble);
    if (end->cause != ORIGIN_ENDED_EXIT || end->code != 0 || !child->is_done) {
        return FB_E_FOREIGN;
    }
    if (child->word.err != FB_OK) {
        origin_trouble_of_word(options->order->kind, &child->word, trouble);
    }
    return child->word.err;
}

int origin_child_run(const struct origin_child_options *options, struct origin_confine_end *ret_end,
                     struct origin_trouble *trouble)
{
    struct child child = {.options = options};
    const struct origin_order *order = options->order;
    FB_AUTO(fb_buf_done) struct fb_buf input = {0};
    struct fb_diag diag = {0};
    struct origin_confine_options confine = {
        .program = options->program,
        .output = order->output.ptr,
        .limits = child_limits(&options->limits),
        .is_background = options->is_background,
        .clock = options->clock,
        .ctx = &child,
        .line = child_on_line,
        .is_canceled = child_is_canceled,
    };
    size_t n = 0;

    if (order->source.len > 0) {
        confine.readable[n++] = order->source.ptr;
    }
    if (order->inputs.len > 0) {
        confine.readable[n++] = order->inputs.ptr;
    }
    *trouble = (struct origin_trouble){.is_passing = false};
    *ret_end = (struct origin_confine_end){.code = 0};
    origin_order_dump(&input, order);
    confine.input = fb_buf_str(&input);
    int err = origin_confine_run(&confine, ret_end, &diag);
    explicit_bzero(input.ptr, input.len); /* the key is in it */
    if (err < 0) {
        origin_trouble_of_worker(ORIGIN_REASON_INTERNAL, err, diag.text, trouble);
        return err;
    }
    return child_judge(&child, ret_end, trouble);
}

void origin_child_program(struct fb_buf *path)
{
    char self[PATH_LEN];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self));

    while (n > 0 && self[n - 1] != '/') {
        n--;
    }
    fb_buf_append(path, (struct fb_str){self, n > 0 ? (size_t)n : 0});
    fb_buf_append(path, FB_STR("forebay-transcode"));
}
