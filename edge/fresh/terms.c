#include "edge/fresh/terms.h"

#include "base/core/arena.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/http/cache_control.h"
#include "base/http/date.h"
#include "edge/fresh/fresh_internal.h"

enum { MS_PER_S = 1000, MANIFEST_STAND_IN_MS = 60 * MS_PER_S };

struct edge_moment edge_moment_now(const struct fb_clock *clock)
{
    return (struct edge_moment){.mono_ms = (int64_t)fb_clock_mono_ms(clock),
                                .wall_ms = fb_clock_wall_ms(clock)};
}

/* ---- may it be stored (RFC 9111 section 3) ------------------------------ */

static bool is_understood(unsigned status)
{
    static const uint16_t statuses[] = {200, 203, 204, 300, 301, 302, 307,
                                        308, 404, 405, 410, 414, 501};

    for (size_t i = 0; i < FB_ARRAY_LEN(statuses); i++) {
        if (status == statuses[i]) {
            return true;
        }
    }
    return false;
}

static bool has_field(const struct fb_headers *headers, struct fb_str name)
{
    return fb_headers_find(headers, name).ptr != NULL;
}

static const char *find_refusal(const struct edge_terms_of *of,
                                const struct fb_cache_control *directives, struct fb_str vary)
{
    const struct fb_headers *request = &of->request->headers;
    const struct fb_headers *response = &of->response->headers;

    if (of->request->method != FB_METHOD_GET) {
        return "method";
    }
    if (!is_understood(of->response->status)) {
        return of->response->status == 206 ? "partial" : "status";
    }
    /* A status that is understood, with must-understand, overrides no-store
     * (section 5.2.2.3). */
    if (directives->no_store && !directives->must_understand) {
        return "no-store";
    }
    if (directives->is_private) {
        return "private";
    }
    bool is_for_all =
        directives->is_public || directives->must_revalidate || directives->s_maxage >= 0;
    if (has_field(request, FB_STR("authorization")) && !is_for_all) {
        return "authorization";
    }
    if (fb_list_has(vary, FB_STR("*"))) {
        return "vary";
    }
    if (has_field(response, FB_STR("set-cookie")) && of->treatment.class != EDGE_CLASS_SEGMENT) {
        return "set-cookie";
    }
    if (has_field(response, FB_STR("content-range"))) {
        return "partial";
    }
    return NULL;
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

/* What Expires and Date say, or -1. An Expires that is no date is in the past
 * (section 5.3). */
static int64_t find_expires_ms(const struct edge_terms_of *of)
{
    int64_t expires_ms = 0;
    int64_t date_ms = of->received.wall_ms;

    if (!has_field(&of->response->headers, FB_STR("expires"))) {
        return -1;
    }
    if (!find_date_ms(of, FB_STR("expires"), &expires_ms)) {
        return 0;
    }
    (void)find_date_ms(of, FB_STR("date"), &date_ms); /* else the time of arrival */
    return FB_MAX(expires_ms - date_ms, 0);
}

/* The upstream's own word, or -1. */
static int64_t find_stated_ms(const struct edge_terms_of *of,
                              const struct fb_cache_control *directives, bool is_targeted)
{
    if (directives->s_maxage >= 0) {
        return directives->s_maxage * MS_PER_S;
    }
    if (directives->max_age >= 0) {
        return directives->max_age * MS_PER_S;
    }
    return is_targeted ? -1 : find_expires_ms(of);
}

/* The rule's clamps hold for what is left of the lifetime on arrival, so that a
 * minimum means something below a tier that has kept the response for a while. */
static int64_t clamp_left_ms(const struct edge_treatment *treatment, int64_t left_ms)
{
    if (treatment->max_ttl_ms > 0 && left_ms > treatment->max_ttl_ms) {
        left_ms = treatment->max_ttl_ms;
    }
    return FB_MAX(left_ms, treatment->min_ttl_ms);
}

static void settle_lifetime(const struct edge_terms_of *of, int64_t stated_ms,
                            struct edge_terms *terms)
{
    const struct edge_treatment *treatment = &of->treatment;
    bool is_media = treatment->class != EDGE_CLASS_OTHER;
    bool is_error = of->response->status >= 400;
    int64_t left_ms = FB_MAX(stated_ms, 0) - terms->initial_age_ms;

    if (treatment->class == EDGE_CLASS_SEGMENT && of->response->status == 200) {
        terms->is_immutable = true;
        left_ms = EDGE_YEAR_MS;
    } else if (is_media && is_error) {
        left_ms = FB_MIN(left_ms, EDGE_ERROR_TTL_MAX_MS);
    } else if (treatment->min_ttl_ms > 0 || treatment->max_ttl_ms > 0) {
        left_ms = clamp_left_ms(treatment, left_ms);
    }
    terms->lifetime_ms = FB_MAX(terms->initial_age_ms + left_ms, 0);
}

/* ---- all together ------------------------------------------------------ */

/* How long it may be used stale. A lifetime for shared caches alone forbids that
 * (section 5.2.2.10) unless the upstream grants it expressly. */
static void settle_staleness(const struct edge_terms_of *of,
                             const struct fb_cache_control *directives, struct edge_terms *terms)
{
    bool is_media = of->treatment.class != EDGE_CLASS_OTHER && of->response->status < 400;
    bool is_granted = directives->stale_while_revalidate >= 0 || directives->stale_if_error >= 0;

    terms->always_validate = directives->no_cache && !is_media;
    terms->must_revalidate = directives->must_revalidate || directives->proxy_revalidate ||
                             (directives->s_maxage >= 0 && !is_granted);
    terms->while_revalidate_ms = FB_MAX(directives->stale_while_revalidate, 0) * MS_PER_S;
    terms->if_error_ms = FB_MAX(directives->stale_if_error, 0) * MS_PER_S;
    if (of->treatment.class == EDGE_CLASS_MANIFEST && directives->stale_if_error < 0 && is_media) {
        terms->if_error_ms = MANIFEST_STAND_IN_MS;
    }
}

struct edge_terms edge_terms_find(const struct edge_terms_of *of)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    const struct fb_headers *headers = &of->response->headers;
    struct fb_str targeted = fb_headers_join(headers, &arena, FB_STR("cdn-cache-control"));
    struct fb_str vary = fb_headers_join(headers, &arena, FB_STR("vary"));
    bool is_targeted = edge_is_dictionary(targeted);
    struct fb_cache_control directives = fb_cache_control_parse(
        is_targeted ? targeted : fb_headers_join(headers, &arena, FB_STR("cache-control")));
    struct edge_terms terms = {
        .class = of->treatment.class,
        .refusal = find_refusal(of, &directives, vary),
        .received_ms = of->received.mono_ms,
        .initial_age_ms = find_initial_age_ms(of),
    };
    settle_lifetime(of, find_stated_ms(of, &directives, is_targeted), &terms);
    settle_staleness(of, &directives, &terms);

    /* Nothing to gain from what is stale at once, and can neither be used stale nor
     * be validated. */
    bool has_validator =
        has_field(headers, FB_STR("etag")) || has_field(headers, FB_STR("last-modified"));
    bool is_useful = terms.lifetime_ms > terms.initial_age_ms || has_validator ||
                     terms.while_revalidate_ms > 0 || terms.if_error_ms > 0;
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

enum edge_verdict edge_terms_judge(const struct edge_terms *terms, int64_t mono_ms)
{
    int64_t left_ms = edge_terms_left_ms(terms, mono_ms);

    if (terms->always_validate) {
        return EDGE_VALIDATE;
    }
    if (left_ms > 0) {
        return EDGE_USE;
    }
    if (!terms->must_revalidate && -left_ms < terms->while_revalidate_ms) {
        return EDGE_USE_AND_REVALIDATE;
    }
    return EDGE_VALIDATE;
}

bool edge_terms_stands_in(const struct edge_terms *terms, int64_t mono_ms)
{
    int64_t stale_ms = -edge_terms_left_ms(terms, mono_ms);

    if (terms->always_validate || terms->must_revalidate) {
        return false;
    }
    return stale_ms < FB_MAX(terms->if_error_ms, terms->while_revalidate_ms);
}
