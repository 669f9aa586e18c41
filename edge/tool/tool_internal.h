/*
 * What the verbs share: arguments, pages, and how they print.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/diag.h"
#include "base/core/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TOOL_EXIT_DONE = 0, TOOL_EXIT_FAILED = 1, TOOL_EXIT_USAGE = 2, TOOL_EXIT_UNREADABLE = 3 };

enum tool_verb { TOOL_INSPECT, TOOL_VERIFY, TOOL_FORMAT, TOOL_BENCH, TOOL_VERBS };

struct tool_args {
    enum tool_verb verb;
    bool wants_help;
    const char *path;
    bool json;
    bool has_zone;
    uint32_t zone;
    uint64_t rate; /* bytes per second; 0: as fast as it goes */
    bool quiet;
    const char *node;
    uint64_t size; /* 0: not given */
    bool force;
    bool keep;
    uint32_t seconds;      /* 0: not given */
    uint64_t object_bytes; /* 0: not given */
};

/* `argv[0]` is the verb's name. Views borrow from argv. */
FB_MUST_CHECK int edge_tool_args_parse(int argc, char **argv, enum tool_verb verb,
                                       struct tool_args *ret_args, struct fb_diag *diag);

/* Appends the options of a verb, for its page. */
void edge_tool_args_help(struct fb_buf *buf, enum tool_verb verb);

const char *edge_tool_verb_name(enum tool_verb verb);

/* Appends the page of a verb, or of all if TOOL_VERBS. */
void edge_tool_manual(struct fb_buf *buf, enum tool_verb verb);

/* The verbs. They print to standard output, and complain to standard error. */
int edge_tool_inspect(const struct tool_args *args);
int edge_tool_verify(const struct tool_args *args);
int edge_tool_format(const struct tool_args *args);
int edge_tool_bench(const struct tool_args *args);

/* "forebay-edge store VERB: sentence" to standard error; returns `exit_code`. */
int edge_tool_complain(const struct tool_args *args, const struct fb_diag *diag, int exit_code);

/* All of `text` to standard output; the exit code. */
int edge_tool_print(const struct fb_buf *text);

enum { TOOL_SIZE_MAX = 24 };

/* "1.5 GiB"; returns `text`. */
const char *edge_tool_size(uint64_t n_bytes, char text[TOOL_SIZE_MAX]);
