#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/loop/grace.h"
#include "edge/store/reader_internal.h"
#include "edge/store/store_internal.h"
#include "edge/store/writer_internal.h"

/* At most so much at once, so that a chunk goes to many in turn. */
enum { READER_SLICE_BYTES = 256 * 1024 };

/* How many chunks are looked at to tell a source how much is missing. */
enum { READER_SCAN_CHUNKS = 64 };

/* What a reader may find where it stands. */
enum reader_view { VIEW_BYTES, VIEW_END, VIEW_COMING, VIEW_ABSENT };

static struct body_reader *reader_of(struct fb_reader *reader)
{
    return FB_CONTAINER_OF(reader, struct body_reader, reader);
}

/* ---- looking, under the body's lock ------------------------------------- */

/* What follows where there is no chunk to take from. */
static enum reader_view reader_look_on(const struct body_reader *self, int64_t length, int *ret_end)
{
    const struct edge_body *body = self->object->body;
    int state = atomic_load_explicit(&body->state, memory_order_relaxed);

    if (state == EDGE_OBJECT_BROKEN) {
        *ret_end = body->result;
        return VIEW_END;
    }
    if (length != FB_LENGTH_UNKNOWN && self->offset >= (uint64_t)length) {
        *ret_end = self->end == UINT64_MAX ? FB_E_END : FB_E_CLOSED;
        return VIEW_END;
    }
    uint64_t chunk = self->offset / EDGE_CHUNK_BYTES;
    return state == EDGE_OBJECT_FILLING || edge_body_chunk_state(body, chunk) != CHUNK_ABSENT ||
                   edge_body_is_coming(body, self->offset)
               ? VIEW_COMING
               : VIEW_ABSENT;
}

static enum reader_view reader_look(const struct body_reader *self, struct store_extent **ret_from,
                                    int *ret_end)
{
    const struct edge_body *body = self->object->body;
    int64_t length = atomic_load_explicit(&body->length, memory_order_relaxed);
    uint64_t chunk = self->offset / EDGE_CHUNK_BYTES;

    if (self->error != FB_OK) {
        *ret_end = self->error;
        return VIEW_END;
    }
    if (length != FB_LENGTH_UNKNOWN &&
        atomic_load_explicit(&body->state, memory_order_relaxed) == EDGE_OBJECT_BROKEN) {
        *ret_end = body->result; /* what is here is wrong as well */
        return VIEW_END;
    }
    struct store_extent *extent = edge_body_extent(body, chunk);
    if (extent != NULL &&
        extent->chunks[chunk % EDGE_EXTENT_CHUNKS].n_filled > self->offset % EDGE_CHUNK_BYTES) {
        *ret_from = extent;
        return VIEW_BYTES;
    }
    return reader_look_on(self, length, ret_end);
}

static void reader_join(struct body_reader *self)
{
    if (!self->is_linked) {
        self->is_linked = true;
        fb_list_append(&self->object->body->readers, &self->link);
    }
}

/* ---- taking ------------------------------------------------------------ */

static void slice_release(void *owner)
{
    edge_buffer_unref(owner);
}

/* True for the first reader ever of chunk `i`. Writes only then. */
static bool extent_take_unread(struct store_extent *extent, unsigned i)
{
    uint8_t bit = (uint8_t)(1U << i);

    return (atomic_load_explicit(&extent->unread, memory_order_relaxed) & bit) != 0 &&
           (atomic_fetch_and_explicit(&extent->unread, (uint8_t)~bit, memory_order_relaxed) &
            bit) != 0;
}

/* A reader's first step into an extent is a use of it, unless it is the first
 * one ever: that is who had it brought. True if it is one. */
static bool reader_enter(struct body_reader *self, struct store_extent *extent, unsigned i)
{
    bool is_first = extent_take_unread(extent, i);
    bool is_new = self->extent == READER_NO_CHUNK || extent->number > self->extent;

    if (is_new) { /* and not one that it stepped back into */
        self->extent = extent->number;
    }
    if (is_first || !is_new) {
        return false;
    }
    uint8_t n_hits = atomic_load_explicit(&extent->n_hits, memory_order_relaxed);
    if (n_hits < UINT8_MAX) {
        atomic_store_explicit(&extent->n_hits, (uint8_t)(n_hits + 1), memory_order_relaxed);
    }
    return true;
}

