/*
 * A track as one file, which is stored in pieces alone.
 *
 *     v/720p/whole.mp4  =  init.mp4 │ index.sidx │ seg-00001.m4s │ seg-00002.m4s │ …
 *
 * The catalog knows what each piece weighs and its digest: so where a piece lies is a sum, and
 * the digest of all digests is the whole's ETag. No piece is opened until it is read. A track
 * without index.sidx has no such file.
 *
 * Ownership  find → origin_whole_free(), or a reader that takes it over.
 * Threads    All of it blocks; one call at a time for each whole, on any thread.
 * Limits     Eight bytes a piece.
 * Failures   FB_E_NOT_FOUND; FB_E_CORRUPT when the store has something else than the catalog.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"
#include "base/crypto/hash.h"

#include <stdint.h>

struct fb_loop;
struct fb_pool;
struct fb_reader;
struct origin_catalog;
struct origin_id;
struct origin_objects;
struct origin_whole;

/* The track of `folder`, such as "v/720p". `version` is copied. */
FB_MUST_CHECK int origin_whole_find(struct origin_catalog *catalog, struct origin_objects *objects,
                                    const struct origin_id *video, struct fb_str version,
                                    struct fb_str folder, struct origin_whole **ret_whole);
void origin_whole_free(struct origin_whole *whole); /* accepts NULL */

uint64_t origin_whole_size(const struct origin_whole *whole);

/* Over the digests of the pieces. */
const uint8_t *origin_whole_digest(const struct origin_whole *whole);

/* All of `n` bytes from `offset`; FB_E_CLOSED beyond the end. Opens the pieces that these lie in,
 * and keeps the last one open. */
FB_MUST_CHECK int origin_whole_read(struct origin_whole *whole, uint64_t offset, void *buf,
                                    size_t n);

/* A reader that takes `whole` over: `length` bytes from `offset`. */
struct fb_reader *origin_whole_reader_open(struct fb_loop *loop, struct fb_pool *pool,
                                           struct origin_whole *whole, uint64_t offset,
                                           uint64_t length);
