/*
 * One audio track: decoded, brought to 48 kHz stereo (or 5.1), encoded whole as AAC-LC.
 *
 * Sound begins at 0 exactly: what comes late gets silence before it, what comes
 * early is trimmed, gaps are filled. The encoder's first packet, which only
 * primes a decoder, is dropped, so that time 0 needs no edit list.
 *
 * Ownership  new → free. Source and output are borrowed until freed; the track
 *            is owned here.
 * Threads    One at a time.
 */
#pragma once

#include "base/core/attr.h"
#include "origin/media/ffmpeg.h"
#include "origin/media/mix.h"
#include "origin/media/presentation.h"

struct fb_diag;
struct origin_content_key;
struct origin_output;
struct origin_sound;
struct origin_source;

struct origin_sound_options {
    const struct origin_source *source;
    unsigned index; /* in source->audios */
    struct origin_output *output;
    unsigned segment_ms;
    bool keeps_surround;                  /* six channels where the source has as many */
    struct origin_loudness loudness;      /* of the track, to normalise it; unknown: it is left */
    const struct origin_content_key *key; /* NULL: in the clear */
};

FB_MUST_CHECK int origin_sound_new(const struct origin_sound_options *options,
                                   struct origin_sound **ret_sound, struct fb_diag *diag);
void origin_sound_free(struct origin_sound *sound);

/* Times of `packet` are in the stream's time base, counted from the source's
 * zero. NULL ends the stream. */
FB_MUST_CHECK int origin_sound_push(struct origin_sound *sound, const AVPacket *packet,
                                    struct fb_diag *diag);

/* The end of what was encoded so far; 0 if no sound could be read. */
int64_t origin_sound_end_us(const struct origin_sound *sound);

/* Adds silence until `until_us` and writes everything out. */
FB_MUST_CHECK int origin_sound_finish(struct origin_sound *sound, int64_t until_us,
                                      struct fb_diag *diag);

/* The finished track, which is then the caller's; false if no sound could be read. */
bool origin_sound_take_track(struct origin_sound *sound, struct origin_track *ret_track);

/* Packets sent to the decoder, and those it could not use. */
void origin_sound_damage(const struct origin_sound *sound, uint64_t *ret_packets,
                         uint64_t *ret_damaged);
