/* Sessions beside a twin that keeps all it is told and looks at all of it each time. */
#include "sessions_fixture.h"
#include "tests/support/test_random.h"

#include <stdlib.h>

enum { TWIN_SESSIONS = 500, TWIN_SEGMENTS = 400, VIDEOS = 2, VIEWERS = 5, SIDS = 5, EVENTS = 300 };

struct twin_session {
    bool is_open, is_known, is_view, is_bot, is_rate, has_watch, has_beacon;
    int video, viewer, sid; /* sid -1: none */
    bool answers_viewer;    /* requests without an id are its own */
    bool is_ending;
    uint64_t begun, last, fetched, watch, duration, told;
    int64_t wall;
    unsigned n_gets, n_heads;
    bool had[TWIN_SEGMENTS];
};

struct twin_view {
    int video, viewer;
    uint64_t at;
    int64_t wall;
};

struct twin {
    struct twin_session *sessions;
    size_t n;
    struct twin_view *views;
    size_t n_views;
    bool is_loose; /* two of a viewer and video ended at once: either may have been the first */
    uint64_t capped, watch, reasons[FB_VIEW_REASONS_N];
    unsigned in_hour[VIDEOS];
    int64_t hour[VIDEOS];
};

static uint64_t twin_watched(const struct twin_session *s)
{
    uint64_t most = s->last - s->begun + 10000;

    return !s->has_watch ? s->fetched : s->watch < most ? s->watch : most;
}

static uint64_t twin_needed(const struct twin_session *s)
{
    uint64_t needed = s->duration / 2;

    if (s->duration == 0 || s->fetched > s->duration + 8000 || needed > 10000) {
        return 10000;
    }
    return needed < 1000 ? 1000 : needed;
}

static uint64_t twin_over(const struct twin_session *s)
{
    uint64_t passed = s->last - s->begun;
    uint64_t ahead = s->fetched > passed ? s->fetched - passed : 0;

    return s->last + 60000 + (ahead < 900000 ? ahead : 900000);
}

static void twin_count(struct twin *t, struct twin_session *s)
{
    bool is_first = true;
    int64_t hour = s->wall / 3600000;

    for (size_t i = 0; i < t->n_views; i++) {
        const struct twin_view *view = &t->views[i];
        if (view->video == s->video && view->viewer == s->viewer &&
            view->wall / 86400000 == s->wall / 86400000) {
            is_first = false;
        }
    }
    if (is_first) {
        if (t->hour[s->video] != hour) {
            t->hour[s->video] = hour;
            t->in_hour[s->video] = 0;
        }
        t->in_hour[s->video]++;
        t->capped += t->in_hour[s->video] <= 20 || t->in_hour[s->video] % 10 == 0;
    }
    t->views[t->n_views++] = (struct twin_view){s->video, s->viewer, s->last, s->wall};
    s->is_view = true;
}

static void twin_judge(struct twin *t, struct twin_session *s, bool is_over)
{
    uint64_t passed = s->last - s->begun;
    bool is_enough = twin_watched(s) >= twin_needed(s);

    if (!s->is_known && (is_over || (s->fetched > 0 && passed >= twin_needed(s) && is_enough))) {
        bool is_duplicate = false;
        for (size_t i = 0; i < t->n_views; i++) {
            const struct twin_view *view = &t->views[i];
            is_duplicate |= view->video == s->video && view->viewer == s->viewer &&
                            s->last < view->at + 1800000;
        }
        s->is_known = true;
        if (s->is_bot || (s->n_gets == 0 && s->n_heads > 0 && !s->has_beacon) ||
            s->fetched > 900000 + 8 * passed) {
            t->reasons[FB_VIEW_BOT]++;
        } else if (s->is_rate) {
            t->reasons[FB_VIEW_RATE]++;
        } else if (s->fetched == 0) {
            t->reasons[FB_VIEW_NO_MEDIA]++;
        } else if (!is_enough) {
            t->reasons[FB_VIEW_TOO_SHORT]++;
        } else if (is_duplicate) {
            t->reasons[FB_VIEW_DUPLICATE]++;
        } else {
            twin_count(t, s);
        }
    }
    if (s->is_view && twin_watched(s) > s->told) {
        t->watch += twin_watched(s) - s->told;
        s->told = twin_watched(s);
    }
}

