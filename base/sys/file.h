/*
 * Files: whole ones read within a bound and replaced atomically, folders made
 * and removed.
 *
 * Names are relative to a folder descriptor (AT_FDCWD for the current folder).
 * The last component is never followed if it is a symbolic link, except by
 * fb_file_read_path(), whose path a person wrote.
 *
 *     fb_draft_open ──► write(draft.fd) … ──► fb_draft_publish   (name appears, whole)
 *                                        └──► fb_draft_done      (nothing was there)
 *
 * Threads    Any; every call may block, so never on a loop.
 * Failures   Negative errno; FB_E_LIMIT for what is longer than the bound.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/diag.h"
#include "base/core/str.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Closes *fd if it is not negative and sets it to -1; for FB_AUTO. */
void fb_fd_done(int *fd);

/* Moves a descriptor out of a variable, which becomes -1. */
int fb_fd_take(int *fd);

/* openat() with O_CLOEXEC and O_NOFOLLOW added. `mode` matters with O_CREAT. */
FB_MUST_CHECK int fb_file_open(int dirfd, const char *name, int flags, mode_t mode, int *ret_fd);

FB_MUST_CHECK int fb_file_size(int fd, uint64_t *ret_size);

/* The whole file; FB_E_LIMIT if it has more than `max` bytes. */
FB_MUST_CHECK int fb_file_read(int dirfd, const char *name, size_t max, struct fb_buf *ret_bytes,
                               struct fb_diag *diag);

/* As fb_file_read(), for a path that a person gave: links are followed, and a
 * pipe will do. */
FB_MUST_CHECK int fb_file_read_path(const char *path, size_t max, struct fb_buf *ret_bytes,
                                    struct fb_diag *diag);

enum fb_file_use {
    FB_FILE_READ,
    FB_FILE_APPEND, /* made if its folder is there */
    FB_FILE_FOLDER  /* files are made in it; made itself if the one above is there */
};

/* Says what keeps `path`, which a person gave, from being used so, if anything does. Changes
 * nothing. */
FB_MUST_CHECK int fb_file_check_use(const char *path, enum fb_file_use use, struct fb_diag *diag);

/* Replaces or makes `name` with `bytes`: after a crash either the old or the
 * new content is there, and after FB_OK the new one. */
FB_MUST_CHECK int fb_file_write(int dirfd, const char *name, struct fb_str bytes, mode_t mode,
                                struct fb_diag *diag);

/* All of `bytes`, whatever write(2) takes at once. */
FB_MUST_CHECK int fb_fd_write(int fd, struct fb_str bytes);

enum { FB_DRAFT_NAME_MAX = 256 };

/* A file being written beside its final place. */
struct fb_draft {
    int fd; /* open for writing */

    /* Private to draft.c. */
    int dirfd;
    char name[FB_DRAFT_NAME_MAX];
};

/* An unopened draft, on which fb_draft_done() is harmless. */
#define FB_DRAFT_NONE ((struct fb_draft){.fd = -1, .dirfd = -1})

/* A file with a random name in the folder that `name` is in. */
FB_MUST_CHECK int fb_draft_open(int dirfd, const char *name, mode_t mode,
                                struct fb_draft *ret_draft);

/* Makes the content durable and gives it its name, replacing what had it. The
 * draft is done afterwards, whatever the result. */
FB_MUST_CHECK int fb_draft_publish(struct fb_draft *draft, const char *name);

/* Gives up an unpublished draft. Safe on FB_DRAFT_NONE and after publishing. */
void fb_draft_done(struct fb_draft *draft);

/* Makes `path` and the folders above it; fine if it is there. */
FB_MUST_CHECK int fb_dir_make(int dirfd, const char *path, mode_t mode);

/* Removes `path` and all below it without following links; fine if absent. Like
 * unlink(2) on something temporary, it may be called without a look at the
 * result. */
int fb_dir_remove(int dirfd, const char *path);

/* Makes the names in a folder durable. */
FB_MUST_CHECK int fb_dir_sync(int dirfd, const char *path);
