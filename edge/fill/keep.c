#include "base/core/arena.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/http/conditional.h"
#include "base/http/date.h"
#include "edge/fill/fill.h"
#include "edge/fill/fill_internal.h"
#include "edge/fill/part.h"
#include "edge/fresh/fields.h"

/* ---- what is kept ------------------------------------------------------ */

/* What `response`, the head of a whole, is to be kept as. */
static struct edge_terms fill_terms(struct edge_fill *fill, const struct fb_response_head *response)
{
    fill->treatment =
        edge_treatment_refine(&fill->ask.treatment, &fill->arena, fill->client.path, response);
    struct edge_terms terms = edge_terms_find(&(struct edge_terms_of){
        .request = &fill->client,
        .response = response,
        .treatment = fill->treatment,
        .requested = fill->requested,
        .received = edge_moment_now(fb_loop_clock(fill->loop)),
    });
    if (fill->is_blocking && response->status >= 400) {
        terms.lifetime_ms = FB_MIN(terms.lifetime_ms, (int64_t)EDGE_FILL_BLOCKING_ERROR_MS);
        terms.while_revalidate_ms = 0;
        terms.if_error_ms = 0;
    }
    return terms;
}

static void keep_add_date(struct fb_loop *loop, struct fb_arena *arena, struct fb_headers *headers)
{
    char text[FB_DATE_MAX];

    if (fb_headers_find(headers, FB_STR("date")).ptr == NULL) {
        int64_t now_s = fb_clock_wall_ms(fb_loop_clock(loop)) / 1000;
        struct fb_str date = fb_arena_dup(arena, fb_date_format(now_s, text));
        fb_headers_add(headers, arena, FB_STR("Date"), date);
    }
}

void edge_fill_add_date(struct edge_fill *fill, struct fb_headers *headers)
{
    keep_add_date(fill->loop, &fill->answer->arena, headers);
}

/* The object that the answer begins, and its writer from `first`. An empty one has
 * none. */
static int fill_make_object(struct edge_fill *fill, const struct edge_object_spec *spec,
                            uint64_t first, struct edge_object **ret_object)
{
    struct edge_object *object = NULL;

    int err = edge_store_create(fill->table->options.store, spec, &object);
    if (err < 0) {
        return err;
    }
    if (spec->length != 0) {
        err = edge_object_write(object, fill->loop, first, &fill->writer);
    }
    if (err < 0) {
        edge_object_unref(object);
        return err;
    }
    if (fill->writer != NULL) {
        edge_writer_set_end(fill->writer, fill->goal);
    }
    *ret_object = object;
    return FB_OK;
}

/* Has everybody find `object`, unless it was asked for before a request changed the resource: one
 * that does so from here on drops it again, for it is in the index then. */
static void keep_publish(struct edge_store *store, struct fb_loop *loop, struct edge_object *object,
                         const atomic_bool *is_outdated)
{
    if (!atomic_load(is_outdated)) {
        edge_store_publish(store, loop, object);
    }
    if (atomic_load(is_outdated)) {
        edge_store_remove(store, object);
    }
}

/* What could not be had again in parts must not outgrow the memory: every reader
 * that falls behind would be cut. */
static bool fill_is_too_large(const struct edge_fill *fill, int64_t length)
{
    struct edge_store_stats stats = edge_store_stats(fill->table->options.store);

    return fill->if_range.len == 0 && length > 0 && (uint64_t)length > stats.memory_limit / 4;
}

/* The fields to keep, and what they say of the body's bytes. */
static struct fb_headers fill_kept_fields(struct edge_fill *fill)
{
    struct edge_pass *answer = fill->answer;
    struct fb_headers headers =
        edge_fields_to_keep(&answer->arena, &answer->response.headers, &fill->treatment);

    edge_fill_add_date(fill, &headers);
    fill->if_range = FB_STR_NONE;
    if (answer->response.status == 200) {
        int64_t now_s = fb_clock_wall_ms(fb_loop_clock(fill->loop)) / 1000;
        fill->if_range = fb_arena_dup(&fill->arena, fb_if_range_of(&headers, now_s));
    }
    return headers;
}

