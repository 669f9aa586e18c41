/*
 * Traces: requests of the past, in the FBTR1 format.
 *
 * Little-endian, no padding, one column after another:
 *
 *     8      "FBTRACE1"
 *     14 × 4 n requests, m objects, time unit in ms, duration of a segment in
 *            ms (0: not segmented), ten reserved words
 *     4 n    time since the previous request, in units (the first: since 0)
 *     4 n    object of each request, 0 .. m-1
 *     4 m    size of each object, bytes
 *     4 m    title that it belongs to
 *     2 m    number of the segment in its title, modulo 65536
 *     m      rendition, 0 (lowest) .. 3
 *     m      kind, see enum edge_trace_kind
 *
 * An object's natural URL is /title/kind-rendition/segment. What a policy may
 * know of it follows from that URL, as in the server.
 *
 * Ownership  The caller owns the trace: load or parse → free.
 * Threads    Plain data that stands still once loaded.
 * Limits     EDGE_TRACE_MAX_BYTES of file; a century of time; EDGE_TRACE_MAX_FOOTPRINT.
 * Failures   FB_E_MALFORMED with the place in the file, FB_E_LIMIT, negative errno.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"

#include <stddef.h>
#include <stdint.h>

#define EDGE_TRACE_MAX_BYTES     ((uint64_t)4 << 30)
#define EDGE_TRACE_MAX_FOOTPRINT ((uint64_t)64 << 40)

enum edge_trace_kind {
    EDGE_TRACE_MEDIA,
    EDGE_TRACE_MASTER,
    EDGE_TRACE_PLAYLIST,
    EDGE_TRACE_AUDIO,
    EDGE_TRACE_N_KINDS
};

enum { EDGE_TRACE_MAX_RENDITION = 3 };

struct edge_trace_object {
    uint64_t id;       /* hash of the natural URL */
    uint32_t title;    /* hash of the URL without its last two components */
    uint32_t size;     /* bytes */
    uint16_t segment;  /* modulo 65536 */
    uint8_t rendition; /* 0 .. EDGE_TRACE_MAX_RENDITION */
    uint8_t kind;      /* enum edge_trace_kind */
};

struct edge_trace {
    size_t n_requests;
    size_t n_objects;
    uint32_t unit_ms;
    uint32_t segment_ms; /* 0: not segmented */
    uint64_t footprint;  /* bytes of all objects, each once */

    uint32_t *steps;                   /* owned; units since the request before */
    uint32_t *requests;                /* owned; the object of each */
    struct edge_trace_object *objects; /* owned */
};

/* `name` stands for the file in sentences. */
FB_MUST_CHECK int edge_trace_parse(struct fb_str bytes, const char *name,
                                   struct edge_trace **ret_trace, struct fb_diag *diag);

FB_MUST_CHECK int edge_trace_load(const char *path, struct edge_trace **ret_trace,
                                  struct fb_diag *diag);

/* Accepts NULL. */
void edge_trace_free(struct edge_trace *trace);
void edge_trace_freep(struct edge_trace **trace); /* for FB_AUTO */