static struct twin_session *twin_by_viewer(struct twin *t, int video, int viewer)
{
    for (size_t i = 0; i < t->n; i++) {
        struct twin_session *s = &t->sessions[i];
        if (s->is_open && s->video == video && s->viewer == viewer && s->answers_viewer) {
            return s;
        }
    }
    return NULL;
}

static struct twin_session *twin_find(struct twin *t, int video, int viewer, int sid,
                                      bool is_beacon)
{
    struct twin_session *s = NULL;

    if (sid < 0) {
        return twin_by_viewer(t, video, viewer);
    }
    for (size_t i = 0; i < t->n; i++) {
        s = &t->sessions[i];
        if (s->is_open && s->video == video && s->sid == sid) {
            return s;
        }
    }
    s = is_beacon ? twin_by_viewer(t, video, viewer) : NULL;
    if (s != NULL && s->sid >= 0) {
        return NULL;
    }
    if (s != NULL) {
        s->sid = sid;
    }
    return s;
}

static void twin_end(struct twin *t, struct twin_session *s)
{
    for (size_t i = 0; i < t->n; i++) {
        struct twin_session *other = &t->sessions[i];
        t->is_loose |= other != s && other->is_ending && other->video == s->video &&
                       other->viewer == s->viewer;
    }
    s->is_ending = true;
    twin_judge(t, s, true);
    s->is_open = false;
}

/* As time goes, second by second. */
static void twin_end_over(struct twin *t, uint64_t from, uint64_t now)
{
    for (uint64_t at = from; at <= now; at += 1000) {
        for (size_t i = 0; i < t->n; i++) {
            struct twin_session *s = &t->sessions[i];
            if (s->is_open && twin_over(s) <= at) {
                twin_end(t, s);
            }
        }
        for (size_t i = 0; i < t->n; i++) {
            t->sessions[i].is_ending = false;
        }
    }
}

struct event {
    struct edge_view_fact fact;
    int video, viewer, sid;
};

/* All viewers are of one network, which may begin four sessions of a video in a minute. */
static bool twin_is_rate(const struct twin *t, const struct event *event)
{
    unsigned n = 1;

    for (size_t i = 0; i < t->n; i++) {
        n += t->sessions[i].video == event->video &&
             t->sessions[i].begun / 60000 == event->fact.mono_ms / 60000;
    }
    return n > 4;
}

static void twin_add(struct twin *t, const struct event *event)
{
    const struct edge_view_fact *fact = &event->fact;
    bool is_beacon = fact->kind == EDGE_VIEW_BEACON;

    if (!fact->is_ok) {
        return;
    }
    struct twin_session *s = twin_find(t, event->video, event->viewer, event->sid, is_beacon);
    if (s == NULL && fact->kind == EDGE_VIEW_AUDIO) {
        return;
    }
    if (s == NULL) {
        assert_true(t->n < TWIN_SESSIONS);
        bool is_rate = twin_is_rate(t, event);
        bool is_free = twin_by_viewer(t, event->video, event->viewer) == NULL;
        s = &t->sessions[t->n++];
        *s = (struct twin_session){.is_open = true,
                                   .video = event->video,
                                   .viewer = event->viewer,
                                   .sid = event->sid,
                                   .answers_viewer = event->sid < 0 || (is_beacon && is_free),
                                   .is_rate = is_rate,
                                   .is_bot = fb_str_equal(fact->agent, FB_STR("a bot")),
                                   .begun = fact->mono_ms};
    }
    s->last = fact->mono_ms;
    s->wall = fact->wall_ms;
    if (is_beacon) {
        s->has_beacon = true;
        s->has_watch |= fact->beacon.has_watch;
        s->watch = FB_MAX(s->watch, fact->beacon.watch_ms);
        s->duration = FB_MAX(s->duration, fact->beacon.duration_ms);
    } else if (fact->is_head) {
        s->n_heads++;
    } else {
        s->n_gets++;
        if (fact->kind == EDGE_VIEW_MEDIA && fact->is_whole && !s->had[fact->segment]) {
            s->had[fact->segment] = true;
            s->fetched += fact->media_ms > 0 ? fact->media_ms : 4000;
        }
    }
    twin_judge(t, s, false);
}

