/*
 * What the library takes for a request, a dozen small blocks, it gives back soon after: they
 * are kept by size while a connection has streams, for the next ones.
 */
#include "base/core/alloc.h"
#include "base/http2/http2_internal.h"

#include <stdalign.h>
#include <string.h>

/* In sanitizer builds nothing is kept, so that a use after the end is seen. */
#ifdef FB_SANITIZED
enum { MAX_KEPT_BYTES = 0 };
#else
enum { MAX_KEPT_BYTES = 64 * 1024 };
#endif

enum { STEP_BYTES = 64 };

/* Before each block. */
struct http2_block {
    alignas(16) struct http2_block *next; /* while it is kept */
    size_t step;                          /* its size in steps; HTTP2_N_STEPS: larger */
};

static size_t step_of(size_t size)
{
    size_t step = size == 0 ? 0 : (size - 1) / STEP_BYTES;
    return FB_MIN(step, (size_t)HTTP2_N_STEPS);
}

static void *memory_malloc(size_t size, void *ctx)
{
    struct http2_memory *memory = ctx;
    size_t step = step_of(size);
    struct http2_block *block = step < HTTP2_N_STEPS ? memory->kept[step] : NULL;

    if (size > SIZE_MAX / 2) {
        return NULL;
    }
    if (block != NULL) {
        memory->kept[step] = block->next;
        memory->n_bytes -= (step + 1) * STEP_BYTES;
        return block + 1;
    }
    size_t room = step < HTTP2_N_STEPS ? (step + 1) * STEP_BYTES : size;
    block = fb_try_alloc(sizeof(*block) + room);
    if (block == NULL) {
        return NULL;
    }
    block->step = step;
    return block + 1;
}

static void memory_free(void *ptr, void *ctx)
{
    struct http2_memory *memory = ctx;

    if (ptr == NULL) {
        return;
    }
    struct http2_block *block = (struct http2_block *)ptr - 1;
    if (block->step == HTTP2_N_STEPS || memory->n_bytes >= MAX_KEPT_BYTES) {
        fb_free(block);
        return;
    }
    memory->n_bytes += (block->step + 1) * STEP_BYTES;
    block->next = memory->kept[block->step];
    memory->kept[block->step] = block;
}

static void *memory_calloc(size_t n, size_t size, void *ctx)
{
    if (size > 0 && n > SIZE_MAX / 2 / size) {
        return NULL;
    }
    void *ptr = memory_malloc(n * size, ctx);
    return ptr == NULL ? NULL : memset(ptr, 0, n * size);
}

static void *memory_realloc(void *ptr, size_t size, void *ctx)
{
    if (ptr == NULL) {
        return memory_malloc(size, ctx);
    }
    struct http2_block *block = (struct http2_block *)ptr - 1;
    if (block->step == HTTP2_N_STEPS) {
        if (size > SIZE_MAX / 2) {
            return NULL;
        }
        block = fb_realloc(block, sizeof(*block) + size); /* stays one of the large */
        return block + 1;
    }
    size_t room = (block->step + 1) * STEP_BYTES;
    if (size <= room) {
        return ptr;
    }
    void *larger = memory_malloc(size, ctx);
    if (larger != NULL) {
        memcpy(larger, ptr, room);
        memory_free(ptr, ctx);
    }
    return larger;
}

nghttp2_mem fb_http2_memory_init(struct http2_memory *memory)
{
    return (nghttp2_mem){.mem_user_data = memory,
                         .malloc = memory_malloc,
                         .free = memory_free,
                         .calloc = memory_calloc,
                         .realloc = memory_realloc};
}

void fb_http2_memory_trim(struct http2_memory *memory)
{
    for (size_t i = 0; i < HTTP2_N_STEPS; i++) {
        while (memory->kept[i] != NULL) {
            struct http2_block *block = memory->kept[i];
            memory->kept[i] = block->next;
            fb_free(block);
        }
    }
    memory->n_bytes = 0;
}
