#include "base/core/arena.h"

#include "base/core/alloc.h"

#include <stdalign.h>
#include <string.h>

enum { ARENA_BLOCK_BYTES = 4000, ARENA_ALIGN = 16 };

/* In sanitizer builds every piece has a block of its own, of its exact size. */
#ifdef FB_SANITIZED
static const bool arena_shares_blocks = false;
#else
static const bool arena_shares_blocks = true;
#endif

struct fb_arena_block {
    struct fb_arena_block *older;
    size_t size;
    size_t used;
    alignas(16) unsigned char bytes[];
};

void fb_arena_done(struct fb_arena *arena)
{
    struct fb_arena_block *block = arena->blocks;

    while (block != NULL) {
        struct fb_arena_block *older = block->older;
        fb_free(block);
        block = older;
    }
    *arena = (struct fb_arena){0};
}

void fb_arena_reset(struct fb_arena *arena)
{
    struct fb_arena_block *kept = arena_shares_blocks ? arena->blocks : NULL;

    if (kept != NULL && kept->size == ARENA_BLOCK_BYTES) {
        arena->blocks = kept->older;
        fb_arena_done(arena);
        kept->older = NULL;
        kept->used = 0;
        arena->blocks = kept;
        return;
    }
    fb_arena_done(arena);
}

static struct fb_arena_block *add_block(struct fb_arena *arena, size_t need)
{
    size_t size = arena_shares_blocks ? FB_MAX(need, (size_t)ARENA_BLOCK_BYTES) : need;
    struct fb_arena_block *block = fb_alloc(sizeof(*block) + size);

    block->size = size;
    block->older = arena->blocks;
    arena->blocks = block;
    return block;
}

/* As fb_arena_alloc(), but what is there stays: a kept block holds the last exchange's bytes. */
static inline void *take(struct fb_arena *arena, size_t size)
{
    size_t need =
        arena_shares_blocks ? (size + ARENA_ALIGN - 1) & ~(size_t)(ARENA_ALIGN - 1) : size;
    struct fb_arena_block *block = arena_shares_blocks ? arena->blocks : NULL;

    if (block == NULL || block->size - block->used < need) {
        block = add_block(arena, need);
    }
    void *piece = block->bytes + block->used;
    block->used += need;
    arena->n_bytes += size;
    return piece;
}

void *fb_arena_alloc(struct fb_arena *arena, size_t size)
{
    return memset(take(arena, size), 0, size);
}

struct fb_str fb_arena_dup(struct fb_arena *arena, struct fb_str str)
{
    char *copy = take(arena, str.len + 1);
    if (str.len > 0) {
        memcpy(copy, str.ptr, str.len);
    }
    copy[str.len] = '\0';
    return (struct fb_str){copy, str.len};
}

size_t fb_arena_bytes(const struct fb_arena *arena)
{
    return arena->n_bytes;
}
