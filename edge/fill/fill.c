#include "edge/fill/fill.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/http/date.h"
#include "base/log/log.h"
#include "base/loop/reader.h"
#include "edge/fill/fill_internal.h"
#include "edge/fresh/fields.h"

enum fill_state { FILL_STATE_FETCH, FILL_STATE_PUMP, FILL_STATE_DONE };

static const struct fb_state fill_states[] = {
    [FILL_STATE_FETCH] = {"fetch", FB_TO(FILL_STATE_PUMP) | FB_TO(FILL_STATE_DONE)},
    [FILL_STATE_PUMP] = {"pump", FB_TO(FILL_STATE_DONE)},
    [FILL_STATE_DONE] = {"done", 0},
};

/* ---- the end ----------------------------------------------------------- */

void edge_pass_free(struct edge_pass *pass)
{
    if (pass != NULL) {
        fb_reader_close(pass->body);
        fb_arena_done(&pass->arena);
        fb_free(pass);
    }
}

static void fill_done(struct edge_fill *fill)
{
    fb_machine_move(&fill->machine, FILL_STATE_DONE);
    edge_fill_leave(fill);
    edge_pass_free(fill->answer);
    edge_object_unref(fill->ask.stale);
    fb_arena_done(&fill->arena);
    fb_free(fill);
}

static int64_t fill_now_ms(const struct edge_fill *fill)
{
    return (int64_t)fb_clock_mono_ms(fb_loop_clock(fill->loop));
}

/* A stale object that may stand in for an upstream that fails, or NULL. */
static struct edge_object *fill_stand_in(const struct edge_fill *fill)
{
    struct edge_object *stale = fill->ask.stale;

    if (stale == NULL || edge_object_state(stale) == EDGE_OBJECT_BROKEN ||
        !edge_terms_stands_in(&edge_object_head(stale)->terms, fill_now_ms(fill))) {
        return NULL;
    }
    return stale;
}

/* No usable answer from upstream. */
static void fill_fail(struct edge_fill *fill, int err, unsigned status)
{
    struct edge_object *stand_in = fill_stand_in(fill);

    edge_fill_metric(fill->table, FILL_FAILED, 1);
    bool is_told = status == 0 && stand_in == NULL; /* by whoever asked in vain */
    if (err != FB_E_CANCELED && !is_told) {
        FB_LOG(WARN, "fill", "no usable answer from upstream", FB_LOG_STR("key", fill->ask.key),
               FB_LOG_TEXT("cause", fb_err_name(err)), FB_LOG_INT("status", status),
               FB_LOG_BOOL("stale_stands_in", stand_in != NULL));
    }
    edge_fill_answer(fill, &(struct fill_answer){.result = stand_in != NULL ? FB_OK : err,
                                                 .outcome = EDGE_FILL_OBJECT,
                                                 .object = stand_in,
                                                 .is_stand_in = stand_in != NULL,
                                                 .status = status});
    fill_done(fill);
}

/* ---- what is not kept -------------------------------------------------- */

/* The answer may be owed to who asked, not to what was asked for. */
static bool fill_is_personal(const struct edge_fill *fill, unsigned status)
{
    return status == 508 || fb_headers_count(&fill->client.headers, FB_STR("authorization")) > 0;
}

/* Hands the response to one joiner. The others get `rest`, or fetch for
 * themselves if that is FB_OK. */
static void fill_pass(struct edge_fill *fill, const char *refusal, int rest)
{
    struct edge_pass *pass = fill->answer;

    fill->answer = NULL;
    pass->response.headers =
        edge_fields_to_keep(&pass->arena, &pass->response.headers, EDGE_CLASS_OTHER);
    pass->refusal = refusal;
    bool is_personal = fill_is_personal(fill, pass->response.status);
    if (rest == FB_OK && !is_personal) {
        edge_fill_remember(fill->table, fill->ask.key, fill_now_ms(fill));
    }
    edge_fill_answer(fill, &(struct fill_answer){.outcome = EDGE_FILL_PASS,
                                                 .pass = pass,
                                                 .rest = rest,
                                                 .is_personal = is_personal,
                                                 .status = pass->response.status});
    fill_done(fill);
}

