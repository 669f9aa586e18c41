#include "edge/views/sessions.h"

#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/map.h"
#include "edge/views/sessions_internal.h"

#include <string.h>

enum { MS_PER_S = 1000, MARKS_PER_SESSION = 2 };

#define MINUTE_MS       UINT64_C(60000)
#define MEDIA_MS_MAX    UINT64_C(60000)  /* of one segment, whatever its player says */
#define AHEAD_MS_MAX    UINT64_C(900000) /* for which a player may be silent */
#define AGENT_BYTES_MAX 512

/* ---- life -------------------------------------------------------------- */

struct edge_sessions *edge_sessions_new(const struct edge_sessions_options *options)
{
    struct edge_sessions *sessions = FB_NEW(struct edge_sessions);
    size_t max_marks = options->max_sessions * MARKS_PER_SESSION;

    sessions->options = *options;
    sessions->options.max_sessions = FB_MAX(options->max_sessions, 1U);
    sessions->wall_ms = options->wall_ms;
    edge_salts_init(&sessions->salts, options->key, options->wall_ms);
    sessions->tally = edge_tally_new(&(struct edge_tally_options){.max = options->max_entries,
                                                                  .seed = options->seed,
                                                                  .deliver = options->deliver,
                                                                  .ctx = options->deliver_ctx});
    sessions->viewers = edge_marks_new(max_marks, options->seed);
    sessions->networks = edge_marks_new(max_marks, options->seed);
    sessions->map = fb_map_new(options->seed);
    fb_list_init(&sessions->ages);
    for (size_t i = 0; i < SESSIONS_WHEEL; i++) {
        fb_list_init(&sessions->wheel[i]);
    }
    return sessions;
}

static struct fb_str key_str(const struct edge_mark_key *key)
{
    return (struct fb_str){(const char *)key->bytes, sizeof(key->bytes)};
}

static void session_free(struct edge_sessions *sessions, struct session *session)
{
    (void)fb_map_remove(sessions->map, key_str(&session->key));
    if (session->has_alias) {
        (void)fb_map_remove(sessions->map, key_str(&session->alias));
    }
    fb_list_remove(&session->age);
    fb_list_remove(&session->due);
    edge_segments_done(&session->segments);
    fb_free(session);
    sessions->counts.open--;
}

void edge_sessions_free(struct edge_sessions *sessions)
{
    if (sessions == NULL) {
        return;
    }
    FB_LIST_EACH(node, &sessions->ages) {
        session_free(sessions, FB_CONTAINER_OF(node, struct session, age));
    }
    edge_salts_done(&sessions->salts);
    edge_tally_free(sessions->tally);
    edge_marks_free(sessions->viewers);
    edge_marks_free(sessions->networks);
    fb_map_free(sessions->map);
    fb_free(sessions);
}

static void session_end(struct edge_sessions *sessions, struct session *session)
{
    edge_session_judge(sessions, session, true);
    session_free(sessions, session);
}

/* ---- when it is over --------------------------------------------------- */

static void session_place(struct edge_sessions *sessions, struct session *session)
{
    uint64_t over_s = (session->over_ms + MS_PER_S - 1) / MS_PER_S;
    uint64_t second = FB_MAX(over_s, sessions->turned_s + 1);

    fb_list_remove(&session->due);
    fb_list_append(&sessions->wheel[second % SESSIONS_WHEEL], &session->due);
}

static void sessions_turn_slot(struct edge_sessions *sessions, uint64_t second)
{
    struct fb_list due;

    fb_list_init(&due);
    fb_list_splice(&due, &sessions->wheel[second % SESSIONS_WHEEL]);
    FB_LIST_EACH(node, &due) {
        struct session *session = FB_CONTAINER_OF(node, struct session, due);
        if (session->over_ms <= second * MS_PER_S) {
            session_end(sessions, session);
        } else {
            session_place(sessions, session);
        }
    }
}

void edge_sessions_advance(struct edge_sessions *sessions, uint64_t mono_ms, int64_t wall_ms)
{
    uint64_t overlap_ms = FB_MAX(sessions->options.again_ms, sessions->options.idle_ms);

    sessions->mono_ms = FB_MAX(sessions->mono_ms, mono_ms);
    sessions->wall_ms = wall_ms;
    edge_salts_turn(&sessions->salts, wall_ms, overlap_ms);
    uint64_t now_s = sessions->mono_ms / MS_PER_S;
    uint64_t from_s =
        now_s - sessions->turned_s > SESSIONS_WHEEL ? now_s - SESSIONS_WHEEL : sessions->turned_s;
    for (uint64_t second = from_s + 1; second <= now_s; second++) {
        sessions->turned_s = second;
        sessions_turn_slot(sessions, second);
    }
    sessions->turned_s = now_s;
    if (sessions->options.every_ms > 0 &&
        sessions->mono_ms - sessions->delivered_ms >= sessions->options.every_ms) {
        sessions->delivered_ms = sessions->mono_ms;
        edge_tally_finish(sessions->tally);
    }
    edge_tally_flush(sessions->tally, wall_ms);
}