/* Where a reader found bytes. */
struct reader_found {
    struct store_extent *extent;
    struct store_buffer *buffer; /* of the chunk it stands in */
    uint32_t n;                  /* bytes in that */
};

/* What taking a slice brings about afterwards. */
struct reader_after {
    bool is_next; /* it came to another chunk, after which volumes may have more */
    bool is_hot;  /* chunk last should be frozen */
};

/* True if the reader will come to the chunk after the one it is in. */
static bool reader_goes_on(const struct body_reader *self)
{
    uint64_t offset = (self->last + 1) * EDGE_CHUNK_BYTES;
    int64_t length = edge_object_length(self->object);

    return length != FB_LENGTH_UNKNOWN && offset < (uint64_t)length && offset < self->end;
}

/* Will it find nothing there? Takes the lock, unless it is in memory. */
static bool reader_wants_next(const struct body_reader *self)
{
    struct edge_body *body = self->object->body;
    uint64_t next = self->last + 1;

    if (!reader_goes_on(self) || edge_body_skip_shown(body, next, next + 1) > next) {
        return false;
    }
    (void)pthread_mutex_lock(&body->lock);
    bool is_wanted = edge_body_chunk_state(body, next) == CHUNK_ABSENT &&
                     !edge_body_is_coming(body, next * EDGE_CHUNK_BYTES);
    (void)pthread_mutex_unlock(&body->lock);
    return is_wanted;
}

/* In a section, or under the lock. */
static struct reader_after reader_take(struct body_reader *self, const struct reader_found *found,
                                       struct fb_slice *ret_slice)
{
    struct edge_store *store = self->object->store;
    struct reader_after after = {0};
    uint64_t number = self->offset / EDGE_CHUNK_BYTES;
    uint64_t within = self->offset % EDGE_CHUNK_BYTES;
    bool is_file = found->buffer->file.begin != NULL;
    uint64_t n = FB_MIN(found->n - within, self->end - self->offset);

    if (!is_file || !self->prefers_files) {
        n = FB_MIN(n, (uint64_t)READER_SLICE_BYTES);
    }
    *ret_slice = (struct fb_slice){
        .bytes = {edge_buffer_bytes(found->buffer) + within, (size_t)n},
        .release = slice_release,
        .owner = edge_buffer_ref(found->buffer),
        .file = is_file ? &found->buffer->file : NULL,
    };
    if (reader_enter(self, found->extent, (unsigned)(number % EDGE_EXTENT_CHUNKS))) {
        edge_policy_hit(store->policy, &found->extent->node.node);
    }
    after.is_hot =
        self->prefers_files && edge_chunk_is_hot(store, found->extent, found->buffer, found->n);
    after.is_next = self->last != number;
    self->last = number;
    self->offset += n;
    return after;
}

/* Without the lock. */
static void reader_follow_up(struct body_reader *self, const struct reader_after *after)
{
    struct edge_object *object = self->object;
    struct edge_store *store = object->store;

    if (after->is_hot) {
        self->prefers_files = edge_chunk_freeze(object, self->last);
    }
    if (after->is_next && store->volumes != NULL && reader_wants_next(self)) {
        FB_IGNORE(edge_chunk_fetch(object, self->loop, self->last + 1)); /* or when it is there */
    }
}

/* True if nobody else looks at this reader, and no writer's pace depends on it. */
static bool reader_is_free(const struct body_reader *self)
{
    const struct edge_body *body = self->object->body;

    return !self->is_linked && self->error == FB_OK &&
           (!edge_body_is_long(body) ||
            atomic_load_explicit(&body->n_writing, memory_order_relaxed) == 0);
}

