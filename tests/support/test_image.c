#include "tests/support/test_image.h"

#include "base/core/alloc.h"

#include <stdatomic.h>
#include <string.h>

enum { LEAF_BLOCKS = 256 };

struct test_block {
    atomic_uint n_refs;
    uint8_t bytes[FB_DISK_BLOCK];
};

struct test_leaf {
    atomic_uint n_refs;
    struct test_block *blocks[LEAF_BLOCKS]; /* counted; NULL: zeros */
};

/* ---- blocks ------------------------------------------------------------ */

struct test_block *test_block_new(const void *bytes)
{
    struct test_block *block = fb_try_alloc(sizeof(struct test_block));

    atomic_init(&block->n_refs, 1);
    memcpy(block->bytes, bytes, FB_DISK_BLOCK);
    return block;
}

const uint8_t *test_block_bytes(const struct test_block *block)
{
    static const uint8_t zeros[FB_DISK_BLOCK];
    return block == NULL ? zeros : block->bytes;
}

static struct test_block *block_ref(struct test_block *block)
{
    if (block != NULL) {
        (void)atomic_fetch_add(&block->n_refs, 1);
    }
    return block;
}

void test_block_unref(struct test_block *block)
{
    if (block != NULL && atomic_fetch_sub(&block->n_refs, 1) == 1) {
        fb_free(block);
    }
}

/* ---- leaves ------------------------------------------------------------ */

static void leaf_unref(struct test_leaf *leaf)
{
    if (leaf == NULL || atomic_fetch_sub(&leaf->n_refs, 1) > 1) {
        return;
    }
    for (size_t i = 0; i < LEAF_BLOCKS; i++) {
        test_block_unref(leaf->blocks[i]);
    }
    fb_free(leaf);
}

/* The leaf at `place`, made if absent, and copied if others have it too. */
static struct test_leaf *leaf_own(struct test_leaf **place)
{
    struct test_leaf *shared = *place;

    if (shared != NULL && atomic_load(&shared->n_refs) == 1) {
        return shared;
    }
    struct test_leaf *leaf = FB_NEW(struct test_leaf);
    atomic_init(&leaf->n_refs, 1);
    for (size_t i = 0; shared != NULL && i < LEAF_BLOCKS; i++) {
        leaf->blocks[i] = block_ref(shared->blocks[i]);
    }
    leaf_unref(shared);
    *place = leaf;
    return leaf;
}

/* ---- images ------------------------------------------------------------ */

struct test_image test_image_new(uint64_t size)
{
    size_t n = (size_t)(size / FB_DISK_BLOCK + LEAF_BLOCKS - 1) / LEAF_BLOCKS;
    return (struct test_image){n, fb_alloc_array(n, sizeof(struct test_leaf *))};
}

struct test_image test_image_copy(const struct test_image *image)
{
    struct test_image copy = {image->n_leaves,
                              fb_alloc_array(image->n_leaves, sizeof(struct test_leaf *))};

    for (size_t i = 0; i < image->n_leaves; i++) {
        copy.leaves[i] = image->leaves[i];
        if (copy.leaves[i] != NULL) {
            (void)atomic_fetch_add(&copy.leaves[i]->n_refs, 1);
        }
    }
    return copy;
}

void test_image_done(struct test_image *image)
{
    for (size_t i = 0; i < image->n_leaves; i++) {
        leaf_unref(image->leaves[i]);
    }
    fb_free(image->leaves);
    *image = (struct test_image){0};
}

static struct test_block *image_block(const struct test_image *image, uint64_t n)
{
    const struct test_leaf *leaf = image->leaves[n / LEAF_BLOCKS];
    return leaf == NULL ? NULL : leaf->blocks[n % LEAF_BLOCKS];
}

const uint8_t *test_image_get(const struct test_image *image, uint64_t n)
{
    return test_block_bytes(image_block(image, n));
}

struct test_block *test_image_ref(const struct test_image *image, uint64_t n)
{
    return block_ref(image_block(image, n));
}

void test_image_put(struct test_image *image, uint64_t n, struct test_block *block)
{
    struct test_leaf *leaf = leaf_own(&image->leaves[n / LEAF_BLOCKS]);
    struct test_block *old = leaf->blocks[n % LEAF_BLOCKS];

    leaf->blocks[n % LEAF_BLOCKS] = block_ref(block);
    test_block_unref(old);
}
