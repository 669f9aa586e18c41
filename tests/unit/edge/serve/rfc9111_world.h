/*
 * What changes by chance in test_rfc9111.c: the origin's mind, and what clients ask.
 */
#pragma once

#include "rfc9111_client.h"
#include "tests/support/test_random.h"

/* ---- the origin ---------------------------------------------------------- */

enum { KEY_GUESSED = 2 }; /* whose site grants lifetimes by heuristics */

enum origin_mood { ORIGIN_WELL, ORIGIN_GONE, ORIGIN_BROKEN };

struct origin {
    struct model_head head; /* of the next whole answer, but for when it is made */
    unsigned version;
    enum origin_mood mood;
    bool knows_ranges;
};

struct world {
    struct fixture *f;
    struct test_random random;
    struct origin origins[MODEL_N_KEYS];
    struct model model;
    struct fb_buf story; /* for whoever reads why it failed */
    uint64_t *seen;      /* N_SEEN of them */
    bool obeys;          /* clients' directives */

    bool is_overtaken; /* what is asked for, by an unsafe method */

    /* References in the answer to an unsafe method, or NULL. */
    const char *location;
    const char *content_location;
};

/* What came to pass, so that no run passes without it. */
enum seen {
    SEEN_USED,
    SEEN_REFRESHED,
    SEEN_VALIDATED,
    SEEN_REPLACED,
    SEEN_STOOD_IN,
    SEEN_FAILED,
    SEEN_PASSED,
    SEEN_ALONE,
    SEEN_304,
    SEEN_206,
    SEEN_416,
    SEEN_412,
    SEEN_UNCACHED, /* 504 to only-if-cached */
    SEEN_ACCEPTED, /* stale, as the client takes it */
    SEEN_UNWANTED, /* fresh, but the client will not have it */
    SEEN_REFUSED,  /* it may stand in, but the client will not have it */
    SEEN_HEAD_SAME,
    SEEN_HEAD_OTHER,
    SEEN_GUESSED,
    SEEN_HELD_BACK, /* what no-cache="..." names */
    SEEN_OWN,       /* what private="..." names, given to whoever asked */
    SEEN_INVALIDATED,
    SEEN_ELSEWHERE, /* invalidated by Location or Content-Location */
    SEEN_OVERTAKEN,
    N_SEEN
};

static inline unsigned chance(struct world *w, unsigned n)
{
    return (unsigned)test_random_below(&w->random, n);
}

/* One of the first `n` of these. */
static inline int pick(struct world *w, const int *from, unsigned n)
{
    return from[chance(w, n)];
}

/* Those of a field that is there `odds` times of 8. */
static inline struct model_directives draw_directives(struct world *w, unsigned odds)
{
    static const int times[] = {-1, -1, 0, 2, 10, 60};
    static const int grants[] = {-1, -1, -1, 5, 60};
    struct model_directives d = {.max_age = -1, .s_maxage = -1, .while_revalidate = -1};

    d.if_error = -1;
    d.is_present = chance(w, 8) < odds;
    if (!d.is_present) {
        return d;
    }
    d.max_age = pick(w, times, 6);
    d.s_maxage = chance(w, 4) == 0 ? pick(w, times, 6) : -1;
    d.while_revalidate = pick(w, grants, 5);
    d.if_error = pick(w, grants, 5);
    d.no_store = chance(w, 16) == 0;
    d.must_understand = chance(w, 16) == 0;
    d.is_private = chance(w, 16) == 0;
    d.has_private_field = !d.is_private && chance(w, 8) == 0;
    d.is_public = chance(w, 6) == 0;
    d.no_cache = chance(w, 10) == 0;
    d.has_no_cache_field = !d.no_cache && chance(w, 8) == 0;
    d.must_revalidate = chance(w, 10) == 0;
    d.proxy_revalidate = chance(w, 12) == 0;
    d.is_immutable = chance(w, 10) == 0;
    return d;
}

static inline struct model_directives draw_targeted(struct world *w)
{
    struct model_directives d = draw_directives(w, 1);

    d.is_malformed = d.is_present && chance(w, 6) == 0;
    return d;
}

/* Since when a version is what it is. */
static inline int64_t last_modified_s(unsigned version)
{
    return 1767225600 - 2000 + (int64_t)version * 20;
}

