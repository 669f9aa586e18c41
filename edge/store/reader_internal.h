/*
 * Readers of bodies.
 *
 * A reader that runs dry puts itself on the body's list, where it stays until it is
 * closed. Whoever has news marks it posted and sends mail to its loop; from then
 * on it belongs to the mail: closing it then only marks it, and the mail frees
 * it.
 *
 *                 wait             news                    mail
 *      RESTING ─────────► WAITING ─────────────► POSTED ─────────► RESTING
 *         ▲                  │                    │ close
 *         └── cancel, close ─┘                    └──► CLOSED ──► freed
 *
 * A reader that nobody is about to serve has the chunk read from a volume, and the next one
 * with it; if no volume gives it, the reader asks its source. Nobody else asks for that
 * chunk until the chunk leaves ABSENT, or is failed, or the asker is closed: then those
 * who waited look again, and one of them asks.
 *
 * `waiter` and `is_closed` are the loop's alone; what stands below the line is
 * under the body's lock. A wait that begins while an earlier mail is under way is
 * finished by that mail, with nothing new perhaps, which waits allow.
 */
#pragma once

#include "base/core/list.h"
#include "base/loop/loop.h"
#include "base/loop/op.h"
#include "base/loop/reader.h"

#include <stdbool.h>
#include <stdint.h>

struct edge_body;
struct edge_object;
struct edge_source;

#define READER_NO_CHUNK UINT64_MAX

struct body_reader {
    struct fb_reader reader;
    struct edge_object *object; /* counted */
    struct fb_loop *loop;       /* borrowed */
    struct edge_source *source; /* borrowed; may be NULL */
    struct fb_op *waiter;       /* borrowed until finished; NULL if nobody waits */
    uint64_t end;               /* UINT64_MAX: of the body */
    uint64_t last;              /* the chunk it took from last */
    bool is_trailing;           /* counted as one that waits */
    bool prefers_files;
    bool is_closed;

    uint64_t offset;
    uint64_t extent;     /* the one it takes from, as counted for the policy */
    struct fb_list link; /* in the body's readers */
    bool is_linked;
    bool is_waiting;
    bool is_posted;
    uint64_t needs; /* the chunk it ran dry in; gets that one's failure */
    uint64_t asked; /* the chunk its source was asked for and nobody has brought */
    uint64_t skips; /* the chunk for which no volume is asked any more */
    int error;      /* what it gets from now on */
    struct fb_post post;
};

/* ---- under the body's lock -------------------------------------------------- */

/* News for whoever waits for a byte in [from, to). */
void edge_readers_wake(struct edge_body *body, uint64_t from, uint64_t to);

/* `chunk` is about to come: what was asked for it is done with. */
void edge_readers_satisfy(struct edge_body *body, uint64_t chunk);

/* `chunk` cannot be had. */
void edge_readers_fail(struct edge_body *body, uint64_t chunk, int err);

/* No volume gives `chunk`, of which one should have had it. */
void edge_readers_skip_volumes(struct edge_body *body, uint64_t chunk);
