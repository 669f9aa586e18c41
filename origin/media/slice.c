#include "origin/media/slice.h"

#include "base/core/err.h"
#include "origin/media/bits.h"

enum {
    NAL_TYPE = 31,
    NAL_IDR = 5,
    NAL_SPS = 7,
    NAL_PPS = 8,
    NAL_REF_SHIFT = 5,
    REF_COUNT_MAX = 32,
    POC_CYCLE_MAX = 255,
    CHROMA_444 = 3,
    LIST_END = 3, /* modification_of_pic_nums_idc */
    MARKS_MAX = 66,
};

enum slice_type { SLICE_P, SLICE_B, SLICE_I, SLICE_SP, SLICE_SI, N_SLICE_TYPES };

/* ---- parameter sets -------------------------------------------------------------- */

static void skip_scaling_list(struct origin_bits *bits, unsigned size)
{
    int32_t last = 8;
    int32_t next = 8;

    for (unsigned i = 0; i < size && !bits->is_over; i++) {
        if (next != 0) {
            next = (last + origin_bits_se(bits)) & 255;
        }
        last = next == 0 ? last : next;
    }
}

static void skip_scaling_lists(struct origin_bits *bits, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (origin_bits_flag(bits)) {
            skip_scaling_list(bits, i < 6 ? 16 : 64);
        }
    }
}

static bool has_chroma_format(uint32_t profile)
{
    static const uint8_t profiles[] = {100, 110, 122, 244, 44,  83, 86,
                                       118, 128, 138, 139, 134, 135};

    for (size_t i = 0; i < sizeof(profiles); i++) {
        if (profiles[i] == profile) {
            return true;
        }
    }
    return false;
}

static void read_chroma_format(struct origin_bits *bits, struct origin_slice_sps *sps)
{
    uint32_t format = origin_bits_ue(bits);

    sps->has_separate_planes = format == CHROMA_444 && origin_bits_flag(bits);
    sps->has_chroma = format != 0 && !sps->has_separate_planes;
    (void)origin_bits_ue(bits); /* bit depths */
    (void)origin_bits_ue(bits);
    (void)origin_bits_flag(bits); /* qpprime_y_zero_transform_bypass_flag */
    if (origin_bits_flag(bits)) {
        skip_scaling_lists(bits, format == CHROMA_444 ? 12 : 8);
    }
}

static int read_poc(struct origin_bits *bits, struct origin_slice_sps *sps)
{
    uint32_t type = origin_bits_ue(bits);

    sps->poc_type = (uint8_t)type;
    if (type == 0) {
        uint32_t n = origin_bits_ue(bits);
        sps->n_poc_bits = (uint8_t)(n + 4);
        return n <= 12 ? FB_OK : FB_E_MALFORMED;
    }
    if (type == 1) {
        sps->is_delta_always_zero = origin_bits_flag(bits);
        origin_bits_skip_se(bits);
        origin_bits_skip_se(bits);
        uint32_t n = origin_bits_ue(bits);
        if (n > POC_CYCLE_MAX) {
            return FB_E_MALFORMED;
        }
        for (uint32_t i = 0; i < n; i++) {
            origin_bits_skip_se(bits);
        }
    }
    return type <= 2 ? FB_OK : FB_E_MALFORMED;
}

static int learn_sps(struct origin_slices *slices, struct origin_bits *bits)
{
    struct origin_slice_sps sps = {.is_there = true, .has_chroma = true};

    uint32_t profile = origin_bits_take(bits, 8);
    (void)origin_bits_take(bits, 16); /* constraints, level */
    uint32_t id = origin_bits_ue(bits);
    if (has_chroma_format(profile)) {
        read_chroma_format(bits, &sps);
    }
    uint32_t n = origin_bits_ue(bits);
    sps.n_frame_num_bits = (uint8_t)(n + 4);
    int err = n <= 12 ? read_poc(bits, &sps) : FB_E_MALFORMED;
    (void)origin_bits_ue(bits);   /* max_num_ref_frames */
    (void)origin_bits_flag(bits); /* gaps_in_frame_num_value_allowed_flag */
    (void)origin_bits_ue(bits);   /* width, height */
    (void)origin_bits_ue(bits);
    sps.is_frames_only = origin_bits_flag(bits);
    if (err < 0 || bits->is_over || id >= ORIGIN_SLICE_SETS_MAX) {
        return FB_E_MALFORMED;
    }
    slices->sps[id] = sps;
    return FB_OK;
}

