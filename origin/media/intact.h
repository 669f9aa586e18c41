/*
 * Why a file could not be opened, in words for the person who sent it.
 *
 * Tells an empty file, text or some other kind of file, and an MP4 or MOV that
 * was cut before its index (the "moov" box) from one that is only damaged.
 *
 * Threads    Any; reads the file.
 */
#pragma once

#include "base/core/str.h"

#include <stdbool.h>
#include <stdint.h>

struct fb_diag;

enum origin_intact {
    ORIGIN_INTACT_EMPTY,
    ORIGIN_INTACT_CUT,     /* boxes of an MP4, but the file ends before the index */
    ORIGIN_INTACT_DAMAGED, /* the index is there, or the format is another video's */
    ORIGIN_INTACT_FOREIGN, /* nothing that looks like video */
};

/* Judges by the first bytes of a file of `n_bytes`; for an MP4, `next` reads
 * the 16 bytes at an offset of the file and returns how many there were. */
enum origin_intact origin_intact_judge(uint64_t n_bytes, void *ctx,
                                       size_t (*next)(void *ctx, uint64_t offset, char bytes[16]));

/* Sets the sentence for the file at `path`, which failed to open with `err`,
 * and returns the code that fits. */
int origin_intact_explain(const char *path, int err, struct fb_diag *diag);

/* True for an MP4 that ends before its index does. */
bool origin_intact_is_cut(const char *path);
