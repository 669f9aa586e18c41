/*
 * Views: what players fetch and tell becomes sessions, views, and entries by the minute.
 *
 *     loop ──► its buffer ──┐                                       minute over
 *     loop ──► its buffer ──┼──► thread: path, who ──► session ──► entries ──► deliver()
 *     loop ──► its buffer ──┘
 *
 * A loop appends what it knows of a request to a buffer that only it and the thread know, and goes
 * on; when that is full, the request is dropped and counted. All else happens on one thread, which
 * owns every session (sessions.h) and so needs no lock.
 *
 * No address, agent, token or session id is written anywhere: they come as far as the memory of the
 * thread, which makes hashes of them with a salt of the day (docs/views.md).
 *
 * Ownership  open ──► a writer for each loop ──► close, which ends all sessions, delivers what is
 *            left and frees the writers. What the options name is copied.
 * Threads    A writer is its loop's. deliver() is called on the thread of the views, or in close.
 * Limits     EDGE_VIEWS_BUFFER bytes wait for each loop; `max_sessions` sessions at once.
 * Failures   Opening gives a sentence. Later, what finds no room is lost and counted.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "base/http/head.h"
#include "base/net/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edge_views;
struct edge_views_writer;
struct fb_clock;
struct fb_json;
struct fb_metrics;
struct fb_view_entry;

enum { EDGE_VIEWS_BUFFER = 4 * 1024 * 1024, EDGE_VIEWS_BEACON_MAX = 4096 };

struct edge_views_options {
    bool is_on;
    const struct fb_str *media; /* patterns of paths (pattern.h): segments of video */
    size_t n_media;
    const struct fb_str *audio; /* of which bytes are counted, and nothing else */
    size_t n_audio;
    const struct fb_str *manifests; /* that begin a session */
    size_t n_manifests;
    const struct fb_str *bots; /* regular expressions of agents */
    size_t n_bots;
    struct fb_str beacon;   /* path; empty: none */
    uint32_t beacons_per_s; /* of one client; 0: no bound */
    struct fb_str key;      /* of the sketches' hashes, shared by the fleet; empty: by chance */
    uint32_t segment_ms;    /* of media in a segment whose player does not say */
    uint32_t least_ms;      /* watched, that makes a view */
    uint32_t share_percent; /* or so much of a short video */
    uint32_t again_ms;      /* before the same viewer is counted again for a video */
    uint32_t idle_ms;       /* that end a session */
    uint32_t starts;        /* of sessions of one video by one network in a minute; 0: no bound */
    size_t max_sessions;
    uint32_t
        every_ms; /* entries wait at most so long for their minute's end; 0: until it is over */
    const struct fb_clock *clock;
    struct fb_metrics *metrics; /* borrowed, may be NULL */

    /* Is given entries of minutes that are over, that waited `every_ms`, or that had no room;
     * borrowed for the call. The same video, rendition and minute may come again: the numbers
     * add up. May be NULL. */
    void (*deliver)(void *ctx, const struct fb_view_entry *entries, size_t n);
    void *ctx;
};

/* *ret_views is NULL when the options say off. */
FB_MUST_CHECK int edge_views_open(const struct edge_views_options *options,
                                  struct edge_views **ret_views, struct fb_diag *diag);

/* Nobody uses a writer any more. Accepts NULL. */
void edge_views_close(struct edge_views *views);

/* Adds an object `views`; nothing for NULL. Any thread. */
void edge_views_status(const struct edge_views *views, struct fb_json *status);

/* Requests and beacons that found no room in a buffer, for the totals of a report. Accepts NULL. */
uint64_t edge_views_dropped(const struct edge_views *views);

/* ---- for loops ----------------------------------------------------------- */

/* One request, once it has ended. Borrowed, all of it. */
struct edge_views_request {
    const struct fb_request_head *head;
    struct fb_str path; /* in its normal form */
    struct fb_address client;
    struct fb_str subject; /* of its token; empty: none */
    unsigned status;
    uint64_t bytes; /* of content, sent */
    bool is_whole;  /* the client has all of the object now */
    bool is_missed; /* an upstream was asked for some of it */
};

/* For one loop; the views' own. NULL for views of NULL. */
struct edge_views_writer *edge_views_writer_new(struct edge_views *views);

/* Notes a request, if its path is one that matters. */
void edge_views_writer_add(struct edge_views_writer *writer,
                           const struct edge_views_request *request);

/* Whether `path` is where beacons are sent. */
bool edge_views_is_beacon(const struct edge_views_writer *writer, struct fb_str path);

/* Notes a beacon of at most EDGE_VIEWS_BEACON_MAX bytes. FB_E_MALFORMED with a sentence,
 * FB_E_BUSY for a client that sends too many. */
FB_MUST_CHECK int edge_views_writer_beacon(struct edge_views_writer *writer,
                                           const struct fb_request_head *head,
                                           const struct fb_address *client, struct fb_str body,
                                           struct fb_diag *diag);
