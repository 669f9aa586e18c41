/*
 * What simple policies and the offline optimum would have made of a trace, to
 * stand beside `forebay-edge replay`.
 *
 *     usage: sim-baselines TRACE SHARE...     (0.01: 1 % of the footprint)
 *
 * Whole objects, no overhead, the cold start counted. Prints one JSON document:
 * for each share and policy the object and byte miss ratio and the bytes that
 * entered the cache per byte requested.
 *
 *     lru, fifo     as their names say
 *     s3_fifo       small queue of 10 %, ghost of 90 %, to main at two hits
 *     belady        evicts what is asked for again last
 *     belady_size   evicts where size × time to the next request is largest
 *     belady_bypass as belady, but what would be evicted first does not enter
 */
#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/err.h"
#include "edge/replay/trace.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define NEVER UINT32_MAX
#define NONE  UINT32_MAX

/* What a policy is judged by. */
struct outcome {
    uint64_t n_requests;
    uint64_t n_bytes;
    uint64_t n_misses;
    uint64_t n_bytes_missed;
    uint64_t n_bytes_entered;
};

struct sim {
    const struct edge_trace *trace;
    const uint32_t *next; /* of each request: when its object is asked for again */
    uint64_t capacity;
    uint64_t used;
    struct outcome outcome;
};

static uint32_t size_of(const struct sim *sim, uint32_t object)
{
    return sim->trace->objects[object].size;
}

static void count(struct sim *sim, uint32_t object, bool is_hit)
{
    sim->outcome.n_requests++;
    sim->outcome.n_bytes += size_of(sim, object);
    if (!is_hit) {
        sim->outcome.n_misses++;
        sim->outcome.n_bytes_missed += size_of(sim, object);
    }
}

/* ---- queues of objects --------------------------------------------------- */

struct link {
    uint32_t younger;
    uint32_t older;
};

struct queue {
    struct link *links; /* borrowed; an object is in one queue at most */
    uint32_t youngest;
    uint32_t oldest;
    uint64_t n_bytes;
};

static void queue_push(struct queue *queue, uint32_t object, uint64_t size)
{
    queue->links[object] = (struct link){.younger = NONE, .older = queue->youngest};
    if (queue->youngest != NONE) {
        queue->links[queue->youngest].younger = object;
    } else {
        queue->oldest = object;
    }
    queue->youngest = object;
    queue->n_bytes += size;
}

static void queue_take(struct queue *queue, uint32_t object, uint64_t size)
{
    struct link link = queue->links[object];

    if (link.younger != NONE) {
        queue->links[link.younger].older = link.older;
    } else {
        queue->youngest = link.older;
    }
    if (link.older != NONE) {
        queue->links[link.older].younger = link.younger;
    } else {
        queue->oldest = link.younger;
    }
    queue->n_bytes -= size;
}

/* ---- LRU and FIFO ---------------------------------------------------------- */

static void run_list(struct sim *sim, bool moves_on_hit)
{
    FB_AUTO(fb_freep)
    struct link *links = fb_alloc_array(sim->trace->n_objects, sizeof(*links));
    FB_AUTO(fb_freep) bool *is_in = fb_alloc_array(sim->trace->n_objects, sizeof(*is_in));
    struct queue queue = {.links = links, .youngest = NONE, .oldest = NONE};

    for (size_t i = 0; i < sim->trace->n_requests; i++) {
        uint32_t object = sim->trace->requests[i];
        uint32_t size = size_of(sim, object);
        count(sim, object, is_in[object]);
        if (is_in[object] && moves_on_hit) {
            queue_take(&queue, object, size);
            queue_push(&queue, object, size);
        }
        if (is_in[object] || size > sim->capacity) {
            continue;
        }
        while (queue.n_bytes + size > sim->capacity) {
            uint32_t victim = queue.oldest;
            queue_take(&queue, victim, size_of(sim, victim));
            is_in[victim] = false;
        }
        queue_push(&queue, object, size);
        is_in[object] = true;
        sim->outcome.n_bytes_entered += size;
    }
}

static void run_lru(struct sim *sim)
{
    run_list(sim, true);
}

static void run_fifo(struct sim *sim)
{
    run_list(sim, false);
}

/* ---- S3-FIFO ----------------------------------------------------------------- */

enum s3_place { S3_OUT, S3_SMALL, S3_MAIN, S3_GHOST, S3_N };
enum { S3_MAX_HITS = 3, S3_PROMOTING_HITS = 2 };

