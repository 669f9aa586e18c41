/*
 * The output folder: files that appear whole under their names, with a record
 * of each for publish.json.
 *
 *     begin ──► write … ──► finish   (hashed, counted, named, recorded)
 *                      └──► abandon  (nothing was there)
 *
 * A file is written beside its place and renamed. It is not synced: the folder is
 * scratch until whoever publishes copies it, and a crash before that repeats the
 * whole task.
 *
 * Ownership  The caller owns both structs; an output owns its folder's
 *            descriptor and its records. A file borrows its output.
 * Threads    One at a time.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/str.h"
#include "base/crypto/hash.h"
#include "origin/media/presentation.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fb_diag;

enum { ORIGIN_OUTPUT_PATH_MAX = 48 };

struct origin_output_entry {
    char path[ORIGIN_OUTPUT_PATH_MAX];
    uint64_t bytes;
    uint8_t sha256[FB_SHA256_SIZE];
};

struct origin_output {
    int dir_fd;                          /* owned */
    struct origin_output_entry *entries; /* owned, in the order of finishing */
    size_t n_entries;
    size_t max_entries; /* room at `entries` */
};

struct origin_output_file {
    struct origin_output *output;
    int fd; /* owned; -1 when none is open */
    uint64_t bytes;
    struct fb_sha256 hash;
    char path[ORIGIN_OUTPUT_PATH_MAX];
};

#define ORIGIN_OUTPUT_NONE      ((struct origin_output){.dir_fd = -1})
#define ORIGIN_OUTPUT_FILE_NONE ((struct origin_output_file){.fd = -1})

FB_MUST_CHECK int origin_output_open(const char *dir, struct origin_output *ret_output,
                                     struct fb_diag *diag);
void origin_output_done(struct origin_output *output);

/* Makes a folder and those above it. */
FB_MUST_CHECK int origin_output_mkdir(struct origin_output *output, const char *path);

/* `file` is ORIGIN_OUTPUT_FILE_NONE before; `path` is cut at no length that we
 * make. */
FB_MUST_CHECK int origin_output_begin(struct origin_output *output, const char *path,
                                      struct origin_output_file *file);
FB_MUST_CHECK int origin_output_write(struct origin_output_file *file, struct fb_str bytes);
FB_MUST_CHECK int origin_output_finish(struct origin_output_file *file);
void origin_output_abandon(struct origin_output_file *file);

/* begin, write and finish. */
FB_MUST_CHECK int origin_output_put(struct origin_output *output, const char *path,
                                    struct fb_str bytes);

/* What was finished last, as a segment without a duration. */
struct origin_segment origin_output_last(const struct origin_output *output);

/* Records a file that another output wrote, maybe elsewhere. */
void origin_output_note(struct origin_output *output, const char *path,
                        const struct origin_segment *file);

/* publish.json: an object with the member "files", sorted by path, each with
 * "path", "size", "sha256" (hexadecimal), "type" (a media type) and "cache"
 * ("immutable" or "manifest"). The list does not hold publish.json itself. */
void origin_publish_list(struct fb_buf *buf, struct origin_output *output);

/* Its media type, by its path. */
const char *origin_publish_type(const char *path);
