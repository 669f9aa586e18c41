/*
 * A small model of a shared cache, written from the text of RFC 9111, 5861, 8246 and 9213
 * and from nothing else: what it is told is not text but what the text would say, so it
 * shares no parser, no arithmetic and no table with the edge.
 *
 * Where the RFCs leave room, the edge's stated choices (edge/fresh/terms.h) are taken,
 * each marked "choice".
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { MODEL_N_KEYS = 3, MODEL_N_LANGUAGES = 3, MODEL_MAX_STORED = 16 };

/* ---- what an origin says ------------------------------------------------- */

/* Directives of one field, present or not; numbers in seconds, -1: not there. */
struct model_directives {
    bool is_present;
    bool is_malformed; /* of a targeted field */
    bool no_store;
    bool must_understand;
    bool is_private;
    bool has_private_field; /* private="x-own" */
    bool is_public;
    bool no_cache;
    bool has_no_cache_field; /* no-cache="x-own" */
    bool is_immutable;
    bool must_revalidate;
    bool proxy_revalidate;
    int max_age;
    int s_maxage;
    int while_revalidate;
    int if_error;
};

enum model_expires { MODEL_EXPIRES_NONE, MODEL_EXPIRES_IN, MODEL_EXPIRES_MALFORMED };
enum model_date { MODEL_DATE_NONE, MODEL_DATE_OFF_BY };
enum model_etag { MODEL_ETAG_NONE, MODEL_ETAG_STRONG, MODEL_ETAG_WEAK };
enum model_vary { MODEL_VARY_NONE, MODEL_VARY_LANGUAGE, MODEL_VARY_ANY };

/* The head of a response. */
struct model_head {
    unsigned status;
    struct model_directives control; /* Cache-Control */
    struct model_directives cdn;     /* CDN-Cache-Control */
    struct model_directives forebay; /* Forebay-Cache-Control */
    bool may_guess;                  /* the site grants lifetimes by heuristics */
    enum model_expires expires;
    int64_t expires_at_s;
    enum model_date date;
    int date_off_s; /* Date minus the time of its making */
    int age_s;      /* -1: none */
    enum model_etag etag;
    bool has_last_modified;
    int64_t modified_s;
    int own; /* the number in X-Own, -1: not there */
    enum model_vary vary;
    bool sets_cookie;
    int64_t made_ms;
};

/* ---- what a client demands ------------------------------------------------ */

/* Of its Cache-Control, what the site obeys; numbers in seconds, -1: not there. */
struct model_demands {
    bool only_if_cached;
    bool no_store;
    bool no_cache;
    int max_age;
    int min_fresh;
    int max_stale;
    int if_error;
};

static const struct model_demands model_no_demands = {.max_age = -1,
                                                      .min_fresh = -1,
                                                      .max_stale = -1,
                                                      .if_error = -1};

/* ---- what is stored ------------------------------------------------------ */

struct model_stored {
    bool is_used;
    unsigned order; /* the newest has the highest */
    unsigned key;
    unsigned language; /* of the request that brought it */
    unsigned version;  /* what the body and the validators tell */
    struct model_head head;
    int64_t received_ms;
    int64_t initial_age_ms;
};

struct model {
    struct model_stored stored[MODEL_MAX_STORED];
    unsigned order;
    int64_t unshared_until_ms[MODEL_N_KEYS]; /* choice: what cannot be shared is not
                                              * queued for, for a while */
};

/* The latter of errors, and of what was shared before. */
enum { MODEL_UNSHARED_MS = 5000, MODEL_DOUBTED_MS = 500 };

/* ---- section 3: storing -------------------------------------------------- */

/* What the site grants by heuristics: this share of the time since Last-Modified. */
enum { MODEL_GUESS_PERCENT = 2, MODEL_GUESS_MAX_MS = 38000 };

/* RFC 9213 section 2.2: the first targeted field that is there and well formed counts alone. */
static inline const struct model_directives *model_effective(const struct model_head *head)
{
    if (head->forebay.is_present && !head->forebay.is_malformed) {
        return &head->forebay;
    }
    return head->cdn.is_present && !head->cdn.is_malformed ? &head->cdn : &head->control;
}

