/*
 * The recipe: everything that decides what comes out of a video's transcode.
 *
 * PREPARE writes it once; every other task of the video reads it, on whatever
 * worker. The same recipe gives the same bytes, so a task may be done twice.
 *
 *     output grid   0 1 2 3 ...                                    n_places
 *     segments      |----1----|----2----|----3----|----4----|--5--|     segment_ms each
 *     sheets        |---------s=0-------|---------s=1-------|-s=2-|     chunk_ms each
 *     source chunks |---------0---------|------------1------------|     whole sheets, but for
 *                                                                       a short end
 *
 * A source chunk begins where a sheet does and is decoded from its entry, a key
 * picture of the source at or before its first place. Where the source has none
 * near, or cannot be read from its middle, a source chunk is longer, up to all.
 *
 * The version is the first half of a hash of all this with the source's digest.
 *
 * Ownership  A recipe owns its chunks and jumps: zero → ..._done().
 * Threads    Pure functions.
 * Limits     Below; every member is checked on load.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/diag.h"
#include "base/core/str.h"
#include "origin/model/request.h"
#include "origin/model/result.h"
#include "origin/model/task.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fb_json;

enum {
    ORIGIN_RECIPE_RUNGS_MAX = 16,
    ORIGIN_RECIPE_CHUNKS_MAX = 2000,
    ORIGIN_RECIPE_JUMPS_MAX = 1000,
    ORIGIN_RECIPE_HOURS_MAX = 24,
    ORIGIN_RECIPE_SCAN_MAX = 15, /* bytes */
    ORIGIN_RECIPE_SIDE_MAX = 16384,
};

enum origin_recipe_codec {
    ORIGIN_RECIPE_H264,
    ORIGIN_RECIPE_HEVC,
    ORIGIN_RECIPE_AV1,
    ORIGIN_RECIPE_N_CODECS
};

struct origin_recipe_rung {
    enum origin_recipe_codec codec;
    uint32_t rung; /* a short side; names the folder, v/<rung>p or v/<rung>p-<codec> */
    uint32_t width;
    uint32_t height;
    uint32_t crf;
    uint32_t max_rate; /* bit/s, for the encoder's buffer model */
    uint32_t buffer;   /* bits */
    enum origin_task_pass pass;
};

/* A packet of the source's picture, told by what a demuxer says of it. */
struct origin_recipe_entry {
    uint64_t packet; /* how many packets of picture lie before it */
    int64_t pts;     /* in the stream's unit; INT64_MIN if it has none */
    int64_t dts;     /* likewise */
    int64_t at;      /* its place in the file; -1 if that is unknown */
    uint64_t bytes;
};

struct origin_recipe_chunk {
    uint64_t first_place;
    uint64_t n_places;
    uint32_t first_segment; /* its number, from 1 */
    bool is_seekable;       /* a demuxer finds the entries without reading up to there */
    struct origin_recipe_entry entry;
    struct origin_recipe_entry earlier; /* tried when the first gives no picture in time */
};

/* From this packet of picture on, `shift_us` is added to the source's times: its
 * clock was set anew there. */
struct origin_recipe_jump {
    uint64_t packet;
    int64_t shift_us;
};

struct origin_recipe {
    struct origin_request request;
    char toolchain[ORIGIN_TOOLCHAIN_MAX + 1]; /* library versions of who prepared */
    uint32_t n_threads;                       /* of each encoder: it decides the bytes */
    enum origin_scheme scheme;                /* of encryption */
    uint8_t key_id[ORIGIN_CONTENT_KEY_BYTES]; /* zero in the clear */
    uint8_t source_sha256[ORIGIN_DIGEST_LEN];
    uint64_t source_bytes;

    uint32_t width; /* of the source as displayed: upright, square pixels */
    uint32_t height;
    bool has_audio;
    bool is_partial;   /* the source ends early or has unreadable parts */
    uint32_t rate_num; /* of the output grid */
    uint32_t rate_den;
    int64_t zero_us; /* the source time that is place 0 */
    uint64_t n_places;
    uint64_t duration_ms;
    uint32_t sheet_ms;                     /* the request's chunk_ms as whole segments */
    char scan[ORIGIN_RECIPE_SCAN_MAX + 1]; /* whether pictures are of two fields: a name of
                                              origin/media/scan.h */

    struct origin_recipe_rung rungs[ORIGIN_RECIPE_RUNGS_MAX]; /* largest first within a
                                                                 codec, H.264 first */
    size_t n_rungs;
    struct origin_recipe_chunk *chunks; /* owned; end to end from place 0 */
    size_t n_chunks;
    struct origin_recipe_jump *jumps; /* owned; by packet */
    size_t n_jumps;
    uint32_t poster_sheet; /* the poster is chosen from its pictures */
};

void origin_recipe_done(struct origin_recipe *recipe);

/* Sets the members of `object`. */
void origin_recipe_store(struct fb_json *object, const struct origin_recipe *recipe);
FB_MUST_CHECK int origin_recipe_load(const struct fb_json *object, struct origin_recipe *ret_recipe,
                                     struct fb_diag *diag);

/* The same from and to text. */
void origin_recipe_dump(struct fb_buf *buf, const struct origin_recipe *recipe);
FB_MUST_CHECK int origin_recipe_parse(struct fb_str text, struct origin_recipe *ret_recipe,
                                      struct fb_diag *diag);

/* "h264", "hevc", "av1". */
const char *origin_recipe_codec_text(enum origin_recipe_codec codec);

/* The version that this recipe makes. */
void origin_recipe_version(const struct origin_recipe *recipe,
                           char ret_version[ORIGIN_VERSION_LEN + 1]);

/* The first place at or after a time. */
uint64_t origin_recipe_place(const struct origin_recipe *recipe, uint64_t ms);

/* Sheets in all, and those of one source chunk. */
uint32_t origin_recipe_n_sheets(const struct origin_recipe *recipe);
void origin_recipe_sheets(const struct origin_recipe *recipe, size_t chunk, uint32_t *ret_first,
                          uint32_t *ret_n);
