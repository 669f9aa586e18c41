#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/disk/disk.h"
#include "base/json/json.h"
#include "edge/tool/load.h"
#include "edge/tool/tool_internal.h"
#include "edge/volume/layout.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PRESET_SECONDS = 5, ENDS_BYTES = 1024 * 1024 };

#define PRESET_SIZE ((uint64_t)1024 * 1024 * 1024)

static const char bench_node[] = "bench";

static const char *phase_name(size_t phase)
{
    static const char *const names[TOOL_LOAD_PHASES] = {
        [TOOL_LOAD_WRITE] = "write", [TOOL_LOAD_READ] = "read", [TOOL_LOAD_BOTH] = "both"};

    return names[phase];
}

/* ---- before and after ----------------------------------------------------- */

static int make_volume(const struct tool_args *args, struct fb_disk *disk, struct fb_diag *diag)
{
    struct edge_layout layout;
    struct edge_superblock superblock;

    int err = edge_layout_look(disk, &layout);
    if (err < 0) {
        return fb_diag_set(diag, err, "cannot read '%s': %s", args->path, fb_err_text(err));
    }
    if (layout.kind != EDGE_LAYOUT_BLANK && !args->force) {
        return fb_diag_set(diag, FB_E_EXISTS, "'%s' is not blank; --force gives up what it holds",
                           args->path);
    }
    return edge_layout_make(disk, FB_STR(bench_node), fb_clock_wall_ms(fb_clock_system()),
                            &superblock, diag);
}

static int bench_open(const struct tool_args *args, struct fb_diag *diag)
{
    struct fb_disk_options options = {.size = args->size > 0 ? args->size : PRESET_SIZE};
    struct fb_disk *disk = NULL;

    int err = fb_disk_open(args->path, &options, &disk, diag);
    if (err == FB_OK) {
        err = make_volume(args, disk, diag);
    }
    fb_disk_close(disk);
    return err;
}

/* Both ends of what was there before are zeros again, so that an edge may take it. */
static int bench_blank(const struct tool_args *args, struct fb_diag *diag)
{
    FB_AUTO(fb_freep) char *zeros = fb_disk_buffer(ENDS_BYTES);
    struct fb_disk *disk = NULL;

    memset(zeros, 0, ENDS_BYTES);
    int err = fb_disk_open(args->path, &(struct fb_disk_options){.size = 0}, &disk, diag);
    if (err < 0) {
        return err;
    }
    err = fb_disk_write_now(disk, 0, zeros, ENDS_BYTES);
    if (err == FB_OK) {
        err = fb_disk_write_now(disk, fb_disk_size(disk) - ENDS_BYTES, zeros, ENDS_BYTES);
    }
    if (err == FB_OK) {
        err = fb_disk_sync_now(disk);
    }
    fb_disk_close(disk);
    return err < 0
               ? fb_diag_set(diag, err, "cannot write to '%s': %s", args->path, fb_err_text(err))
               : FB_OK;
}

/* ---- telling ------------------------------------------------------------- */

static double per_second(double n, double seconds)
{
    return seconds > 0 ? n / seconds : 0;
}

static void text_rate(struct fb_buf *text, const char *phase, const char *what, uint64_t n,
                      uint64_t n_bytes, const struct tool_load_result *result)
{
    fb_buf_printf(text, "%-6s %-6s %10.0f /s  %7.3f GB/s", phase, what,
                  per_second((double)n, result->seconds),
                  per_second((double)n_bytes / 1e9, result->seconds));
}