void edge_sessions_finish(struct edge_sessions *sessions)
{
    FB_LIST_EACH(node, &sessions->ages) {
        session_end(sessions, FB_CONTAINER_OF(node, struct session, age));
    }
    edge_tally_finish(sessions->tally);
}

/* ---- whose a fact is --------------------------------------------------- */

/* Who watches, under each of the salts. */
struct facts_owner {
    struct edge_viewer viewer;
    struct edge_mark_key key; /* of viewer and video */
    struct edge_mark_key before;
};

static struct facts_owner owner_of(const struct edge_sessions *sessions,
                                   const struct edge_view_fact *fact)
{
    struct facts_owner owner = {
        .viewer = {.subject = fact->subject,
                   .address = fact->address,
                   .agent = fb_str_first(fact->agent, AGENT_BYTES_MAX)},
    };

    owner.key = edge_salt_viewer(sessions->salts.now, &owner.viewer, fact->video);
    if (sessions->salts.has_before) {
        owner.before = edge_salt_viewer(sessions->salts.before, &owner.viewer, fact->video);
    }
    return owner;
}

/* An id that the player drew says nothing of who it is: it is known under the salt of the process'
 * key alone, midnight or not. */
static struct edge_mark_key sid_key(const struct edge_sessions *sessions,
                                    const struct edge_view_fact *fact)
{
    return edge_salt_text(sessions->salts.key, 's', fact->sid, fact->video);
}

static struct session *find_by_viewer(const struct edge_sessions *sessions,
                                      const struct facts_owner *owner)
{
    struct session *session = fb_map_find(sessions->map, key_str(&owner->key));

    if (session == NULL && sessions->salts.has_before) {
        session = fb_map_find(sessions->map, key_str(&owner->before));
    }
    return session;
}

static void session_alias(struct edge_sessions *sessions, struct session *session,
                          const struct edge_mark_key *key)
{
    if (!session->has_alias && fb_map_find(sessions->map, key_str(key)) == NULL) {
        session->has_alias = true;
        session->alias = *key;
        (void)fb_map_put(sessions->map, key_str(key), session);
    }
}

/* A player whose requests bear no id may still name one in its beacons: they join what was fetched
 * by the same viewer. */
static struct session *sessions_find(struct edge_sessions *sessions,
                                     const struct edge_view_fact *fact)
{
    if (fact->sid.len == 0) {
        struct facts_owner owner = owner_of(sessions, fact);
        return find_by_viewer(sessions, &owner);
    }
    struct edge_mark_key key = sid_key(sessions, fact);
    struct session *session = fb_map_find(sessions->map, key_str(&key));
    if (session == NULL && fact->kind == EDGE_VIEW_BEACON) {
        struct facts_owner owner = owner_of(sessions, fact);
        session = find_by_viewer(sessions, &owner);
        if (session != NULL && (session->has_sid || session->has_alias)) {
            return NULL;
        }
        if (session != NULL) {
            session_alias(sessions, session, &key);
        }
    }
    return session;
}

/* ---- beginning --------------------------------------------------------- */

/* True if the network begins more sessions of this video in this minute than it may. */
static bool sessions_is_rate(struct edge_sessions *sessions, const struct session *session)
{
    struct edge_mark *network = edge_marks_touch(sessions->networks, &session->network);
    uint64_t minute = session->begun_ms / MINUTE_MS + 1;

    if (network->at[0] != minute) {
        network->at[0] = minute;
        network->n[0] = 0;
    }
    network->n[0]++;
    return sessions->options.starts > 0 && network->n[0] > sessions->options.starts;
}

static void session_identify(struct edge_sessions *sessions, struct session *session,
                             const struct edge_view_fact *fact)
{
    struct facts_owner owner = owner_of(sessions, fact);
    struct edge_mark_key viewer =
        edge_salt_viewer(sessions->salts.key_of_day, &owner.viewer, FB_STR_NONE);
    struct edge_mark_key network =
        edge_salt_network(sessions->salts.key_of_day, &fact->network, FB_STR_NONE);

    session->viewer = owner.key;
    session->viewer_before = owner.before;
    session->has_before = sessions->salts.has_before;
    session->viewer_number = edge_mark_number(&viewer);
    session->network_number = edge_mark_number(&network);
    session->network = edge_salt_network(sessions->salts.now, &fact->network, fact->video);
    session->has_sid = fact->sid.len > 0;
    session->key = session->has_sid ? sid_key(sessions, fact) : owner.key;
    session->is_bot = sessions->options.is_bot(sessions->options.is_bot_ctx, fact->agent);
}

