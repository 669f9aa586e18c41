/*
 * The bytes of a test_disk: a sparse array of blocks that copies share until
 * one of them is written to.
 *
 * Threads    Copies may be used by different threads, one image by one.
 */
#pragma once

#include "base/disk/disk.h"

#include <stddef.h>
#include <stdint.h>

struct test_block;
struct test_leaf;

struct test_image {
    size_t n_leaves;
    struct test_leaf **leaves; /* counted; NULL: never written, zeros */
};

struct test_image test_image_new(uint64_t size);
struct test_image test_image_copy(const struct test_image *image);
void test_image_done(struct test_image *image);

/* The FB_DISK_BLOCK bytes of the n-th block, borrowed until the image changes. */
const uint8_t *test_image_get(const struct test_image *image, uint64_t n);

/* The n-th block, or NULL for zeros; counted, to be given to test_image_put()
 * and, at last, to test_block_unref(). */
struct test_block *test_image_ref(const struct test_image *image, uint64_t n);
struct test_block *test_block_new(const void *bytes);
const uint8_t *test_block_bytes(const struct test_block *block);
void test_block_unref(struct test_block *block);

/* `block` becomes the n-th; the image takes a count of its own. */
void test_image_put(struct test_image *image, uint64_t n, struct test_block *block);
