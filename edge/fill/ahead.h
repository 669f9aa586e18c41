/*
 * Fetching ahead: an object, or a range of one, brought into the store before any client asks.
 *
 * It is a joiner like others, and reads what comes to the end, so that the body goes on as for a
 * client. Clients who ask meanwhile share the fetch.
 *
 * Ownership  The caller owns the struct until done, and then `object`.
 * Threads    The operation's loop.
 * Failures   FB_E_UNSUPPORTED: the answer is not to be kept, or an error; see `refusal`.
 *            FB_E_UNAVAILABLE: no upstream gives it now. FB_E_CORRUPT: its bytes are not those
 *            that they should be. FB_E_BUSY, FB_E_CANCELED, and what the fetch gave.
 */
#pragma once

#include "edge/fill/fill.h"

#include <stdbool.h>
#include <stdint.h>

struct edge_fill_ahead {
    struct fb_op op;
    struct edge_fill_ask ask; /* in: borrowed until done; of its range all bytes are brought */

    /* Out. */
    struct edge_object *object; /* FB_OK: a reference, the caller's to drop; else NULL */
    bool is_shared;             /* another's fetch brought it, or a tier had it */
    uint64_t n_read;            /* bytes that were there or came; set on error too */
    const char *refusal;        /* of FB_E_UNSUPPORTED: why; static */

    /* Private to edge/fill. */
    struct edge_fill_table *table;
    struct edge_fill_join join;
    struct edge_fill_chunks chunks;
    struct fb_reader *reader;
    struct fb_op wait;
    bool is_canceled;
};

/* Begins `ahead`, whose op was set up with fb_op_init(). Cancelable. */
void edge_fill_ahead(struct edge_fill_table *table, struct edge_fill_ahead *ahead);
