/*
 * The arguments of `forebay-edge replay`.
 *
 * Ownership  Views and paths borrow from argv.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/diag.h"
#include "base/core/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* "8GiB", or "1%" or "0.01" of a trace's footprint. */
struct edge_replay_size {
    bool is_set;
    bool is_share;
    uint64_t n_bytes;    /* if not a share */
    uint64_t millionths; /* if a share */
};

struct edge_replay_args {
    bool wants_help;
    const char *config_path;
    struct edge_replay_size memory;
    struct edge_replay_size volumes;
    struct edge_replay_size daily; /* may be written to the volumes */
    char *const *paths;            /* of the traces */
    size_t n_paths;
};

/* `argv[0]` is "replay". Options come before the traces. */
FB_MUST_CHECK int edge_replay_args_parse(int argc, char **argv, struct edge_replay_args *ret_args,
                                         struct fb_diag *diag);

FB_MUST_CHECK int edge_replay_size_parse(struct fb_str text, struct edge_replay_size *ret_size,
                                         struct fb_diag *diag);

/* In bytes, of this footprint. */
uint64_t edge_replay_size_of(const struct edge_replay_size *size, uint64_t footprint);

/* Appends the manual page. */
void edge_replay_help(struct fb_buf *buf);