/* Without the lock: FB_OK, FB_E_END or FB_E_CLOSED; FB_E_LATER if only the lock tells. */
static int reader_next_freely(struct body_reader *self, struct fb_slice *ret_slice,
                              struct reader_after *after)
{
    const struct edge_body *body = self->object->body;
    uint64_t chunk = self->offset / EDGE_CHUNK_BYTES;
    struct reader_found found = {0};

    if (!reader_is_free(self) || edge_object_state(self->object) != EDGE_OBJECT_READY) {
        return FB_E_LATER;
    }
    if (self->offset >= (uint64_t)edge_object_length(self->object)) {
        return self->end == UINT64_MAX ? FB_E_END : FB_E_CLOSED;
    }
    fb_grace_enter();
    found.extent = edge_body_extent(body, chunk);
    if (found.extent != NULL) {
        found.n = edge_extent_shown(found.extent, chunk, &found.buffer);
    }
    bool is_there = found.n > self->offset % EDGE_CHUNK_BYTES;
    if (is_there) {
        *after = reader_take(self, &found, ret_slice);
    }
    fb_grace_leave();
    return is_there ? FB_OK : FB_E_LATER;
}

/* Under the lock. */
static struct reader_after reader_take_locked(struct body_reader *self, struct store_extent *extent,
                                              struct fb_slice *ret_slice)
{
    struct edge_body *body = self->object->body;
    const struct store_chunk *chunk =
        &extent->chunks[self->offset / EDGE_CHUNK_BYTES % EDGE_EXTENT_CHUNKS];
    struct reader_found found = {
        .extent = extent,
        .buffer = atomic_load_explicit(&chunk->buffer, memory_order_relaxed),
        .n = chunk->n_filled,
    };

    if (edge_body_is_long(body) && !fb_list_empty(&body->writers)) {
        reader_join(self); /* they go at its pace */
    }
    struct reader_after after = reader_take(self, &found, ret_slice);
    if (self->is_linked) {
        edge_writers_release(body);
    }
    return after;
}

static int body_reader_next(struct fb_reader *reader, struct fb_slice *ret_slice)
{
    struct body_reader *self = reader_of(reader);
    struct edge_body *body = self->object->body;
    struct store_extent *from = NULL;
    struct reader_after after = {0};
    uint64_t chunk = self->offset / EDGE_CHUNK_BYTES;

    if (self->offset >= self->end) {
        return FB_E_END;
    }
    int result = reader_next_freely(self, ret_slice, &after);
    if (result != FB_E_LATER) {
        if (result == FB_OK) {
            reader_follow_up(self, &after);
        }
        return result;
    }
    (void)pthread_mutex_lock(&body->lock);
    enum reader_view view = reader_look(self, &from, &result);
    if (view == VIEW_BYTES) {
        after = reader_take_locked(self, from, ret_slice);
        result = FB_OK;
    } else if (view != VIEW_END) {
        reader_join(self);
        self->needs = chunk;
    }
    bool is_skipped = self->skips == chunk;
    (void)pthread_mutex_unlock(&body->lock);

    if (result == FB_OK) {
        reader_follow_up(self, &after);
    } else if (view == VIEW_ABSENT && self->source == NULL &&
               (is_skipped || !edge_chunk_is_on_volume(self->object, chunk))) {
        return FB_E_CLOSED;
    }
    if (result == FB_E_LATER && !self->is_trailing) {
        self->is_trailing = true;
        edge_store_count_trailing(body->store, 1);
    }
    return result;
}

/* What lies there may have been evicted: then it is brought again, as for a new reader. */
static void body_reader_unread(struct fb_reader *reader, uint64_t n)
{
    struct body_reader *self = reader_of(reader);
    struct edge_body *body = self->object->body;

    FB_REQUIRE(n <= self->offset && self->waiter == NULL);
    if (!self->is_linked) { /* nobody else looks at it */
        self->offset -= n;
        return;
    }
    (void)pthread_mutex_lock(&body->lock);
    self->offset -= n;
    (void)pthread_mutex_unlock(&body->lock);
}

static void body_reader_prefer_files(struct fb_reader *reader)
{
    reader_of(reader)->prefers_files = true;
}