static inline void draw_head(struct world *w, unsigned key, struct model_head *head)
{
    static const int statuses[] = {200, 200, 200, 200, 200, 200, 404, 410, 301, 302, 204, 299};
    static const int ages[] = {-1, -1, -1, 0, 3, 20};
    static const int offsets[] = {0, 0, 0, -4, -30, 7};
    static const int expiries[] = {-5, 0, 3, 20};
    static const enum model_etag etags[] = {MODEL_ETAG_NONE, MODEL_ETAG_STRONG, MODEL_ETAG_WEAK};
    int64_t now_s = w->f->clock.wall_now_ms / 1000;

    *head = (struct model_head){.status = (unsigned)pick(w, statuses, 12)};
    head->control = draw_directives(w, 7);
    head->cdn = draw_targeted(w);
    head->forebay = draw_targeted(w);
    head->may_guess = key == KEY_GUESSED;
    head->expires = (enum model_expires)(chance(w, 6) > 1 ? 0 : chance(w, 3));
    head->expires_at_s = now_s + pick(w, expiries, 4);
    head->date = chance(w, 5) == 0 ? MODEL_DATE_NONE : MODEL_DATE_OFF_BY;
    head->date_off_s = pick(w, offsets, 6);
    head->age_s = pick(w, ages, 6);
    head->etag = etags[chance(w, 3)];
    head->has_last_modified = chance(w, 3) == 0;
    head->own = chance(w, 3) == 0 ? (int)chance(w, 1000) : -1;
    head->vary = chance(w, 20) == 0  ? MODEL_VARY_ANY
                 : chance(w, 3) == 0 ? MODEL_VARY_LANGUAGE
                                     : MODEL_VARY_NONE;
    head->sets_cookie = chance(w, 24) == 0;
}

/* What is said of the same bytes changes, or the bytes. */
static inline void change_origin(struct world *w)
{
    static const enum origin_mood moods[] = {ORIGIN_WELL, ORIGIN_GONE, ORIGIN_BROKEN};
    unsigned key = chance(w, MODEL_N_KEYS);
    struct origin *origin = &w->origins[key];
    struct model_head old = origin->head;

    if (chance(w, 3) == 0) {
        origin->mood = moods[chance(w, 3)];
        return;
    }
    origin->mood = ORIGIN_WELL;
    origin->knows_ranges = chance(w, 2) == 0;
    draw_head(w, key, &origin->head);
    if (chance(w, 2) == 0) {
        origin->version++;
        origin->head.modified_s = last_modified_s(origin->version);
        return;
    }
    origin->head.status = old.status;
    origin->head.etag = old.etag;
    origin->head.has_last_modified = old.has_last_modified;
    origin->head.modified_s = old.modified_s;
    origin->head.vary = old.vary;
}

/* ---- clients --------------------------------------------------------------- */

/* Who asks while the upstream is gone is to ask for more than it can give, now and then. */
static inline struct model_demands draw_demands(struct world *w, const struct origin *origin)
{
    static const int times[] = {-1, -1, -1, 0, 3, 20};
    struct model_demands d = model_no_demands;

    if (chance(w, 3) > 0) {
        return d;
    }
    d.only_if_cached = chance(w, 6) == 0;
    d.no_store = chance(w, 8) == 0;
    d.no_cache = chance(w, origin->mood == ORIGIN_WELL ? 5 : 2) == 0;
    d.max_age = pick(w, times, 6);
    d.min_fresh = pick(w, times, 6);
    d.max_stale = pick(w, times, 6);
    d.if_error = pick(w, times, 6);
    return d;
}

static inline void draw_conditions(struct world *w, struct question *q)
{
    static const enum question_range ranges[] = {RANGE_CLOSED, RANGE_CLOSED, RANGE_OPEN,
                                                 RANGE_SUFFIX, RANGE_TWO};
    static const enum question_if_range if_ranges[] = {IF_RANGE_NONE, IF_RANGE_STRONG,
                                                       IF_RANGE_WEAK, IF_RANGE_DATE};
    const struct origin *origin = &w->origins[q->key];
    const int64_t dates[] = {last_modified_s(q->known_version), last_modified_s(origin->version),
                             w->f->clock.wall_now_ms / 1000};

    q->known_varies = (origin->head.vary != MODEL_VARY_NONE) == (chance(w, 4) > 0);
    q->since_s = dates[chance(w, 3)];
    if (chance(w, 4) == 0) {
        q->match = chance(w, 3) > 0 ? MATCH_TAGS : chance(w, 2) == 0 ? MATCH_ANY : MATCH_NONE;
        q->has_since = chance(w, 3) == 0;
    }
    if (chance(w, 16) == 0) {
        q->has_if_match = chance(w, 2) == 0;
        q->has_unmodified = !q->has_if_match || chance(w, 3) == 0;
    }
    if (chance(w, 5) == 0) {
        q->range = ranges[chance(w, 5)];
        q->first = chance(w, 9);
        q->last = q->first + chance(w, 5);
        q->first_of_second = chance(w, 9);
    }
    if (q->range != RANGE_NONE && chance(w, 2) == 0) {
        q->if_range = if_ranges[chance(w, 4)];
    }
}

static inline struct question draw_question(struct world *w)
{
    struct question q = {.method = FB_METHOD_GET,
                         .key = chance(w, MODEL_N_KEYS),
                         .language = chance(w, MODEL_N_LANGUAGES),
                         .demands = model_no_demands};

    if (chance(w, 6) == 0) {
        q.method = FB_METHOD_HEAD;
    }
    q.is_authorized = chance(w, 12) == 0;
    q.known_version = w->origins[q.key].version - chance(w, 2);
    draw_conditions(w, &q);
    q.written = draw_demands(w, &w->origins[q.key]);
    if (w->obeys) {
        q.demands = q.written;
    } else {
        q.demands.only_if_cached = q.written.only_if_cached; /* by preset */
    }
    return q;
}
