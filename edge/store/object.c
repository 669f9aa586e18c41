#include "edge/store/object.h"

#include "base/core/alloc.h"
#include "base/core/arena.h"
#include "base/core/check.h"
#include "edge/fresh/key.h"
#include "edge/store/store_internal.h"

#include <string.h>

/* ---- making a head ----------------------------------------------------- */

/* The strings of a spec, of which the object keeps copies. */
struct spec_text {
    struct fb_arena arena;
    struct fb_str vary;
    struct fb_str variant;
    size_t n_bytes; /* of all strings, fields and their list */
};

static void spec_text_init(struct spec_text *text, const struct edge_object_spec *spec)
{
    *text = (struct spec_text){0};
    text->vary = edge_vary_of(&text->arena, spec->headers);
    text->variant = edge_variant_of(&text->arena, text->vary, spec->request);
    text->n_bytes = spec->key.len + text->vary.len + text->variant.len;
    text->n_bytes += spec->headers->n * sizeof(struct fb_header);
    for (size_t i = 0; i < spec->headers->n; i++) {
        text->n_bytes += spec->headers->items[i].name.len + spec->headers->items[i].value.len;
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
    /* One more pointer for its share of the index' buckets. */
    return sizeof(struct edge_object) + text.n_bytes + STORE_BLOCK_OVERHEAD + sizeof(void *);
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

struct edge_object *edge_object_new(struct edge_store *store, const struct edge_object_spec *spec,
                                    uint64_t charge, struct edge_body *body)
{
    FB_AUTO(spec_text_done) struct spec_text text;

    spec_text_init(&text, spec);
    struct edge_object *object = fb_alloc(sizeof(*object) + text.n_bytes);
    struct edge_object_head *head = &object->head;
    struct fb_header *items = (struct fb_header *)(void *)(object + 1);
    char *at = (char *)(items + spec->headers->n);

    object->store = store;
    object->body = body;
    object->charge = charge;
    object->hash = fb_str_hash(spec->key, store->seed);
    atomic_init(&object->refs, 1);
    object->node.id = object->hash;
    object->node.size = charge + edge_body_charge(body);
    fb_list_init(&object->node.link);

    head->status = spec->status;
    head->terms = spec->terms;
    head->key = copy_to(&at, spec->key);
    head->vary = copy_to(&at, text.vary);
    head->variant = copy_to(&at, text.variant);
    for (size_t i = 0; i < spec->headers->n; i++) {
        items[i].name = copy_to(&at, spec->headers->items[i].name);
        items[i].value = copy_to(&at, spec->headers->items[i].value);
    }
    head->headers = (struct fb_headers){.items = items, .n = spec->headers->n};
    head->headers.cap = spec->headers->n;
    head->etag = fb_headers_find(&head->headers, FB_STR("etag"));
    head->last_modified = fb_headers_find(&head->headers, FB_STR("last-modified"));
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
    edge_body_unref(object->body);
    edge_room_release(object->store, object->charge);
    fb_free(object);
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

uint64_t edge_object_filled(const struct edge_object *object)
{
    return atomic_load_explicit(&object->body->filled, memory_order_acquire);
}

enum edge_object_state edge_object_state(const struct edge_object *object)
{
    return (enum edge_object_state)atomic_load_explicit(&object->body->state, memory_order_acquire);
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

/* ---- the writer -------------------------------------------------------- */

int edge_object_append(struct edge_object *object, struct fb_str bytes)
{
    uint64_t before = edge_body_charge(object->body);
    int err = edge_body_append(object->body, bytes);

    uint64_t after = edge_body_charge(object->body);
    if (after != before) {
        (void)pthread_mutex_lock(&object->store->room_lock);
        edge_policy_resize(object->store->policy, &object->node, object->charge + after);
        (void)pthread_mutex_unlock(&object->store->room_lock);
    }
    return err;
}

bool edge_object_is_shared(const struct edge_object *object)
{
    return atomic_load_explicit(&object->refs, memory_order_relaxed) > 1 ||
           atomic_load_explicit(&object->body->refs, memory_order_relaxed) > 1;
}

void edge_object_finish(struct edge_object *object, int result)
{
    edge_body_finish(object->body, result);
    if (edge_object_state(object) == EDGE_OBJECT_BROKEN) {
        edge_store_remove(object->store, object);
    }
}
