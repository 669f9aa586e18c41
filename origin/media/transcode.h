/*
 * Transcoding in one go: the steps of steps.h in order, over one folder.
 *
 * Ownership  Everything passed in is borrowed for the call.
 * Threads    Blocking; runs codecs on threads of its own and calls back only
 *            on the calling thread. Any number of calls may run at once.
 * Limits     See ORIGIN_MEDIA_MAX_* in probe.h; memory does not grow with the
 *            length of the source. Only local files are opened, and only formats
 *            and codecs on a list.
 * Failures   FB_E_UNSUPPORTED: not a video, or not one we read; FB_E_CORRUPT:
 *            damaged or cut beyond use; FB_E_LIMIT: beyond a limit;
 *            FB_E_CANCELED; FB_E_FOREIGN: a codec failed; or errno from files.
 *            The diag then holds a sentence for the person who uploaded. What
 *            was written so far stays in output_dir for the caller to remove.
 */
#pragma once

#include "base/core/attr.h"

#include <stdbool.h>
#include <stdint.h>

struct fb_diag;

enum {
    ORIGIN_TRANSCODE_SEGMENT_MS = 4000,
    ORIGIN_TRANSCODE_MAX_RENDITIONS = 6,
    ORIGIN_TRANSCODE_CODECS_MAX = 32,
};

struct origin_transcode_options {
    const char *source_path; /* a local file */
    const char *output_dir;  /* exists and is empty */
    unsigned n_threads;      /* for each codec; 0: as many as there are cores */
    unsigned segment_ms;     /* 1000 .. 20000 and even; 0: 4000 */
    unsigned chunk_ms;       /* of a source chunk; 0: the preset's */
    const char *preset;      /* of x264; NULL: "veryfast" */

    void *ctx;
    /* May be NULL. Called as work proceeds, with a rising share of 1000. */
    void (*progress)(void *ctx, unsigned permille);
    /* May be NULL. Asked many times a second; true ends the call with
     * FB_E_CANCELED. */
    bool (*is_canceled)(void *ctx);
};

struct origin_rendition {
    unsigned rung;                            /* names its folder, v/<rung>p */
    unsigned width;                           /* pixels, square, even */
    unsigned height;                          /* likewise */
    uint64_t bandwidth;                       /* bit/s of the heaviest stretch, without audio */
    char codecs[ORIGIN_TRANSCODE_CODECS_MAX]; /* RFC 6381, such as "avc1.640028" */
    double frame_rate;
};

struct origin_transcode_result {
    uint64_t duration_ms;
    unsigned width; /* of the source as displayed: rotated, with square pixels */
    unsigned height;
    bool has_audio;
    bool is_partial;   /* the source ended early or had unreadable parts */
    unsigned n_chunks; /* of the source */
    unsigned n_renditions;
    struct origin_rendition renditions[ORIGIN_TRANSCODE_MAX_RENDITIONS]; /* largest first */
};

FB_MUST_CHECK int origin_transcode(const struct origin_transcode_options *options,
                                   struct origin_transcode_result *ret_result,
                                   struct fb_diag *diag);
