/*
 * What a hit in RAM costs: look-up, a reader of one slice, and letting go, on one
 * thread and on several that share the store. Prints nanoseconds per hit and
 * thread. "same" is one object for all, where the counters of references are what
 * the threads contend for.
 *
 * usage: store-bench [THREADS]
 */
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/loop/loop.h"
#include "base/loop/reader.h"
#include "base/loop/thread.h"
#include "edge/store/store.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { N_OBJECTS = 4096, BODY = 4096, N_HITS = 1000000, MAX_THREADS = 16, KEY_MAX = 64 };

struct runner {
    struct edge_store *store;
    struct fb_loop *loop;
    struct fb_thread *thread;
    unsigned n_keys;
    uint64_t seed;
    uint64_t ns;
};

static struct fb_str make_key(char text[KEY_MAX], unsigned n)
{
    int len = snprintf(text, KEY_MAX, "media.example/v/%08u/720p/seg-00001.m4s", n);
    return (struct fb_str){text, (size_t)len};
}

static void store_fill(struct edge_store *store, struct fb_loop *loop)
{
    static const char body[BODY];
    struct fb_headers none = {0};
    char text[KEY_MAX];

    for (unsigned i = 0; i < N_OBJECTS; i++) {
        struct edge_object *object = NULL;
        struct edge_writer *writer = NULL;
        struct edge_object_spec spec = {.key = make_key(text, i),
                                        .request = &none,
                                        .status = 200,
                                        .headers = &none,
                                        .length = BODY};
        FB_REQUIRE(edge_store_create(store, &spec, &object) == FB_OK);
        FB_REQUIRE(edge_object_write(object, loop, 0, &writer) == FB_OK);
        FB_REQUIRE(edge_writer_append(writer, (struct fb_str){body, BODY}) == FB_OK);
        edge_writer_finish(writer, FB_OK);
        edge_store_publish(store, loop, object);
        edge_object_unref(object);
    }
}

static void run_hits(void *ctx)
{
    struct runner *self = ctx;
    struct fb_headers none = {0};
    struct fb_slice slice;
    char text[KEY_MAX];

    uint64_t start_ns = fb_clock_mono_ns(fb_clock_system());
    for (unsigned i = 0; i < N_HITS; i++) {
        self->seed = self->seed * 6364136223846793005U + 1442695040888963407U;
        struct fb_str key = make_key(text, (unsigned)(self->seed >> 33) % self->n_keys);
        struct edge_object *object = edge_store_find(self->store, key, &none);
        FB_REQUIRE(object != NULL);
        struct fb_reader *reader =
            edge_object_reader(object, self->loop, 0, FB_LENGTH_UNKNOWN, NULL);
        FB_REQUIRE(fb_reader_next(reader, &slice) == FB_OK);
        fb_reader_close(reader);
        fb_slice_release(&slice);
        edge_object_unref(object);
    }
    self->ns = fb_clock_mono_ns(fb_clock_system()) - start_ns;
}

static void measure(const char *what, struct edge_store *store, struct fb_loop *loop,
                    unsigned n_threads, unsigned n_keys)
{
    struct runner runners[MAX_THREADS] = {0};
    uint64_t ns = 0;

    for (unsigned i = 0; i < n_threads; i++) {
        runners[i] = (struct runner){.store = store, .loop = loop, .n_keys = n_keys, .seed = i + 1};
        FB_REQUIRE(fb_thread_start_body("hits", run_hits, &runners[i], &runners[i].thread) ==
                   FB_OK);
    }
    for (unsigned i = 0; i < n_threads; i++) {
        fb_thread_join(runners[i].thread);
        ns += runners[i].ns;
    }
    (void)printf("%-5s %2u threads  %6" PRIu64 " ns/hit\n", what, n_threads,
                 ns / n_threads / N_HITS);
}

int main(int argc, char **argv)
{
    uint64_t max_threads = 2;
    struct fb_loop *loop = NULL;

    if (argc > 1 && (fb_str_to_u64(fb_str_from(argv[1]), &max_threads) < 0 || max_threads < 1)) {
        (void)fprintf(stderr, "usage: store-bench [THREADS]\n");
        return 2;
    }
    FB_REQUIRE(fb_loop_new(fb_clock_system(), &loop) == FB_OK);
    struct edge_store *store = edge_store_new(&(struct edge_store_options){
        .memory_bytes = 64U << 20, .seed = 1, .clock = fb_clock_system()});
    store_fill(store, loop);
    for (unsigned n = 1; n <= FB_MIN(max_threads, (uint64_t)MAX_THREADS); n *= 2) {
        measure("many", store, loop, n, N_OBJECTS);
        measure("same", store, loop, n, 1);
    }
    edge_store_free(store);
    fb_loop_free(loop);
    return 0;
}