struct s3 {
    struct sim *sim;
    struct link *links;   /* owned */
    uint8_t *place;       /* owned; enum s3_place */
    uint8_t *hits;        /* owned */
    struct queue q[S3_N]; /* but for S3_OUT */
};

static void s3_move(struct s3 *s3, uint32_t object, enum s3_place place)
{
    uint32_t size = size_of(s3->sim, object);

    if (s3->place[object] != S3_OUT) {
        queue_take(&s3->q[s3->place[object]], object, size);
    }
    s3->place[object] = (uint8_t)place;
    if (place != S3_OUT) {
        queue_push(&s3->q[place], object, size);
    }
}

static void s3_evict(struct s3 *s3)
{
    uint64_t small_capacity = s3->sim->capacity / 10;
    bool from_main = s3->q[S3_SMALL].oldest == NONE ||
                     s3->q[S3_MAIN].n_bytes > s3->sim->capacity - small_capacity;
    uint32_t object = s3->q[from_main ? S3_MAIN : S3_SMALL].oldest;

    if (from_main && s3->hits[object] > 0) {
        s3->hits[object]--;
        s3_move(s3, object, S3_MAIN);
    } else if (from_main) {
        s3_move(s3, object, S3_OUT);
    } else if (s3->hits[object] >= S3_PROMOTING_HITS) {
        s3->hits[object] = 0;
        s3_move(s3, object, S3_MAIN);
    } else {
        s3_move(s3, object, S3_GHOST);
        while (s3->q[S3_GHOST].n_bytes > s3->sim->capacity - small_capacity) {
            s3_move(s3, s3->q[S3_GHOST].oldest, S3_OUT);
        }
    }
}

static void s3_run(struct s3 *s3)
{
    struct sim *sim = s3->sim;

    for (size_t i = 0; i < sim->trace->n_requests; i++) {
        uint32_t object = sim->trace->requests[i];
        uint32_t size = size_of(sim, object);
        bool is_in = s3->place[object] == S3_SMALL || s3->place[object] == S3_MAIN;
        count(sim, object, is_in);
        if (is_in) {
            s3->hits[object] = (uint8_t)FB_MIN(s3->hits[object] + 1, S3_MAX_HITS);
        }
        if (is_in || size > sim->capacity) {
            continue;
        }
        bool is_known = s3->place[object] == S3_GHOST;
        s3_move(s3, object, S3_OUT);
        while (s3->q[S3_SMALL].n_bytes + s3->q[S3_MAIN].n_bytes + size > sim->capacity) {
            s3_evict(s3);
        }
        s3->hits[object] = 0;
        s3_move(s3, object, is_known ? S3_MAIN : S3_SMALL);
        sim->outcome.n_bytes_entered += size;
    }
}

static void run_s3_fifo(struct sim *sim)
{
    size_t n = sim->trace->n_objects;
    struct s3 s3 = {
        .sim = sim,
        .links = fb_alloc_array(n, sizeof(struct link)),
        .place = fb_alloc_array(n, 1),
        .hits = fb_alloc_array(n, 1),
    };

    for (unsigned i = 0; i < S3_N; i++) {
        s3.q[i] = (struct queue){.links = s3.links, .youngest = NONE, .oldest = NONE};
    }
    s3_run(&s3);
    fb_free(s3.links);
    fb_free(s3.place);
    fb_free(s3.hits);
}

/* ---- the optimum ---------------------------------------------------------------- */

/* Heaps of objects, the one asked for again last on top. Belady has one;
 * BeladySize has one for each class of sizes, in which sizes are nearly alike. */
struct heap {
    uint32_t *items; /* owned */
    size_t n;
    size_t cap;
};

enum { CLASSES_PER_OCTAVE = 16, N_CLASSES = 32 * CLASSES_PER_OCTAVE };

struct optimum {
    struct sim *sim;
    struct heap heaps[N_CLASSES];
    size_t n_heaps;
    uint32_t *next; /* owned; of each object: its next request */
    uint32_t *at;   /* owned; its place in its heap + 1, 0: not in */
};

static size_t class_of(const struct optimum *optimum, uint32_t object)
{
    uint32_t size = FB_MAX(size_of(optimum->sim, object), 16U);
    unsigned octave = 31U - (unsigned)__builtin_clz(size);

    return optimum->n_heaps == 1
               ? 0
               : octave * CLASSES_PER_OCTAVE + ((size >> (octave - 4)) & (CLASSES_PER_OCTAVE - 1));
}

