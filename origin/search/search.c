#include "origin/search/search.h"

#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/metrics/metrics.h"
#include "base/net/network.h"
#include "origin/search/search_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_KEYS = 100000, PEER_V4_BITS = 32, PEER_V6_BITS = 64 };

static const double like_weight = 10.0;
static const double share_weight = 50.0;
static const double views_per_share = 20;
static const double popularity_share = 0.25;
static const double freshness_share = 0.5;
static const double half_life_ms = 30.0 * 24 * 60 * 60 * 1000;

enum { SEARCHES, SEARCHES_CORRECTED, SEARCHES_EMPTY, SUGGESTIONS, SEARCHES_LIMITED };

static const struct fb_metric search_metrics[] = {
    [SEARCHES] = {"origin_search_total", FB_METRIC_COUNTER, NULL,
                  "Searches that were carried out."},
    [SEARCHES_CORRECTED] = {"origin_search_corrected_total", FB_METRIC_COUNTER, NULL,
                            "Of these, with other words than those that were typed."},
    [SEARCHES_EMPTY] = {"origin_search_empty_total", FB_METRIC_COUNTER, NULL,
                        "Of these, without any result."},
    [SUGGESTIONS] = {"origin_search_suggestions_total", FB_METRIC_COUNTER, NULL,
                     "Requests for suggestions that were carried out."},
    [SEARCHES_LIMITED] = {"origin_search_limited_total", FB_METRIC_COUNTER, NULL,
                          "Searches and suggestions refused because the address asked too much at "
                          "once."},
};

struct origin_search {
    struct origin_search_options options;
    struct origin_limiter *limiter;   /* owned */
    struct fb_metrics_table *metrics; /* the registry's */
};

struct origin_search *origin_search_new(const struct origin_search_options *options)
{
    struct origin_search *search = FB_NEW(struct origin_search);

    search->options = *options;
    search->limiter = origin_limiter_new(&(struct origin_limiter_options){
        .clock = options->clock,
        .burst = options->burst,
        .refill_ms = options->refill_ms,
        .max_keys = MAX_KEYS,
    });
    search->metrics =
        fb_metrics_table_new(options->metrics, search_metrics, FB_ARRAY_LEN(search_metrics), NULL);
    return search;
}

void origin_search_free(struct origin_search *search)
{
    if (search != NULL) {
        origin_limiter_free(search->limiter);
        fb_free(search);
    }
}

int origin_search_spend(struct origin_search *search, const struct fb_address *peer,
                        struct origin_quota *ret_quota)
{
    struct fb_network network = {.bits = 0}; /* of whose address is not known, too */

    FB_IGNORE(fb_network_of(peer, PEER_V4_BITS, PEER_V6_BITS, &network));
    struct fb_str key = {(const char *)network.bytes, sizeof(network.bytes)};
    int err = origin_limiter_take(search->limiter, key, ret_quota);
    fb_metrics_add(search->metrics, SEARCHES_LIMITED, err < 0 ? 1 : 0);
    return err;
}

/* ---- scores -------------------------------------------------------------------- */

struct scored {
    double score;
    struct origin_search_hit hit;
};

/* One account may share as often as it likes: of shares as many count as the views make
 * plausible. */
static double score_of(const struct origin_search_hit *hit, int64_t now_ms)
{
    double shares = fmin((double)hit->shares, (double)hit->views / views_per_share);
    double echo = (double)hit->views + like_weight * (double)hit->likes + share_weight * shares;
    double age_ms = (double)FB_MAX(now_ms - hit->published_ms, 0);

    return hit->text * (1.0 + popularity_share * log10(1.0 + fmax(echo, 0.0))) *
           (1.0 + freshness_share * exp2(-age_ms / half_life_ms));
}

/* Best first; of those that are as good, the newest. */
static int compare(const void *a, const void *b)
{
    const struct scored *left = a;
    const struct scored *right = b;

    if (left->score < right->score || left->score > right->score) {
        return left->score < right->score ? 1 : -1;
    }
    return left->hit.seq < right->hit.seq ? 1 : -1;
}

/* The index of the first behind the place. */
static size_t first_behind(const struct scored *items, size_t n,
                           const struct origin_search_place *place)
{
    struct scored last = {.hit.seq = place->seq};
    size_t i = 0;

    memcpy(&last.score, &place->score, sizeof(last.score));
    while (place->query != 0 && i < n && compare(&items[i], &last) <= 0) {
        i++;
    }
    return i;
}

/* ---- searches ------------------------------------------------------------------ */

/* A search on its way. */
struct finding {
    struct origin_catalog *catalog;
    struct fb_arena *arena;
    struct origin_search_query filter;
    struct origin_search_hit *hits;
    size_t n;
};

/* What pages of one search have in common. Never 0. */
static uint64_t hash_of(const struct origin_query *query, const struct origin_search_ask *ask)
{
    const struct origin_search_query *filter = &ask->filter;
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};

    origin_query_normal(query, &text);
    fb_buf_printf(&text, "\n%.*s\n%.*s\n%lld\n%lld\n%lld", FB_STR_ARG(filter->category),
                  FB_STR_ARG(filter->tag), (long long)filter->min_ms, (long long)filter->max_ms,
                  (long long)ask->age_ms);
    return fb_str_hash(fb_buf_str(&text), 0) | 1;
}

static int find_hits(struct finding *finding, const struct origin_query *query)
{
    FB_AUTO(fb_buf_done) struct fb_buf match = {0};

    origin_query_match(query, &match);
    finding->filter.match = fb_buf_str(&match);
    return origin_catalog_search(finding->catalog, finding->arena, &finding->filter, &finding->hits,
                                 &finding->n);
}

