/*
 * Common encryption (ISO/IEC 23001-7): clear CMAF of one track becomes encrypted CMAF.
 *
 *     init.mp4 ──► origin_cenc_new ──► fragment … fragment ──► free
 *                     └─ encv/enca, sinf (frma, schm, tenc), pssh      senc, saiz, saio in each
 * traf
 *
 *   cenc  AES-128 in counter mode, 8-byte IVs; the key stream runs on over a sample's protected
 *         ranges, which are whole blocks. Audio: the whole sample.
 *   cbcs  AES-128 in chained blocks; of video one block in ten (pattern 1:9) of each protected
 *         range, which begins behind the slice header; of audio all whole blocks. The IV is the
 *         track's and the same for each range, as the scheme has it.
 *
 * What stays clear of a picture: lengths and headers of NAL units, all units but slices, and each
 * slice's header, whose length is read from the bits for H.264. Headers of HEVC and AV1 are not
 * read: of each slice, tile group or frame the first ORIGIN_CENC_LEAD bytes stay clear, which is
 * more than headers of our encoders have, and all else of an AV1 sample.
 *
 * No counter is used twice. The key is one version's (content_key.h); within it an IV of `cenc`
 * is, from the top,
 *
 *     27 bits  of HMAC-SHA-256(key, SHA-256 of the clear segment)
 *      6 bits  `track`, which is another number for each track of the version
 *     18 bits  the segment's number in its track, over all source chunks and passes
 *     13 bits  the sample's number in its segment
 *
 * and the block counter below it begins at 0, with 2^64 blocks of its own. Two samples of a
 * version differ in the lower 37 bits, whichever worker, pass or chunk they come from: nothing
 * is drawn, counted on or handed over, so that doing a task twice gives the same bytes. Should
 * an encoder, against all promises, give other bytes the second time, the upper 27 bits part the
 * two. A number that does not fit is FB_E_LIMIT, never cut.
 *
 * Ownership  new → free; the key is copied, and wiped by free.
 * Threads    One at a time.
 * Limits     One track for each; segments up to ORIGIN_CENC_SEGMENT_MAX bytes, numbers as above.
 * Failures   FB_E_MALFORMED for what is not the CMAF of a segmenter of ours (every length is
 *            checked against what holds it), FB_E_UNSUPPORTED for codecs without a rule,
 *            FB_E_LIMIT. The buffer given is then as it was.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/buf.h"
#include "base/core/str.h"
#include "origin/model/content_key.h"

#include <stddef.h>
#include <stdint.h>

struct fb_diag;
struct origin_cenc;

enum {
    ORIGIN_CENC_TRACK_VIDEO = 0,  /* + the rendition's place in the recipe's ladder */
    ORIGIN_CENC_TRACK_AUDIO = 32, /* + the audio track's place in the recipe */
    ORIGIN_CENC_TRACKS_MAX = 64,
    ORIGIN_CENC_SEGMENTS_MAX = 1 << 18,
    ORIGIN_CENC_SAMPLES_MAX = 1 << 13, /* of a segment */
    ORIGIN_CENC_SEGMENT_MAX = 1 << 30, /* bytes */
    ORIGIN_CENC_LEAD = 256,
};

struct origin_cenc_options {
    const struct origin_content_key *key; /* not ORIGIN_SCHEME_CLEAR */
    unsigned track;                       /* ORIGIN_CENC_TRACK_… + place */
    struct fb_str pssh;                   /* boxes for the init segment; may be empty */
};

/* Reads the clear init segment `clear` (ftyp, moov with one track) and appends the encrypted one
 * to `init`. All init segments of a track give equal ones: a source chunk's worker makes its own
 * to read, also where it is not the one that stores it. */
FB_MUST_CHECK int origin_cenc_new(const struct origin_cenc_options *options, struct fb_str clear,
                                  struct fb_buf *init, struct origin_cenc **ret_cenc,
                                  struct fb_diag *diag);
void origin_cenc_free(struct origin_cenc *cenc); /* accepts NULL */

/* Appends the clear segment `clear` (styp and the like, then one moof and one mdat) encrypted, as
 * segment `number` of its track, the number in its name. Media data has the same length as
 * before, and lies `*ret_moved` bytes further back: ranges of pictures move by as much. */
FB_MUST_CHECK int origin_cenc_fragment(struct origin_cenc *cenc, uint32_t number,
                                       struct fb_str clear, struct fb_buf *buf, size_t *ret_moved,
                                       struct fb_diag *diag);

/* Appends the `pssh` box (version 1) of the common system of the W3C (1077efec-c0b2-4d02-ace3-
 * 3c1e52e2fb4b), which lists key ids: all that Clear Key needs, and what belongs into the
 * manifests (base64 of it in cenc:pssh and EXT-X-KEY). Other systems' boxes stand beside it. */
void origin_cenc_pssh(struct fb_buf *buf, const uint8_t id[ORIGIN_CONTENT_KEY_BYTES]);
