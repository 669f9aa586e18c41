#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/http/conditional.h"
#include "edge/fill/fill.h"
#include "edge/fill/fill_internal.h"
#include "edge/fill/part.h"

/* Before each try to go on with a body. Together less than players wait for bytes. */
static const uint32_t rest_pauses_ms[EDGE_FILL_MAX_TRIES] = {0, 250, 1000, 2000};

static int64_t rest_now_s(const struct edge_fill *fill)
{
    return fb_clock_wall_ms(fb_loop_clock(fill->loop)) / 1000;
}

/* ---- objects that changed ----------------------------------------------- */

/* True if what the index has now is, byte for byte, what this fill is about. */
static bool rest_is_of(const struct edge_object *object, const struct edge_object *found)
{
    const struct edge_object_head *a = edge_object_head(object);
    const struct edge_object_head *b = edge_object_head(found);

    return found == object ||
           (edge_object_length(found) == edge_object_length(object) &&
            fb_str_equal(a->etag, b->etag) && fb_str_equal(a->last_modified, b->last_modified));
}

void edge_fill_forget(struct edge_fill *fill, struct edge_object *object)
{
    struct edge_store *store = fill->table->options.store;
    struct edge_object *found = edge_store_find(store, fill->ask.key, &fill->client.headers);

    edge_store_remove(store, object);
    if (found == NULL || rest_is_of(object, found)) {
        edge_store_invalidate(store, fill->loop, fill->ask.key);
    }
    edge_object_unref(found);
}

static void rest_changed(struct edge_fill *fill)
{
    edge_fill_metric(fill->table, FILL_CHANGED, 1);
    edge_fill_forget(fill, edge_writer_object(fill->writer));
    edge_fill_end_body(fill, FB_E_CONFLICT);
}

/* ---- going on ---------------------------------------------------------- */

static void rest_on_resumed(struct fb_op *op);

/* Makes of the request one for fill->part. */
static void rest_ask_part(struct edge_fill *fill)
{
    struct fb_headers *headers = &fill->request.headers;

    fb_headers_add(headers, &fill->arena, FB_STR("Range"),
                   edge_part_text(fill->part, &fill->arena));
    fb_headers_add(headers, &fill->arena, FB_STR("If-Range"), fill->if_range);
}

/* Asks for what is missing. Of a body of unknown length one byte that is here comes
 * along, or there might be nothing to ask for. */
static void rest_resume(struct edge_fill *fill)
{
    int64_t length = edge_object_length(edge_writer_object(fill->writer));
    uint64_t from = edge_fill_offset(fill);

    if (length == FB_LENGTH_UNKNOWN && from > 0) {
        from--;
    }
    fill->part = (struct fb_range_spec){
        .first = from, .last = fill->goal == UINT64_MAX ? UINT64_MAX : fill->goal - 1};
    fill->is_part = from > 0 || (fill->goal != UINT64_MAX && (int64_t)fill->goal != length);
    edge_fill_make_request(fill);
    if (fill->is_part) {
        rest_ask_part(fill);
    }
    edge_fill_send(fill, rest_on_resumed);
}

static void rest_on_pause_over(struct fb_timer *timer)
{
    struct edge_fill *fill = FB_CONTAINER_OF(timer, struct edge_fill, timer);

    fb_machine_move(&fill->machine, FILL_RESUME);
    rest_resume(fill);
}

void edge_fill_retry(struct edge_fill *fill, int err)
{
    uint64_t offset = edge_writer_offset(fill->writer);

    edge_pass_free(fill->answer);
    fill->answer = NULL;
    edge_fill_prove_broken(fill);
    if (offset - fill->resumed_at >= EDGE_FILL_PROGRESS_BYTES) {
        fill->n_tries = 0;
    }
    fill->resumed_at = offset;
    bool is_over = fill->if_range.len == 0 || fill->n_tries == EDGE_FILL_MAX_TRIES;
    if (is_over && fill->saw_change) {
        rest_changed(fill);
    } else if (is_over) {
        edge_fill_end_body(fill, err);
    } else if (rest_pauses_ms[fill->n_tries] == 0) {
        fill->n_tries++;
        fb_machine_move(&fill->machine, FILL_RESUME);
        rest_resume(fill);
    } else {
        fb_machine_move(&fill->machine, FILL_PAUSE);
        fb_timer_init(&fill->timer, fill->loop, rest_on_pause_over);
        fb_timer_set(&fill->timer, rest_pauses_ms[fill->n_tries++]);
    }
}

void edge_fill_retry_elsewhere(struct edge_fill *fill, int err)
{
    fill->avoided |= 1U << fill->fetch.upstream;
    edge_fill_retry(fill, err);
}

enum rest_verdict { REST_GOES_ON, REST_FAILED, REST_CHANGED };

/* True if the answer is of the same bytes as the object. A part that was asked for with a
 * date need not repeat it (RFC 9110 section 15.3.7). */
