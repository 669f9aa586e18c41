/*
 * Readers of bodies.
 *
 * A reader that runs dry puts itself on the body's list; the writer takes it off
 * and sends mail to the reader's loop. Between those two moments it belongs to
 * the mail: closing it then only marks it, and the mail frees it.
 *
 *                 wait             the writer              mail
 *      RESTING ─────────► LINKED ─────────────► POSTED ─────────► RESTING
 *         ▲                  │                    │ close
 *         └── cancel, close ─┘                    └──► CLOSED ──► freed
 *
 * `is_posted` is under the body's lock, and so is `link` unless the reader is
 * posted: then it is the writer's until the mail is sent. `waiter` and `is_closed` are the loop's
 * alone. A wait that begins while an earlier mail is under way is finished by that mail, with
 * nothing new perhaps, which waits allow.
 */
#pragma once

#include "base/core/list.h"
#include "base/loop/loop.h"
#include "base/loop/op.h"
#include "base/loop/reader.h"

#include <stdbool.h>
#include <stdint.h>

struct edge_body;

struct body_reader {
    struct fb_reader reader;
    struct edge_body *body; /* counted */
    struct fb_loop *loop;   /* borrowed */
    struct fb_op *waiter;   /* borrowed until finished; NULL if nobody waits */
    uint64_t offset;
    uint64_t n_left; /* UINT64_MAX: to the end */
    bool is_trailing;
    bool is_closed;
    bool was_linked; /* ever; a reader that never was needs no lock to close */

    struct fb_list link; /* in the body's waiters */
    bool is_posted;
    struct fb_post post;
};