/* ---- asking, under the body's lock -------------------------------------- */

/* True if a source was asked for this chunk, or for one just before it. */
static bool reader_is_asked_for(const struct body_reader *self, uint64_t chunk)
{
    FB_LIST_EACH(node, &self->object->body->readers) {
        const struct body_reader *other = FB_CONTAINER_OF(node, struct body_reader, link);
        if (other->asked <= chunk && chunk - other->asked <= EDGE_WRITER_AHEAD / EDGE_CHUNK_BYTES) {
            return true;
        }
    }
    return false;
}

/* How many bytes from the reader's offset are absent and within its range. */
static uint64_t reader_missing(const struct body_reader *self)
{
    const struct edge_body *body = self->object->body;
    uint64_t length = (uint64_t)atomic_load_explicit(&body->length, memory_order_relaxed);
    uint64_t end = FB_MIN(self->end, length);
    uint64_t chunk = self->offset / EDGE_CHUNK_BYTES;

    for (unsigned i = 0; i < READER_SCAN_CHUNKS; i++) {
        chunk++;
        if (chunk * EDGE_CHUNK_BYTES >= end) {
            break;
        }
        if (edge_body_chunk_state(body, chunk) != CHUNK_ABSENT ||
            edge_body_has_writer_at(body, chunk)) {
            end = chunk * EDGE_CHUNK_BYTES;
            break;
        }
    }
    return end - self->offset;
}

/* Whether the reader has to ask now, and then for how much. */
static uint64_t reader_ask(struct body_reader *self)
{
    uint64_t chunk = self->offset / EDGE_CHUNK_BYTES;

    if (self->source == NULL || reader_is_asked_for(self, chunk)) {
        return 0;
    }
    self->asked = chunk;
    return reader_missing(self);
}

/* ---- waiting ----------------------------------------------------------- */

static void wait_cancel(struct fb_op *op)
{
    struct body_reader *self = op->provider;
    struct edge_body *body = self->object->body;

    (void)pthread_mutex_lock(&body->lock);
    self->is_waiting = false;
    (void)pthread_mutex_unlock(&body->lock);
    self->waiter = NULL;
    fb_op_finish(op, FB_E_CANCELED);
}

/* Has the chunk where the reader stands read from a volume, if nobody brings it. */
static void reader_fetch(struct body_reader *self)
{
    struct edge_body *body = self->object->body;
    struct store_extent *from = NULL;
    int ignored = FB_OK;

    if (body->store->volumes == NULL || self->offset >= self->end) {
        return;
    }
    (void)pthread_mutex_lock(&body->lock);
    enum reader_view view = reader_look(self, &from, &ignored);
    bool is_skipped = self->skips == self->offset / EDGE_CHUNK_BYTES;
    (void)pthread_mutex_unlock(&body->lock);
    if (view != VIEW_ABSENT || is_skipped) {
        return;
    }
    int err = edge_chunk_fetch(self->object, self->loop, self->offset / EDGE_CHUNK_BYTES);
    if (err < 0 && err != FB_E_NOT_FOUND) {
        (void)pthread_mutex_lock(&body->lock);
        if (self->source != NULL) {
            self->skips = self->offset / EDGE_CHUNK_BYTES; /* who fetches may wait for room */
        } else {
            self->error = err;
        }
        (void)pthread_mutex_unlock(&body->lock);
    }
}

static void body_reader_wait(struct fb_reader *reader, struct fb_op *op)
{
    struct body_reader *self = reader_of(reader);
    struct edge_body *body = self->object->body;
    struct store_extent *from = NULL;
    uint64_t n_missing = 0;
    int ignored = FB_OK;

    FB_REQUIRE(self->waiter == NULL);
    fb_op_begin(op, wait_cancel);
    op->provider = self;
    reader_fetch(self);

    (void)pthread_mutex_lock(&body->lock);
    enum reader_view view = reader_look(self, &from, &ignored);
    bool has_news = view == VIEW_BYTES || view == VIEW_END || self->offset >= self->end ||
                    (view == VIEW_ABSENT && self->source == NULL);
    if (!has_news) {
        reader_join(self);
        self->needs = self->offset / EDGE_CHUNK_BYTES;
        self->is_waiting = !self->is_posted; /* else that mail will do */
        edge_writers_release(body);
    }
    if (!has_news && view == VIEW_ABSENT) {
        n_missing = reader_ask(self);
    }
    (void)pthread_mutex_unlock(&body->lock);

    if (has_news) {
        fb_op_finish(op, FB_OK);
        return;
    }
    self->waiter = op;
    if (n_missing > 0) {
        self->source->want(self->source, self->object, self->offset, n_missing);
    }
}

