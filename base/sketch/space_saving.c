#include "base/sketch/space_saving.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/map.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_SIZE = 1 << 20 };

struct counter {
    char *key; /* owned */
    size_t key_len;
    uint64_t count;
    uint64_t error;
    size_t place; /* in the heap */
};

struct fb_space_saving {
    struct counter **heap; /* owned, as are the counters; the least count first */
    size_t n;
    size_t size;
    struct fb_map *keys; /* of struct counter, borrowed */
    uint64_t seed;
    uint64_t total;
};

static uint64_t counter_sum(uint64_t a, uint64_t b)
{
    uint64_t sum = 0;
    return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

static struct fb_str counter_key(const struct counter *counter)
{
    return (struct fb_str){counter->key, counter->key_len};
}

static struct counter *counter_new(struct fb_str key, uint64_t count, uint64_t error)
{
    struct counter *counter = FB_NEW(struct counter);
    *counter = (struct counter){fb_str_dup(key), key.len, count, error, 0};
    return counter;
}

static void counter_free(struct counter *counter)
{
    fb_free(counter->key);
    fb_free(counter);
}

/* Highest counts first, equal ones by key. */
static int counter_order(const void *a, const void *b)
{
    const struct counter *x = *(struct counter *const *)a;
    const struct counter *y = *(struct counter *const *)b;

    if (x->count != y->count) {
        return x->count > y->count ? -1 : 1;
    }
    return fb_str_compare(counter_key(x), counter_key(y));
}

struct fb_space_saving *fb_space_saving_new(size_t size, uint64_t seed)
{
    FB_REQUIRE(size >= 1 && size <= MAX_SIZE);
    struct fb_space_saving *sketch = FB_NEW(struct fb_space_saving);
    sketch->heap = fb_alloc_array(size, sizeof(struct counter *));
    sketch->size = size;
    sketch->seed = seed;
    sketch->keys = fb_map_new(seed);
    return sketch;
}

void fb_space_saving_free(struct fb_space_saving *sketch)
{
    if (sketch == NULL) {
        return;
    }
    for (size_t i = 0; i < sketch->n; i++) {
        counter_free(sketch->heap[i]);
    }
    fb_free(sketch->heap);
    fb_map_free(sketch->keys);
    fb_free(sketch);
}

void fb_space_saving_freep(struct fb_space_saving **sketch)
{
    fb_space_saving_free(*sketch);
}

/* ---- the heap --------------------------------------------------------------- */

static void heap_put(struct fb_space_saving *sketch, size_t place, struct counter *counter)
{
    sketch->heap[place] = counter;
    counter->place = place;
}

static void heap_rise(struct fb_space_saving *sketch, struct counter *counter)
{
    size_t at = counter->place;

    while (at > 0 && sketch->heap[(at - 1) / 2]->count > counter->count) {
        heap_put(sketch, at, sketch->heap[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    heap_put(sketch, at, counter);
}

static void heap_sink(struct fb_space_saving *sketch, struct counter *counter)
{
    size_t at = counter->place;

    for (size_t child = 2 * at + 1; child < sketch->n; child = 2 * at + 1) {
        if (child + 1 < sketch->n && sketch->heap[child + 1]->count < sketch->heap[child]->count) {
            child++;
        }
        if (sketch->heap[child]->count >= counter->count) {
            break;
        }
        heap_put(sketch, at, sketch->heap[child]);
        at = child;
    }
    heap_put(sketch, at, counter);
}

static void heap_push(struct fb_space_saving *sketch, struct counter *counter)
{
    (void)fb_map_put(sketch->keys, counter_key(counter), counter); /* there was none */
    heap_put(sketch, sketch->n++, counter);
    heap_rise(sketch, counter);
}

/* What a thing without a counter was seen at most. */
static uint64_t heap_floor(const struct fb_space_saving *sketch)
{
    return sketch->n < sketch->size ? 0 : sketch->heap[0]->count;
}

/* ---- counting --------------------------------------------------------------- */

void fb_space_saving_add(struct fb_space_saving *sketch, struct fb_str key, uint64_t n)
{
    struct counter *counter = fb_map_find(sketch->keys, key);

    sketch->total = counter_sum(sketch->total, n);
    if (counter == NULL && sketch->n < sketch->size) {
        heap_push(sketch, counter_new(key, n, 0));
        return;
    }
    if (counter == NULL) {
        counter = sketch->heap[0];
        (void)fb_map_remove(sketch->keys, counter_key(counter)); /* it is the counter */
        fb_free(counter->key);
        counter->key = fb_str_dup(key);
        counter->key_len = key.len;
        counter->error = counter->count;
        (void)fb_map_put(sketch->keys, key, counter); /* there was none */
    }
    counter->count = counter_sum(counter->count, n);
    heap_sink(sketch, counter);
}

/* The counters of both, those that only `from` has as new ones, those that only `into` has raised
 * by what `from` may have seen of them; in order. */
static struct counter **merge_all(struct fb_space_saving *into, const struct fb_space_saving *from,
                                  size_t *ret_n)
{
    struct counter **all = fb_alloc_array(into->n + from->n, sizeof(struct counter *));
    uint64_t floor_into = heap_floor(into);
    uint64_t floor_from = heap_floor(from);
    size_t n = 0;

    for (size_t i = 0; i < into->n; i++) {
        struct counter *mine = into->heap[i];
        const struct counter *other = fb_map_find(from->keys, counter_key(mine));

        mine->count = counter_sum(mine->count, other != NULL ? other->count : floor_from);
        mine->error = counter_sum(mine->error, other != NULL ? other->error : floor_from);
        all[n++] = mine;
    }
    for (size_t i = 0; i < from->n; i++) {
        const struct counter *other = from->heap[i];

        if (fb_map_find(into->keys, counter_key(other)) == NULL) {
            all[n++] = counter_new(counter_key(other), counter_sum(other->count, floor_into),
                                   counter_sum(other->error, floor_into));
        }
    }
    qsort(all, n, sizeof(struct counter *), counter_order);
    *ret_n = n;
    return all;
}

void fb_space_saving_merge(struct fb_space_saving *into, const struct fb_space_saving *from)
{
    FB_REQUIRE(into != from);
    size_t n = 0;
    FB_AUTO(fb_freep) struct counter **all = merge_all(into, from, &n);

    fb_map_free(into->keys);
    into->keys = fb_map_new(into->seed);
    into->n = 0;
    for (size_t i = 0; i < n; i++) {
        if (i < into->size) {
            heap_push(into, all[i]);
        } else {
            counter_free(all[i]);
        }
    }
    into->total = counter_sum(into->total, from->total);
}

size_t fb_space_saving_top(const struct fb_space_saving *sketch, struct fb_space_saving_item *items,
                           size_t n)
{
    FB_AUTO(fb_freep)
    struct counter **order = fb_alloc_array(sketch->n, sizeof(struct counter *));
    size_t n_top = FB_MIN(n, sketch->n);

    if (sketch->n > 0) {
        memcpy(order, sketch->heap, sketch->n * sizeof(struct counter *));
        qsort(order, sketch->n, sizeof(struct counter *), counter_order);
    }
    for (size_t i = 0; i < n_top; i++) {
        items[i] =
            (struct fb_space_saving_item){counter_key(order[i]), order[i]->count, order[i]->error};
    }
    return n_top;
}

size_t fb_space_saving_count(const struct fb_space_saving *sketch)
{
    return sketch->n;
}

uint64_t fb_space_saving_total(const struct fb_space_saving *sketch)
{
    return sketch->total;
}