static inline bool model_is_heuristically_cacheable(unsigned status)
{
    static const unsigned statuses[] = {200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501};

    for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
        if (statuses[i] == status) {
            return true;
        }
    }
    return false;
}

/* Choice: the statuses that must-understand may speak of. */
static inline bool model_understands(unsigned status)
{
    return model_is_heuristically_cacheable(status) || status == 302 || status == 307;
}

/* What Date says; without one the time of arrival counts (RFC 9110 section 6.6.1). */
static inline int64_t model_date_s(const struct model_head *head, int64_t received_ms)
{
    return head->date == MODEL_DATE_NONE ? received_ms / 1000
                                         : head->made_ms / 1000 + head->date_off_s;
}

/* Section 4.2.2, by leave of the site; -1 if there is nothing to guess from. Choice: not for
 * errors. */
static inline int64_t model_guess_ms(const struct model_head *head, int64_t received_ms)
{
    int64_t unchanged_s = model_date_s(head, received_ms) - head->modified_s;

    if (!head->may_guess || !head->has_last_modified || head->status >= 400 ||
        (!model_is_heuristically_cacheable(head->status) && !model_effective(head)->is_public)) {
        return -1;
    }
    int64_t guess_ms = unchanged_s < 0 ? 0 : unchanged_s * 10 * MODEL_GUESS_PERCENT;
    return guess_ms < MODEL_GUESS_MAX_MS ? guess_ms : MODEL_GUESS_MAX_MS;
}

/* Section 4.2.1, in milliseconds; -1 if nothing is said. */
static inline int64_t model_lifetime_ms(const struct model_head *head, int64_t received_ms)
{
    const struct model_directives *directives = model_effective(head);

    if (directives->s_maxage >= 0) {
        return (int64_t)directives->s_maxage * 1000;
    }
    if (directives->max_age >= 0) {
        return (int64_t)directives->max_age * 1000;
    }
    if (directives != &head->control || head->expires == MODEL_EXPIRES_NONE) {
        return model_guess_ms(head, received_ms);
    }
    int64_t left_s = head->expires_at_s - model_date_s(head, received_ms);
    return head->expires == MODEL_EXPIRES_MALFORMED || left_s < 0 ? 0 : left_s * 1000;
}

/* Section 4.2.3 with a response delay of nothing. */
static inline int64_t model_initial_age_ms(const struct model_head *head, int64_t received_ms)
{
    int64_t apparent_s = received_ms / 1000 - model_date_s(head, received_ms);
    int64_t age_s = head->age_s > 0 ? head->age_s : 0;

    if (apparent_s < 0) {
        apparent_s = 0;
    }
    return (apparent_s > age_s ? apparent_s : age_s) * 1000;
}

static inline bool model_has_validator(const struct model_head *head)
{
    return head->etag != MODEL_ETAG_NONE || head->has_last_modified;
}

/* Section 4.2.4, with the meaning of s-maxage in 5.2.2.10. */
static inline bool model_is_never_stale(const struct model_head *head)
{
    const struct model_directives *directives = model_effective(head);

    return directives->no_cache || directives->must_revalidate || directives->proxy_revalidate ||
           directives->s_maxage >= 0;
}

static inline bool model_may_store(const struct model_head *head, bool is_authorized,
                                   int64_t received_ms)
{
    const struct model_directives *directives = model_effective(head);
    int64_t lifetime_ms = model_lifetime_ms(head, received_ms);

    if (head->status >= 500) {
        return false; /* choice */
    }
    if (directives->must_understand ? !model_understands(head->status) : directives->no_store) {
        return false; /* section 5.2.2.3 */
    }
    if (directives->is_private) {
        return false;
    }
    if (is_authorized && !directives->is_public && !directives->must_revalidate &&
        directives->s_maxage < 0) {
        return false; /* section 3.5 */
    }
    if (head->vary == MODEL_VARY_ANY) {
        return false; /* choice: it could never be selected */
    }
    if (head->sets_cookie) {
        return false; /* choice */
    }
    if (!directives->is_public && lifetime_ms < 0 &&
        !model_is_heuristically_cacheable(head->status)) {
        return false;
    }
    /* Choice: nothing is stored that could be used for nothing. */
    bool may_be_stale = directives->while_revalidate > 0 || directives->if_error > 0;
    return model_has_validator(head) ||
           (!directives->no_cache && lifetime_ms > model_initial_age_ms(head, received_ms)) ||
           (!model_is_never_stale(head) && may_be_stale);
}