/* The upstream answered, but with its own failure. */
static void fill_refused(struct edge_fill *fill)
{
    unsigned status = fill->answer->response.status;

    if (fill_stand_in(fill) != NULL) {
        fill_fail(fill, FB_E_UNAVAILABLE, status);
        return;
    }
    edge_fill_metric(fill->table, FILL_FAILED, 1);
    FB_LOG(WARN, "fill", "upstream answered with an error", FB_LOG_STR("key", fill->ask.key),
           FB_LOG_INT("status", status));
    fill_pass(fill, "status", FB_E_UNAVAILABLE);
}

/* ---- the body ---------------------------------------------------------- */

static void fill_end_body(struct edge_fill *fill, int result)
{
    struct edge_object *object = edge_object_ref(edge_writer_object(fill->writer));
    uint64_t offset = edge_writer_offset(fill->writer);
    int64_t length = edge_object_length(object);

    if (result == FB_OK && length != FB_LENGTH_UNKNOWN && offset < (uint64_t)length) {
        result = FB_E_CLOSED;
    }
    edge_writer_finish(fill->writer, result);
    fill->writer = NULL;
    if (result < 0) {
        edge_fill_metric(fill->table, FILL_FAILED, 1);
        edge_store_remove(fill->table->options.store, object);
    }
    if (result < 0 && result != FB_E_CANCELED) {
        FB_LOG(WARN, "fill", "the body broke off, its readers are cut",
               FB_LOG_STR("key", fill->ask.key), FB_LOG_TEXT("cause", fb_err_name(result)),
               FB_LOG_INT("offset", offset));
    }
    edge_object_unref(object);
    if (result == FB_E_LIMIT || result == FB_E_BUSY) {
        /* The next client gets it past the store. */
        edge_fill_remember(fill->table, fill->ask.key, fill_now_ms(fill));
    }
    fill_done(fill);
}

/* Moves what has come into the object. FB_E_LATER, FB_E_END, FB_E_BUSY if its readers are to
 * be waited for, or a failure. */
static int fill_move(struct edge_fill *fill, bool *ret_is_ahead)
{
    struct fb_slice slice;
    int err = FB_OK;

    *ret_is_ahead = false;
    while (err == FB_OK && !fill->is_canceled && !*ret_is_ahead) {
        err = fb_reader_next(fill->answer->body, &slice);
        if (err == FB_OK) {
            edge_fill_metric(fill->table, FILL_BYTES, (int64_t)slice.bytes.len);
            err = edge_writer_append(fill->writer, slice.bytes);
            fb_slice_release(&slice);
        }
        *ret_is_ahead = err == FB_OK && edge_writer_is_ahead(fill->writer);
    }
    return fill->is_canceled ? FB_E_CANCELED : err;
}

static void fill_pump(struct edge_fill *fill);

static void fill_on_more(struct fb_op *op)
{
    struct edge_fill *fill = FB_CONTAINER_OF(op, struct edge_fill, wait);
    if (op->result < 0 && !fill->is_canceled) {
        fill_end_body(fill, op->result); /* nobody reads any more */
        return;
    }
    fill_pump(fill);
}

static void fill_pump(struct edge_fill *fill)
{
    bool is_ahead = false;
    int err = fill_move(fill, &is_ahead);

    fb_op_init(&fill->wait, fill->loop, fill_on_more);
    if (err == FB_E_LATER) {
        fb_reader_wait(fill->answer->body, &fill->wait);
    } else if (err == FB_OK && is_ahead) {
        edge_writer_wait(fill->writer, &fill->wait);
    } else {
        fill_end_body(fill, err == FB_E_END ? FB_OK : err);
    }
}

/* ---- the head ---------------------------------------------------------- */

static struct edge_terms fill_terms(const struct edge_fill *fill,
                                    const struct fb_response_head *response)
{
    return edge_terms_find(&(struct edge_terms_of){
        .request = &fill->client,
        .response = response,
        .treatment = fill->ask.treatment,
        .requested = fill->requested,
        .received = edge_moment_now(fb_loop_clock(fill->loop)),
    });
}

/* A response that is kept needs a date (RFC 9110 section 6.6.1). */
static void fill_add_date(struct edge_fill *fill, struct fb_headers *headers)
{
    struct fb_arena *arena = &fill->answer->arena;
    char text[FB_DATE_MAX];

    if (fb_headers_find(headers, FB_STR("date")).ptr == NULL) {
        int64_t now_s = fb_clock_wall_ms(fb_loop_clock(fill->loop)) / 1000;
        struct fb_str date = fb_arena_dup(arena, fb_date_format(now_s, text));
        fb_headers_add(headers, arena, FB_STR("Date"), date);
    }
}

