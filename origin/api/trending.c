/*
 * What trends. These handlers run on the loop: all is in the latest snapshot, and nothing waits.
 */
#include "origin/trending/trending.h"

#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/http/conditional.h"
#include "base/server/exchange.h"
#include "origin/api/api_internal.h"
#include "origin/push/push.h"
#include "origin/trending/page.h"

/* A list is made twice a minute: whoever asks more often may as well have the last answer. */
#define CACHE_CONTROL "public, max-age=5"

/* ---- what is asked ----------------------------------------------------------------- */

static struct fb_str param_of(struct fb_exchange *exchange, const char *name)
{
    return fb_query_param(fb_exchange_request(exchange)->query, fb_exchange_arena(exchange),
                          fb_str_from(name));
}

static int read_query(struct fb_exchange *exchange, struct origin_snapshot_query *query)
{
    struct fb_str window = param_of(exchange, "window");

    query->window = ORIGIN_TRENDING_DAY;
    query->region = param_of(exchange, "region");
    query->category = param_of(exchange, "category");
    if (window.ptr != NULL && origin_page_parse_window(window, &query->window) < 0) {
        fb_exchange_problem(exchange, 400, "bad-window", "The window must be 1h, 24h or 7d.");
        return FB_E_MALFORMED;
    }
    if (query->region.len > ORIGIN_PAGE_NAME_MAX || query->category.len > ORIGIN_PAGE_NAME_MAX) {
        fb_exchange_problem(exchange, 400, "bad-name", "There are no names of this length.");
        return FB_E_MALFORMED;
    }
    return FB_OK;
}

static int read_part(struct fb_exchange *exchange, const struct origin_snapshot_query *query,
                     struct origin_page_part *part)
{
    struct fb_str cursor = param_of(exchange, "cursor");
    struct fb_str limit = param_of(exchange, "limit");
    uint64_t n = ORIGIN_API_PAGE_DEFAULT;

    if (limit.ptr != NULL && (fb_str_to_u64(limit, &n) < 0 || n < 1 || n > ORIGIN_API_PAGE_MAX)) {
        fb_exchange_problem(exchange, 400, "bad-limit", "The limit must be 1 to 100.");
        return FB_E_MALFORMED;
    }
    if (cursor.ptr != NULL && origin_page_parse_cursor(query, cursor, &part->first) < 0) {
        fb_exchange_problem(exchange, 400, "bad-cursor",
                            "The cursor is not one of ours, or of another list.");
        return FB_E_MALFORMED;
    }
    part->n = (size_t)n;
    return FB_OK;
}

/* ---- what is answered -------------------------------------------------------------- */

static void respond(struct fb_exchange *exchange, struct fb_str etag, struct fb_buf *json)
{
    struct fb_arena *arena = fb_exchange_arena(exchange);
    struct fb_validators validators = {
        .etag = etag, .last_modified = FB_DATE_NONE, .date = FB_DATE_NONE};
    struct fb_headers headers = {0};
    struct fb_response response = {.status = 200, .length = (int64_t)json->len};

    fb_headers_add(&headers, arena, FB_STR("Content-Type"), FB_STR("application/json"));
    fb_headers_add(&headers, arena, FB_STR("Cache-Control"), FB_STR(CACHE_CONTROL));
    if (etag.len > 0) {
        fb_headers_add(&headers, arena, FB_STR("ETag"), etag);
    }
    if (etag.len > 0 &&
        fb_condition_is_known(fb_exchange_request(exchange), &validators, 0, arena)) {
        response.status = 304;
    }
    response.headers = headers.items;
    response.n_headers = headers.n;
    response.body = fb_reader_of_buf(json);
    fb_exchange_respond(exchange, &response);
}

void origin_api_trending(void *ctx, struct fb_exchange *exchange)
{
    const struct origin_api *api = ctx;
    struct origin_snapshot_query query;
    struct origin_page_part part = {.first = 0};
    FB_AUTO(fb_buf_done) struct fb_buf etag = {0};
    struct fb_buf json = {0};

    if (read_query(exchange, &query) < 0 || read_part(exchange, &query, &part) < 0) {
        return;
    }
    struct origin_snapshot *snapshot = origin_trending_hold(api->options.trending);
    struct origin_snapshot_list list = origin_snapshot_list(snapshot, &query);
    origin_page_etag(&list, &part, &etag);
    origin_page_write(snapshot, &query, &part, &json);
    origin_snapshot_unref(snapshot);
    respond(exchange, fb_arena_dup(fb_exchange_arena(exchange), fb_buf_str(&etag)), &json);
}

static void write_ranking(const struct origin_snapshot *snapshot,
                          const struct origin_snapshot_video *video,
                          enum origin_trending_window window, struct fb_buf *json)
{
    const struct origin_score *score = &video->scores[window];
    size_t n = origin_snapshot_count(snapshot);
    uint32_t rank = video->ranks[window];
    double percentile = n > 1 ? 100.0 * (double)(n - rank) / (double)(n - 1) : 100;
    char stamp[FB_TIMESTAMP_MAX];