/* ---- section 4.1: selecting ---------------------------------------------- */

static inline struct model_stored *model_find(struct model *model, unsigned key, unsigned language)
{
    struct model_stored *found = NULL;

    for (size_t i = 0; i < MODEL_MAX_STORED; i++) {
        struct model_stored *at = &model->stored[i];
        bool is_selected = at->is_used && at->key == key &&
                           (at->head.vary == MODEL_VARY_NONE || at->language == language);
        if (is_selected && (found == NULL || at->order > found->order)) {
            found = at;
        }
    }
    return found;
}

/* What is not kept of a head that is: section 5.2.2.7. */
static inline void model_drop_private(struct model_head *head)
{
    if (model_effective(head)->has_private_field) {
        head->own = -1;
    }
}

static inline void model_store(struct model *model, const struct model_stored *news)
{
    struct model_stored *place = NULL;

    for (size_t i = 0; i < MODEL_MAX_STORED; i++) {
        struct model_stored *at = &model->stored[i];
        bool is_same = at->is_used && at->key == news->key && at->head.vary == news->head.vary &&
                       (at->head.vary == MODEL_VARY_NONE || at->language == news->language);
        if (is_same) {
            at->is_used = false;
        }
        if (!at->is_used && place == NULL) {
            place = at;
        }
    }
    *place = *news;
    model_drop_private(&place->head);
    place->is_used = true;
    place->order = ++model->order;
}

/* Section 4.4. */
static inline void model_invalidate(struct model *model, unsigned key)
{
    for (size_t i = 0; i < MODEL_MAX_STORED; i++) {
        if (model->stored[i].key == key) {
            model->stored[i].is_used = false;
        }
    }
}

/* ---- section 4.2: using -------------------------------------------------- */

enum model_verdict { MODEL_USE, MODEL_USE_AND_REFRESH, MODEL_VALIDATE };

static inline int64_t model_age_ms(const struct model_stored *stored, int64_t now_ms)
{
    return stored->initial_age_ms + now_ms - stored->received_ms;
}

static inline int64_t model_stale_ms(const struct model_stored *stored, int64_t now_ms)
{
    int64_t lifetime_ms = model_lifetime_ms(&stored->head, stored->received_ms);

    return model_age_ms(stored, now_ms) - (lifetime_ms > 0 ? lifetime_ms : 0);
}

/* Fresh, but not as the client wants it (sections 5.2.1.1, 5.2.1.3, 5.2.1.4). */
static inline bool model_is_unwanted(const struct model_stored *stored,
                                     const struct model_demands *demands, int64_t now_ms)
{
    bool is_immutable = model_effective(&stored->head)->is_immutable; /* RFC 8246 */
    bool is_too_old =
        demands->max_age >= 0 && model_age_ms(stored, now_ms) > (int64_t)demands->max_age * 1000;

    return demands->no_cache || (is_too_old && !is_immutable) ||
           -model_stale_ms(stored, now_ms) < (int64_t)demands->min_fresh * 1000;
}

/* Stale, but the client takes it (section 5.2.1.2). */
static inline bool model_is_accepted(const struct model_stored *stored,
                                     const struct model_demands *demands, int64_t now_ms)
{
    return !demands->no_cache && demands->min_fresh <= 0 && demands->max_stale > 0 &&
           model_stale_ms(stored, now_ms) <= (int64_t)demands->max_stale * 1000 &&
           (demands->max_age < 0 ||
            model_age_ms(stored, now_ms) <= (int64_t)demands->max_age * 1000);
}

