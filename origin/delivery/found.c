/*
 * From an opened object to a response: conditions first (RFC 9110 section 13.2.2),
 * then the range.
 */
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/http/conditional.h"
#include "base/http/date.h"
#include "base/http/range.h"
#include "origin/delivery/delivery_internal.h"
#include "origin/delivery/whole.h"
#include "origin/objects/reader.h"
#include "origin/reply/reply.h"

void origin_found_done(struct origin_found *found)
{
    origin_object_done(&found->object);
    origin_whole_free(found->whole);
    found->whole = NULL;
}

/* What is to be sent of the object. */
struct portion {
    unsigned status; /* 200, 206 */
    uint64_t offset;
    uint64_t length;
    char content_range[FB_CONTENT_RANGE_MAX]; /* of a 206 */
};

static void add_fields(struct fb_exchange *exchange, struct fb_headers *headers,
                       const struct origin_found *found)
{
    char date[FB_DATE_MAX];

    origin_reply_add(exchange, headers, "ETag", fb_str_from(found->etag));
    origin_reply_add(exchange, headers, "Last-Modified",
                     fb_date_format(found->object.modified_ms / 1000, date));
    origin_reply_add(exchange, headers, "Cache-Control", found->cache_control);
    origin_reply_add(exchange, headers, "X-Content-Type-Options", FB_STR("nosniff"));
    if (found->tags[0] != '\0') {
        origin_reply_add(exchange, headers, "Cache-Tag", fb_str_from(found->tags));
    }
    if (found->is_open_to_all) {
        origin_reply_add(exchange, headers, "Access-Control-Allow-Origin", FB_STR("*"));
        origin_reply_add(exchange, headers, "Access-Control-Expose-Headers",
                         FB_STR("Cache-Status, Age, Content-Length, Content-Range, ETag"));
        origin_reply_add(exchange, headers, "Timing-Allow-Origin", FB_STR("*"));
    }
}

static void respond_without_content(struct fb_exchange *exchange, const struct origin_found *found,
                                    unsigned status)
{
    struct fb_headers headers = {.n = 0};

    add_fields(exchange, &headers, found);
    fb_exchange_respond(exchange, &(struct fb_response){
                                      .status = status,
                                      .headers = headers.items,
                                      .n_headers = headers.n,
                                      .length = status == 304 ? FB_LENGTH_UNKNOWN : 0,
                                  });
}

static void respond_unsatisfied(struct fb_exchange *exchange, const struct origin_found *found)
{
    char text[FB_CONTENT_RANGE_MAX];
    struct fb_header header = {FB_STR("Content-Range"),
                               fb_content_range_format_unsatisfied(found->object.size, text)};

    origin_reply_problem(exchange, &(struct origin_problem){
                                       .status = 416,
                                       .detail = "The range lies beyond the end.",
                                       .headers = &header,
                                       .n_headers = 1,
                                       .max_age_s = -1,
                                   });
}

static struct fb_reader *open_portion(struct origin_delivery *delivery, struct fb_loop *loop,
                                      struct origin_found *found, const struct portion *portion)
{
    struct fb_pool *pool = delivery->options.object_pool;
    struct origin_whole *whole = found->whole;

    if (whole == NULL) {
        return origin_object_reader_open(loop, pool, &found->object, portion->offset,
                                         portion->length);
    }
    found->whole = NULL;
    return origin_whole_reader_open(loop, pool, whole, portion->offset, portion->length);
}

static void respond_portion(struct origin_delivery *delivery, struct fb_exchange *exchange,
                            struct origin_found *found, const struct portion *portion)
{
    bool is_head = fb_exchange_request(exchange)->method == FB_METHOD_HEAD;
    struct fb_headers headers = {.n = 0};
    struct fb_reader *body = NULL;

    add_fields(exchange, &headers, found);
    origin_reply_add(exchange, &headers, "Content-Type", found->type);
    origin_reply_add(exchange, &headers, "Accept-Ranges", FB_STR("bytes"));
    if (found->digest[0] != '\0') {
        origin_reply_add(exchange, &headers, "Repr-Digest", fb_str_from(found->digest));
    }
    if (found->csp.len > 0) {
        origin_reply_add(exchange, &headers, "Content-Security-Policy", found->csp);
        origin_reply_add(exchange, &headers, "Referrer-Policy", FB_STR("no-referrer"));
    }
    if (portion->status == 206) {
        origin_reply_add(exchange, &headers, "Content-Range", fb_str_from(portion->content_range));
    }
    if (!is_head && portion->length > 0) {
        body = open_portion(delivery, fb_exchange_loop(exchange), found, portion);
    }
    fb_exchange_respond(exchange, &(struct fb_response){
                                      .status = portion->status,
                                      .headers = headers.items,
                                      .n_headers = headers.n,
                                      .body = body,
                                      .length = (int64_t)portion->length,
                                  });
}

/* The one range that was asked for; several are not worth a multipart body. */
static enum fb_range_verdict select_portion(const struct fb_request_head *request,
                                            const struct origin_found *found,
                                            const struct fb_validators *validators, int64_t now_s,
                                            struct portion *portion)
{
    struct fb_ranges ranges;
    enum fb_range_verdict verdict = FB_RANGE_WHOLE;

    if (request->method == FB_METHOD_GET &&
        fb_if_range_holds(fb_headers_find(&request->headers, FB_STR("If-Range")), validators,
                          now_s)) {
        verdict = fb_range_evaluate(fb_headers_find(&request->headers, FB_STR("Range")),
                                    found->object.size, &ranges);
    }
    *portion = (struct portion){.status = 200, .length = found->object.size};
    if (verdict == FB_RANGE_PARTIAL && ranges.n == 1) {
        portion->status = 206;
        portion->offset = ranges.items[0].first;
        portion->length = ranges.items[0].last - ranges.items[0].first + 1;
        (void)fb_content_range_format(ranges.items[0], found->object.size, portion->content_range);
    }
    return verdict;
}

void origin_found_respond(struct origin_delivery *delivery, struct fb_exchange *exchange,
                          struct origin_found *found)
{
    const struct fb_request_head *request = fb_exchange_request(exchange);
    int64_t now_s = fb_clock_wall_ms(delivery->options.clock) / 1000;
    struct fb_validators validators = {
        .etag = fb_str_from(found->etag),
        .last_modified = found->object.modified_ms / 1000,
        .date = now_s,
    };
    struct portion portion;

    switch (fb_condition_evaluate(request, &validators, now_s, fb_exchange_arena(exchange))) {
    case FB_CONDITION_NOT_MODIFIED:
        respond_without_content(exchange, found, 304);
        break;
    case FB_CONDITION_FAILED:
        respond_without_content(exchange, found, 412);
        break;
    case FB_CONDITION_TRUE:
        if (select_portion(request, found, &validators, now_s, &portion) ==
            FB_RANGE_UNSATISFIABLE) {
            respond_unsatisfied(exchange, found);
        } else {
            respond_portion(delivery, exchange, found, &portion);
        }
        break;
    }
    origin_found_done(found);
}