/* Keeps the answer, whose status is that of the whole, of `length` bytes. Its body begins
 * at fill->at. */
static void fill_keep(struct edge_fill *fill, const struct edge_terms *terms, int64_t length)
{
    struct edge_pass *answer = fill->answer;
    unsigned status = fill->is_part ? 206 : answer->response.status;
    struct edge_object *object = NULL;
    struct fb_headers headers = fill_kept_fields(fill);
    int err = FB_E_LIMIT;

    if (!fill_is_too_large(fill, length)) {
        err = fill_make_object(fill,
                               &(struct edge_object_spec){.key = fill->ask.key,
                                                          .request = &fill->client.headers,
                                                          .status = answer->response.status,
                                                          .headers = &headers,
                                                          .terms = *terms,
                                                          .birth = fill->epoch,
                                                          .is_planned = fill->ask.is_planned,
                                                          .is_prefetched = fill->ask.is_prefetch,
                                                          .length = length},
                               edge_chunk_ceil(fill->at), &object);
    }
    if (err < 0) {
        answer->response.status = status;
        edge_fill_pass(fill, err == FB_E_LIMIT ? "too large" : "store full", FB_OK);
        return;
    }
    /* In the index before it leaves the keys: who finds no fill finds this. */
    keep_publish(fill->table->options.store, fill->loop, object, &fill->is_outdated);
    edge_fill_answer(fill, &(struct fill_answer){.outcome = EDGE_FILL_OBJECT,
                                                 .object = object,
                                                 .was_stale = fill->ask.stale != NULL,
                                                 .status = status});
    edge_object_unref(object);
    if (fill->writer == NULL) {
        edge_fill_end(fill);
        return;
    }
    edge_fill_prove_body(fill);
    fb_machine_move(&fill->machine, FILL_PUMP);
    edge_fill_pump(fill);
}

void edge_fill_whole(struct edge_fill *fill)
{
    struct edge_pass *answer = fill->answer;
    struct edge_terms terms = fill_terms(fill, &answer->response);

    if (terms.refusal != NULL) {
        bool is_failure = answer->response.status >= 500;
        edge_fill_pass(fill, terms.refusal, is_failure ? FB_E_UNAVAILABLE : FB_OK);
        return;
    }
    fill->is_part = false;
    fill->at = 0;
    fill->end = answer->length == FB_LENGTH_UNKNOWN ? UINT64_MAX : (uint64_t)answer->length;
    fill->goal = fill->end;
    fill_keep(fill, &terms, answer->length);
}

/* ---- parts ------------------------------------------------------------- */

/* Turns a 206's head into that of the whole. */
static void fill_make_whole_head(struct fb_response_head *response)
{
    static const struct fb_str of_part[] = {FB_STR("content-range"), FB_STR("content-digest"),
                                            FB_STR("content-md5")};

    response->status = 200;
    for (size_t i = 0; i < FB_ARRAY_LEN(of_part); i++) {
        fb_headers_remove(&response->headers, of_part[i]);
    }
}

/* A part of what nobody had yet. Its bytes are worth something only if more can be
 * added to them. */
void edge_fill_part(struct edge_fill *fill)
{
    struct fb_response_head *response = &fill->answer->response;
    struct edge_part_answer part;
    int64_t now_s = fb_clock_wall_ms(fb_loop_clock(fill->loop)) / 1000;

    int err = edge_part_read(fill->part, response, fill->answer->length, &part);
    edge_fill_add_date(fill, &response->headers);
    if (err < 0 || fb_if_range_of(&response->headers, now_s).len == 0 ||
        edge_chunk_ceil(part.first) >= part.end) {
        edge_fill_whole_instead(fill);
        return;
    }
    struct fb_response_head whole = *response;
    whole.headers = edge_fields_to_answer(&fill->answer->arena, &response->headers);
    fill_make_whole_head(&whole);
    struct edge_terms terms = fill_terms(fill, &whole);
    if (terms.refusal != NULL) {
        edge_fill_pass(fill, terms.refusal, FB_OK);
        return;
    }
    *response = whole;
    fill->at = part.first;
    fill->end = part.end;
    fill->goal = fill->part.is_suffix ? part.length : FB_MIN(fill->part.last, part.length - 1) + 1;
    fill_keep(fill, &terms, (int64_t)part.length);
}

