#include "edge/replay/command.h"

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/json/json.h"
#include "edge/config/config.h"
#include "edge/replay/options.h"
#include "edge/replay/replay.h"
#include "edge/replay/report.h"

#include <stdio.h>

enum { EXIT_DONE = 0, EXIT_BROKE = 1, EXIT_WRONG_USE = 2 };

static int command_complain(const struct fb_diag *diag, int exit_code)
{
    (void)fprintf(stderr, "forebay-edge replay: %s\n", diag->text);
    return exit_code;
}

static int command_print(const struct fb_buf *buf)
{
    return fwrite(buf->ptr, 1, buf->len, stdout) == buf->len && fflush(stdout) == 0 ? EXIT_DONE
                                                                                    : EXIT_BROKE;
}

static int command_run_trace(const struct edge_replay_args *args, const struct edge_conf *conf,
                             const char *path, struct fb_json *json,
                             struct edge_replay_result *ret_result, struct fb_diag *diag)
{
    FB_AUTO(edge_trace_freep) struct edge_trace *trace = NULL;

    int err = edge_trace_load(path, &trace, diag);
    if (err < 0) {
        return err;
    }
    struct edge_replay_options options = {
        .eviction = (enum edge_policy_kind)conf->store.eviction,
        .memory_bytes = args->memory.is_set ? edge_replay_size_of(&args->memory, trace->footprint)
                                            : conf->store.memory,
    };
    edge_replay_run(trace, &options, ret_result);
    edge_replay_report(json, path, trace, ret_result, options.tier != NULL);
    return FB_OK;
}

static int command_run(const struct edge_replay_args *args, const struct edge_conf *conf)
{
    struct fb_diag diag = {0};
    FB_AUTO(fb_json_freep) struct fb_json *json = fb_json_new_object();
    FB_AUTO(fb_freep)
    struct edge_replay_result *results = fb_alloc_array(args->n_paths, sizeof(*results));
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    struct fb_json *traces = fb_json_set_array(json, "traces");
    for (size_t i = 0; i < args->n_paths; i++) {
        int err = command_run_trace(args, conf, args->paths[i], fb_json_add_object(traces),
                                    &results[i], &diag);
        if (err < 0) {
            return command_complain(&diag, EXIT_BROKE);
        }
    }
    edge_replay_report_mean(fb_json_set_object(json, "mean"), results, args->n_paths, false);
    fb_json_dump(json, &text);
    fb_buf_append_byte(&text, '\n');
    return command_print(&text);
}

int edge_replay_main(int argc, char **argv)
{
    struct fb_diag diag = {0};
    struct edge_replay_args args;
    struct edge_conf conf;

    if (edge_replay_args_parse(argc, argv, &args, &diag) < 0) {
        return command_complain(&diag, EXIT_WRONG_USE);
    }
    if (args.wants_help) {
        FB_AUTO(fb_buf_done) struct fb_buf text = {0};
        edge_replay_help(&text);
        return command_print(&text);
    }
    if (fb_conf_load(&edge_conf_section, args.config_path, &conf, &diag) < 0) {
        return command_complain(&diag, EXIT_WRONG_USE);
    }
    int exit_code = command_run(&args, &conf);
    fb_conf_done(&edge_conf_section, &conf);
    return exit_code;
}