static inline enum model_verdict model_judge(const struct model_stored *stored,
                                             const struct model_demands *demands, int64_t now_ms)
{
    const struct model_directives *directives = model_effective(&stored->head);
    int64_t stale_ms = model_stale_ms(stored, now_ms);

    if (directives->no_cache) {
        return MODEL_VALIDATE;
    }
    if (stale_ms < 0) {
        return model_is_unwanted(stored, demands, now_ms) ? MODEL_VALIDATE : MODEL_USE;
    }
    if (model_is_never_stale(&stored->head)) {
        return MODEL_VALIDATE;
    }
    bool wants_fresh = demands->no_cache || demands->max_age >= 0 || demands->min_fresh > 0;
    if (!wants_fresh && stale_ms < (int64_t)directives->while_revalidate * 1000) {
        return MODEL_USE_AND_REFRESH;
    }
    return model_is_accepted(stored, demands, now_ms) ? MODEL_USE : MODEL_VALIDATE;
}

/* RFC 5861 section 4. Choices: what may be used while it is validated may be used if that
 * fails; and so may what is fresh, and what the client would take stale. */
static inline bool model_stands_in(const struct model_stored *stored,
                                   const struct model_demands *demands, int64_t now_ms)
{
    const struct model_directives *directives = model_effective(&stored->head);
    int64_t stale_ms = model_stale_ms(stored, now_ms);
    const int grants[] = {directives->if_error, directives->while_revalidate, demands->if_error,
                          demands->max_stale};

    if (demands->no_cache || directives->no_cache) {
        return false;
    }
    if (stale_ms < 0) {
        return true;
    }
    for (size_t i = 0; i < sizeof(grants) / sizeof(grants[0]); i++) {
        if (stale_ms < (int64_t)grants[i] * 1000) {
            return !model_is_never_stale(&stored->head);
        }
    }
    return false;
}

/* ---- section 4.3.4: freshening ------------------------------------------- */

/* Fields of the 304 replace those of the same name; what it lacks stays. */
static inline void model_freshen(struct model_stored *stored, const struct model_head *news)
{
    struct model_head *head = &stored->head;

    if (news->control.is_present) {
        head->control = news->control;
    }
    if (news->cdn.is_present) {
        head->cdn = news->cdn;
    }
    if (news->forebay.is_present) {
        head->forebay = news->forebay;
    }
    if (news->expires != MODEL_EXPIRES_NONE) {
        head->expires = news->expires;
        head->expires_at_s = news->expires_at_s;
    }
    if (news->etag != MODEL_ETAG_NONE) {
        head->etag = news->etag;
    }
    if (news->has_last_modified) {
        head->has_last_modified = true;
        head->modified_s = news->modified_s;
    }
    if (news->own >= 0) {
        head->own = news->own;
    }
    if (model_effective(news)->has_private_field) {
        head->own = -1; /* nobody else's any more, whatever it was before */
    }
    head->sets_cookie |= news->sets_cookie;
    if (news->vary != MODEL_VARY_NONE) {
        head->vary = news->vary;
    }
    /* Of the second answer alone. */
    head->date = news->date;
    head->date_off_s = news->date_off_s;
    head->age_s = news->age_s;
    head->made_ms = news->made_ms;
}

/* Section 4.3.5: what a 200 to HEAD says of what is stored. Choice: without a validator, and
 * without a length that differs, nothing. */
enum model_news { MODEL_NEWS_SAME, MODEL_NEWS_OTHER, MODEL_NEWS_NONE };

static inline enum model_news model_read_head(const struct model_stored *stored,
                                              const struct model_stored *news, bool has_same_length)
{
    const struct model_head *had = &stored->head;
    const struct model_head *told = &news->head;
    bool has_same_bytes = stored->version == news->version &&
                          (had->vary != MODEL_VARY_NONE) == (told->vary != MODEL_VARY_NONE);

    if (had->status != 200 || !has_same_length ||
        (told->etag != MODEL_ETAG_NONE && (told->etag != had->etag || !has_same_bytes)) ||
        (told->has_last_modified &&
         (!had->has_last_modified || told->modified_s != had->modified_s))) {
        return MODEL_NEWS_OTHER;
    }
    return model_has_validator(told) ? MODEL_NEWS_SAME : MODEL_NEWS_NONE;
}
