/*
 * transcode-cli: one origin_transcode() from the command line, for tests and
 * for the bench.
 *
 *     transcode-cli SOURCE OUTPUT_DIR [threads=N] [segment_ms=N] [preset=NAME]
 *                   [chunk_ms=N] [cancel_at=PERMILLE]
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
#include "origin/media/transcode.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct cli {
    struct origin_transcode_options options;
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

static void cli_print_result(struct fb_buf *out, const struct origin_transcode_result *result,
                             struct fb_str progress)
{
    fb_buf_printf(out,
                  "{\"duration_ms\":%" PRIu64 ",\"width\":%u,\"height\":%u,\"has_audio\":%s,"
                  "\"is_partial\":%s,\"n_chunks\":%u,\"progress\":[%.*s],\"renditions\":[",
                  result->duration_ms, result->width, result->height,
                  result->has_audio ? "true" : "false", result->is_partial ? "true" : "false",
                  result->n_chunks, FB_STR_ARG(progress));
    for (unsigned i = 0; i < result->n_renditions; i++) {
        const struct origin_rendition *one = &result->renditions[i];
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
    struct origin_transcode_result result = {0};
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
    int err = origin_transcode(&cli.options, &result, &diag);
    if (err < 0) {
        cli_print_failure(&out, &diag, err);
    } else {
        cli_print_result(&out, &result, fb_buf_str(&cli.progress));
    }
    fb_buf_done(&cli.progress);
    (void)fwrite(out.ptr, 1, out.len, stdout);
    return err < 0;
}
