#include "edge/replay/trace.h"

#include "base/core/alloc.h"
#include "base/core/buf.h"
#include "base/core/err.h"
#include "base/sys/file.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { TRACE_N_WORDS = 14, TRACE_HEADER_BYTES = 8 + 4 * TRACE_N_WORDS, TRACE_URL_MAX = 64 };

static const char trace_magic[8] = {'F', 'B', 'T', 'R', 'A', 'C', 'E', '1'};

/* Bytes of a request and of an object, over all columns. */
enum { TRACE_REQUEST_BYTES = 4 + 4, TRACE_OBJECT_BYTES = 4 + 4 + 2 + 1 + 1 };

#define TRACE_MAX_MS ((uint64_t)100 * 366 * 86400 * 1000)

/* Where each column begins. */
struct trace_columns {
    uint64_t steps;
    uint64_t requests;
    uint64_t sizes;
    uint64_t titles;
    uint64_t segments;
    uint64_t renditions;
    uint64_t kinds;
    uint64_t end;
};

static uint32_t u32_at(struct fb_str bytes, uint64_t offset)
{
    const unsigned char *p = (const unsigned char *)bytes.ptr + offset;

    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static uint16_t u16_at(struct fb_str bytes, uint64_t offset)
{
    const unsigned char *p = (const unsigned char *)bytes.ptr + offset;

    return (uint16_t)(p[0] | p[1] << 8);
}

static uint8_t u8_at(struct fb_str bytes, uint64_t offset)
{
    return (uint8_t)bytes.ptr[offset];
}

static struct trace_columns trace_columns_of(const struct edge_trace *trace)
{
    struct trace_columns columns = {.steps = TRACE_HEADER_BYTES};
    uint64_t n = trace->n_requests;
    uint64_t m = trace->n_objects;

    columns.requests = columns.steps + 4 * n;
    columns.sizes = columns.requests + 4 * n;
    columns.titles = columns.sizes + 4 * m;
    columns.segments = columns.titles + 4 * m;
    columns.renditions = columns.segments + 2 * m;
    columns.kinds = columns.renditions + m;
    columns.end = columns.kinds + m;
    return columns;
}

static int trace_read_header(struct edge_trace *trace, struct fb_str bytes, const char *name,
                             struct fb_diag *diag)
{
    if (bytes.len < sizeof(trace_magic) ||
        memcmp(bytes.ptr, trace_magic, sizeof(trace_magic)) != 0) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "%s: not a trace: 'FBTRACE1' is expected at byte 0", name);
    }
    if (bytes.len < TRACE_HEADER_BYTES) {
        return fb_diag_set(diag, FB_E_MALFORMED, "%s: ends at byte %zu, within its header of %d",
                           name, bytes.len, TRACE_HEADER_BYTES);
    }
    trace->n_requests = u32_at(bytes, 8);
    trace->n_objects = u32_at(bytes, 12);
    trace->unit_ms = u32_at(bytes, 16);
    trace->segment_ms = u32_at(bytes, 20);
    if (trace->n_requests == 0) {
        return fb_diag_set(diag, FB_E_MALFORMED, "%s: no requests (byte 8)", name);
    }
    if (trace->n_objects == 0) {
        return fb_diag_set(diag, FB_E_MALFORMED, "%s: no objects (byte 12)", name);
    }
    if (trace->unit_ms == 0) {
        return fb_diag_set(diag, FB_E_MALFORMED, "%s: the time unit is 0 ms (byte 16)", name);
    }
    struct trace_columns columns = trace_columns_of(trace);
    if (columns.end != bytes.len) {
        return fb_diag_set(diag, FB_E_MALFORMED,
                           "%s: is %zu bytes, but %zu requests and %zu objects take %" PRIu64, name,
                           bytes.len, trace->n_requests, trace->n_objects, columns.end);
    }
    return FB_OK;
}

static int trace_read_requests(struct edge_trace *trace, struct fb_str bytes, const char *name,
                               struct fb_diag *diag)
{
    struct trace_columns columns = trace_columns_of(trace);
    uint64_t max_units = TRACE_MAX_MS / trace->unit_ms;
    uint64_t n_units = 0;