static int learn_pps(struct origin_slices *slices, struct origin_bits *bits)
{
    struct origin_slice_pps pps = {.is_there = true};

    uint32_t id = origin_bits_ue(bits);
    uint32_t sps = origin_bits_ue(bits);
    pps.is_cabac = origin_bits_flag(bits);
    pps.has_bottom_poc = origin_bits_flag(bits);
    bool has_groups = origin_bits_ue(bits) != 0;
    uint32_t n_l0 = origin_bits_ue(bits) + 1;
    uint32_t n_l1 = origin_bits_ue(bits) + 1;
    pps.has_weights = origin_bits_flag(bits);
    pps.bipred = (uint8_t)origin_bits_take(bits, 2);
    origin_bits_skip_se(bits); /* quantisers, chroma's offset */
    origin_bits_skip_se(bits);
    origin_bits_skip_se(bits);
    pps.has_deblocking = origin_bits_flag(bits);
    (void)origin_bits_flag(bits); /* constrained_intra_pred_flag */
    pps.has_redundant_count = origin_bits_flag(bits);
    if (bits->is_over || n_l0 > REF_COUNT_MAX || n_l1 > REF_COUNT_MAX ||
        sps >= ORIGIN_SLICE_SETS_MAX) {
        return FB_E_MALFORMED;
    }
    if (has_groups || id >= ORIGIN_SLICE_SETS_MAX) {
        return FB_E_UNSUPPORTED;
    }
    pps.sps = (uint8_t)sps;
    pps.n_refs[0] = (uint8_t)n_l0;
    pps.n_refs[1] = (uint8_t)n_l1;
    slices->pps[id] = pps;
    return FB_OK;
}

int origin_slices_learn(struct origin_slices *slices, struct fb_str nal)
{
    if (nal.len == 0) {
        return FB_E_MALFORMED;
    }
    struct origin_bits bits = origin_bits_of(fb_str_skip(nal, 1));
    unsigned type = (uint8_t)nal.ptr[0] & NAL_TYPE;
    if (type == NAL_SPS) {
        return learn_sps(slices, &bits);
    }
    return type == NAL_PPS ? learn_pps(slices, &bits) : FB_OK;
}

/* ---- slice headers --------------------------------------------------------------- */

/* A header while it is read. */
struct slice {
    struct origin_bits bits;
    const struct origin_slice_sps *sps;
    const struct origin_slice_pps *pps;
    enum slice_type type;
    bool is_idr;
    bool is_reference;
    bool is_field;
    uint32_t n_refs[2];
};

static void skip_poc(struct slice *slice)
{
    struct origin_bits *bits = &slice->bits;
    bool has_bottom = slice->pps->has_bottom_poc && !slice->is_field;

    if (slice->sps->poc_type == 0) {
        (void)origin_bits_take(bits, slice->sps->n_poc_bits);
        if (has_bottom) {
            origin_bits_skip_se(bits);
        }
    } else if (slice->sps->poc_type == 1 && !slice->sps->is_delta_always_zero) {
        origin_bits_skip_se(bits);
        if (has_bottom) {
            origin_bits_skip_se(bits);
        }
    }
    if (slice->pps->has_redundant_count) {
        (void)origin_bits_ue(bits);
    }
}

static int read_ref_counts(struct slice *slice)
{
    slice->n_refs[0] = slice->pps->n_refs[0];
    slice->n_refs[1] = slice->pps->n_refs[1];
    if (slice->type == SLICE_B) {
        (void)origin_bits_flag(&slice->bits); /* direct_spatial_mv_pred_flag */
    }
    if (origin_bits_flag(&slice->bits)) {
        slice->n_refs[0] = origin_bits_ue(&slice->bits) + 1;
        slice->n_refs[1] = slice->type == SLICE_B ? origin_bits_ue(&slice->bits) + 1 : 1;
    }
    bool is_sane = slice->n_refs[0] <= REF_COUNT_MAX && slice->n_refs[1] <= REF_COUNT_MAX;
    return is_sane ? FB_OK : FB_E_MALFORMED;
}

static void skip_list_changes(struct slice *slice)
{
    for (unsigned list = 0; list < (slice->type == SLICE_B ? 2U : 1U); list++) {
        if (!origin_bits_flag(&slice->bits)) {
            continue;
        }
        while (!slice->bits.is_over && origin_bits_ue(&slice->bits) != LIST_END) {
            (void)origin_bits_ue(&slice->bits);
        }
    }
}

