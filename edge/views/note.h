/*
 * Notes: a request or a beacon on its way from a loop to the thread.
 *
 * A note is a struct and the bytes of its texts behind it, appended to a buffer. Nothing but this
 * process reads it, so it has no format.
 *
 * Threads    Pure functions, any thread.
 * Limits     Texts are cut at EDGE_NOTE_*_MAX; a request whose path is longer is not noted.
 */
#pragma once

#include "base/core/buf.h"
#include "base/core/str.h"
#include "edge/cmcd/cmcd.h"
#include "edge/views/beacon.h"
#include "edge/views/fact.h"
#include "edge/views/views.h"

#include <stdbool.h>
#include <stdint.h>

enum { EDGE_NOTE_PATH_MAX = 1024, EDGE_NOTE_TEXT_MAX = 512, EDGE_NOTE_CMCD_MAX = 4096 };

/* The time, as a loop has it. */
struct edge_note_time {
    uint64_t mono_ms;
    int64_t wall_ms;
};

/* A client's whole address. Of a pair in memory there is none: all of them are one. */
struct fb_network edge_note_address(const struct fb_address *client);

/* True if it was appended. */
bool edge_note_request(struct fb_buf *buf, const struct edge_views_request *request,
                       struct edge_note_time time);
void edge_note_beacon(struct fb_buf *buf, const struct edge_beacon *beacon,
                      const struct fb_request_head *head, const struct fb_address *client,
                      struct edge_note_time time);

/* Which paths are what; borrowed. */
struct edge_note_paths {
    const struct fb_str *patterns[3]; /* by enum edge_view_kind: MEDIA, AUDIO, MANIFEST */
    size_t n[3];
};

/* The time of the next note of `rest`, which is not empty. */
uint64_t edge_note_mono_ms(struct fb_str rest);

/* Takes the next note off `*rest`, as a fact whose strings are views into it and into `cmcd`, which
 * is zero or was read into before. False at the end. `*ret_is_fact` is false for a request of a
 * path that is nothing of these. */
bool edge_note_next(struct fb_str *rest, const struct edge_note_paths *paths,
                    struct edge_cmcd *cmcd, struct edge_view_fact *ret_fact, bool *ret_is_fact);