static bool rest_is_same(const struct edge_fill *fill)
{
    const struct fb_headers *headers = &fill->answer->response.headers;
    struct fb_validators validators = fb_validators_of(headers, rest_now_s(fill));
    bool is_by_date = fill->if_range.ptr[0] != '"';

    if (fill->answer->response.status == 206 && is_by_date &&
        validators.last_modified == FB_DATE_NONE) {
        return true;
    }
    return fb_if_range_holds(fill->if_range, &validators, rest_now_s(fill));
}

static enum rest_verdict rest_judge_part(struct edge_fill *fill, int64_t length)
{
    const struct fb_response_head *response = &fill->answer->response;
    struct edge_part_answer part;

    if (!fill->is_part || edge_part_read(fill->part, response, fill->answer->length, &part) < 0) {
        return REST_FAILED;
    }
    if (!rest_is_same(fill) || (length != FB_LENGTH_UNKNOWN && part.length != (uint64_t)length)) {
        return REST_CHANGED;
    }
    fill->at = part.first;
    fill->end = part.end;
    fill->goal = FB_MIN(fill->goal, part.length);
    return REST_GOES_ON;
}

/* An upstream that knows no ranges: what is here already is passed over, and what
 * comes after the part is taken too, for the next reader would pay the same price. */
static enum rest_verdict rest_judge_whole(struct edge_fill *fill, int64_t length)
{
    int64_t now = fill->answer->length;
    bool is_as_long = now == length || now == FB_LENGTH_UNKNOWN || length == FB_LENGTH_UNKNOWN;

    if (!rest_is_same(fill) || !is_as_long) {
        return REST_CHANGED;
    }
    fill->at = 0;
    fill->end = now == FB_LENGTH_UNKNOWN ? UINT64_MAX : (uint64_t)now;
    fill->goal = length == FB_LENGTH_UNKNOWN ? fill->end : (uint64_t)length;
    return REST_GOES_ON;
}

/* What the answer says of an object of `length` bytes; where its body begins and ends. */
static enum rest_verdict rest_judge(struct edge_fill *fill, int64_t length)
{
    struct fb_headers *headers = &fill->answer->response.headers;
    uint64_t now = 0;

    edge_fill_add_date(fill, headers);
    switch (fill->answer->response.status) {
    case 200:
        return rest_judge_whole(fill, length);
    case 206:
        return rest_judge_part(fill, length);
    case 404:
    case 410:
        return REST_CHANGED;
    case 416: {
        int err = fb_content_range_parse_unsatisfied(
            fb_headers_find(headers, FB_STR("content-range")), &now);
        return err == FB_OK && now != (uint64_t)length ? REST_CHANGED : REST_FAILED;
    }
    default:
        return REST_FAILED;
    }
}

static void rest_on_resumed(struct fb_op *op)
{
    struct edge_fill *fill = FB_CONTAINER_OF(op, struct edge_fill, fetch.op);
    unsigned upstream = 1U << fill->fetch.upstream;

    if (op->result == FB_OK) {
        edge_fill_take_answer(fill);
    }
    if (fill->is_canceled || op->result == FB_E_CANCELED) {
        edge_fill_end_body(fill, FB_E_CANCELED);
        return;
    }
    if (op->result < 0) {
        edge_fill_retry(fill, op->result);
        return;
    }
    enum rest_verdict verdict =
        rest_judge(fill, edge_object_length(edge_writer_object(fill->writer)));
    if (verdict == REST_GOES_ON) {
        edge_writer_set_end(fill->writer, fill->goal);
        edge_fill_metric(fill->table, FILL_RESUMED, fill->n_tries > 0 ? 1 : 0);
        edge_fill_prove_body(fill);
        fb_machine_move(&fill->machine, FILL_PUMP);
        edge_fill_pump(fill);
    } else if (verdict == REST_FAILED) {
        edge_fill_retry_elsewhere(fill, FB_E_UNAVAILABLE);
    } else if (fill->avoided == 0 || (fill->avoided & upstream) != 0) {
        rest_changed(fill); /* nobody is left who could know better */
    } else {
        fill->saw_change = true;
        edge_fill_retry_elsewhere(fill, FB_E_CONFLICT);
    }
}

/* ---- what comes before the answer --------------------------------------- */

/* How many chunks are looked at to know how much is missing. */
enum { REST_SCAN_CHUNKS = 64 };

/* Where the bytes end that `object` lacks from `from` on, at most `end`. */
static uint64_t rest_missing_until(struct edge_object *object, uint64_t from, uint64_t end)
{
    uint64_t at = edge_chunk_floor(from) + EDGE_CHUNK_BYTES;

    for (unsigned i = 0; i < REST_SCAN_CHUNKS && at < end; i++, at += EDGE_CHUNK_BYTES) {
        if (edge_object_holds(object, at, 1)) {
            return at;
        }
    }
    return end;
}

