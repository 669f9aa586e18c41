/*
 * The probe: opens a file, finds its picture and its sound, and refuses what is
 * not a video in a sentence for the person who sent it.
 *
 * Ownership  open → close; the stream pointers inside live as long as the source.
 * Threads    One at a time.
 * Limits     Below. Only the file itself is read: container formats come from a
 *            list without those that name other files, and no other protocol
 *            is enabled.
 * Failures   As in steps.h.
 */
#pragma once

#include "base/core/attr.h"
#include "origin/media/ffmpeg.h"
#include "origin/media/presentation.h"
#include "origin/media/rate.h"
#include "origin/media/scan.h"
#include "origin/media/turn.h"

#include <stdbool.h>
#include <stdint.h>

struct fb_diag;

enum {
    ORIGIN_MEDIA_MAX_STREAMS = 64,
    ORIGIN_MEDIA_MAX_SIDE = 16384,
    ORIGIN_MEDIA_MIN_SIDE = 16,
    ORIGIN_MEDIA_MAX_PIXELS = 8192 * 4608,
    ORIGIN_MEDIA_MAX_HOURS = 12,
    ORIGIN_MEDIA_MAX_LEAD_S = 60, /* of sound before the first picture */
    ORIGIN_MEDIA_PROBE_BYTES = 16 * 1024 * 1024,
    ORIGIN_MEDIA_PROBE_SECONDS = 10,
};

struct origin_source_hooks {
    void *ctx;
    bool (*is_canceled)(void *ctx); /* may be NULL */
};

struct origin_source {
    AVFormatContext *format; /* owned */
    struct origin_source_hooks hooks;
    AVStream *video;
    AVStream *audios[ORIGIN_MEDIA_MAX_AUDIO];
    unsigned n_audios;

    unsigned width; /* as displayed: rotated, square pixels */
    unsigned height;
    struct origin_turn turn;  /* sets the picture upright */
    enum origin_scan scan;    /* FLAGGED, unless who opened it knows better */
    struct origin_ratio rate; /* of the output grid */
    int64_t delay;            /* of AVI's times of packets, in the picture's unit */
    int64_t zero_us;          /* the source time that becomes 0 */
    int64_t duration_us;      /* as the container claims; 0 if it does not, or cannot be right */
    bool is_length_told;      /* it does, and that is no guess from bytes or times */
    uint64_t n_bytes;
};

FB_MUST_CHECK int origin_source_open(const char *path, const struct origin_source_hooks *hooks,
                                     struct origin_source **ret_source, struct fb_diag *diag);
void origin_source_close(struct origin_source *source);

/* Fills path, name, language and rate of the track made from audio
 * stream `index`. */
void origin_source_describe_audio(const struct origin_source *source, unsigned index,
                                  struct origin_track *track);
