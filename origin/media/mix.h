/*
 * The mix: from the channels of a source to those of a track, and its loudness.
 *
 *     one channel             both sides at full level, as every player plays it
 *     a known layout          ITU-R BS.775: centre and surround 3 dB down, no bass effects
 *     channels without names  the first two
 *
 * Sums of many channels pass full scale, which a decoder would clip: a limiter
 * that looks ahead holds their peaks below -1.5 dB.
 *
 * Loudness is that of EBU R 128 (ITU-R BS.1770), measured over the whole track as
 * it will leave. One gain moves it to ORIGIN_MIX_LOUDNESS: phones and laptops
 * want more than the -23 of broadcasts. The limiter takes what would then lie
 * above; nothing else is done to the dynamics.
 *
 * Threads    Pure functions.
 */
#pragma once

#include "origin/media/ffmpeg.h"

#include <stdbool.h>

enum {
    ORIGIN_MIX_MAX = 320,
    ORIGIN_MIX_LOUDNESS = -16, /* LUFS */
    ORIGIN_MIX_PEAK = -1,      /* dBTP, above which the limiter is put in */
    ORIGIN_MIX_MAX_GAIN = 20,  /* dB: what is quieter is meant to be, or is noise */
    ORIGIN_MIX_SURROUND = 6,   /* channels of a track that keeps its surround */
};

struct origin_loudness {
    bool is_known; /* false for silence */
    double lufs;   /* integrated */
    double peak;   /* dBTP */
};

struct origin_mix {
    unsigned channels; /* 2 or ORIGIN_MIX_SURROUND */
    double gain_db;
    bool is_limited;  /* peaks are known to lie too high */
    bool is_measured; /* the limiter is put in for that alone, not for sums that may rise */
};

/* `keeps_surround`: sources of six channels and more give six. */
struct origin_mix origin_mix_of(unsigned source_channels, bool keeps_surround,
                                const struct origin_loudness *loudness);

/* What to measure loudness through: no gain, no limiter. */
struct origin_mix origin_mix_to_measure(unsigned source_channels, bool keeps_surround);

/* Filters from frames of `layout` to planar floats of the mix, after resampling. */
void origin_mix_chain(const struct origin_mix *mix, const AVChannelLayout *layout,
                      char ret_chain[ORIGIN_MIX_MAX]);
