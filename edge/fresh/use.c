/* May what is stored be used (RFC 9111 section 4)? */
#include "edge/fresh/demands.h"
#include "edge/fresh/terms.h"

/* Fresh, but not as fresh as the request wants it. */
static bool is_too_old(const struct edge_terms *terms, const struct edge_demands *demands,
                       int64_t mono_ms)
{
    int64_t age_ms = edge_terms_age_ms(terms, mono_ms);

    if (demands->no_cache) {
        return true;
    }
    /* A reload of what never changes changes nothing (RFC 8246). */
    if (demands->max_age_ms >= 0 && age_ms > demands->max_age_ms && !terms->is_immutable) {
        return true;
    }
    return terms->lifetime_ms - age_ms < demands->min_fresh_ms;
}

/* True if the request does not want what is stale (sections 5.2.1.1, 5.2.1.3, 5.2.1.4). */
static bool wants_fresh(const struct edge_demands *demands)
{
    return demands->no_cache || demands->min_fresh_ms > 0 || demands->max_age_ms >= 0;
}

/* Stale, but as fresh as the request wants it. */
static bool is_accepted(const struct edge_terms *terms, const struct edge_demands *demands,
                        int64_t mono_ms)
{
    int64_t age_ms = edge_terms_age_ms(terms, mono_ms);

    return demands->max_stale_ms > 0 && age_ms - terms->lifetime_ms <= demands->max_stale_ms &&
           !demands->no_cache && demands->min_fresh_ms == 0 &&
           (demands->max_age_ms < 0 || age_ms <= demands->max_age_ms);
}

enum edge_verdict edge_terms_judge(const struct edge_terms *terms, int64_t mono_ms,
                                   const struct edge_demands *demands)
{
    int64_t left_ms = edge_terms_left_ms(terms, mono_ms);

    if (terms->always_validate) {
        return EDGE_VALIDATE;
    }
    if (left_ms > 0) {
        return demands != NULL && is_too_old(terms, demands, mono_ms) ? EDGE_VALIDATE : EDGE_USE;
    }
    if (terms->must_revalidate) {
        return EDGE_VALIDATE;
    }
    if (-left_ms < terms->while_revalidate_ms && (demands == NULL || !wants_fresh(demands))) {
        return EDGE_USE_AND_REVALIDATE;
    }
    return demands != NULL && is_accepted(terms, demands, mono_ms) ? EDGE_USE : EDGE_VALIDATE;
}

bool edge_terms_stands_in(const struct edge_terms *terms, int64_t mono_ms,
                          const struct edge_demands *demands)
{
    int64_t stale_ms = -edge_terms_left_ms(terms, mono_ms);
    int64_t allowed_ms = FB_MAX(terms->if_error_ms, terms->while_revalidate_ms);

    if (terms->always_validate || (demands != NULL && demands->no_cache)) {
        return false;
    }
    if (stale_ms < 0) { /* only the client did not want it as it is */
        return true;
    }
    if (terms->must_revalidate) {
        return false;
    }
    if (demands != NULL) {
        allowed_ms = FB_MAX(allowed_ms, FB_MAX(demands->if_error_ms, demands->max_stale_ms));
    }
    return stale_ms < allowed_ms;
}
