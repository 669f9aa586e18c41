#include "edge/replay/report.h"

#include "base/core/str.h"
#include "base/json/json.h"

static double ratio(uint64_t part, uint64_t whole)
{
    return whole == 0 ? 0.0 : (double)part / (double)whole;
}

static uint64_t written_bytes(const struct edge_replay_written *written)
{
    return written->admission + written->rewriting + written->metadata;
}

/* ---- one trace --------------------------------------------------------- */

/* The file's name without folders. */
static struct fb_str base_name(const char *path)
{
    struct fb_str rest = fb_str_from(path);
    struct fb_str part = rest;

    while (fb_str_cut(&rest, '/', &part)) {
    }
    return part;
}

static void report_count(struct fb_json *json, const struct edge_replay_count *count)
{
    fb_json_set_int(json, "requests", (int64_t)count->n_requests);
    fb_json_set_int(json, "hits", (int64_t)count->n_hits);
    fb_json_set_int(json, "bytes_requested", (int64_t)count->n_bytes_requested);
    fb_json_set_int(json, "bytes_hit", (int64_t)count->n_bytes_hit);
    fb_json_set_int(json, "evictions", (int64_t)count->n_evictions);
    fb_json_set_real(json, "object_miss_ratio",
                     ratio(count->n_requests - count->n_hits, count->n_requests));
    fb_json_set_real(
        json, "byte_miss_ratio",
        ratio(count->n_bytes_requested - count->n_bytes_hit, count->n_bytes_requested));
}

static void report_written(struct fb_json *json, const struct edge_replay_result *result)
{
    fb_json_set_int(json, "admission", (int64_t)result->written.admission);
    fb_json_set_int(json, "rewriting", (int64_t)result->written.rewriting);
    fb_json_set_int(json, "metadata", (int64_t)result->written.metadata);
    fb_json_set_int(json, "total", (int64_t)written_bytes(&result->written));
    fb_json_set_real(json, "per_byte_served",
                     ratio(written_bytes(&result->written), result->n_bytes));
}

void edge_replay_report(struct fb_json *json, const char *path, const struct edge_trace *trace,
                        const struct edge_replay_result *result, bool has_tier)
{
    fb_json_set_str(json, "trace", base_name(path));
    fb_json_set_int(json, "requests", (int64_t)result->n_requests);
    fb_json_set_int(json, "objects", (int64_t)trace->n_objects);
    fb_json_set_int(json, "bytes", (int64_t)result->n_bytes);
    fb_json_set_int(json, "footprint_bytes", (int64_t)trace->footprint);
    fb_json_set_int(json, "duration_ms", (int64_t)result->duration_ms);
    fb_json_set_real(json, "object_miss_ratio", ratio(result->n_misses, result->n_requests));
    fb_json_set_real(json, "byte_miss_ratio", ratio(result->n_bytes_missed, result->n_bytes));

    struct fb_json *memory = fb_json_set_object(json, "memory");
    fb_json_set_int(memory, "size_bytes", (int64_t)result->memory_bytes);
    report_count(memory, &result->memory);
    if (has_tier) {
        struct fb_json *volumes = fb_json_set_object(json, "volumes");
        fb_json_set_int(volumes, "size_bytes", (int64_t)result->tier_bytes);
        report_count(volumes, &result->tier);
        report_written(fb_json_set_object(volumes, "bytes_written"), result);
    }
}

/* ---- all of them ------------------------------------------------------- */

struct ratios {
    double object_miss;
    double byte_miss;
    double memory_object_miss;
    double memory_byte_miss;
    double written;
};

static void ratios_add(struct ratios *sum, const struct edge_replay_result *result)
{
    const struct edge_replay_count *memory = &result->memory;

    sum->object_miss += ratio(result->n_misses, result->n_requests);
    sum->byte_miss += ratio(result->n_bytes_missed, result->n_bytes);
    sum->memory_object_miss += ratio(memory->n_requests - memory->n_hits, memory->n_requests);
    sum->memory_byte_miss +=
        ratio(memory->n_bytes_requested - memory->n_bytes_hit, memory->n_bytes_requested);
    sum->written += ratio(written_bytes(&result->written), result->n_bytes);
}

void edge_replay_report_mean(struct fb_json *json, const struct edge_replay_result *results,
                             size_t n_results, bool has_tier)
{
    struct ratios sum = {0};
    double n = (double)n_results;

    for (size_t i = 0; i < n_results; i++) {
        ratios_add(&sum, &results[i]);
    }
    fb_json_set_real(json, "object_miss_ratio", sum.object_miss / n);
    fb_json_set_real(json, "byte_miss_ratio", sum.byte_miss / n);
    fb_json_set_real(json, "memory_object_miss_ratio", sum.memory_object_miss / n);
    fb_json_set_real(json, "memory_byte_miss_ratio", sum.memory_byte_miss / n);
    if (has_tier) {
        fb_json_set_real(json, "written_per_byte_served", sum.written / n);
    }
}