static void reader_free(struct body_reader *self)
{
    edge_object_unref(self->object);
    fb_free(self);
}

static void reader_on_mail(struct fb_post *post)
{
    struct body_reader *self = FB_CONTAINER_OF(post, struct body_reader, post);
    struct fb_op *waiter = self->waiter;

    if (self->is_closed) {
        reader_free(self);
        return;
    }
    struct edge_body *body = self->object->body;
    (void)pthread_mutex_lock(&body->lock);
    self->is_posted = false;
    (void)pthread_mutex_unlock(&body->lock);
    if (waiter != NULL) {
        self->waiter = NULL;
        fb_op_finish(waiter, FB_OK);
    }
}

/* ---- life -------------------------------------------------------------- */

static void body_reader_close(struct fb_reader *reader)
{
    struct body_reader *self = reader_of(reader);
    struct edge_body *body = self->object->body;
    bool is_posted = false;

    FB_REQUIRE(self->waiter == NULL);
    if (self->is_trailing) {
        edge_store_count_trailing(body->store, -1);
    }
    if (self->is_linked) {
        (void)pthread_mutex_lock(&body->lock);
        fb_list_remove(&self->link);
        if (self->asked != READER_NO_CHUNK) {
            edge_readers_wake(body, 0, UINT64_MAX); /* one of them asks now */
        }
        self->is_closed = true;
        is_posted = self->is_posted;
        (void)pthread_mutex_unlock(&body->lock);
    }
    if (!is_posted) { /* else the mail frees it */
        reader_free(self);
    }
}

/* What cannot be fetched in parts is not given back once it is there: if it were evicted, the
 * rest could not be had. */
static const struct fb_reader_ops weak_reader_ops = {.next = body_reader_next,
                                                     .wait = body_reader_wait,
                                                     .close = body_reader_close,
                                                     .prefer_files = body_reader_prefer_files};

static const struct fb_reader_ops strong_reader_ops = {.next = body_reader_next,
                                                       .wait = body_reader_wait,
                                                       .close = body_reader_close,
                                                       .unread = body_reader_unread,
                                                       .prefer_files = body_reader_prefer_files};

struct fb_reader *edge_object_reader(struct edge_object *object, struct fb_loop *loop,
                                     uint64_t offset, int64_t length, struct edge_source *source)
{
    struct body_reader *self = FB_NEW(struct body_reader);
    struct edge_body *body = object->body;

    self->reader.ops = object->is_strong ? &strong_reader_ops : &weak_reader_ops;
    self->object = edge_object_ref(object);
    self->loop = loop;
    self->source = source;
    self->offset = offset;
    self->end = length == FB_LENGTH_UNKNOWN || (uint64_t)length > UINT64_MAX - offset
                    ? UINT64_MAX
                    : offset + (uint64_t)length;
    self->extent = READER_NO_CHUNK;
    self->needs = READER_NO_CHUNK;
    self->asked = READER_NO_CHUNK;
    self->skips = READER_NO_CHUNK;
    self->last = READER_NO_CHUNK;
    self->post.run = reader_on_mail;
    fb_list_init(&self->link);
    if (edge_body_is_long(body) && !reader_is_free(self)) { /* its writers go at its pace */
        (void)pthread_mutex_lock(&body->lock);
        reader_join(self);
        edge_writers_release(body);
        (void)pthread_mutex_unlock(&body->lock);
    }
    return &self->reader;
}