void edge_fill_ask_missing(struct edge_fill *fill)
{
    struct edge_object *object = fill->ask.partial;
    const struct fb_range_spec *range = fill->ask.range;
    uint64_t length = (uint64_t)edge_object_length(object);
    uint64_t from = edge_part_offset(range);
    uint64_t end = range != NULL && range->last < length ? range->last + 1 : length;
    struct fb_str if_range = fb_if_range_of(&edge_object_head(object)->headers, rest_now_s(fill));

    end = FB_MIN(edge_chunk_ceil(rest_missing_until(object, from, end)), length);
    fill->goal = end;
    fill->part = (struct fb_range_spec){.first = edge_chunk_floor(from), .last = end - 1};
    fill->is_part = true;
    fill->if_range = fb_arena_dup(&fill->arena, if_range);
    rest_ask_part(fill);
}

/* It is the same object: everybody has it, and the bytes follow. */
static void rest_begin(struct edge_fill *fill)
{
    struct edge_object *object = fill->ask.partial;

    int err =
        edge_object_write(object, fill->loop, edge_chunk_floor(fill->part.first), &fill->writer);
    if (err < 0 && err != FB_E_EXISTS) {
        edge_fill_fail(fill, err, fill->answer->response.status);
        return;
    }
    edge_fill_answer(fill, &(struct fill_answer){.outcome = EDGE_FILL_OBJECT,
                                                 .object = object,
                                                 .status = fill->answer->response.status});
    fill->ask.partial = NULL;
    edge_object_unref(object); /* from now on only its readers need it */
    if (err == FB_E_EXISTS) {
        edge_fill_end(fill); /* somebody was faster */
        return;
    }
    edge_writer_set_end(fill->writer, fill->goal);
    fill->resumed_at = edge_writer_offset(fill->writer);
    edge_fill_prove_body(fill);
    fb_machine_move(&fill->machine, FILL_PUMP);
    edge_fill_pump(fill);
}

bool edge_fill_go_on(struct edge_fill *fill)
{
    struct edge_object *object = fill->ask.partial;
    enum rest_verdict verdict = rest_judge(fill, edge_object_length(object));

    if (verdict == REST_GOES_ON) {
        rest_begin(fill);
        return true;
    }
    if (verdict == REST_CHANGED) {
        edge_fill_metric(fill->table, FILL_CHANGED, 1);
        edge_fill_forget(fill, object);
        fill->ask.partial = NULL;
        edge_object_unref(object);
    }
    return false;
}

/* ---- what readers lack ------------------------------------------------- */

/* A fill of `n` bytes from `offset`, on the loop of whoever wants them. */
static int chunks_fetch(struct edge_fill_chunks *chunks, struct edge_object *object,
                        uint64_t offset, uint64_t n)
{
    const struct edge_object_head *head = edge_object_head(object);
    int64_t now_s = fb_clock_wall_ms(fb_loop_clock(chunks->loop)) / 1000;
    struct fb_str if_range = fb_if_range_of(&head->headers, now_s);
    struct edge_writer *writer = NULL;
    struct edge_fill *fill = NULL;

    if (head->status != 200 || if_range.len == 0) {
        return FB_E_CLOSED; /* nothing tells that more bytes would be of the same body */
    }
    int err = edge_object_write(object, chunks->loop, edge_chunk_floor(offset), &writer);
    if (err < 0) {
        return err;
    }
    err = edge_fill_add_unkeyed(chunks->table, chunks->loop, &chunks->ask, &fill);
    if (err < 0) {
        edge_writer_finish(writer, err);
        return FB_OK; /* that has told the readers */
    }
    uint64_t length = (uint64_t)edge_object_length(object);
    uint64_t wanted = n < length - offset ? offset + n : length;
    edge_fill_metric(chunks->table, FILL_PARTS, 1);
    fill->writer = writer;
    fill->if_range = fb_arena_dup(&fill->arena, if_range);
    fill->goal = FB_MIN(edge_chunk_ceil(wanted), length);
    edge_writer_set_end(writer, fill->goal);
    fill->resumed_at = edge_writer_offset(writer);
    fb_machine_move(&fill->machine, FILL_RESUME);
    rest_resume(fill);
    return FB_OK;
}

static void chunks_want(struct edge_source *source, struct edge_object *object, uint64_t offset,
                        uint64_t n)
{
    struct edge_fill_chunks *chunks = FB_CONTAINER_OF(source, struct edge_fill_chunks, source);

    int err = chunks_fetch(chunks, object, offset, n);
    if (err < 0 && err != FB_E_EXISTS) {
        edge_object_fail(object, offset, err);
    }
}

void edge_fill_chunks_init(struct edge_fill_chunks *chunks, struct edge_fill_table *table,
                           struct fb_loop *loop, const struct edge_fill_ask *ask)
{
    *chunks = (struct edge_fill_chunks){
        .source = {chunks_want}, .table = table, .loop = loop, .ask = *ask};
    chunks->ask.range = NULL;
    chunks->ask.stale = NULL;
    chunks->ask.partial = NULL;
    chunks->ask.lacking = NULL;
}
