/*
 * Sessions under a clock that a test turns, and sums of what they deliver.
 */
#pragma once

#include "base/core/attr.h"
#include "base/net/address.h"
#include "base/sketch/hyperloglog.h"
#include "edge/views/sessions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { FIXTURE_RENDITIONS = 8 };

/* Noon of 2026-01-01. */
#define FIXTURE_WALL_MS INT64_C(1767268800000)

struct fixture {
    struct edge_sessions *sessions;
    struct edge_sessions_options options;
    uint64_t mono_ms;
    int64_t wall_ms;
    struct fb_view_entry sum; /* of all that was delivered */
    struct fb_hyperloglog *viewers;
    size_t n_deliveries;
    int64_t last_minute;
};

static inline void fixture_deliver(void *ctx, const struct fb_view_entry *entries, size_t n)
{
    struct fixture *f = ctx;

    for (size_t i = 0; i < n; i++) {
        uint64_t known = entries[i].views;
        for (size_t j = 0; j < FB_VIEW_REASONS_N; j++) {
            known += entries[i].uncounted[j];
        }
        assert_int_equal(entries[i].sessions, known);
        assert_true(entries[i].video.len > 0);
        assert_int_equal(entries[i].span, 1);
        fb_hyperloglog_merge(f->viewers, entries[i].viewers);
        fb_view_entry_merge(&f->sum, &entries[i]);
        f->last_minute = entries[i].minute;
    }
    f->n_deliveries++;
}

static inline bool fixture_is_bot(void *ctx, struct fb_str agent)
{
    (void)ctx;
    return fb_str_equal(agent, FB_STR("a bot"));
}

static inline void fixture_open(struct fixture *f)
{
    f->options.wall_ms = f->wall_ms;
    f->options.deliver_ctx = f;
    f->sessions = edge_sessions_new(&f->options);
}

static inline int set_up(void **state)
{
    static struct fixture f;

    f = (struct fixture){
        .mono_ms = 1000,
        .wall_ms = FIXTURE_WALL_MS,
        .viewers = fb_hyperloglog_new(FB_VIEW_VIEWERS_PRECISION),
        .options = {.segment_ms = 4000,
                    .least_ms = 10000,
                    .share_percent = 50,
                    .again_ms = 1800000,
                    .idle_ms = 60000,
                    .starts = 0,
                    .max_sessions = 1000,
                    .max_entries = 1000,
                    .seed = 1,
                    .is_bot = fixture_is_bot,
                    .deliver = fixture_deliver},
    };
    fixture_open(&f);
    *state = &f;
    return 0;
}

static inline int tear_down(void **state)
{
    struct fixture *f = *state;

    edge_sessions_free(f->sessions);
    fb_view_entry_done(&f->sum);
    fb_hyperloglog_free(f->viewers);
    return 0;
}

static inline void pass(struct fixture *f, uint64_t ms)
{
    f->mono_ms += ms;
    f->wall_ms += (int64_t)ms;
    edge_sessions_advance(f->sessions, f->mono_ms, f->wall_ms);
}

static inline void finish(struct fixture *f)
{
    edge_sessions_finish(f->sessions);
    assert_int_equal(edge_sessions_count(f->sessions).open, 0);
    assert_int_equal(edge_sessions_count(f->sessions).begun, f->sum.sessions);
}

/* A whole segment that came to the `viewer`-th address. */
static inline struct edge_view_fact segment_of(const struct fixture *f, unsigned viewer,
                                               const char *sid, uint64_t number)
{
    struct edge_view_fact fact = {
        .kind = EDGE_VIEW_MEDIA,
        .mono_ms = f->mono_ms,
        .wall_ms = f->wall_ms,
        .sid = fb_str_from(sid),
        .agent = FB_STR("a player"),
        .video = FB_STR("vid1"),
        .rendition = FB_STR("720p"),
        .segment = number,
        .bytes = 1000,
        .is_ok = true,
        .is_whole = true,
    };

    fact.network.bits = 120;
    fact.network.bytes[14] = (uint8_t)(viewer / 256);
    fact.address = fact.network;
    fact.address.bits = 128;
    fact.address.bytes[15] = (uint8_t)viewer;
    return fact;
}

static inline struct edge_view_fact beacon_of(const struct fixture *f, unsigned viewer,
                                              const char *sid, uint64_t watch_ms)
{
    struct edge_view_fact fact = segment_of(f, viewer, sid, 0);

    fact.kind = EDGE_VIEW_BEACON;
    fact.rendition = FB_STR_NONE;
    fact.bytes = 0;
    fact.is_whole = false;
    fact.beacon = (struct edge_beacon){.event = EDGE_BEACON_PROGRESS,
                                       .source = FB_VIEW_OTHER,
                                       .watch_ms = watch_ms,
                                       .has_watch = true};
    return fact;
}

static inline void add(struct fixture *f, struct edge_view_fact fact)
{
    edge_sessions_add(f->sessions, &fact);
}

/* Plays `n` segments from the first on, in the time that they play. */
static inline void play(struct fixture *f, unsigned viewer, const char *sid, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++) {
        add(f, segment_of(f, viewer, sid, i));
        pass(f, 4000);
    }
}
