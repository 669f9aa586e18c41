#include "base/core/alloc.h"
#include "base/core/attr.h"
#include "base/core/check.h"
#include "base/loop/loop.h"
#include "base/net/net_internal.h"

/* Free blocks kept; in sanitizer builds none, so that a slice that is used
 * after its release is seen. */
#ifdef FB_SANITIZED
enum { NET_MAX_FREE = 0 };
#else
enum { NET_MAX_FREE = 64 };
#endif

static void state_release(struct fb_loop *loop)
{
    struct net_state *state = fb_loop_kept(loop);

    /* A look-up that nobody waits for any more cannot be called back. */
    while (state->n_lookups > 0) {
        (void)uv_run(fb_loop_uv(loop), UV_RUN_ONCE);
    }
    FB_REQUIRE(state->n_lent == 0);
    while (state->free != NULL) {
        struct net_block *block = state->free;
        state->free = block->next;
        fb_free(block);
    }
    fb_free(state->batch);
    fb_free(state);
}

struct net_state *fb_net_state(struct fb_loop *loop)
{
    struct net_state *state = fb_loop_kept(loop);

    if (state == NULL) {
        state = FB_NEW(struct net_state);
        fb_loop_keep(loop, state, state_release);
    }
    return state;
}

struct net_block *fb_net_block_new(struct net_state *state)
{
    struct net_block *block = state->free;

    if (block != NULL) {
        state->free = block->next;
        state->n_free--;
    } else {
        block = fb_try_alloc(sizeof(*block));
        if (block == NULL) {
            return NULL;
        }
        block->home = state;
    }
    state->n_lent++;
    block->next = NULL;
    block->len = 0;
    return block;
}

void fb_net_block_free(void *owner)
{
    struct net_block *block = owner;
    struct net_state *state = block->home;

    FB_REQUIRE(state->n_lent > 0);
    state->n_lent--;
    if (state->n_free >= NET_MAX_FREE) {
        fb_free(block);
        return;
    }
    block->next = state->free;
    state->free = block;
    state->n_free++;
}

/* One of the largest is kept: what the kernel takes at once, which is the rule, needs no other. */
struct net_batch *fb_net_batch_new(struct net_state *state, size_t size)
{
    struct net_batch *batch = state->batch;

    if (batch != NULL && batch->size >= size) {
        state->batch = NULL;
        return batch;
    }
    batch = fb_try_alloc(sizeof(*batch) + size);
    if (batch != NULL) {
        batch->size = size;
    }
    return batch;
}

void fb_net_batch_free(struct net_state *state, struct net_batch *batch)
{
    if (batch == NULL) {
        return;
    }
#ifdef FB_SANITIZED
    bool is_kept = false; /* so that a use after the end is seen */
#else
    bool is_kept = true;
#endif
    if (is_kept && (state->batch == NULL || state->batch->size < batch->size)) {
        struct net_batch *smaller = state->batch;
        state->batch = batch;
        batch = smaller;
    }
    fb_free(batch);
}