static void heap_put(struct optimum *optimum, struct heap *heap, size_t place, uint32_t object)
{
    heap->items[place] = object;
    optimum->at[object] = (uint32_t)place + 1;
}

/* Moves the object at `place` up or down to where it belongs. */
static void heap_settle(struct optimum *optimum, struct heap *heap, size_t place)
{
    uint32_t object = heap->items[place];
    uint32_t key = optimum->next[object];

    while (place > 0 && optimum->next[heap->items[(place - 1) / 2]] < key) {
        heap_put(optimum, heap, place, heap->items[(place - 1) / 2]);
        place = (place - 1) / 2;
    }
    for (;;) {
        size_t child = 2 * place + 1;
        if (child + 1 < heap->n &&
            optimum->next[heap->items[child + 1]] > optimum->next[heap->items[child]]) {
            child++;
        }
        if (child >= heap->n || optimum->next[heap->items[child]] <= key) {
            break;
        }
        heap_put(optimum, heap, place, heap->items[child]);
        place = child;
    }
    heap_put(optimum, heap, place, object);
}

static void optimum_add(struct optimum *optimum, uint32_t object)
{
    struct heap *heap = &optimum->heaps[class_of(optimum, object)];

    if (heap->n == heap->cap) {
        heap->cap = heap->cap == 0 ? 64 : 2 * heap->cap;
        heap->items = fb_realloc(heap->items, heap->cap * sizeof(*heap->items));
    }
    heap->items[heap->n++] = object;
    heap_settle(optimum, heap, heap->n - 1);
    optimum->sim->used += size_of(optimum->sim, object);
}

static void optimum_take(struct optimum *optimum, uint32_t object)
{
    struct heap *heap = &optimum->heaps[class_of(optimum, object)];
    size_t place = optimum->at[object] - 1;

    optimum->at[object] = 0;
    heap->n--;
    if (place < heap->n) {
        heap_put(optimum, heap, place, heap->items[heap->n]);
        heap_settle(optimum, heap, place);
    }
    optimum->sim->used -= size_of(optimum->sim, object);
}

/* What the optimum would evict at request `now`, NONE if it is empty. */
static uint32_t optimum_victim(const struct optimum *optimum, size_t now)
{
    uint32_t victim = NONE;
    double most = -1.0;

    for (size_t i = 0; i < optimum->n_heaps; i++) {
        const struct heap *heap = &optimum->heaps[i];
        if (heap->n == 0) {
            continue;
        }
        uint32_t object = heap->items[0];
        uint32_t next = optimum->next[object];
        double wait = next == NEVER ? 1e15 : (double)next - (double)now;
        double cost =
            optimum->n_heaps == 1 ? wait : wait * (double)optimum->sim->trace->objects[object].size;
        if (cost > most) {
            most = cost;
            victim = object;
        }
    }
    return victim;
}

/* Lets `object` in if that does not take the place of anything wanted earlier. */
static bool optimum_bypass(struct optimum *optimum, uint32_t object, size_t now, uint32_t *scratch)
{
    struct sim *sim = optimum->sim;
    size_t n_out = 0;
    bool is_worth_it = optimum->next[object] != NEVER;

    while (is_worth_it && sim->used + size_of(sim, object) > sim->capacity) {
        uint32_t victim = optimum_victim(optimum, now);
        is_worth_it = victim != NONE && optimum->next[victim] > optimum->next[object];
        if (is_worth_it) {
            optimum_take(optimum, victim);
            scratch[n_out++] = victim;
        }
    }
    while (!is_worth_it && n_out > 0) {
        optimum_add(optimum, scratch[--n_out]);
    }
    return is_worth_it;
}

static void optimum_run(struct optimum *optimum, bool may_bypass)
{
    struct sim *sim = optimum->sim;
    FB_AUTO(fb_freep)
    uint32_t *scratch = fb_alloc_array(sim->trace->n_objects, sizeof(*scratch));

    for (size_t i = 0; i < sim->trace->n_requests; i++) {
        uint32_t object = sim->trace->requests[i];
        bool is_in = optimum->at[object] != 0;
        count(sim, object, is_in);
        optimum->next[object] = sim->next[i];
        if (is_in) {
            struct heap *heap = &optimum->heaps[class_of(optimum, object)];
            heap_settle(optimum, heap, optimum->at[object] - 1);
        }
        if (is_in || size_of(sim, object) > sim->capacity ||
            (may_bypass && !optimum_bypass(optimum, object, i, scratch))) {
            continue;
        }
        while (sim->used + size_of(sim, object) > sim->capacity) {
            optimum_take(optimum, optimum_victim(optimum, i));
        }
        optimum_add(optimum, object);
        sim->outcome.n_bytes_entered += size_of(sim, object);
    }
}

