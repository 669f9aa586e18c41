/*
 * A presentation: what playlists, manifest and publish.json are written from.
 *
 * Plain data. A track is one rendition, one language of sound or one of text;
 * its segments lie end to end from 0 in units of 1/timescale. The segments of all
 * video tracks begin at the same times.
 *
 *     v/<rung>p/  init.mp4, seg-NNNNN.m4s, index.m3u8, iframes.m3u8, index.sidx   video
 *     a/<index>/  init.mp4, seg-NNNNN.m4s, index.m3u8, index.sidx                 audio
 *     t/<index>/  seg-NNNNN.vtt, index.m3u8, whole.vtt                            text
 *     s/          NNNNN.jpg                                                       storyboard
 *
 * A video track of another codec than H.264 has it in its folder, such as
 * v/720p-av1; the family is read from `codecs`.
 *
 * Ownership  A track owns its segments; a presentation borrows its tracks, sheets
 *            and protection.
 */
#pragma once

#include "base/core/str.h"
#include "base/crypto/hash.h"
#include "origin/media/rate.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ORIGIN_TRANSCODE_MAX_RENDITIONS = 6, /* of one codec */
    ORIGIN_TRANSCODE_CODECS_MAX = 32,    /* bytes of one track's codec */
    ORIGIN_MEDIA_MAX_AUDIO = 8,
    ORIGIN_MEDIA_MAX_TEXT = 32, /* embedded and uploaded together */
    ORIGIN_TRACK_NAME_MAX = 96,
    ORIGIN_TRACK_TITLE_MAX = 48, /* bytes of what a file says of a track, within its name */
    ORIGIN_TRACK_PATH_MAX = 16,
    ORIGIN_TRACK_LANGUAGE_MAX = 36, /* RFC 5646 section 4.4.1 wants 35 */
    ORIGIN_KEY_ID_SIZE = 16,
};

struct origin_segment {
    uint64_t duration; /* in the track's timescale; 0 for what has none */
    uint64_t bytes;
    uint64_t key_offset; /* video: where its first key picture can be read alone: the */
    uint64_t key_bytes;  /* fragment header and the picture; 0 if that is unknown */
    uint8_t sha256[FB_SHA256_SIZE];
};

struct origin_track {
    char path[ORIGIN_TRACK_PATH_MAX];         /* its folder, "v/720p" or "a/0" or "t/0" */
    char codecs[ORIGIN_TRANSCODE_CODECS_MAX]; /* RFC 6381; text: "wvtt" */
    unsigned timescale;
    struct origin_segment head;      /* init.mp4, or of text whole.vtt */
    struct origin_segment *segments; /* owned */
    size_t n_segments;

    unsigned rung; /* video: these four */
    unsigned width;
    unsigned height;
    struct origin_ratio frame_rate;

    char name[ORIGIN_TRACK_NAME_MAX];         /* audio and text: these; UTF-8, for people */
    char iso639[4];                           /* ISO 639-2, such as "eng", or empty */
    char language[ORIGIN_TRACK_LANGUAGE_MAX]; /* BCP 47, or empty */
    unsigned channels;                        /* audio */
    unsigned sample_rate;                     /* audio */
    bool is_default;                          /* one audio track; at most one of text */
    bool is_forced;     /* text: shown to all, for what is said in another language */
    bool is_for_deaf;   /* text: tells sounds as well */
    bool is_for_blind;  /* audio: tells what is seen as well */
    bool is_commentary; /* audio */
};

/* The storyboard: sheets of tiles, each tile a small picture of one moment. Tile
 * i shows i * tile_ms; all sheets have the same size and share of time. */
struct origin_storyboard_facts {
    unsigned tile_ms;
    unsigned sheet_ms; /* of every sheet but the last */
    unsigned columns;
    unsigned rows;
    unsigned tile_width;
    unsigned tile_height;
    unsigned n_tiles;                    /* over all sheets */
    const struct origin_segment *sheets; /* duration unused; file s/<index + 1, 5 digits>.jpg */
    size_t n_sheets;
};

enum origin_protection_scheme {
    ORIGIN_PROTECTION_NONE,
    ORIGIN_PROTECTION_CENC, /* AES-CTR, ISO/IEC 23001-7 */
    ORIGIN_PROTECTION_CBCS, /* AES-CBC with a pattern */
};

/* One way to come by the key. */
struct origin_protection_system {
    const char *uuid;        /* lower case with hyphens */
    const char *name;        /* for DASH's `value`; may be NULL */
    struct fb_str pssh;      /* the whole box; may be empty */
    const char *licence_url; /* absolute or from the root; may be NULL */
    const char *hls_format;  /* KEYFORMAT; NULL: "urn:uuid:<uuid>" */
    const char *hls_url;     /* URI of EXT-X-KEY; NULL: a data URI of `pssh`, and if there */
};                           /* is none either, the system is not in HLS */

struct origin_protection {
    enum origin_protection_scheme scheme;
    uint8_t key_id[ORIGIN_KEY_ID_SIZE];
    const struct origin_protection_system *systems;
    size_t n_systems;
};

/* The common system of W3C and DASH-IF for keys given in clear. */
#define ORIGIN_PROTECTION_CLEARKEY "e2719d58-a985-b3c9-781a-b030af78d30e"

struct origin_presentation {
    const struct origin_track *videos; /* largest first within a codec, at least one */
    size_t n_videos;
    const struct origin_track *audios;
    size_t n_audios;
    const struct origin_track *texts;
    size_t n_texts;
    const struct origin_storyboard_facts *storyboard; /* NULL: none */
    const struct origin_protection *protection;       /* NULL: in the clear; text always is */
};

/* Appends a segment. */
void origin_track_add(struct origin_track *track, const struct origin_segment *segment);

/* Frees the segments; safe on zero. */
void origin_track_done(struct origin_track *track);

/* Gives a number to the name of each that is named as one before it: within a group names are
 * what players and people tell tracks apart by (RFC 8216 section 4.3.4.1.1). */
void origin_tracks_name_apart(struct origin_track *tracks, size_t n_tracks);

/* True for a track of text, false for picture and sound. */
bool origin_track_is_text(const struct origin_track *track);

uint64_t origin_track_duration(const struct origin_track *track);
uint64_t origin_track_duration_ms(const struct origin_track *track);

/* Bits a second of so many bytes in a time in the track's timescale, rounded up. */
uint64_t origin_track_rate(const struct origin_track *track, uint64_t bytes, uint64_t duration);

/* Bits a second over the whole, rounded up. */
uint64_t origin_track_average_rate(const struct origin_track *track);

/* The heaviest stretch of segments between half and one and a half times
 * `target_s` long (RFC 8216 section 4.1), rounded up. */
uint64_t origin_track_peak_rate(const struct origin_track *track, unsigned target_s);

/* The longest segment in seconds, rounded to the nearest, at least 1. */
unsigned origin_track_target_s(const struct origin_track *track);
