#include "edge/replay/command.h"

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/json/json.h"
#include "edge/config/config.h"
#include "edge/replay/flash.h"
#include "edge/replay/options.h"
#include "edge/replay/replay.h"
#include "edge/replay/report.h"
#include "edge/volume/volumes.h"

#include <inttypes.h>
#include <stdio.h>

enum { EXIT_DONE = 0, EXIT_BROKE = 1, EXIT_WRONG_USE = 2, THOUSAND = 1000 };

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

/* What stands for the volumes of the configuration: one as large as all of them, with their
 * budgets added, or none (0 bytes). */
static int command_sum_volumes(const struct edge_conf *conf, uint64_t *ret_bytes,
                               uint64_t *ret_daily, struct fb_diag *diag)
{
    FB_AUTO(fb_freep) struct edge_volume_spec *specs = edge_conf_volumes(conf);
    uint64_t bytes = 0;
    uint64_t daily = 0;
    bool has_limit = true;

    for (size_t i = 0; i < conf->store.volumes.n; i++) {
        uint64_t share = specs[i].size / THOUSAND * specs[i].daily_share;
        if (specs[i].size == 0) {
            return fb_diag_set(diag, FB_E_MALFORMED,
                               "volume '%s' has no size in the configuration: give --volumes",
                               specs[i].path);
        }
        bytes += specs[i].size;
        daily += specs[i].daily_share != 0 ? share : specs[i].daily_bytes;
        has_limit = has_limit && (specs[i].daily_share != 0 || specs[i].daily_bytes != 0);
    }
    *ret_bytes = bytes;
    *ret_daily = has_limit ? daily : 0;
    return FB_OK;
}

/* *ret_flash stays NULL if there is no volume. */
static int command_make_flash(const struct edge_replay_args *args, const struct edge_conf *conf,
                              const struct edge_trace *trace, struct edge_replay_flash **ret_flash,
                              struct fb_diag *diag)
{
    uint64_t bytes = 0;
    uint64_t daily = 0;
    int err = FB_OK;

    if (args->volumes.is_set) {
        bytes = edge_replay_size_of(&args->volumes, trace->footprint);
    } else {
        err = command_sum_volumes(conf, &bytes, &daily, diag);
    }
    if (args->daily.is_set) {
        daily = edge_replay_size_of(&args->daily, trace->footprint);
    }
    if (err < 0 || (bytes == 0 && !args->volumes.is_set)) {
        return err;
    }
    err = edge_replay_flash_new(bytes, daily, ret_flash);
    return err < 0 ? fb_diag_set(diag, err, "%" PRIu64 " bytes are too few for a volume", bytes)
                   : FB_OK;
}

static int command_run_trace(const struct edge_replay_args *args, const struct edge_conf *conf,
                             const char *path, struct fb_json *json,
                             struct edge_replay_result *ret_result, struct fb_diag *diag)
{
    FB_AUTO(edge_trace_freep) struct edge_trace *trace = NULL;
    FB_AUTO(edge_replay_flash_freep) struct edge_replay_flash *flash = NULL;

    int err = edge_trace_load(path, &trace, diag);
    if (err == FB_OK) {
        err = command_make_flash(args, conf, trace, &flash, diag);
    }
    if (err < 0) {
        return err;
    }
    struct edge_replay_options options = {
        .eviction = edge_policy_resolve((enum edge_policy_kind)conf->store.eviction, flash != NULL),
        .memory_bytes = args->memory.is_set ? edge_replay_size_of(&args->memory, trace->footprint)
                                            : conf->store.memory,
        .tier = flash != NULL ? edge_replay_flash_tier(flash) : NULL,
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
    edge_replay_report_mean(fb_json_set_object(json, "mean"), results, args->n_paths,
                            results[0].tier_bytes > 0);
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