static void run_optimum(struct sim *sim, size_t n_heaps, bool may_bypass)
{
    size_t n = sim->trace->n_objects;
    struct optimum *optimum = FB_NEW(struct optimum);

    optimum->sim = sim;
    optimum->n_heaps = n_heaps;
    optimum->next = fb_alloc_array(n, sizeof(*optimum->next));
    optimum->at = fb_alloc_array(n, sizeof(*optimum->at));
    optimum_run(optimum, may_bypass);
    for (size_t i = 0; i < n_heaps; i++) {
        fb_free(optimum->heaps[i].items);
    }
    fb_free(optimum->next);
    fb_free(optimum->at);
    fb_free(optimum);
}

static void run_belady(struct sim *sim)
{
    run_optimum(sim, 1, false);
}

static void run_belady_size(struct sim *sim)
{
    run_optimum(sim, N_CLASSES, false);
}

static void run_belady_bypass(struct sim *sim)
{
    run_optimum(sim, 1, true);
}

/* ---- all of them ------------------------------------------------------------------ */

struct policy_row {
    const char *name;
    void (*run)(struct sim *sim);
};

static const struct policy_row policy_rows[] = {
    {"lru", run_lru},
    {"fifo", run_fifo},
    {"s3_fifo", run_s3_fifo},
    {"belady", run_belady},
    {"belady_size", run_belady_size},
    {"belady_bypass", run_belady_bypass},
};

/* For each request, the index of the next one for the same object. */
static uint32_t *next_requests(const struct edge_trace *trace)
{
    uint32_t *next = fb_alloc_array(trace->n_requests, sizeof(*next));
    FB_AUTO(fb_freep) uint32_t *seen = fb_alloc_array(trace->n_objects, sizeof(*seen));

    for (size_t i = 0; i < trace->n_objects; i++) {
        seen[i] = NEVER;
    }
    for (size_t i = trace->n_requests; i > 0; i--) {
        uint32_t object = trace->requests[i - 1];
        next[i - 1] = seen[object];
        seen[object] = (uint32_t)i - 1;
    }
    return next;
}

static void print_policy(const struct policy_row *row, const struct outcome *outcome)
{
    double n_bytes = (double)outcome->n_bytes;

    (void)printf("\"%s\":{\"object\":%.6f,\"byte\":%.6f,\"entered\":%.6f}", row->name,
                 (double)outcome->n_misses / (double)outcome->n_requests,
                 (double)outcome->n_bytes_missed / n_bytes,
                 (double)outcome->n_bytes_entered / n_bytes);
}

static void run_share(const struct edge_trace *trace, const uint32_t *next, const char *share)
{
    double capacity = strtod(share, NULL) * (double)trace->footprint;

    (void)printf("\"%s\":{", share);
    for (size_t i = 0; i < FB_ARRAY_LEN(policy_rows); i++) {
        struct sim sim = {.trace = trace, .next = next, .capacity = (uint64_t)capacity};
        policy_rows[i].run(&sim);
        (void)printf(i > 0 ? "," : "");
        print_policy(&policy_rows[i], &sim.outcome);
    }
    (void)printf("}");
}

int main(int argc, char **argv)
{
    FB_AUTO(edge_trace_freep) struct edge_trace *trace = NULL;
    struct fb_diag diag = {0};

    if (argc < 3) {
        (void)fprintf(stderr, "usage: sim-baselines TRACE SHARE...\n");
        return 2;
    }
    if (edge_trace_load(argv[1], &trace, &diag) < 0) {
        (void)fprintf(stderr, "sim-baselines: %s\n", diag.text);
        return 1;
    }
    FB_AUTO(fb_freep) uint32_t *next = next_requests(trace);
    (void)printf("{");
    for (int i = 2; i < argc; i++) {
        (void)printf(i > 2 ? "," : "");
        run_share(trace, next, argv[i]);
    }
    (void)printf("}\n");
    return 0;
}