/* Nothing of the range is there: whoever asked for it is told so, and the rest ask for
 * what they want. */
void edge_fill_past_end(struct edge_fill *fill)
{
    struct fb_str text = fb_headers_find(&fill->answer->response.headers, FB_STR("content-range"));
    uint64_t length = 0;

    int err = fb_content_range_parse_unsatisfied(text, &length);
    bool is_past = fill->part.is_suffix ? length == 0 : fill->part.first >= length;
    if (err < 0 || !is_past) {
        edge_fill_whole_instead(fill);
        return;
    }
    edge_fill_answer(fill, &(struct fill_answer){.outcome = EDGE_FILL_PAST_END,
                                                 .length = length,
                                                 .is_personal = true,
                                                 .status = 416});
    edge_fill_end(fill);
}

/* ---- what is still right ------------------------------------------------ */

/* News of a stale object, and who asked for them. */
struct keep_news {
    struct edge_fill_table *table;
    struct fb_loop *loop;
    struct fb_str key;
    const struct fb_request_head *client;
    struct edge_treatment treatment;
    struct edge_object *stale;
    struct edge_fill_news news;
    const atomic_bool *is_outdated;
};

/* The stale object's head, brought up to date, on the same body. NULL if there is no room even
 * for that. */
static struct edge_object *keep_renew(const struct keep_news *keep, struct edge_terms *ret_terms)
{
    const struct edge_object_head *stale = edge_object_head(keep->stale);
    struct fb_arena *arena = keep->news.arena;
    const struct fb_headers *news = keep->news.headers;
    struct fb_str age = fb_headers_find(news, FB_STR("age"));
    struct edge_object *fresh = NULL;

    const struct fb_response_head kept = {.status = stale->status, .headers = stale->headers};
    struct edge_treatment treatment =
        edge_treatment_refine(&keep->treatment, arena, keep->client->path, &kept);
    struct fb_headers headers = edge_fields_updated(arena, &stale->headers, news, &treatment);
    if (fb_headers_find(news, FB_STR("date")).ptr == NULL) {
        fb_headers_remove(&headers, FB_STR("date")); /* it told of the first answer */
        keep_add_date(keep->loop, arena, &headers);
    }
    struct fb_response_head response = {.status = stale->status, .headers = headers};
    if (age.ptr != NULL) {
        fb_headers_add(&response.headers, arena, FB_STR("Age"), age);
    }
    *ret_terms = edge_terms_find(&(struct edge_terms_of){
        .request = keep->client,
        .response = &response,
        .treatment = treatment,
        .requested = keep->news.requested,
        .received = edge_moment_now(fb_loop_clock(keep->loop)),
    });
    int err = edge_store_renew(keep->table->options.store,
                               &(struct edge_object_spec){.key = keep->key,
                                                          .request = &keep->client->headers,
                                                          .status = stale->status,
                                                          .headers = &headers,
                                                          .terms = *ret_terms,
                                                          .birth = keep->news.epoch},
                               keep->stale, &fresh);
    return err < 0 ? NULL : fresh;
}

/* Renews, and has everybody find that, unless `*ret_is_shared` is false: then it is for who asked
 * for the news, and nobody finds what was there either. */
static struct edge_object *keep_take_news(const struct keep_news *keep, bool *ret_is_shared)
{
    struct edge_store *store = keep->table->options.store;
    struct edge_terms terms;

    struct edge_object *fresh = keep_renew(keep, &terms);
    if (terms.refusal != NULL) {
        edge_store_remove(store, keep->stale);
    } else if (fresh != NULL) {
        keep_publish(store, keep->loop, fresh, keep->is_outdated);
    }
    *ret_is_shared = terms.refusal == NULL;
    return fresh;
}

