/*
 * cenc-cli: common encryption from the command line, for tests.
 *
 *     cenc-cli SCHEME KID KEY TRACK SOURCE TARGET
 *
 * SOURCE is a clear fragmented MP4 of one track, whole in one file; TARGET the same, encrypted.
 * Prints the segments' number, or ends with 1 and a sentence.
 */
#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/sys/file.h"
#include "origin/media/boxes.h"
#include "origin/media/cenc.h"

#include <fcntl.h>
#include <stdio.h>

enum { SOURCE_MAX = 1 << 28, N_ARGUMENTS = 7 };

struct cli {
    struct origin_content_key key;
    uint64_t track;
    struct fb_buf source;
    struct fb_buf target;
    uint32_t n_segments;
    struct origin_cenc *cenc;
};

static int cli_read(struct cli *cli, char **argv, struct fb_diag *diag)
{
    int err = origin_scheme_parse(fb_str_from(argv[1]), &cli->key.scheme);
    err = err < 0 ? err : fb_text_unhex(fb_str_from(argv[2]), cli->key.id, sizeof(cli->key.id));
    err = err < 0 ? err : fb_text_unhex(fb_str_from(argv[3]), cli->key.key, sizeof(cli->key.key));
    err = err < 0 ? err : fb_str_to_u64(fb_str_from(argv[4]), &cli->track);
    err = err < 0 ? err : fb_file_read_path(argv[5], SOURCE_MAX, &cli->source, NULL);
    return err < 0 ? fb_diag_set(diag, err, "read arguments: %s", fb_err_text(err)) : FB_OK;
}

static int cli_init(struct cli *cli, struct fb_str clear, struct fb_diag *diag)
{
    FB_AUTO(fb_buf_done) struct fb_buf pssh = {0};

    origin_cenc_pssh(&pssh, cli->key.id);
    return origin_cenc_new(&(struct origin_cenc_options){.key = &cli->key,
                                                         .track = (unsigned)cli->track,
                                                         .pssh = fb_buf_str(&pssh)},
                           clear, &cli->target, &cli->cenc, diag);
}

/* Boxes of one kind or another up to moov are the init segment, up to each mdat a segment. */
static int cli_encrypt(struct cli *cli, struct fb_diag *diag)
{
    struct fb_str rest = fb_buf_str(&cli->source);
    struct fb_str begin = rest;
    int err = FB_OK;

    while (err == FB_OK && rest.len > 0) {
        struct origin_box box;
        size_t moved = 0;
        err = origin_box_next(&rest, &box);
        if (err < 0) {
            return fb_diag_set(diag, err, "read boxes: %s", fb_err_text(err));
        }
        struct fb_str part = fb_str_first(begin, begin.len - rest.len);
        if (origin_box_is(&box, "moov")) {
            err = cli_init(cli, part, diag);
        } else if (origin_box_is(&box, "mdat")) {
            err = origin_cenc_fragment(cli->cenc, ++cli->n_segments, part, &cli->target, &moved,
                                       diag);
        } else {
            continue;
        }
        begin = rest;
    }
    return err;
}

int main(int argc, char **argv)
{
    struct cli cli = {.cenc = NULL};
    struct fb_diag diag = {0};

    if (argc != N_ARGUMENTS) {
        (void)fprintf(stderr, "usage: cenc-cli SCHEME KID KEY TRACK SOURCE TARGET\n");
        return 2;
    }
    int err = cli_read(&cli, argv, &diag);
    err = err < 0 ? err : cli_encrypt(&cli, &diag);
    if (err == FB_OK) {
        err = fb_file_write(AT_FDCWD, argv[6], fb_buf_str(&cli.target), 0644, NULL);
    }
    if (err < 0) {
        (void)printf("%s\n", diag.text);
    } else {
        (void)printf("%u\n", cli.n_segments);
    }
    origin_cenc_free(cli.cenc);
    fb_buf_done(&cli.source);
    fb_buf_done(&cli.target);
    return err < 0;
}
