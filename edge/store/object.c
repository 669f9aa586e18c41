#include "edge/store/object.h"

#include "base/core/alloc.h"
#include "base/core/arena.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/crypto/hash.h"
#include "base/http/conditional.h"
#include "base/http/date.h"
#include "edge/fresh/fields.h"
#include "edge/fresh/key.h"
#include "edge/store/reader_internal.h"
#include "edge/store/store_internal.h"
#include "edge/store/writer_internal.h"

#include <string.h>

/* ---- making a head ----------------------------------------------------- */

enum { LINE_MARKS = 4 }; /* of "Name: value" CRLF */

/* The strings of a spec, of which the object keeps copies. */
struct spec_text {
    struct fb_arena arena;
    struct fb_str vary;
    struct fb_str variant;
    struct fb_str tags;
    size_t n_fields; /* without those of the tags */
    size_t n_bytes;  /* of all strings, fields and their list */
};

static bool is_of_tags(struct fb_str name)
{
    return fb_str_equal_nocase(name, FB_STR("cache-tag"));
}

static void spec_text_init(struct spec_text *text, const struct edge_object_spec *spec)
{
    *text = (struct spec_text){0};
    text->vary = edge_vary_of(&text->arena, spec->headers);
    text->variant = edge_variant_of(&text->arena, text->vary, spec->request);
    text->tags = fb_headers_join(spec->headers, &text->arena, FB_STR("cache-tag"));
    text->tags = text->tags.ptr != NULL ? text->tags : spec->tags;
    text->n_bytes = spec->key.len + text->vary.len + text->variant.len + text->tags.len;
    for (size_t i = 0; i < spec->headers->n; i++) {
        const struct fb_header *field = &spec->headers->items[i];
        if (!is_of_tags(field->name)) {
            text->n_bytes += sizeof(*field) + field->name.len + field->value.len + LINE_MARKS;
            text->n_fields++;
        }
    }
}

static void spec_text_done(struct spec_text *text)
{
    fb_arena_done(&text->arena);
}

uint64_t edge_object_cost(const struct edge_object_spec *spec)
{
    FB_AUTO(spec_text_done) struct spec_text text;

    spec_text_init(&text, spec);
    return sizeof(struct edge_object) + text.n_bytes + STORE_BLOCK_OVERHEAD + STORE_INDEX_SHARE;
}

static struct fb_str copy_to(char **at, struct fb_str str)
{
    struct fb_str copy = {*at, str.len};

    if (str.len > 0) {
        memcpy(*at, str.ptr, str.len);
        *at += str.len;
    }
    return copy;
}

/* Writes the line of a field. */
static struct fb_header copy_line(char **at, const struct fb_header *field)
{
    struct fb_header copy = {.name = copy_to(at, field->name)};

    (void)copy_to(at, FB_STR(": "));
    copy.value = copy_to(at, field->value);
    (void)copy_to(at, FB_STR("\r\n"));
    return copy;
}

/* RFC 9110 section 8.8: does a validator of this head prove the same bytes? */
static bool head_is_strong(const struct edge_object_head *head)
{
    struct fb_validators validators = {
        .etag = head->etag, .last_modified = FB_DATE_NONE, .date = FB_DATE_NONE};
    struct fb_str date = fb_headers_find(&head->headers, FB_STR("date"));

    if (head->etag.len > 0) {
        return fb_etag_is_valid(head->etag) && !fb_etag_is_weak(head->etag);
    }
    if (head->last_modified.len == 0 || date.len == 0 ||
        fb_date_parse(date, 0, &validators.date) < 0 ||
        fb_date_parse(head->last_modified, validators.date, &validators.last_modified) < 0) {
        return false;
    }
    return fb_if_range_holds(head->last_modified, &validators, validators.date);
}

static void version_add_number(struct fb_sha256 *hash, uint64_t number)
{
    uint8_t bytes[8];

    for (unsigned i = 0; i < sizeof(bytes); i++) {
        bytes[i] = (uint8_t)(number >> 8 * i);
    }
    fb_sha256_update(hash, (struct fb_str){(const char *)bytes, sizeof(bytes)});
}

static void version_add(struct fb_sha256 *hash, struct fb_str str)
{
    version_add_number(hash, str.len);
    fb_sha256_update(hash, str);
}