static void fill_keep(struct edge_fill *fill, const struct edge_terms *terms)
{
    struct edge_pass *answer = fill->answer;
    struct edge_object *object = NULL;
    struct fb_headers headers =
        edge_fields_to_keep(&answer->arena, &answer->response.headers, fill->ask.treatment.class);

    fill_add_date(fill, &headers);
    int err = edge_store_create(fill->table->options.store,
                                &(struct edge_object_spec){.key = fill->ask.key,
                                                           .request = &fill->client.headers,
                                                           .status = answer->response.status,
                                                           .headers = &headers,
                                                           .terms = *terms,
                                                           .length = answer->length},
                                &object);
    if (err == FB_OK) {
        err = edge_object_write(object, fill->loop, 0, &fill->writer);
    }
    if (err < 0) {
        edge_object_unref(object);
        fill_pass(fill, "store full", FB_OK);
        return;
    }
    /* In the index before it leaves the keys: who finds no fill finds this. */
    edge_store_publish(fill->table->options.store, object);
    edge_fill_answer(fill, &(struct fill_answer){.outcome = EDGE_FILL_OBJECT,
                                                 .object = object,
                                                 .status = answer->response.status});
    edge_object_unref(object);
    fb_machine_move(&fill->machine, FILL_STATE_PUMP);
    fill_pump(fill);
}

/* The stale object's head, brought up to date by a 304, on the same body. NULL if
 * there is no room even for that. */
static struct edge_object *fill_renew(struct edge_fill *fill, struct edge_terms *ret_terms)
{
    const struct edge_object_head *stale = edge_object_head(fill->ask.stale);
    struct fb_arena *arena = &fill->answer->arena;
    const struct fb_headers *news = &fill->answer->response.headers;
    struct fb_str age = fb_headers_find(news, FB_STR("age"));
    struct edge_object *fresh = NULL;

    struct fb_headers headers =
        edge_fields_updated(arena, &stale->headers, news, fill->ask.treatment.class);
    if (fb_headers_find(news, FB_STR("date")).ptr == NULL) {
        fb_headers_remove(&headers, FB_STR("date")); /* it told of the first answer */
        fill_add_date(fill, &headers);
    }
    struct fb_response_head response = {.status = stale->status, .headers = headers};
    if (age.ptr != NULL) {
        fb_headers_add(&response.headers, arena, FB_STR("Age"), age);
    }
    *ret_terms = fill_terms(fill, &response);
    int err = edge_store_renew(fill->table->options.store,
                               &(struct edge_object_spec){.key = fill->ask.key,
                                                          .request = &fill->client.headers,
                                                          .status = stale->status,
                                                          .headers = &headers,
                                                          .terms = *ret_terms},
                               fill->ask.stale, &fresh);
    return err < 0 ? NULL : fresh;
}

static void fill_not_modified(struct edge_fill *fill)
{
    struct edge_store *store = fill->table->options.store;
    struct edge_terms terms;

    if (fill->ask.stale == NULL) {
        fill_fail(fill, FB_E_MALFORMED, 304);
        return;
    }
    struct edge_object *fresh = fill_renew(fill, &terms);
    if (terms.refusal != NULL) {
        edge_store_remove(store, fill->ask.stale);
    } else if (fresh != NULL) {
        edge_store_publish(store, fresh);
    }
    edge_fill_answer(fill, &(struct fill_answer){.outcome = EDGE_FILL_OBJECT,
                                                 .object = fresh != NULL ? fresh : fill->ask.stale,
                                                 .was_validated = true,
                                                 .status = 304});
    edge_object_unref(fresh);
    fill_done(fill);
}

