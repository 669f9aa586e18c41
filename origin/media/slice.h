/*
 * Slice headers of H.264 (ITU-T H.264, 7.3.3): how long they are, so that encryption begins
 * behind them.
 *
 * Ownership  Plain data.
 * Threads    One at a time.
 * Limits     Parameter sets 0 to ORIGIN_SLICE_SETS_MAX - 1; no slice groups, no data partitioning,
 *            neither SP nor SI: nothing that a current encoder makes.
 * Failures   FB_E_MALFORMED; FB_E_UNSUPPORTED beyond the limits.
 */
#pragma once

#include "base/core/attr.h"
#include "base/core/str.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { ORIGIN_SLICE_SETS_MAX = 32 };

/* What slice headers need to know of a sequence parameter set ... */
struct origin_slice_sps {
    bool is_there;
    bool has_separate_planes;
    bool has_chroma; /* ChromaArrayType is not 0 */
    bool is_frames_only;
    bool is_delta_always_zero;
    uint8_t poc_type;
    uint8_t n_frame_num_bits;
    uint8_t n_poc_bits;
};

/* ... and of a picture parameter set. */
struct origin_slice_pps {
    bool is_there;
    bool is_cabac;
    bool has_bottom_poc;
    bool has_weights;
    bool has_deblocking;
    bool has_redundant_count;
    uint8_t bipred;
    uint8_t sps;
    uint8_t n_refs[2];
};

struct origin_slices {
    struct origin_slice_sps sps[ORIGIN_SLICE_SETS_MAX];
    struct origin_slice_pps pps[ORIGIN_SLICE_SETS_MAX];
};

/* Takes in a parameter set, a whole NAL unit; others are passed over. */
FB_MUST_CHECK int origin_slices_learn(struct origin_slices *slices, struct fb_str nal);

/* The bytes of `nal`, a slice with its NAL header, up to and with the last of its header. */
FB_MUST_CHECK int origin_slices_header(const struct origin_slices *slices, struct fb_str nal,
                                       size_t *ret_bytes);
