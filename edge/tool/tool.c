#include "edge/tool/tool.h"

#include "base/core/err.h"
#include "base/log/log.h"
#include "edge/tool/tool_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

int edge_tool_complain(const struct tool_args *args, const struct fb_diag *diag, int exit_code)
{
    (void)fprintf(stderr, "forebay-edge store %s: %s\n", edge_tool_verb_name(args->verb),
                  diag->text);
    return exit_code;
}

int edge_tool_print(const struct fb_buf *text)
{
    bool is_done = fwrite(text->ptr, 1, text->len, stdout) == text->len && fflush(stdout) == 0;

    return is_done ? TOOL_EXIT_DONE : TOOL_EXIT_FAILED;
}

const char *edge_tool_size(uint64_t n_bytes, char text[TOOL_SIZE_MAX])
{
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
    double size = (double)n_bytes / 1024;
    size_t unit = 0;

    if (n_bytes < 1024) {
        (void)snprintf(text, TOOL_SIZE_MAX, "%" PRIu64 " B", n_bytes);
        return text;
    }
    while (size >= 1024 && unit + 1 < FB_ARRAY_LEN(units)) {
        size /= 1024;
        unit++;
    }
    (void)snprintf(text, TOOL_SIZE_MAX, "%.1f %s", size, units[unit]);
    return text;
}

static int tool_help(enum tool_verb verb)
{
    FB_AUTO(fb_buf_done) struct fb_buf page = {0};

    edge_tool_manual(&page, verb);
    return edge_tool_print(&page);
}

static int tool_run(const struct tool_args *args)
{
    switch (args->verb) {
    case TOOL_INSPECT:
        return edge_tool_inspect(args);
    case TOOL_VERIFY:
        return edge_tool_verify(args);
    case TOOL_FORMAT:
        return edge_tool_format(args);
    case TOOL_BENCH:
        return edge_tool_bench(args);
    case TOOL_VERBS:
        break;
    }
    return TOOL_EXIT_USAGE;
}

int edge_store_tool_main(int argc, char **argv)
{
    struct fb_str name = fb_str_from(argc > 1 ? argv[1] : NULL);
    struct fb_diag diag = {0};
    struct tool_args args = {0};

    fb_log_open(STDERR_FILENO, FB_LOG_FORMAT_TEXT, FB_LOG_WARN);
    if (fb_str_equal(name, FB_STR("--help"))) {
        return tool_help(TOOL_VERBS);
    }
    for (size_t i = 0; i < TOOL_VERBS; i++) {
        enum tool_verb verb = (enum tool_verb)i;
        if (!fb_str_equal(name, fb_str_from(edge_tool_verb_name(verb)))) {
            continue;
        }
        args.verb = verb;
        if (edge_tool_args_parse(argc - 1, argv + 1, verb, &args, &diag) < 0) {
            return edge_tool_complain(&args, &diag, TOOL_EXIT_USAGE);
        }
        return args.wants_help ? tool_help(verb) : tool_run(&args);
    }
    if (name.len == 0) {
        (void)fputs("forebay-edge store: the verb is missing (--help lists all)\n", stderr);
        return TOOL_EXIT_USAGE;
    }
    (void)fprintf(stderr,
                  "forebay-edge store: '%.*s' is none of inspect, verify, format and bench "
                  "(--help tells more)\n",
                  FB_STR_ARG(name));
    return TOOL_EXIT_USAGE;
}