static void text_phase(struct fb_buf *text, const char *name, const struct tool_load_result *result)
{
    double n_bytes = (double)(result->written_bytes + result->read_bytes);

    if (result->n_writes > 0) {
        text_rate(text, name, "writes", result->n_writes, result->written_bytes, result);
        fb_buf_append_byte(text, '\n');
    }
    if (result->n_reads > 0) {
        text_rate(text, name, "reads", result->n_reads, result->read_bytes, result);
        fb_buf_printf(text, "  p50 %u us  p99 %u us  max %u us\n", result->p50_us, result->p99_us,
                      result->max_us);
    }
    fb_buf_printf(text, "%-6s %.2f s of processor time in %.2f s: %.3f GB/s per core", name,
                  result->cpu_seconds, result->seconds,
                  per_second(n_bytes / 1e9, result->cpu_seconds));
    if (result->n_gone + result->n_failed > 0) {
        fb_buf_printf(text, "; %" PRIu64 " reads came too late, %" PRIu64 " failed", result->n_gone,
                      result->n_failed);
    }
    fb_buf_append_byte(text, '\n');
}

static void json_phase(struct fb_json *json, const struct tool_load_result *result)
{
    double n_bytes = (double)(result->written_bytes + result->read_bytes);

    fb_json_set_real(json, "seconds", result->seconds);
    fb_json_set_real(json, "cpu_seconds", result->cpu_seconds);
    fb_json_set_real(json, "gb_per_core_s", per_second(n_bytes / 1e9, result->cpu_seconds));
    fb_json_set_int(json, "writes", (int64_t)result->n_writes);
    fb_json_set_int(json, "written_bytes", (int64_t)result->written_bytes);
    fb_json_set_int(json, "reads", (int64_t)result->n_reads);
    fb_json_set_int(json, "read_bytes", (int64_t)result->read_bytes);
    fb_json_set_int(json, "gone", (int64_t)result->n_gone);
    fb_json_set_int(json, "failed", (int64_t)result->n_failed);
    fb_json_set_int(json, "p50_us", result->p50_us);
    fb_json_set_int(json, "p99_us", result->p99_us);
    fb_json_set_int(json, "max_us", result->max_us);
}

static int bench_tell(const struct tool_args *args, const struct tool_load_result *results)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    FB_AUTO(fb_json_freep) struct fb_json *json = fb_json_new_object();

    for (size_t i = 0; i < TOOL_LOAD_PHASES; i++) {
        if (args->json) {
            json_phase(fb_json_set_object(json, phase_name(i)), &results[i]);
        } else {
            text_phase(&text, phase_name(i), &results[i]);
        }
    }
    if (args->json) {
        fb_json_dump(json, &text);
        fb_buf_append_byte(&text, '\n');
    }
    return edge_tool_print(&text);
}

int edge_tool_bench(const struct tool_args *args)
{
    struct tool_load_result results[TOOL_LOAD_PHASES] = {{.seconds = 0}};
    struct fb_diag diag = {0};
    struct stat status;
    bool is_new = stat(args->path, &status) < 0;
    uint64_t object_bytes = args->object_bytes > 0 ? args->object_bytes : EDGE_CHUNK_BYTES;

    if (object_bytes > EDGE_EXTENT_BYTES) {
        (void)fb_diag_set(&diag, FB_E_LIMIT, "--object: at most %d bytes", EDGE_EXTENT_BYTES);
        return edge_tool_complain(args, &diag, TOOL_EXIT_USAGE);
    }
    int err = bench_open(args, &diag);
    if (err == FB_OK) {
        err = edge_tool_load_run(
            &(struct tool_load_options){
                .path = args->path,
                .node = bench_node,
                .object_bytes = (uint32_t)object_bytes,
                .seconds = args->seconds > 0 ? args->seconds : PRESET_SECONDS,
            },
            results, &diag);
        if (!args->keep && !is_new) {
            struct fb_diag blank_diag = {0};
            int blank_err = bench_blank(args, err < 0 ? &blank_diag : &diag);
            err = err < 0 ? err : blank_err;
        }
    }
    if (is_new && !(args->keep && err == FB_OK)) {
        (void)unlink(args->path);
    }
    if (err < 0) {
        return edge_tool_complain(args, &diag, TOOL_EXIT_FAILED);
    }
    return bench_tell(args, results);
}