static void skip_weights(struct slice *slice)
{
    struct origin_bits *bits = &slice->bits;

    (void)origin_bits_ue(bits); /* denominators */
    if (slice->sps->has_chroma) {
        (void)origin_bits_ue(bits);
    }
    for (unsigned list = 0; list < (slice->type == SLICE_B ? 2U : 1U); list++) {
        for (uint32_t i = 0; i < slice->n_refs[list]; i++) {
            unsigned n = origin_bits_flag(bits) ? 2 : 0;
            for (; n > 0; n--) {
                origin_bits_skip_se(bits);
            }
            n = slice->sps->has_chroma && origin_bits_flag(bits) ? 4 : 0;
            for (; n > 0; n--) {
                origin_bits_skip_se(bits);
            }
        }
    }
}

static void skip_marking(struct slice *slice)
{
    struct origin_bits *bits = &slice->bits;

    if (slice->is_idr) {
        (void)origin_bits_take(bits, 2);
        return;
    }
    if (!origin_bits_flag(bits)) {
        return;
    }
    for (unsigned i = 0; i < MARKS_MAX && !bits->is_over; i++) {
        uint32_t mark = origin_bits_ue(bits);
        if (mark == 0) {
            return;
        }
        if (mark != 5) { /* all others but 5 have an operand, and 3 has two */
            (void)origin_bits_ue(bits);
        }
        if (mark == 3) {
            (void)origin_bits_ue(bits);
        }
    }
    bits->is_over = true;
}

static void skip_end(struct slice *slice)
{
    struct origin_bits *bits = &slice->bits;

    if (slice->is_reference) {
        skip_marking(slice);
    }
    if (slice->pps->is_cabac && slice->type != SLICE_I) {
        (void)origin_bits_ue(bits);
    }
    origin_bits_skip_se(bits); /* slice_qp_delta */
    if (slice->pps->has_deblocking && origin_bits_ue(bits) != 1) {
        origin_bits_skip_se(bits);
        origin_bits_skip_se(bits);
    }
}

static int find_sets(const struct origin_slices *slices, struct slice *slice)
{
    uint32_t id = origin_bits_ue(&slice->bits);

    if (id >= ORIGIN_SLICE_SETS_MAX || !slices->pps[id].is_there) {
        return FB_E_MALFORMED;
    }
    slice->pps = &slices->pps[id];
    slice->sps = &slices->sps[slice->pps->sps];
    return slice->sps->is_there ? FB_OK : FB_E_MALFORMED;
}

static int read_slice(const struct origin_slices *slices, struct slice *slice)
{
    struct origin_bits *bits = &slice->bits;

    (void)origin_bits_ue(bits); /* first_mb_in_slice */
    slice->type = (enum slice_type)(origin_bits_ue(bits) % N_SLICE_TYPES);
    int err = find_sets(slices, slice);
    if (err < 0 || slice->type >= SLICE_SP) {
        return err < 0 ? err : FB_E_UNSUPPORTED;
    }
    if (slice->sps->has_separate_planes) {
        (void)origin_bits_take(bits, 2);
    }
    (void)origin_bits_take(bits, slice->sps->n_frame_num_bits);
    if (!slice->sps->is_frames_only) {
        slice->is_field = origin_bits_flag(bits);
        if (slice->is_field) {
            (void)origin_bits_flag(bits);
        }
    }
    if (slice->is_idr) {
        (void)origin_bits_ue(bits);
    }
    skip_poc(slice);
    if (slice->type != SLICE_I) {
        err = read_ref_counts(slice);
        if (err < 0) {
            return err;
        }
        skip_list_changes(slice);
        bool is_weighted =
            slice->type == SLICE_B ? slice->pps->bipred == 1 : slice->pps->has_weights;
        if (is_weighted) {
            skip_weights(slice);
        }
    }
    skip_end(slice);
    return bits->is_over ? FB_E_MALFORMED : FB_OK;
}

int origin_slices_header(const struct origin_slices *slices, struct fb_str nal, size_t *ret_bytes)
{
    if (nal.len == 0) {
        return FB_E_MALFORMED;
    }
    uint8_t head = (uint8_t)nal.ptr[0];
    struct slice slice = {
        .bits = origin_bits_of(fb_str_skip(nal, 1)),
        .is_idr = (head & NAL_TYPE) == NAL_IDR,
        .is_reference = (head >> NAL_REF_SHIFT & 3U) != 0,
    };
    int err = read_slice(slices, &slice);
    if (err == FB_OK) {
        *ret_bytes = 1 + origin_bits_bytes(&slice.bits);
    }
    return err;
}