void edge_fill_not_modified(struct edge_fill *fill)
{
    struct edge_object *stale = fill->ask.stale;
    bool is_shared = false;

    if (stale == NULL || !fill->is_conditional) {
        edge_fill_fail(fill, FB_E_MALFORMED, 304);
        return;
    }
    if (!edge_fields_confirm(&edge_object_head(stale)->headers, &fill->answer->response.headers,
                             fb_clock_wall_ms(fb_loop_clock(fill->loop)) / 1000)) {
        edge_fill_whole_instead(fill);
        return;
    }
    struct edge_object *fresh =
        keep_take_news(&(struct keep_news){.table = fill->table,
                                           .loop = fill->loop,
                                           .key = fill->ask.key,
                                           .client = &fill->client,
                                           .treatment = fill->ask.treatment,
                                           .stale = stale,
                                           .is_outdated = &fill->is_outdated,
                                           .news = {.headers = &fill->answer->response.headers,
                                                    .requested = fill->requested,
                                                    .epoch = fill->epoch,
                                                    .arena = &fill->answer->arena}},
                       &is_shared);
    edge_fill_answer(fill, &(struct fill_answer){.outcome = EDGE_FILL_OBJECT,
                                                 .object = fresh != NULL ? fresh : stale,
                                                 .is_for_one = !is_shared,
                                                 .is_personal = edge_fill_is_personal(fill, 304),
                                                 .was_stale = true,
                                                 .was_validated = true,
                                                 .status = 304});
    edge_object_unref(fresh);
    edge_fill_end(fill);
}

/* What a 200 to HEAD says of what is stored. */
enum keep_sameness { KEEP_SAME, KEEP_OTHER, KEEP_UNTOLD };

/* One that bears no validator tells of another version if its length is another, else
 * nothing. */
static enum keep_sameness keep_compare(const struct edge_object *stale,
                                       const struct edge_fill_news *news)
{
    const struct edge_object_head *head = edge_object_head(stale);
    struct fb_str etag = fb_headers_find(news->headers, FB_STR("etag"));
    struct fb_str modified = fb_headers_find(news->headers, FB_STR("last-modified"));
    int64_t length = edge_object_length(stale);

    if (head->status != 200 || (etag.ptr != NULL && !fb_str_equal(etag, head->etag)) ||
        (modified.ptr != NULL && !fb_str_equal(modified, head->last_modified)) ||
        (news->length != FB_LENGTH_UNKNOWN && length != FB_LENGTH_UNKNOWN &&
         news->length != length)) {
        return KEEP_OTHER;
    }
    return etag.ptr != NULL || modified.ptr != NULL ? KEEP_SAME : KEEP_UNTOLD;
}

/* False if what was stale has been replaced since, or made invalid. */
static bool keep_is_there(const struct edge_fill_table *table, const struct edge_fill_ask *ask)
{
    struct edge_object *found =
        edge_store_find(table->options.store, ask->key, &ask->request->headers);
    bool is_there = found == ask->stale;

    edge_object_unref(found);
    return is_there;
}

struct edge_object *edge_fill_freshen(struct edge_fill_table *table, struct fb_loop *loop,
                                      const struct edge_fill_ask *ask,
                                      const struct edge_fill_news *news)
{
    atomic_bool never = false;
    bool is_shared = false; /* it is for the one who asked in any case */

    if (edge_object_state(ask->stale) == EDGE_OBJECT_BROKEN ||
        !edge_object_is_current(ask->stale, news->epoch, true) || !keep_is_there(table, ask)) {
        return NULL;
    }
    struct edge_terms space;
    int64_t left_ms = edge_terms_left_ms(edge_object_terms(ask->stale, &space),
                                         (int64_t)fb_clock_mono_ms(fb_loop_clock(loop)));
    enum keep_sameness sameness = keep_compare(ask->stale, news);
    if (sameness == KEEP_OTHER && left_ms > 0) { /* else it is stale already */
        edge_store_invalidate(table->options.store, loop, ask->key);
    }
    if (sameness != KEEP_SAME) {
        return NULL;
    }
    return keep_take_news(&(struct keep_news){.table = table,
                                              .loop = loop,
                                              .key = ask->key,
                                              .client = ask->request,
                                              .treatment = ask->treatment,
                                              .stale = ask->stale,
                                              .news = *news,
                                              .is_outdated = &never},
                          &is_shared);
}
