#include "edge/fresh/terms.h"

#include "base/core/arena.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/http/date.h"
#include "edge/fresh/fresh_internal.h"

enum { MS_PER_S = 1000, MANIFEST_STAND_IN_MS = 60 * MS_PER_S };

struct edge_moment edge_moment_now(const struct fb_clock *clock)
{
    return (struct edge_moment){.mono_ms = (int64_t)fb_clock_mono_ms(clock),
                                .wall_ms = fb_clock_wall_ms(clock)};
}

/* ---- ages (section 4.2.3) ----------------------------------------------- */

/* A field that is a date, in milliseconds; false if it is absent or is none. */
static bool find_date_ms(const struct edge_terms_of *of, struct fb_str name, int64_t *ret_ms)
{
    struct fb_str text = fb_headers_find(&of->response->headers, name);
    int64_t seconds = 0;

    if (fb_date_parse(text, of->received.wall_ms / MS_PER_S, &seconds) < 0) {
        return false;
    }
    *ret_ms = seconds * MS_PER_S;
    return true;
}

static int64_t find_initial_age_ms(const struct edge_terms_of *of)
{
    struct fb_str age_list = fb_headers_find(&of->response->headers, FB_STR("age"));
    struct fb_str age = FB_STR("");
    int64_t date_ms = 0;
    int64_t apparent_ms = 0;

    if (find_date_ms(of, FB_STR("date"), &date_ms)) {
        /* Dates know whole seconds alone. */
        int64_t wall_ms = of->received.wall_ms / MS_PER_S * MS_PER_S;
        apparent_ms = FB_MAX(wall_ms - date_ms, 0);
    }
    /* Of a list the first member; anything else but a number is ignored
     * (section 5.1). */
    if (!fb_list_member(&age_list, &age)) {
        age = FB_STR("");
    }
    int64_t delay_ms = FB_MAX(of->received.mono_ms - of->requested.mono_ms, 0);
    return FB_MAX(apparent_ms, fb_delta_parse(age) * MS_PER_S + delay_ms);
}

/* ---- lifetimes (section 4.2.1) ------------------------------------------ */

enum { NOT_STATED = -1 };

/* The least of all lines, since only one can be meant; one that is no date is in the past
 * (section 5.3). Counted from `from_ms`. */
static int64_t find_expires_ms(const struct edge_terms_of *of, int64_t from_ms)
{
    const struct fb_headers *headers = &of->response->headers;
    int64_t least_ms = NOT_STATED;

    for (size_t i = 0; i < headers->n; i++) {
        int64_t seconds = 0;
        if (!fb_str_equal_nocase(headers->items[i].name, FB_STR("expires"))) {
            continue;
        }
        int err = fb_date_parse(headers->items[i].value, of->received.wall_ms / MS_PER_S, &seconds);
        int64_t left_ms = err < 0 ? 0 : FB_MAX(seconds * MS_PER_S - from_ms, 0);
        least_ms = least_ms == NOT_STATED ? left_ms : FB_MIN(least_ms, left_ms);
    }
    return least_ms;
}

/* When the response was made: Date, or the time of arrival. */
static int64_t find_origin_ms(const struct edge_terms_of *of)
{
    int64_t date_ms = of->received.wall_ms;

    (void)find_date_ms(of, FB_STR("date"), &date_ms); /* else as it is */
    return date_ms;
}

/* The upstream's own word. */
static int64_t find_stated_ms(const struct edge_terms_of *of,
                              const struct edge_directives *directives)
{
    if (directives->cc.s_maxage >= 0) {
        return directives->cc.s_maxage * MS_PER_S;
    }
    if (directives->cc.max_age >= 0) {
        return directives->cc.max_age * MS_PER_S;
    }
    return directives->is_targeted ? NOT_STATED : find_expires_ms(of, find_origin_ms(of));
}

