/*
 * A presentation: what playlists, manifest and publish.json are written from.
 *
 * Plain data. A track is one rendition or one language; its segments lie end to
 * end from 0 in units of 1/timescale. The segments of all video tracks begin at
 * the same times.
 *
 * Ownership  A track owns its segments; a presentation borrows its tracks.
 */
#pragma once

#include "origin/media/rate.h"
#include "origin/media/transcode.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ORIGIN_MEDIA_MAX_AUDIO = 8, ORIGIN_TRACK_NAME_MAX = 96, ORIGIN_TRACK_PATH_MAX = 16 };

struct origin_segment {
    uint64_t duration; /* in the track's timescale */
    uint64_t bytes;
};

struct origin_track {
    char path[ORIGIN_TRACK_PATH_MAX]; /* its folder, "v/720p" or "a/0" */
    char codecs[ORIGIN_TRANSCODE_CODECS_MAX];
    unsigned timescale;
    struct origin_segment *segments; /* owned */
    size_t n_segments;

    unsigned rung; /* video: these four */
    unsigned width;
    unsigned height;
    struct origin_ratio frame_rate;

    char name[ORIGIN_TRACK_NAME_MAX];     /* audio: these six; UTF-8, for people */
    char iso639[4];                       /* ISO 639-2, such as "eng", or empty */
    char language[ORIGIN_TRACK_PATH_MAX]; /* BCP 47, or empty */
    unsigned channels;
    unsigned sample_rate;
    bool is_default; /* exactly one audio track */
};

struct origin_presentation {
    const struct origin_track *videos; /* largest first, at least one */
    size_t n_videos;
    const struct origin_track *audios;
    size_t n_audios;
};

/* Appends a segment. */
void origin_track_add(struct origin_track *track, uint64_t duration, uint64_t bytes);

/* Frees the segments; safe on zero. */
void origin_track_done(struct origin_track *track);

uint64_t origin_track_duration(const struct origin_track *track);
uint64_t origin_track_duration_ms(const struct origin_track *track);

/* Bits a second over the whole, rounded up. */
uint64_t origin_track_average_rate(const struct origin_track *track);

/* The heaviest stretch of segments between half and one and a half times
 * `target_s` long (RFC 8216 section 4.1), rounded up. */
uint64_t origin_track_peak_rate(const struct origin_track *track, unsigned target_s);

/* The longest segment in seconds, rounded to the nearest, at least 1. */
unsigned origin_track_target_s(const struct origin_track *track);
