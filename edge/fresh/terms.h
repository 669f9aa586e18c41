/*
 * Terms: what a shared cache may do with a response, and for how long
 * (RFC 9111, 5861, 8246, 9213).
 *
 * Terms are worked out once, when a response's head arrives, and stored with
 * it; a request then costs a few comparisons. Ages run on the monotonic clock;
 * wall time enters only where the upstream's Date and Expires are compared.
 *
 * Choices where the RFCs leave room (rule by rule: docs/http-caching.md):
 *   - Only answers to GET are stored. Of any final status, if the upstream gives it a
 *     lifetime or the status needs none; but never what tells of the request instead
 *     of the resource, nor 206, nor with Vary: *.
 *   - 5xx but 501, lifetimes by heuristics, Set-Cookie: as the rule says (edge/fresh/rule.h).
 *   - What clients demand counts as far as the site obeys it (edge/fresh/demands.h).
 *   - What is stale is used by express leave alone, not for want of an upstream.
 *   - segment, 200: fresh for a year and immutable, whatever the upstream says
 *     short of no-store and private.
 *   - manifest: lifetime clamped to the rule, even against no-cache; stands in for a minute.
 *   - Errors (400 and above) of segments and manifests live at most
 *     EDGE_ERROR_TTL_MAX_MS: a segment may be asked for before it is there.
 *
 * Threads    Pure functions, any thread.
 */
#pragma once

#include "base/http/head.h"
#include "edge/fresh/rule.h"

#include <stdbool.h>
#include <stdint.h>

struct edge_demands;
struct fb_clock;

#define EDGE_YEAR_MS ((int64_t)365 * 24 * 3600 * 1000)

/* One point in time on both clocks. */
struct edge_moment {
    int64_t mono_ms;
    int64_t wall_ms;
};

struct edge_moment edge_moment_now(const struct fb_clock *clock);

/* Everything that terms depend on. */
struct edge_terms_of {
    const struct fb_request_head *request;
    const struct fb_response_head *response;
    struct edge_treatment treatment;
    struct edge_moment requested; /* when the request was sent */
    struct edge_moment received;  /* when the response's head had arrived */
};

struct edge_terms {
    enum edge_class class;
    const char *refusal; /* NULL: may be stored; else why not, "no-store" ... */

    int64_t received_ms;         /* monotonic */
    int64_t initial_age_ms;      /* corrected_initial_age of section 4.2.3 */
    int64_t lifetime_ms;         /* 0: stale from the start */
    int64_t while_revalidate_ms; /* past the lifetime */
    int64_t if_error_ms;         /* past the lifetime */
    bool must_revalidate;        /* never used stale */
    bool always_validate;        /* no-cache: not even while fresh */
    bool is_immutable;
    bool has_guarded; /* fields that hits lack: see edge_fields_guarded() */
};

struct edge_terms edge_terms_find(const struct edge_terms_of *of);

/* Seconds go into Age; never negative. */
int64_t edge_terms_age_ms(const struct edge_terms *terms, int64_t mono_ms);

/* Lifetime left; negative once stale. For Cache-Status ttl. */
int64_t edge_terms_left_ms(const struct edge_terms *terms, int64_t mono_ms);

enum edge_verdict {
    EDGE_USE,                /* as it is */
    EDGE_USE_AND_REVALIDATE, /* as it is, and refresh behind the client's back */
    EDGE_VALIDATE            /* ask the upstream first */
};

/* `demands` are those of the request that are obeyed; NULL: none. only-if-cached and no-store
 * are not asked: they say what to do next. */
enum edge_verdict edge_terms_judge(const struct edge_terms *terms, int64_t mono_ms,
                                   const struct edge_demands *demands);

/* True if it may stand in when the upstream fails (RFC 5861 section 4): cannot be reached, or
 * answers with a status of edge_status_is_failure(). */
bool edge_terms_stands_in(const struct edge_terms *terms, int64_t mono_ms,
                          const struct edge_demands *demands);

/* 500, 502, 503, 504. */
bool edge_status_is_failure(unsigned status);