/* A share of the time since it last changed, where the rule grants one (section 4.2.2). */
static int64_t find_heuristic_ms(const struct edge_terms_of *of,
                                 const struct edge_directives *directives)
{
    const struct edge_treatment *treatment = &of->treatment;
    unsigned status = of->response->status;
    bool may_guess = edge_status_is_heuristic(status) || directives->cc.is_public;
    int64_t modified_ms = 0;

    if (treatment->caching.heuristic_percent == 0 || treatment->class != EDGE_CLASS_OTHER ||
        !may_guess || status >= 400 || !find_date_ms(of, FB_STR("last-modified"), &modified_ms)) {
        return NOT_STATED;
    }
    int64_t most_ms = treatment->caching.heuristic_max_ms > 0 ? treatment->caching.heuristic_max_ms
                                                              : EDGE_HEURISTIC_MAX_MS;
    int64_t unchanged_ms = FB_MAX(find_origin_ms(of) - modified_ms, 0);
    return FB_MIN(unchanged_ms / 100 * treatment->caching.heuristic_percent, most_ms);
}

/* ---- errors ---------------------------------------------------------------- */

/* When the upstream wants to be asked again (RFC 9110 section 10.2.3), from now, or
 * NOT_STATED. */
static int64_t find_retry_ms(const struct edge_terms_of *of)
{
    struct fb_str text = fb_headers_find(&of->response->headers, FB_STR("retry-after"));
    int64_t at_ms = 0;

    if (text.len == 0) {
        return NOT_STATED;
    }
    if (find_date_ms(of, FB_STR("retry-after"), &at_ms)) {
        return FB_MAX(at_ms - of->received.wall_ms, 0);
    }
    return fb_delta_parse(text) * MS_PER_S;
}

/* What is missing may be there in a moment: the least of what the upstream says and what the
 * rule does. */
static int64_t find_error_left_ms(const struct edge_terms_of *of, bool is_stated, int64_t left_ms)
{
    const struct edge_treatment *treatment = &of->treatment;
    const struct edge_negative *negative = edge_negative_of(treatment, of->response->status);
    int64_t most_ms = treatment->caching.error_max_ms;
    int64_t retry_ms = find_retry_ms(of);

    if (negative != NULL) {
        left_ms = is_stated ? FB_MIN(left_ms, negative->ttl_ms) : negative->ttl_ms;
    }
    if (most_ms == 0 && treatment->class != EDGE_CLASS_OTHER) {
        most_ms = EDGE_ERROR_TTL_MAX_MS;
    }
    if (most_ms > 0) {
        left_ms = FB_MIN(left_ms, most_ms);
    }
    if (treatment->max_ttl_ms > 0) {
        left_ms = FB_MIN(left_ms, treatment->max_ttl_ms);
    }
    return retry_ms == NOT_STATED ? left_ms : FB_MIN(left_ms, retry_ms);
}

/* ---- all together ------------------------------------------------------ */

/* The rule's clamps hold for what is left of the lifetime on arrival, so that a
 * minimum means something below a tier that has kept the response for a while. */
static int64_t clamp_left_ms(const struct edge_treatment *treatment, int64_t left_ms)
{
    if (treatment->max_ttl_ms > 0 && left_ms > treatment->max_ttl_ms) {
        left_ms = treatment->max_ttl_ms;
    }
    return treatment->min_ttl_ms > 0 ? FB_MAX(left_ms, treatment->min_ttl_ms) : left_ms;
}

static void settle_lifetime(const struct edge_terms_of *of,
                            const struct edge_directives *directives, struct edge_terms *terms)
{
    const struct edge_treatment *treatment = &of->treatment;
    int64_t stated_ms = find_stated_ms(of, directives);
    int64_t left_ms = 0;

    if (stated_ms == NOT_STATED) {
        stated_ms = find_heuristic_ms(of, directives);
    }
    bool is_stated = stated_ms != NOT_STATED;
    left_ms = (is_stated ? stated_ms : 0) - terms->initial_age_ms;
    if (of->response->status >= 400) {
        left_ms = find_error_left_ms(of, is_stated, left_ms);
    } else if (treatment->class == EDGE_CLASS_SEGMENT && of->response->status == 200) {
        left_ms = EDGE_YEAR_MS;
    } else {
        left_ms = clamp_left_ms(treatment, left_ms);
    }
    terms->lifetime_ms = FB_MAX(terms->initial_age_ms + left_ms, 0);
}