    for (size_t i = 0; i < trace->n_requests; i++) {
        trace->steps[i] = u32_at(bytes, columns.steps + 4 * i);
        n_units += trace->steps[i];
        if (n_units > max_units) {
            return fb_diag_set(diag, FB_E_LIMIT,
                               "%s: request %zu is more than a century late (byte %" PRIu64 ")",
                               name, i, columns.steps + 4 * i);
        }
        uint32_t object = u32_at(bytes, columns.requests + 4 * i);
        if (object >= trace->n_objects) {
            return fb_diag_set(diag, FB_E_MALFORMED,
                               "%s: request %zu is for object %u of %zu (byte %" PRIu64 ")", name,
                               i, object, trace->n_objects, columns.requests + 4 * i);
        }
        trace->requests[i] = object;
    }
    return FB_OK;
}

/* The names under which the server would know the object. */
static void trace_identify(struct edge_trace_object *object, uint32_t title)
{
    char url[TRACE_URL_MAX];
    int n_title = snprintf(url, sizeof(url), "/%u", title);
    int n = snprintf(url, sizeof(url), "/%u/%u-%u/%u", title, object->kind, object->rendition,
                     object->segment);

    object->title = (uint32_t)fb_str_hash((struct fb_str){url, (size_t)n_title}, 0);
    object->id = fb_str_hash((struct fb_str){url, (size_t)n}, 0);
}

static int trace_read_objects(struct edge_trace *trace, struct fb_str bytes, const char *name,
                              struct fb_diag *diag)
{
    struct trace_columns columns = trace_columns_of(trace);

    for (size_t i = 0; i < trace->n_objects; i++) {
        struct edge_trace_object *object = &trace->objects[i];
        object->size = u32_at(bytes, columns.sizes + 4 * i);
        object->segment = u16_at(bytes, columns.segments + 2 * i);
        object->rendition = u8_at(bytes, columns.renditions + i);
        object->kind = u8_at(bytes, columns.kinds + i);
        if (object->rendition > EDGE_TRACE_MAX_RENDITION) {
            return fb_diag_set(diag, FB_E_MALFORMED,
                               "%s: object %zu has rendition %u (byte %" PRIu64 ")", name, i,
                               object->rendition, columns.renditions + i);
        }
        if (object->kind >= EDGE_TRACE_N_KINDS) {
            return fb_diag_set(diag, FB_E_MALFORMED,
                               "%s: object %zu has kind %u (byte %" PRIu64 ")", name, i,
                               object->kind, columns.kinds + i);
        }
        trace_identify(object, u32_at(bytes, columns.titles + 4 * i));
        trace->footprint += object->size;
        if (trace->footprint > EDGE_TRACE_MAX_FOOTPRINT) {
            return fb_diag_set(diag, FB_E_LIMIT,
                               "%s: objects up to %zu are more than 64 TiB (byte %" PRIu64 ")",
                               name, i, columns.sizes + 4 * i);
        }
    }
    return FB_OK;
}

int edge_trace_parse(struct fb_str bytes, const char *name, struct edge_trace **ret_trace,
                     struct fb_diag *diag)
{
    FB_AUTO(edge_trace_freep) struct edge_trace *trace = FB_NEW(struct edge_trace);

    int err = trace_read_header(trace, bytes, name, diag);
    if (err < 0) {
        return err;
    }
    /* The counts are borne out by the bytes that are there. */
    trace->steps = fb_alloc_array(trace->n_requests, sizeof(*trace->steps));
    trace->requests = fb_alloc_array(trace->n_requests, sizeof(*trace->requests));
    trace->objects = fb_alloc_array(trace->n_objects, sizeof(*trace->objects));
    err = trace_read_requests(trace, bytes, name, diag);
    if (err == FB_OK) {
        err = trace_read_objects(trace, bytes, name, diag);
    }
    if (err < 0) {
        return err;
    }
    *ret_trace = trace;
    trace = NULL;
    return FB_OK;
}

int edge_trace_load(const char *path, struct edge_trace **ret_trace, struct fb_diag *diag)
{
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};

    int err = fb_file_read_path(path, EDGE_TRACE_MAX_BYTES, &bytes, diag);
    if (err < 0) {
        return err;
    }
    return edge_trace_parse(fb_buf_str(&bytes), path, ret_trace, diag);
}

void edge_trace_free(struct edge_trace *trace)
{
    if (trace != NULL) {
        fb_free(trace->steps);
        fb_free(trace->requests);
        fb_free(trace->objects);
        fb_free(trace);
    }
}

void edge_trace_freep(struct edge_trace **trace)
{
    edge_trace_free(*trace);
}