static struct event event_of(struct fixture *f, struct test_random *random)
{
    static const char *const videos[VIDEOS] = {"vid1", "vid2"};
    static const char *const sids[SIDS] = {"a", "b", "c", "d", "e"};
    unsigned kind = (unsigned)test_random_below(random, 20);
    struct event event = {.video = (int)test_random_below(random, VIDEOS),
                          .viewer = (int)test_random_below(random, VIEWERS),
                          .sid = (int)test_random_below(random, 2 * SIDS) - SIDS};
    bool is_beacon = kind >= 17;

    event.sid = event.sid < 0 ? (is_beacon ? 0 : -1) : event.sid;
    const char *sid = event.sid < 0 ? NULL : sids[event.sid];
    struct edge_view_fact *fact = &event.fact;
    if (is_beacon) {
        *fact = beacon_of(f, (unsigned)event.viewer, sid, test_random_below(random, 30000));
        fact->beacon.has_watch = test_random_below(random, 4) > 0;
        fact->beacon.watch_ms *= fact->beacon.has_watch;
        fact->beacon.duration_ms =
            test_random_below(random, 4) > 0 ? 0 : test_random_below(random, 40000);
    } else {
        *fact = segment_of(f, (unsigned)event.viewer, sid, test_random_below(random, 40));
        fact->kind = kind == 16 ? EDGE_VIEW_AUDIO : kind == 15 ? EDGE_VIEW_MANIFEST : fact->kind;
        fact->is_whole = test_random_below(random, 10) > 0;
        fact->is_ok = test_random_below(random, 20) > 0;
        fact->is_head = test_random_below(random, 15) == 0;
        fact->media_ms = test_random_below(random, 3) == 0 ? 2000 : 0;
    }
    fact->video = fb_str_from(videos[event.video]);
    if (event.viewer == VIEWERS - 1) {
        fact->agent = FB_STR("a bot");
    }
    return event;
}

static void any_history_counts_as_it_does_for_the_twin(struct fixture *f,
                                                       struct test_random *random)
{
    struct twin t = {.sessions = calloc(TWIN_SESSIONS, sizeof(struct twin_session)),
                     .views = calloc(TWIN_SESSIONS, sizeof(struct twin_view))};
    uint64_t n_bytes = 0;

    for (unsigned i = 0; i < EVENTS; i++) {
        uint64_t step = test_random_below(random, 200);
        uint64_t from = f->mono_ms;
        pass(f, 1000 * (step > 198   ? test_random_below(random, 2500)
                        : step > 190 ? test_random_below(random, 400)
                        : step > 20  ? test_random_below(random, 4)
                                     : 0));
        twin_end_over(&t, from, f->mono_ms);
        struct event event = event_of(f, random);
        n_bytes += event.fact.bytes;
        twin_add(&t, &event);
        add(f, event.fact);
        assert_int_equal(edge_sessions_count(f->sessions).begun, t.n);
    }
    for (size_t i = 0; i < t.n; i++) {
        if (t.sessions[i].is_open) {
            twin_end(&t, &t.sessions[i]);
        }
    }
    finish(f);
    assert_int_equal(f->sum.sessions, t.n);
    assert_int_equal(f->sum.views, t.n_views);
    if (!t.is_loose) {
        assert_int_equal(f->sum.capped, t.capped);
        assert_int_equal(f->sum.watch_ms, t.watch);
    }
    assert_int_equal(f->sum.bytes, n_bytes);
    for (size_t i = 0; i < FB_VIEW_REASONS_N; i++) {
        assert_int_equal(f->sum.uncounted[i], t.reasons[i]);
    }
    free(t.sessions);
    free(t.views);
}

static void sessions_are_counted_as_the_twin_counts_them(void **state)
{
    struct test_random random = test_random_new();

    for (unsigned i = 0; i < 200; i++) {
        struct fixture *f = NULL;
        void *fixture = NULL;
        assert_int_equal(set_up(&fixture), 0);
        f = fixture;
        edge_sessions_free(f->sessions);
        f->options.starts = 4;
        /* So that no minute begins before its time, and no day ends. */
        f->mono_ms = 60000;
        f->wall_ms = FIXTURE_WALL_MS - 12 * 3600000 + 1000;
        fixture_open(f);
        any_history_counts_as_it_does_for_the_twin(f, &random);
        (void)tear_down(&fixture);
    }
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_are_counted_as_the_twin_counts_them),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