/* True for an error whose end is not the upstream's to put off: what was missing may be there
 * now, and what is used stale would hide it. */
static bool is_bounded_error(const struct edge_terms_of *of)
{
    unsigned status = of->response->status;

    return status >= 400 &&
           (of->treatment.class != EDGE_CLASS_OTHER || of->treatment.caching.error_max_ms > 0 ||
            edge_negative_of(&of->treatment, status) != NULL || find_retry_ms(of) != NOT_STATED);
}

/* How long it may be used stale. A lifetime for shared caches alone forbids that
 * (section 5.2.2.10). */
static void settle_staleness(const struct edge_terms_of *of, const struct fb_cache_control *cc,
                             struct edge_terms *terms)
{
    bool is_media = of->treatment.class != EDGE_CLASS_OTHER && of->response->status < 400;
    bool is_granted = of->treatment.caching.is_lax_on_s_maxage &&
                      (cc->stale_while_revalidate >= 0 || cc->stale_if_error >= 0);

    terms->always_validate = cc->no_cache && !is_media;
    terms->must_revalidate =
        cc->must_revalidate || cc->proxy_revalidate || (cc->s_maxage >= 0 && !is_granted);
    terms->while_revalidate_ms = FB_MAX(cc->stale_while_revalidate, 0) * MS_PER_S;
    terms->if_error_ms = FB_MAX(cc->stale_if_error, 0) * MS_PER_S;
    if (of->treatment.class == EDGE_CLASS_MANIFEST && cc->stale_if_error < 0 && is_media) {
        terms->if_error_ms = MANIFEST_STAND_IN_MS;
    }
    if (is_bounded_error(of)) {
        terms->while_revalidate_ms = 0;
        terms->if_error_ms = 0;
    }
}

/* Fields of the response that no-cache="..." names. */
static bool has_guarded(const struct fb_headers *response, struct fb_str names)
{
    struct fb_str name;

    while (fb_list_member(&names, &name)) {
        if (edge_has_field(response, name)) {
            return true;
        }
    }
    return false;
}

struct edge_terms edge_terms_find(const struct edge_terms_of *of)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    const struct fb_headers *headers = &of->response->headers;
    struct fb_str vary = fb_headers_join(headers, &arena, FB_STR("vary"));
    struct edge_directives directives = edge_directives_of(&arena, headers);
    bool is_whole_segment =
        of->treatment.class == EDGE_CLASS_SEGMENT && of->response->status == 200;
    struct edge_terms terms = {
        .class = of->treatment.class,
        .refusal = edge_refusal_of(of, &directives, vary),
        .received_ms = of->received.mono_ms,
        .initial_age_ms = find_initial_age_ms(of),
        .is_immutable = is_whole_segment || directives.cc.immutable,
        .has_guarded = has_guarded(headers, directives.cc.no_cache_fields),
    };
    settle_lifetime(of, &directives, &terms);
    settle_staleness(of, &directives.cc, &terms);

    /* Nothing to gain from what is stale at once, and can neither be used stale nor
     * be validated. */
    bool has_validator =
        edge_has_field(headers, FB_STR("etag")) || edge_has_field(headers, FB_STR("last-modified"));
    bool may_be_stale = !terms.must_revalidate && !terms.always_validate &&
                        (terms.while_revalidate_ms > 0 || terms.if_error_ms > 0);
    bool is_useful = (terms.lifetime_ms > terms.initial_age_ms && !terms.always_validate) ||
                     has_validator || may_be_stale;
    if (terms.refusal == NULL && !is_useful) {
        terms.refusal = "no lifetime";
    }
    return terms;
}

int64_t edge_terms_age_ms(const struct edge_terms *terms, int64_t mono_ms)
{
    return terms->initial_age_ms + FB_MAX(mono_ms - terms->received_ms, 0);
}

int64_t edge_terms_left_ms(const struct edge_terms *terms, int64_t mono_ms)
{
    return terms->lifetime_ms - edge_terms_age_ms(terms, mono_ms);
}
