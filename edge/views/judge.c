#include "base/core/attr.h"
#include "base/sketch/hyperloglog.h"
#include "edge/views/sessions_internal.h"

enum {
    JUDGE_PERCENT = 100,
    JUDGE_END_PERCENT = 90,
    JUDGE_BEACON_SLACK_MS = 10 * 1000, /* by which a beacon may be ahead of what was seen here */
    JUDGE_FLOOR_MS = 1000,             /* of however short a video */
    JUDGE_PACE = 8,                    /* times as fast as playing */
    JUDGE_AHEAD_MS = 15 * 60 * 1000,   /* and so much beside it: players buffer minutes at once */
    JUDGE_NETWORK_FULL = 20,           /* views of a network, a video and an hour that all count */
    JUDGE_NETWORK_TENTH = 10           /* and then one of so many */
};

#define DAY_MS  INT64_C(86400000)
#define HOUR_MS INT64_C(3600000)

/* ---- what is known ----------------------------------------------------- */

/* A player that tells knows better than what it has fetched, but not of time that has not been. */
static uint64_t session_watched(const struct session *session)
{
    return session->has_watch
               ? FB_MIN(session->watch_ms, session_elapsed(session) + JUDGE_BEACON_SLACK_MS)
               : session->fetched_ms;
}

/* 0: not known, or less than what was fetched of it. */
static uint64_t session_duration(const struct edge_sessions *sessions,
                                 const struct session *session)
{
    uint64_t slack_ms = 2 * sessions->options.segment_ms;

    return session->fetched_ms > session->duration_ms + slack_ms ? 0 : session->duration_ms;
}

static uint64_t session_needed(const struct edge_sessions *sessions, const struct session *session)
{
    uint64_t duration_ms = session_duration(sessions, session);
    uint64_t least_ms = sessions->options.least_ms;
    uint64_t share_ms = duration_ms * sessions->options.share_percent / JUDGE_PERCENT;

    return duration_ms == 0 ? least_ms : FB_MIN(least_ms, FB_MAX(share_ms, JUDGE_FLOOR_MS));
}

static bool session_is_bot(const struct session *session)
{
    bool heads_alone = session->n_gets == 0 && session->n_heads > 0 && !session->has_beacon;
    bool is_too_fast = session->fetched_ms > JUDGE_AHEAD_MS + JUDGE_PACE * session_elapsed(session);

    return session->is_bot || heads_alone || is_too_fast;
}

/* Of the same viewer and video, whichever session. */
static bool session_is_duplicate(struct edge_sessions *sessions, const struct session *session)
{
    const struct edge_mark *marks[2] = {
        edge_marks_find(sessions->viewers, &session->viewer),
        session->has_before ? edge_marks_find(sessions->viewers, &session->viewer_before) : NULL,
    };

    for (size_t i = 0; i < FB_ARRAY_LEN(marks); i++) {
        if (marks[i] != NULL && marks[i]->n[0] > 0 &&
            session->last_ms < marks[i]->at[0] + sessions->options.again_ms) {
            return true;
        }
    }
    return false;
}

/* FB_VIEW_REASONS_N: none, it is a view. */
static enum fb_view_reason session_reason(struct edge_sessions *sessions,
                                          const struct session *session)
{
    if (session_is_bot(session)) {
        return FB_VIEW_BOT;
    }
    if (session->is_rate) {
        return FB_VIEW_RATE;
    }
    if (session->fetched_ms == 0) {
        return FB_VIEW_NO_MEDIA;
    }
    if (session_watched(session) < session_needed(sessions, session)) {
        return FB_VIEW_TOO_SHORT;
    }
    return session_is_duplicate(sessions, session) ? FB_VIEW_DUPLICATE : FB_VIEW_REASONS_N;
}

/* Not before as much time has passed as must be watched: by then it is known whether the player
 * sends beacons, and whether it only fetches. */
static bool session_may_be_decided(const struct edge_sessions *sessions,
                                   const struct session *session)
{
    uint64_t needed_ms = session_needed(sessions, session);

    return session->fetched_ms > 0 && session_elapsed(session) >= needed_ms &&
           session_watched(session) >= needed_ms;
}

/* ---- what is told ------------------------------------------------------ */