static struct session *sessions_begin(struct edge_sessions *sessions,
                                      const struct edge_view_fact *fact)
{
    struct session *session = fb_alloc(sizeof(*session) + fact->video.len);

    session->video_len = (uint8_t)fact->video.len;
    memcpy(session->video, fact->video.ptr, fact->video.len);
    fb_list_init(&session->age);
    fb_list_init(&session->due);
    session->begun_ms = fact->mono_ms;
    session->last_ms = fact->mono_ms;
    session->source = FB_VIEW_OTHER;
    session_identify(sessions, session, fact);
    session->is_rate = sessions_is_rate(sessions, session);
    (void)fb_map_put(sessions->map, key_str(&session->key), session);
    fb_list_append(&sessions->ages, &session->age);
    if (fact->kind == EDGE_VIEW_BEACON) {
        session_alias(sessions, session, &session->viewer);
    }
    sessions->counts.begun++;
    sessions->counts.open++;
    struct fb_list *oldest = fb_list_first(&sessions->ages);
    if (oldest != NULL && sessions->counts.open > sessions->options.max_sessions) {
        sessions->counts.evicted++;
        session_end(sessions, FB_CONTAINER_OF(oldest, struct session, age));
    }
    return session;
}

/* ---- what a fact adds -------------------------------------------------- */

static void session_add_beacon(struct session *session, const struct edge_beacon *beacon)
{
    session->has_beacon = true;
    session->has_watch |= beacon->has_watch;
    session->watch_ms = FB_MAX(session->watch_ms, beacon->watch_ms);
    session->duration_ms = FB_MAX(session->duration_ms, beacon->duration_ms);
    session->stalls = FB_MAX(session->stalls, beacon->stalls);
    session->stall_ms = FB_MAX(session->stall_ms, beacon->stall_ms);
    if (beacon->has_startup && !session->has_startup) {
        session->has_startup = true;
        session->startup_ms = beacon->startup_ms;
    }
    if (beacon->has_source && session->source == FB_VIEW_OTHER) {
        session->source = beacon->source;
    }
}

static void session_add_media(const struct edge_sessions *sessions, struct session *session,
                              const struct edge_view_fact *fact)
{
    uint64_t media_ms =
        fact->media_ms > 0 ? FB_MIN(fact->media_ms, MEDIA_MS_MAX) : sessions->options.segment_ms;

    session->rendition_len = (uint8_t)fact->rendition.len;
    if (fact->rendition.len > 0) {
        memcpy(session->rendition, fact->rendition.ptr, fact->rendition.len);
    }
    if (fact->is_whole && edge_segments_add(&session->segments, fact->segment)) {
        session->fetched_ms += media_ms;
    }
}

static void session_add(struct edge_sessions *sessions, struct session *session,
                        const struct edge_view_fact *fact)
{
    session->last_ms = FB_MAX(session->last_ms, fact->mono_ms);
    session->wall_ms = fact->wall_ms;
    if (fact->kind == EDGE_VIEW_BEACON) {
        session_add_beacon(session, &fact->beacon);
    } else if (fact->is_head) {
        session->n_heads++;
    } else {
        session->n_gets++;
        if (fact->kind == EDGE_VIEW_MEDIA) {
            session_add_media(sessions, session, fact);
        }
    }
    uint64_t elapsed_ms = session_elapsed(session);
    uint64_t ahead_ms = session->fetched_ms > elapsed_ms ? session->fetched_ms - elapsed_ms : 0;
    session->over_ms =
        session->last_ms + sessions->options.idle_ms + FB_MIN(ahead_ms, AHEAD_MS_MAX);
    fb_list_remove(&session->age);
    fb_list_append(&sessions->ages, &session->age);
    if (session->due.next == &session->due) {
        session_place(sessions, session);
    }
    edge_session_judge(sessions, session, false);
}

static void sessions_add_bytes(struct edge_sessions *sessions, const struct edge_view_fact *fact)
{
    if (fact->bytes > 0) {
        struct fb_view_entry *entry =
            edge_tally_at(sessions->tally, fact->wall_ms, fact->video, fact->rendition);
        entry->bytes += fact->bytes;
        entry->bytes_missed += fact->is_missed ? fact->bytes : 0;
    }
}

void edge_sessions_add(struct edge_sessions *sessions, const struct edge_view_fact *fact)
{
    sessions_add_bytes(sessions, fact);
    if (fact->kind != EDGE_VIEW_BEACON && !fact->is_ok) {
        return;
    }
    struct session *session = sessions_find(sessions, fact);
    /* What was not noticed in time to be over, is over. */
    if (session != NULL && session->over_ms <= fact->mono_ms) {
        session_end(sessions, session);
        session = NULL;
    }
    if (session == NULL && fact->kind != EDGE_VIEW_AUDIO) {
        session = sessions_begin(sessions, fact);
    }
    if (session != NULL) {
        session_add(sessions, session, fact);
    }
}

struct edge_sessions_counts edge_sessions_count(const struct edge_sessions *sessions)
{
    struct edge_sessions_counts counts = sessions->counts;

    counts.entries = edge_tally_delivered(sessions->tally);
    counts.waiting = edge_tally_count(sessions->tally);
    return counts;
}
