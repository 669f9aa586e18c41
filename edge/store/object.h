/*
 * Objects: one stored response, whole or on its way in.
 *
 * The head never changes once made. The body is a run of chunks to which one
 * writer appends, and which any number of readers on any loop trail:
 *
 *               append()                finish(FB_OK)
 *     FILLING ───────────► FILLING ──────────────────► WHOLE
 *        │ finish(error)
 *        └────────────────► BROKEN   readers get the error after the bytes
 *
 * A validated object is a new head on the same body.
 *
 * Ownership  Counted. A reader and a slice keep the body alive by themselves.
 * Threads    Everything here may be called on any thread; a reader belongs to
 *            the loop that it was opened for; one writer at a time.
 * Failures   append: FB_E_LIMIT for an object too large, FB_E_BUSY when nothing
 *            can be evicted to make room, FB_E_MALFORMED for more bytes than
 *            announced. Readers: FB_E_END, FB_E_LATER, or what broke the body.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"
#include "base/http/head.h"
#include "edge/fresh/terms.h"

#include <stdbool.h>
#include <stdint.h>

struct edge_object;
struct fb_loop;
struct fb_reader;

enum edge_object_state { EDGE_OBJECT_FILLING, EDGE_OBJECT_WHOLE, EDGE_OBJECT_BROKEN };

/* Lives as long as the object, in its own memory. */
struct edge_object_head {
    struct fb_str key;
    struct fb_str vary;    /* field names; empty: one response for all */
    struct fb_str variant; /* edge_variant_of() the request that brought it */
    unsigned status;
    struct fb_headers headers; /* what clients get, but Age, Via and framing */
    struct fb_str etag;        /* value of the field, or ptr NULL */
    struct fb_str last_modified;
    struct edge_terms terms;
};

const struct edge_object_head *edge_object_head(const struct edge_object *object);

/* Bytes of the whole body; FB_LENGTH_UNKNOWN until the upstream said or all
 * have come. */
int64_t edge_object_length(const struct edge_object *object);

/* Bytes that have come. */
uint64_t edge_object_filled(const struct edge_object *object);

enum edge_object_state edge_object_state(const struct edge_object *object);

/* True if a request with these fields may be answered with this variant. */
bool edge_object_suits(const struct edge_object *object, const struct fb_headers *request);

/* One reference more; returns `object`. */
struct edge_object *edge_object_ref(struct edge_object *object);

/* One less; the last frees. Accepts NULL. */
void edge_object_unref(struct edge_object *object);

/* A reader on `loop` of `length` bytes from `offset`, or to the end with
 * FB_LENGTH_UNKNOWN. Bytes that have not come yet are LATER. A range past the
 * end of the whole body gives FB_E_CLOSED where the bytes run out. The caller
 * may drop its reference while the reader lives. */
struct fb_reader *edge_object_reader(struct edge_object *object, struct fb_loop *loop,
                                     uint64_t offset, int64_t length);

/* ---- for the writer ------------------------------------------------------ */

/* Copies `bytes` to the end and wakes the readers. */
FB_MUST_CHECK int edge_object_append(struct edge_object *object, struct fb_str bytes);

/* False if nobody but the writer has the object or its body any more. */
bool edge_object_is_shared(const struct edge_object *object);

/* No more bytes: FB_OK makes the body whole (or broken with FB_E_CLOSED if it is
 * shorter than announced), anything else breaks it. A broken object leaves the
 * index. */
void edge_object_finish(struct edge_object *object, int result);
