/* May a response be stored (RFC 9111 section 3)? */
#include "base/core/arena.h"
#include "edge/fresh/fresh_internal.h"
#include "edge/fresh/terms.h"

/* ---- statuses ------------------------------------------------------------ */

/* What may be known of a status. */
enum {
    /* Cacheable without a word from upstream (RFC 9110 section 15.1), but 206: of that
     * a whole is made first. */
    STATUS_HEURISTIC = 1,
    /* Says something of the request, the connection or the moment, not of the resource; or
     * must not be kept (RFC 6585). */
    STATUS_NEVER = 2
};

/* What is known of a status; 0 for others, that only an explicit lifetime makes worth
 * keeping. */
static unsigned status_traits(unsigned status)
{
    static const struct {
        uint16_t status;
        uint8_t traits;
    } statuses[] = {
        {200, STATUS_HEURISTIC}, {203, STATUS_HEURISTIC}, {204, STATUS_HEURISTIC},
        {300, STATUS_HEURISTIC}, {301, STATUS_HEURISTIC}, {308, STATUS_HEURISTIC},
        {404, STATUS_HEURISTIC}, {405, STATUS_HEURISTIC}, {410, STATUS_HEURISTIC},
        {414, STATUS_HEURISTIC}, {501, STATUS_HEURISTIC}, {206, STATUS_NEVER},
        {304, STATUS_NEVER},     {305, STATUS_NEVER},     {400, STATUS_NEVER},
        {401, STATUS_NEVER},     {407, STATUS_NEVER},     {408, STATUS_NEVER},
        {411, STATUS_NEVER},     {412, STATUS_NEVER},     {413, STATUS_NEVER},
        {415, STATUS_NEVER},     {416, STATUS_NEVER},     {417, STATUS_NEVER},
        {421, STATUS_NEVER},     {422, STATUS_NEVER},     {425, STATUS_NEVER},
        {426, STATUS_NEVER},     {428, STATUS_NEVER},     {429, STATUS_NEVER},
        {431, STATUS_NEVER},     {508, STATUS_NEVER},     {511, STATUS_NEVER},
    };

    for (size_t i = 0; i < FB_ARRAY_LEN(statuses); i++) {
        if (status == statuses[i].status) {
            return statuses[i].traits;
        }
    }
    return status < 200 ? STATUS_NEVER : 0;
}

bool edge_status_is_heuristic(unsigned status)
{
    return status_traits(status) == STATUS_HEURISTIC;
}

/* True for a status whose caching we know in full, as must-understand wants. */
static bool is_understood(unsigned status)
{
    static const uint16_t others[] = {201, 202, 205, 302, 303, 307, 402, 403,
                                      406, 409, 451, 500, 502, 503, 504, 505};

    for (size_t i = 0; i < FB_ARRAY_LEN(others); i++) {
        if (status == others[i]) {
            return true;
        }
    }
    return edge_status_is_heuristic(status);
}

bool edge_status_is_failure(unsigned status)
{
    return status == 500 || status == 502 || status == 503 || status == 504;
}

const struct edge_negative *edge_negative_of(const struct edge_treatment *treatment,
                                             unsigned status)
{
    const struct edge_negative *of_class = NULL;

    for (size_t i = 0; i < treatment->caching.n_negative && status >= 400; i++) {
        const struct edge_negative *entry = &treatment->caching.negative[i];
        if (entry->status == status) {
            return entry;
        }
        if (entry->status == status / 100) {
            of_class = entry;
        }
    }
    return of_class;
}

/* ---- may it be stored (RFC 9111 section 3) ------------------------------ */

bool edge_has_field(const struct fb_headers *headers, struct fb_str name)
{
    return fb_headers_find(headers, name).ptr != NULL;
}

/* An explicit lifetime, or leave to find one. */
static bool is_explicit(const struct edge_terms_of *of, const struct edge_directives *directives)
{
    const struct fb_cache_control *cc = &directives->cc;

    return cc->is_public || cc->s_maxage >= 0 || cc->max_age >= 0 ||
           (!directives->is_targeted && edge_has_field(&of->response->headers, FB_STR("expires")));
}

static const char *find_refusal_of_status(const struct edge_terms_of *of,
                                          const struct edge_directives *directives)
{
    unsigned status = of->response->status;
    const struct edge_negative *negative = edge_negative_of(&of->treatment, status);
    unsigned traits = status_traits(status);

    if (traits == STATUS_NEVER) {
        return status == 206 ? "partial" : "status";
    }
    if (directives->cc.must_understand && !is_understood(status)) {
        return "status";
    }
    if (negative != NULL) {
        return negative->ttl_ms == 0 ? "negative" : NULL;
    }
    /* Origins stamp lifetimes on failures that they do not mean to last. */
    bool is_failure = status >= 500 && traits != STATUS_HEURISTIC;
    if (is_failure || (traits != STATUS_HEURISTIC && !is_explicit(of, directives))) {
        return "status";
    }
    return NULL;
}

/* What a request with Authorization brings is for all only by these (section 3.5). */
static bool is_for_all(const struct fb_cache_control *cc)
{
    return cc->is_public || cc->must_revalidate || cc->s_maxage >= 0;
}

/* May be told apart from other variants, at a price that is bounded. */
static bool is_variant(struct fb_str vary, const struct fb_headers *request)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};

    return !fb_list_has(vary, FB_STR("*")) && edge_vary_fits(vary) &&
           edge_variant_of(&arena, vary, request).len <= EDGE_VARIANT_MAX;
}

const char *edge_refusal_of(const struct edge_terms_of *of,
                            const struct edge_directives *directives, struct fb_str vary)
{
    const struct fb_cache_control *cc = &directives->cc;
    const struct fb_headers *response = &of->response->headers;

    if (of->request->method != FB_METHOD_GET) {
        return "method";
    }
    const char *refusal = find_refusal_of_status(of, directives);
    if (refusal != NULL) {
        return refusal;
    }
    /* A status that is understood, with must-understand, overrides no-store
     * (section 5.2.2.3). */
    if (cc->no_store && !cc->must_understand) {
        return "no-store";
    }
    if (cc->is_private) {
        return "private";
    }
    if (edge_has_field(&of->request->headers, FB_STR("authorization")) && !is_for_all(cc)) {
        return "authorization";
    }
    if (!is_variant(vary, &of->request->headers)) {
        return "vary";
    }
    bool has_own_cookie = fb_list_has(cc->private_fields, FB_STR("set-cookie"));
    if (edge_has_field(response, FB_STR("set-cookie")) && !has_own_cookie &&
        edge_cookies_of(&of->treatment) == EDGE_COOKIES_PASS) {
        return "set-cookie";
    }
    if (edge_has_field(response, FB_STR("content-range"))) {
        return "partial";
    }
    return NULL;
}