/* One view of a viewer a day, and of a network what its size may explain. */
static bool session_is_capped_in(struct edge_sessions *sessions, const struct session *session,
                                 struct edge_mark *viewer)
{
    uint64_t day = (uint64_t)(session->wall_ms / DAY_MS);
    uint64_t hour = (uint64_t)(session->wall_ms / HOUR_MS);
    struct edge_mark *network = edge_marks_touch(sessions->networks, &session->network);
    bool is_first_today = viewer->at[1] != day;

    viewer->at[1] = day;
    if (!is_first_today) {
        return false;
    }
    if (network->at[1] != hour) {
        network->at[1] = hour;
        network->n[1] = 0;
    }
    network->n[1]++;
    return network->n[1] <= JUDGE_NETWORK_FULL ||
           (network->n[1] - JUDGE_NETWORK_FULL) % JUDGE_NETWORK_TENTH == 0;
}

static struct fb_view_entry *session_entry(struct edge_sessions *sessions,
                                           const struct session *session)
{
    return edge_tally_at(sessions->tally, session->wall_ms, session_video(session),
                         (struct fb_str){session->rendition, session->rendition_len});
}

static void sketch_add(struct fb_hyperloglog **sketch, unsigned precision, uint64_t hash)
{
    if (*sketch == NULL) {
        *sketch = fb_hyperloglog_new(precision);
    }
    fb_hyperloglog_add(*sketch, hash);
}

static void session_count(struct edge_sessions *sessions, struct session *session)
{
    struct edge_mark *viewer = edge_marks_touch(sessions->viewers, &session->viewer);
    struct fb_view_entry *entry = session_entry(sessions, session);
    bool is_capped_in = session_is_capped_in(sessions, session, viewer);

    viewer->at[0] = session->last_ms;
    viewer->n[0]++;
    session->fate = SESSION_COUNTED;
    entry->sessions++;
    entry->views++;
    entry->capped += is_capped_in;
    entry->sources[session->source]++;
    sketch_add(&entry->viewers, FB_VIEW_VIEWERS_PRECISION, session->viewer_number);
    sketch_add(&entry->networks, FB_VIEW_NETWORKS_PRECISION, session->network_number);
    sessions->counts.views++;
    sessions->counts.capped += is_capped_in;
}

static void session_refuse(struct edge_sessions *sessions, struct session *session,
                           enum fb_view_reason reason)
{
    struct fb_view_entry *entry = session_entry(sessions, session);

    session->fate = SESSION_UNCOUNTED;
    entry->sessions++;
    entry->uncounted[reason]++;
    sessions->counts.uncounted[reason]++;
}

static uint64_t told(uint64_t *so_far, uint64_t now)
{
    uint64_t more = now > *so_far ? now - *so_far : 0;

    *so_far += more;
    return more;
}

/* What is new of a view since it was told of. */
static void session_tell(struct edge_sessions *sessions, struct session *session)
{
    struct fb_view_entry *entry = session_entry(sessions, session);
    uint64_t watched_ms = session_watched(session);
    uint64_t duration_ms = session_duration(sessions, session);
    bool is_end = duration_ms > 0 && watched_ms * JUDGE_PERCENT >= duration_ms * JUDGE_END_PERCENT;

    entry->watch_ms += told(&session->told_watch_ms, watched_ms);
    entry->stalls += told(&session->told_stalls, session->stalls);
    entry->stall_ms += told(&session->told_stall_ms, session->stall_ms);
    if (session->has_startup && !session->told_startup) {
        session->told_startup = true;
        entry->startups++;
        entry->startup[fb_view_startup_bucket(session->startup_ms)]++;
    }
    if (is_end && !session->told_end) {
        session->told_end = true;
        entry->ends++;
    }
}

void edge_session_judge(struct edge_sessions *sessions, struct session *session, bool is_over)
{
    if (session->fate == SESSION_OPEN && (is_over || session_may_be_decided(sessions, session))) {
        enum fb_view_reason reason = session_reason(sessions, session);
        if (reason == FB_VIEW_REASONS_N) {
            session_count(sessions, session);
        } else {
            session_refuse(sessions, session, reason);
        }
    }
    if (session->fate == SESSION_COUNTED) {
        session_tell(sessions, session);
    }
}