static void fill_on_head(struct fb_op *op)
{
    struct edge_fill *fill = FB_CONTAINER_OF(op, struct edge_fill, fetch.op);
    struct edge_pass *answer = fill->answer;

    if (op->result < 0) {
        fill_fail(fill, op->result, 0);
        return;
    }
    answer->response = fill->fetch.response;
    answer->length = fill->fetch.length;
    answer->body = fill->fetch.body;
    if (fill->is_canceled) {
        fill_fail(fill, FB_E_CANCELED, answer->response.status);
    } else if (answer->response.status == 304) {
        fill_not_modified(fill);
    } else if (answer->response.status == 206) {
        fill_fail(fill, FB_E_MALFORMED, 206); /* no range was asked for */
    } else if (answer->response.status >= 500) {
        fill_refused(fill);
    } else {
        struct edge_terms terms = fill_terms(fill, &answer->response);
        if (terms.refusal != NULL) {
            fill_pass(fill, terms.refusal, FB_OK);
        } else {
            fill_keep(fill, &terms);
        }
    }
}

/* ---- the request ------------------------------------------------------- */

static struct fb_headers fill_copy_headers(struct fb_arena *arena, const struct fb_headers *from)
{
    struct fb_headers copy = {0};

    for (size_t i = 0; i < from->n; i++) {
        fb_headers_add(&copy, arena, fb_arena_dup(arena, from->items[i].name),
                       fb_arena_dup(arena, from->items[i].value));
    }
    return copy;
}

/* What is fetched is what the key says, not what the client wrote. */
static void fill_make_request(struct edge_fill *fill)
{
    size_t slash = fb_str_find(fill->ask.key, '/');
    struct fb_str target = fb_str_skip(fill->ask.key, slash);
    size_t question = fb_str_find(target, '?');
    struct edge_object *stale = fill->ask.stale;

    fill->request = (struct fb_request_head){
        .method = FB_METHOD_GET,
        .method_text = FB_STR("GET"),
        .target = target,
        .path = fb_str_first(target, question),
        .query = question < target.len ? fb_str_skip(target, question + 1) : FB_STR_NONE,
        .host = fb_str_first(fill->ask.key, slash),
        .version_minor = 1,
    };
    fill->request.headers =
        edge_fields_to_fetch(&fill->arena, &fill->client, fill->ask.treatment.class);
    if (stale == NULL) {
        return;
    }
    const struct edge_object_head *head = edge_object_head(stale);
    if (head->etag.len > 0) {
        fb_headers_add(&fill->request.headers, &fill->arena, FB_STR("If-None-Match"), head->etag);
    }
    if (head->last_modified.len > 0) {
        fb_headers_add(&fill->request.headers, &fill->arena, FB_STR("If-Modified-Since"),
                       head->last_modified);
    }
}

struct edge_fill *edge_fill_new(struct edge_fill_table *table, struct fb_loop *loop,
                                struct fb_str key, const struct edge_fill_ask *ask)
{
    struct edge_fill *fill = FB_NEW(struct edge_fill);
    bool is_usable = ask->stale != NULL && edge_object_state(ask->stale) != EDGE_OBJECT_BROKEN;

    fill->table = table;
    fill->loop = loop;
    fb_machine_init(&fill->machine, fill_states, FILL_STATE_FETCH);
    fb_list_init(&fill->link);
    fb_list_init(&fill->joiners);
    fill->answer = FB_NEW(struct edge_pass);
    fill->key = fb_arena_dup(&fill->arena, key);
    fill->client.method = FB_METHOD_GET;
    fill->client.headers = fill_copy_headers(&fill->arena, &ask->request->headers);
    fill->ask = (struct edge_fill_ask){
        .key = fb_arena_dup(&fill->arena, ask->key),
        .request = &fill->client,
        .treatment = ask->treatment,
        .stale = is_usable ? edge_object_ref(ask->stale) : NULL,
        .upstream = ask->upstream,
    };
    return fill;
}

void edge_fill_begin(struct edge_fill *fill)
{
    edge_fill_metric(fill->table, FILL_STARTED, 1);
    fill_make_request(fill);
    fill->requested = edge_moment_now(fb_loop_clock(fill->loop));
    fb_op_init(&fill->fetch.op, fill->loop, fill_on_head);
    fill->fetch.request = &fill->request;
    fill->fetch.arena = &fill->answer->arena;
    fill->table->options.fetch(fill->ask.upstream, &fill->fetch);
}

void edge_fill_cancel(struct edge_fill *fill)
{
    fill->is_canceled = true;
    if (fill->machine.state == FILL_STATE_FETCH) {
        fb_op_cancel(&fill->fetch.op);
    } else {
        fb_op_cancel(&fill->wait);
    }
}
