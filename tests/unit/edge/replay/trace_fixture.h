/*
 * Traces made of a few requests, as bytes in the FBTR1 format.
 */
#pragma once

#include "base/core/buf.h"

#include <stddef.h>
#include <stdint.h>

struct sample_object {
    uint32_t size;
    uint32_t title;
    uint16_t segment;
    uint8_t rendition;
    uint8_t kind;
};

struct sample_trace {
    uint32_t unit_ms;
    const uint32_t *steps;    /* NULL: one unit each */
    const uint32_t *requests; /* objects */
    size_t n_requests;
    const struct sample_object *objects;
    size_t n_objects;
};

static inline void sample_number(struct fb_buf *buf, uint32_t number, unsigned n_bytes)
{
    for (unsigned i = 0; i < n_bytes; i++) {
        fb_buf_append_byte(buf, (char)(unsigned char)(number >> 8 * i));
    }
}

/* Appends the trace to `buf`. */
static inline void sample_encode(const struct sample_trace *trace, struct fb_buf *buf)
{
    fb_buf_append(buf, FB_STR("FBTRACE1"));
    sample_number(buf, (uint32_t)trace->n_requests, 4);
    sample_number(buf, (uint32_t)trace->n_objects, 4);
    sample_number(buf, trace->unit_ms, 4);
    for (unsigned i = 3; i < 14; i++) {
        sample_number(buf, 0, 4);
    }
    for (size_t i = 0; i < trace->n_requests; i++) {
        sample_number(buf, trace->steps != NULL ? trace->steps[i] : 1, 4);
    }
    for (size_t i = 0; i < trace->n_requests; i++) {
        sample_number(buf, trace->requests[i], 4);
    }
    for (size_t i = 0; i < trace->n_objects; i++) {
        sample_number(buf, trace->objects[i].size, 4);
    }
    for (size_t i = 0; i < trace->n_objects; i++) {
        sample_number(buf, trace->objects[i].title, 4);
    }
    for (size_t i = 0; i < trace->n_objects; i++) {
        sample_number(buf, trace->objects[i].segment, 2);
    }
    for (size_t i = 0; i < trace->n_objects; i++) {
        sample_number(buf, trace->objects[i].rendition, 1);
    }
    for (size_t i = 0; i < trace->n_objects; i++) {
        sample_number(buf, trace->objects[i].kind, 1);
    }
}