/* Those that fit what was probably meant, if there are any. */
static int find_corrected(struct finding *finding, const struct origin_query *query,
                          struct fb_str *corrected)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    struct origin_query other;

    int err = origin_search_correct(finding->catalog, finding->arena, query, &other);
    if (err == FB_OK) {
        err = find_hits(finding, &other);
    }
    if (err == FB_OK && finding->n > 0) {
        origin_query_normal(&other, &text);
        *corrected = fb_arena_dup(finding->arena, fb_buf_str(&text));
    }
    return err == FB_E_NOT_FOUND ? FB_OK : err;
}

/* In the arena, best first. */
static struct scored *weigh(const struct finding *finding, int64_t now_ms)
{
    struct scored *items = fb_arena_alloc(finding->arena, (finding->n + 1) * sizeof(*items));

    for (size_t i = 0; i < finding->n; i++) {
        items[i].hit = finding->hits[i];
        items[i].score = score_of(&finding->hits[i], now_ms);
    }
    qsort(items, finding->n, sizeof(*items), compare);
    return items;
}

static int cut_page(const struct finding *finding, const struct origin_search_ask *ask,
                    struct origin_search_page *page)
{
    struct scored *items = weigh(finding, page->next.now_ms);
    size_t first = first_behind(items, finding->n, &ask->place);
    size_t n = FB_MIN(finding->n - first, ask->limit);

    for (size_t i = 0; i < n; i++) {
        finding->hits[i] = items[first + i].hit;
    }
    page->has_more = finding->n - first > n && n > 0;
    if (page->has_more) {
        memcpy(&page->next.score, &items[first + n - 1].score, sizeof(page->next.score));
        page->next.seq = items[first + n - 1].hit.seq;
    }
    return origin_catalog_search_videos(finding->catalog, finding->arena, finding->hits, n,
                                        &page->videos, &page->n);
}

int origin_search_find(struct origin_search *search, struct fb_arena *arena,
                       const struct origin_search_ask *ask, struct origin_search_page *ret_page)
{
    struct finding finding = {
        .catalog = search->options.catalog, .arena = arena, .filter = ask->filter};
    struct origin_search_page page = {.corrected = FB_STR_NONE};
    bool goes_on = ask->place.query != 0;
    struct origin_query query;

    int err = origin_query_parse(ask->text, &query);
    if (err < 0) {
        return err;
    }
    page.next.query = hash_of(&query, ask);
    page.next.now_ms = goes_on ? ask->place.now_ms : fb_clock_wall_ms(search->options.clock);
    if (goes_on && ask->place.query != page.next.query) {
        return FB_E_EXPIRED;
    }
    finding.filter.since_ms = ask->age_ms > 0 ? page.next.now_ms - ask->age_ms : 0;
    err = find_hits(&finding, &query);
    if (err == FB_OK && finding.n == 0) {
        err = find_corrected(&finding, &query, &page.corrected);
    }
    if (err < 0 || (err = cut_page(&finding, ask, &page)) < 0) {
        return err;
    }
    fb_metrics_add(search->metrics, SEARCHES, 1);
    fb_metrics_add(search->metrics, SEARCHES_EMPTY, finding.n == 0 ? 1 : 0);
    fb_metrics_add(search->metrics, SEARCHES_CORRECTED, page.corrected.ptr != NULL ? 1 : 0);
    *ret_page = page;
    return FB_OK;
}

/* ---- suggestions ---------------------------------------------------------------- */

static int suggest_videos(struct origin_search *search, struct fb_arena *arena,
                          const struct origin_query *query, struct origin_suggestions *suggestions)
{
    FB_AUTO(fb_buf_done) struct fb_buf match = {0};
    struct origin_search_query filter = {.match = FB_STR_NONE};
    struct origin_search_hit *hits = NULL;
    size_t n = 0;

    origin_query_match_titles(query, &match);
    filter.match = fb_buf_str(&match);
    int err = origin_catalog_search(search->options.catalog, arena, &filter, &hits, &n);
    return err < 0 ? err
                   : origin_catalog_search_videos(search->options.catalog, arena, hits,
                                                  FB_MIN(n, (size_t)ORIGIN_SUGGEST_MAX),
                                                  &suggestions->videos, &suggestions->n_videos);
}

int origin_search_suggest(struct origin_search *search, struct fb_arena *arena, struct fb_str text,
                          struct origin_suggestions *ret_suggestions)
{
    FB_AUTO(fb_buf_done) struct fb_buf match = {0};
    struct origin_suggestions found = {.n_videos = 0};
    struct origin_catalog *catalog = search->options.catalog;
    struct origin_name_query names = {.kind = ORIGIN_NAME_TAG, .limit = ORIGIN_SUGGEST_MAX};
    struct origin_query query;

    int err = origin_query_parse(text, &query);
    if (err < 0 || (err = suggest_videos(search, arena, &query, &found)) < 0) {
        return err;
    }
    origin_query_match_names(&query, &match);
    names.match = fb_buf_str(&match);
    err = origin_catalog_search_names(catalog, arena, &names, &found.tags, &found.n_tags);
    names.kind = ORIGIN_NAME_USER;
    if (err < 0 || (err = origin_catalog_search_names(catalog, arena, &names, &found.users,
                                                      &found.n_users)) < 0) {
        return err;
    }
    fb_metrics_add(search->metrics, SUGGESTIONS, 1);
    *ret_suggestions = found;
    return FB_OK;
}