void edge_object_set_version(struct edge_object *object)
{
    const struct edge_object_head *head = &object->head;
    struct edge_store *store = object->store;
    uint8_t digest[FB_SHA256_SIZE];
    struct fb_sha256 hash;
    uint64_t version = 0;

    fb_sha256_init(&hash);
    version_add(&hash, head->key);
    version_add(&hash, head->variant);
    version_add_number(&hash, head->status);
    version_add(&hash, head->etag);
    version_add(&hash, head->last_modified);
    version_add_number(&hash, (uint64_t)edge_object_length(object));
    if (!object->is_strong) { /* nothing proves another response to be of the same bytes */
        version_add_number(&hash, store->seed);
        version_add_number(&hash, (uint64_t)fb_clock_wall_ms(store->clock));
        version_add_number(&hash, atomic_fetch_add(&store->n_versions, 1));
    }
    fb_sha256_finish(&hash, digest);
    memcpy(&version, digest, sizeof(version));
    atomic_store_explicit(&object->body->version, version != 0 ? version : 1, memory_order_relaxed);
}

struct edge_object *edge_object_new(struct edge_store *store, const struct edge_object_spec *spec,
                                    uint64_t charge, struct edge_body *body)
{
    FB_AUTO(spec_text_done) struct spec_text text;

    spec_text_init(&text, spec);
    struct edge_object *object = fb_alloc(sizeof(*object) + text.n_bytes);
    struct edge_object_head *head = &object->head;
    struct fb_header *items = (struct fb_header *)(void *)(object + 1);
    char *at = (char *)(items + text.n_fields);

    object->store = store;
    object->body = body;
    object->charge = charge;
    object->hash = fb_str_hash(spec->key, store->seed);
    FB_REQUIRE(object->hash == body->hash);
    atomic_init(&object->refs, 1);
    object->birth = spec->birth <= edge_store_epoch(store) ? spec->birth : 0; /* clocks go back */
    atomic_init(&object->checked, object->birth);
    atomic_init(&object->soft_at_ms, INT64_MAX);
    atomic_init(&object->is_dropped, false);
    fb_list_init(&object->of_body);

    head->status = spec->status;
    head->terms = spec->terms;
    head->is_planned = spec->is_planned;
    head->is_prefetched = spec->is_prefetched;
    head->key = copy_to(&at, spec->key);
    head->vary = copy_to(&at, text.vary);
    head->variant = copy_to(&at, text.variant);
    head->tags = copy_to(&at, text.tags);
    head->headers = (struct fb_headers){.items = items, .cap = text.n_fields};
    head->lines.ptr = at;
    head->may_be_sent = true;
    for (size_t i = 0; i < spec->headers->n; i++) {
        const struct fb_header *field = &spec->headers->items[i];
        if (!is_of_tags(field->name)) {
            items[head->headers.n++] = copy_line(&at, field);
            head->may_be_sent &= fb_header_may_be_sent(field);
            head->has_for_tiers |= edge_field_is_for_tiers(field->name);
        }
    }
    head->lines.len = (size_t)(at - head->lines.ptr);
    head->etag = fb_headers_find(&head->headers, FB_STR("etag"));
    head->last_modified = fb_headers_find(&head->headers, FB_STR("last-modified"));
    object->is_strong = head_is_strong(head);
    return object;
}

/* ---- references -------------------------------------------------------- */

struct edge_object *edge_object_ref(struct edge_object *object)
{
    atomic_fetch_add_explicit(&object->refs, 1, memory_order_relaxed);
    return object;
}

void edge_object_unref(struct edge_object *object)
{
    if (object == NULL || atomic_fetch_sub_explicit(&object->refs, 1, memory_order_acq_rel) != 1) {
        return;
    }
    struct edge_store *store = object->store;
    uint64_t charge = object->charge;
    edge_body_unref(object->body);
    fb_free(object);
    edge_room_release(store, charge);
}

bool edge_object_is_needed(const struct edge_object *object)
{
    return atomic_load_explicit(&object->refs, memory_order_relaxed) >
               atomic_load_explicit(&object->n_writers, memory_order_relaxed) ||
           atomic_load_explicit(&object->body->refs, memory_order_relaxed) > 1;
}

bool edge_object_has_clients(const struct edge_object *object)
{
    struct store_shard *shard = edge_store_shard(object->store, object->hash);

    (void)pthread_mutex_lock(&shard->lock);
    unsigned n_own = atomic_load_explicit(&object->n_writers, memory_order_relaxed) +
                     (object->is_indexed ? 1 : 0);
    (void)pthread_mutex_unlock(&shard->lock);
    return atomic_load_explicit(&object->refs, memory_order_relaxed) > n_own ||
           atomic_load_explicit(&object->body->refs, memory_order_relaxed) > 1;
}

void edge_object_break(struct edge_object *object)
{
    struct edge_body *body = object->body;

    (void)pthread_mutex_lock(&body->lock);
    body->result = FB_E_CORRUPT;
    atomic_store_explicit(&body->state, EDGE_OBJECT_BROKEN, memory_order_release);
    edge_readers_wake(body, 0, UINT64_MAX);
    (void)pthread_mutex_unlock(&body->lock);
    edge_store_let_go(edge_store_unlink_body(object->store, body, false));
    edge_note_key(object->store, body->fingerprint, EDGE_CAUSE_CORRUPT);
}

