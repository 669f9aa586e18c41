/*
 * Facts: what one request or one beacon tells of somebody who watches.
 *
 * Ownership  Borrowed, all of it, for the call that it is given to.
 */
#pragma once

#include "base/core/str.h"
#include "base/net/network.h"
#include "edge/views/beacon.h"

#include <stdbool.h>
#include <stdint.h>

enum edge_view_kind {
    EDGE_VIEW_MEDIA,    /* a segment of video */
    EDGE_VIEW_AUDIO,    /* counts as bytes, and shows that a session goes on */
    EDGE_VIEW_MANIFEST, /* begins a session, no more */
    EDGE_VIEW_BEACON
};

struct edge_view_fact {
    enum edge_view_kind kind;
    uint64_t mono_ms; /* when it was over */
    int64_t wall_ms;

    struct fb_str sid;     /* of the player's session; empty: it does not say */
    struct fb_str subject; /* of its token; empty: none */
    struct fb_str agent;
    struct fb_network address; /* all of its bits */
    struct fb_network network; /* that it is in */

    struct fb_str video;     /* 1 to FB_VIEW_VIDEO_MAX bytes */
    struct fb_str rendition; /* at most FB_VIEW_RENDITION_MAX */

    /* Of requests. */
    uint64_t segment;  /* its number, or a hash of its name */
    uint64_t media_ms; /* that the segment plays; 0: not said */
    uint64_t bytes;
    bool is_missed; /* an upstream was asked */
    bool is_ok;     /* the status is of success, or 304 */
    bool is_whole;  /* the client has all of it */
    bool is_head;

    struct edge_beacon beacon; /* of BEACON */
};
