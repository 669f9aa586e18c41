/*
 * A load on one volume through the code of the edge: objects written as fast as they
 * are taken, and read back at random, on one loop.
 *
 * Ownership  The caller frees the load; the volume's disk must not be open elsewhere.
 * Threads    The calling thread runs the loop until the load is over.
 * Failures   FB_E_UNAVAILABLE when the volume leaves service; what the system gives.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"

#include <stdbool.h>
#include <stdint.h>

enum { TOOL_LOAD_READERS = 32 };

struct tool_load_options {
    const char *path;
    const char *node;
    uint32_t object_bytes; /* at most an extent */
    uint32_t seconds;      /* of each phase */
};

enum tool_load_phase { TOOL_LOAD_WRITE, TOOL_LOAD_READ, TOOL_LOAD_BOTH, TOOL_LOAD_PHASES };

/* What a phase did. */
struct tool_load_result {
    double seconds;     /* until all of it was durable */
    double cpu_seconds; /* of all threads */
    uint64_t n_writes;
    uint64_t written_bytes; /* of objects */
    uint64_t n_reads;
    uint64_t read_bytes;
    uint64_t n_gone;   /* reclaimed before they were read */
    uint64_t n_failed; /* reads that found damage, or an error */
    uint32_t p50_us;   /* of reads */
    uint32_t p99_us;
    uint32_t max_us;
};

/* Runs all phases, one after the other. */
FB_MUST_CHECK int edge_tool_load_run(const struct tool_load_options *options,
                                     struct tool_load_result ret_results[TOOL_LOAD_PHASES],
                                     struct fb_diag *diag);