    fb_buf_printf(json,
                  "{\"video\":\"%s\",\"window\":\"%s\",\"rank\":%u,\"of\":%zu,"
                  "\"percentile\":%.2f,\"score\":%.2f,\"parts\":{\"views\":%.2f,"
                  "\"quality\":%.3f,\"engagement\":%.2f,\"spike\":%.2f},\"generated_at\":\"%s\"}",
                  video->id.text, origin_page_window(window), rank, n, percentile, score->total,
                  score->views, score->quality, score->engagement, score->spike,
                  fb_timestamp(origin_snapshot_made_ms(snapshot), stamp));
}

void origin_api_ranking(void *ctx, struct fb_exchange *exchange)
{
    const struct origin_api *api = ctx;
    struct origin_snapshot_query query;
    const struct origin_snapshot_video *video = NULL;
    struct origin_id id;
    struct fb_buf json = {0};

    if (read_query(exchange, &query) < 0) {
        return;
    }
    struct origin_snapshot *snapshot = origin_trending_hold(api->options.trending);
    if (origin_id_parse(fb_exchange_param(exchange, "id"), &id) == FB_OK) {
        video = origin_snapshot_find(snapshot, &id);
    }
    if (video == NULL) {
        fb_exchange_problem(exchange, 404, "not-ranked",
                            "There is no such video, or nobody has watched it for a week.");
    } else {
        write_ranking(snapshot, video, query.window, &json);
        respond(exchange, FB_STR_NONE, &json);
    }
    origin_snapshot_unref(snapshot);
}

/* ---- who wants to hear of changes ---------------------------------------------------- */

enum { PUSHED_VIDEOS = 20 };

/* One list, as one subscriber knows it. */
struct trend {
    struct origin_push_topic topic;
    struct origin_trending *trending;
    enum origin_trending_window window;
    char *region;   /* owned */
    char *category; /* owned */
    bool was_told;
    uint64_t order; /* of what was told */
};

static enum origin_push_news trend_news(struct origin_push_topic *topic, struct fb_buf *json)
{
    struct trend *trend = FB_CONTAINER_OF(topic, struct trend, topic);
    struct origin_snapshot *snapshot = origin_trending_hold(trend->trending);
    struct origin_snapshot_query query = {
        .window = trend->window,
        .region = fb_str_from(trend->region),
        .category = fb_str_from(trend->category),
    };
    struct origin_snapshot_list list = origin_snapshot_list(snapshot, &query);
    bool is_new = !trend->was_told || trend->order != list.order;

    if (is_new) {
        trend->was_told = true;
        trend->order = list.order;
        origin_page_write(snapshot, &query, &(struct origin_page_part){.n = PUSHED_VIDEOS}, json);
    }
    origin_snapshot_unref(snapshot);
    return is_new ? ORIGIN_PUSH_NEWS : ORIGIN_PUSH_NOTHING;
}

static void trend_free(struct origin_push_topic *topic)
{
    struct trend *trend = FB_CONTAINER_OF(topic, struct trend, topic);

    fb_free(trend->region);
    fb_free(trend->category);
    fb_free(trend);
}

static const struct origin_push_topic_ops trend_ops = {.event = "trending",
                                                       .news = trend_news,
                                                       .free = trend_free};

static struct origin_push_topic *trend_new(const struct origin_api *api,
                                           const struct origin_snapshot_query *query)
{
    struct trend *trend = FB_NEW(struct trend);

    trend->topic.ops = &trend_ops;
    trend->trending = api->options.trending;
    trend->window = query->window;
    trend->region = fb_str_dup(query->region);
    trend->category = fb_str_dup(query->category);
    return &trend->topic;
}

void origin_api_trending_stream(void *ctx, struct fb_exchange *exchange)
{
    const struct origin_api *api = ctx;
    struct origin_snapshot_query query;

    if (read_query(exchange, &query) == FB_OK) {
        origin_push_stream(api->options.push, exchange, trend_new(api, &query));
    }
}

void origin_api_trending_socket(void *ctx, struct fb_exchange *exchange)
{
    const struct origin_api *api = ctx;
    struct origin_snapshot_query query;

    if (read_query(exchange, &query) == FB_OK) {
        origin_push_socket(api->options.push, exchange, trend_new(api, &query));
    }
}

void origin_api_describe(void *ctx, const struct origin_video *video, struct fb_buf *json)
{
    const struct origin_api *api = ctx;
    FB_AUTO(fb_json_freep) struct fb_json *root = fb_json_new_object();
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};

    origin_api_video_store(root, video, false);
    origin_api_poster_store(api, &arena, root, video);
    fb_json_dump(root, json);
}