/* ---- asking ------------------------------------------------------------ */

const struct edge_object_head *edge_object_head(const struct edge_object *object)
{
    return &object->head;
}

int64_t edge_object_length(const struct edge_object *object)
{
    return atomic_load_explicit(&object->body->length, memory_order_acquire);
}

enum edge_object_state edge_object_state(const struct edge_object *object)
{
    return (enum edge_object_state)atomic_load_explicit(&object->body->state, memory_order_acquire);
}

bool edge_object_is_strong(const struct edge_object *object)
{
    return object->is_strong;
}

bool edge_object_suits(const struct edge_object *object, const struct fb_headers *request)
{
    const struct edge_object_head *head = &object->head;

    if (head->vary.len == 0) {
        return true;
    }
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    return fb_str_equal(edge_variant_of(&arena, head->vary, request), head->variant);
}

void edge_object_touch(struct edge_object *object)
{
    edge_room_hit(object->body, 0);
}

/* ---- what is there ----------------------------------------------------- */

/* Upstreams say how long a body is: what is looked at must not grow with that. */
enum { HOLDS_MAX_CHUNKS = 4096, HOLDS_MAX_BEHIND = EDGE_WRITER_AHEAD / EDGE_CHUNK_BYTES };

/* Under the body's lock: how far a writer will come that is on its way to `chunk`,
 * which is absent, with nothing between them; 0: there is none that a reader would wait for. */
static uint64_t body_coming_until(const struct edge_body *body, uint64_t chunk)
{
    uint64_t at = chunk;
    uint64_t first = chunk - FB_MIN(chunk, (uint64_t)HOLDS_MAX_BEHIND);

    while (at > first && edge_body_chunk_state(body, at) == CHUNK_ABSENT &&
           !edge_body_has_writer_at(body, at)) {
        at--;
    }
    return edge_body_written_until(body, at);
}

/* The first chunk from `first` to `end` that is neither in memory nor on its way there. */
static uint64_t body_find_absent(struct edge_body *body, uint64_t first, uint64_t end)
{
    uint64_t chunk = first;

    (void)pthread_mutex_lock(&body->lock);
    uint64_t until =
        first < end && !fb_list_empty(&body->writers) ? body_coming_until(body, first) : 0;
    for (; chunk < end; chunk++) {
        uint64_t from_here = edge_body_written_until(body, chunk);
        if (from_here > 0) {
            until = from_here;
        } else if (edge_body_chunk_state(body, chunk) != CHUNK_ABSENT) {
            until = 0; /* whoever gets here ends here */
        } else if (chunk * EDGE_CHUNK_BYTES >= until) {
            break;
        }
    }
    (void)pthread_mutex_unlock(&body->lock);
    return chunk;
}

/* The same, without the lock as far as all is PRESENT: what is behind those is as if asked for
 * alone. */
static uint64_t body_find_other(struct edge_body *body, uint64_t first, uint64_t end)
{
    uint64_t chunk = edge_body_skip_shown(body, first, end);

    return chunk < end ? body_find_absent(body, chunk, end) : chunk;
}

uint64_t edge_object_arrived(struct edge_object *object)
{
    struct edge_body *body = object->body;
    uint64_t n = 0;

    if (edge_object_state(object) != EDGE_OBJECT_FILLING) {
        return 0;
    }
    (void)pthread_mutex_lock(&body->lock);
    if (!fb_list_empty(&body->writers)) { /* there is one, from the first byte to the last */
        n = FB_CONTAINER_OF(body->writers.next, struct edge_writer, link)->offset;
    }
    (void)pthread_mutex_unlock(&body->lock);
    return n;
}

enum edge_where edge_object_where(struct edge_object *object, uint64_t offset, int64_t length)
{
    enum edge_where where = EDGE_IN_MEMORY;

    if (edge_object_state(object) != EDGE_OBJECT_READY) {
        return edge_object_state(object) == EDGE_OBJECT_FILLING ? where : EDGE_NOWHERE;
    }
    uint64_t end = (uint64_t)edge_object_length(object);
    if (length != FB_LENGTH_UNKNOWN && offset < end) {
        end = FB_MIN(end, offset + (uint64_t)length);
    }
    uint64_t n = (end + EDGE_CHUNK_BYTES - 1) / EDGE_CHUNK_BYTES;
    uint64_t chunk = offset / EDGE_CHUNK_BYTES;
    n = FB_MIN(n, chunk + HOLDS_MAX_CHUNKS);
    while ((chunk = body_find_other(object->body, chunk, n)) < n) {
        if (!edge_chunk_is_on_volume(object, chunk)) {
            return EDGE_NOWHERE;
        }
        where = EDGE_ON_VOLUME;
        chunk++;
    }
    return where;
}
