/*
 * What a replay found, as JSON. docs/replay.md describes the members.
 */
#pragma once

#include "edge/replay/replay.h"

struct fb_json;

/* Adds the members of one trace's result to `json`, an object. `path` is the
 * trace's. */
void edge_replay_report(struct fb_json *json, const char *path, const struct edge_trace *trace,
                        const struct edge_replay_result *result, bool has_tier);

/* Adds the means over traces to `json`: of each ratio, not of the counts. */
void edge_replay_report_mean(struct fb_json *json, const struct edge_replay_result *results,
                             size_t n_results, bool has_tier);
