/*
 * What the parts of the sessions share.
 *
 *     sessions.c   whose a fact is, and when a session is over
 *     judge.c      whether it is a view, and what is told of it
 */
#pragma once

#include "base/core/list.h"
#include "edge/views/marks.h"
#include "edge/views/segments.h"
#include "edge/views/sessions.h"
#include "edge/views/tally.h"

/* A wheel of seconds: sessions stand where they may be over, and are looked at when it comes
 * there. */
enum { SESSIONS_WHEEL = 4096 };

enum session_fate { SESSION_OPEN, SESSION_COUNTED, SESSION_UNCOUNTED };

struct session {
    struct fb_list age;       /* in order of the last fact */
    struct fb_list due;       /* in a slot of the wheel */
    struct edge_mark_key key; /* in the map */
    struct edge_mark_key alias;
    struct edge_mark_key viewer; /* and video, with the salt of the day it began on */
    struct edge_mark_key viewer_before;
    struct edge_mark_key network; /* and video */
    uint64_t viewer_number;       /* for the sketches */
    uint64_t network_number;
    bool has_alias;
    bool has_sid;
    bool has_before;
    bool is_bot;
    bool is_rate;
    bool has_beacon;
    bool has_watch; /* a beacon has told */
    bool has_startup;
    bool told_startup;
    bool told_end;
    enum session_fate fate;
    enum fb_view_source source;

    uint64_t begun_ms; /* monotonic */
    uint64_t last_ms;
    uint64_t over_ms; /* when it is over, if nothing comes */
    int64_t wall_ms;  /* of the last fact */

    uint64_t fetched_ms; /* of media, each segment once */
    uint64_t watch_ms;   /* as beacons say */
    uint64_t duration_ms;
    uint64_t startup_ms;
    uint64_t stalls;
    uint64_t stall_ms;
    uint64_t told_watch_ms; /* so much is in entries */
    uint64_t told_stalls;
    uint64_t told_stall_ms;
    uint32_t n_gets;
    uint32_t n_heads;
    struct edge_segments segments;

    uint8_t rendition_len;
    uint8_t video_len;
    char rendition[FB_VIEW_RENDITION_MAX]; /* the last one */
    char video[];
};

struct edge_sessions {
    struct edge_sessions_options options;
    struct edge_sessions_counts counts;
    struct edge_salts salts;
    struct edge_tally *tally;
    struct edge_marks *viewers;
    struct edge_marks *networks;
    struct fb_map *map; /* of struct session, by key and alias */
    struct fb_list ages;
    struct fb_list wheel[SESSIONS_WHEEL];
    uint64_t turned_s;     /* slots up to this second were looked at */
    uint64_t delivered_ms; /* when all was */
    uint64_t mono_ms;
    int64_t wall_ms;
};

static inline struct fb_str session_video(const struct session *session)
{
    return (struct fb_str){session->video, session->video_len};
}

/* How long it has gone on. */
static inline uint64_t session_elapsed(const struct session *session)
{
    return session->last_ms - session->begun_ms;
}

/* Decides, if it can be decided, or if the session is over; tells what is new of a view. */
void edge_session_judge(struct edge_sessions *sessions, struct session *session, bool is_over);
