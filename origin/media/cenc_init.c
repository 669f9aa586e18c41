/*
 * Init segments: moov is copied box by box, and where the sample entry stands, an encrypted one
 * is written around it.
 */
#include "base/core/alloc.h"
#include "base/core/diag.h"
#include "base/core/err.h"
#include "base/crypto/hash.h"
#include "origin/media/boxes.h"
#include "origin/media/cenc_internal.h"

#include <string.h>

enum {
    ENTRY_HEAD = 8,
    VIDEO_ENTRY = 78, /* the fields of VisualSampleEntry behind its head */
    AUDIO_ENTRY = 28, /* and of AudioSampleEntry */
    STSD_HEAD = 8,
    TREX_SIZE_AT = 16,
    TREX_BYTES = 24,
    AVCC_LENGTH_AT = 4,
    AVCC_SETS_AT = 5,
    HVCC_LENGTH_AT = 21,
    LENGTH_MASK = 3,
    SPS_COUNT_MASK = 31,
    SCHEME_VERSION = 0x10000,
    INIT_MAX = 1 << 20,
    TRACK_MAX_DEPTH = 8,
};

struct entry_kind {
    char type[5];
    char config[5]; /* the box that tells of it; empty: none is needed */
    enum cenc_codec codec;
    bool is_video;
};

static const struct entry_kind entry_kinds[] = {
    {"avc1", "avcC", CENC_AVC, true},  {"avc3", "avcC", CENC_AVC, true},
    {"hvc1", "hvcC", CENC_HEVC, true}, {"hev1", "hvcC", CENC_HEVC, true},
    {"av01", "av1C", CENC_AV1, true},  {"mp4a", "", CENC_WHOLE, false},
    {"Opus", "", CENC_WHOLE, false},   {"fLaC", "", CENC_WHOLE, false},
    {"ac-3", "", CENC_WHOLE, false},   {"ec-3", "", CENC_WHOLE, false},
};

/* What is written while moov is walked. */
struct rewrite {
    struct origin_cenc *cenc;
    const struct origin_cenc_options *options;
    struct fb_buf *buf;
    unsigned n_entries;
    unsigned n_moovs;
};

static void put(struct fb_buf *buf, const void *bytes, size_t len)
{
    fb_buf_append(buf, (struct fb_str){bytes, len});
}

/* ---- what the track is ------------------------------------------------------------- */

static int read_sets(struct origin_cenc *cenc, struct fb_str *rest, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (rest->len < 2) {
            return FB_E_MALFORMED;
        }
        size_t len = (size_t)((uint8_t)rest->ptr[0] << 8 | (uint8_t)rest->ptr[1]);
        struct fb_str set = fb_str_first(fb_str_skip(*rest, 2), len);
        int err = set.len == len ? origin_slices_learn(&cenc->slices, set) : FB_E_MALFORMED;
        if (err < 0) {
            return err;
        }
        *rest = fb_str_skip(*rest, 2 + len);
    }
    return FB_OK;
}

/* AVCDecoderConfigurationRecord (ISO/IEC 14496-15, 5.3.3.1). */
static int read_avcc(struct origin_cenc *cenc, struct fb_str body)
{
    if (body.len <= AVCC_SETS_AT) {
        return FB_E_MALFORMED;
    }
    cenc->length_size = ((uint8_t)body.ptr[AVCC_LENGTH_AT] & LENGTH_MASK) + 1U;
    struct fb_str rest = fb_str_skip(body, AVCC_SETS_AT + 1);
    int err = read_sets(cenc, &rest, (uint8_t)body.ptr[AVCC_SETS_AT] & SPS_COUNT_MASK);
    if (err < 0 || rest.len == 0) {
        return err < 0 ? err : FB_E_MALFORMED;
    }
    unsigned n = (uint8_t)rest.ptr[0];
    rest = fb_str_skip(rest, 1);
    return read_sets(cenc, &rest, n);
}

static int read_config(struct origin_cenc *cenc, struct fb_str body)
{
    if (cenc->codec == CENC_AVC) {
        return read_avcc(cenc, body);
    }
    if (cenc->codec == CENC_HEVC) {
        if (body.len <= HVCC_LENGTH_AT) {
            return FB_E_MALFORMED;
        }
        cenc->length_size = ((uint8_t)body.ptr[HVCC_LENGTH_AT] & LENGTH_MASK) + 1U;
    }
    return FB_OK;
}

static int learn_entry(struct origin_cenc *cenc, const struct entry_kind *kind, struct fb_str rest)
{
    bool has_config = kind->config[0] == '\0';

    cenc->codec = kind->codec;
    while (rest.len > 0) {
        struct origin_box box;
        int err = origin_box_next(&rest, &box);
        if (err == FB_OK && !has_config && origin_box_is(&box, kind->config)) {
            has_config = true;
            err = read_config(cenc, box.body);
        }
        if (err < 0) {
            return err;
        }
    }
    return has_config ? FB_OK : FB_E_MALFORMED;
}

/* ---- what is written ----------------------------------------------------------------- */

static void put_tenc(struct fb_buf *buf, const struct origin_cenc *cenc,
                     const struct origin_content_key *key)
{
    bool is_cbcs = cenc->scheme == ORIGIN_SCHEME_CBCS;
    bool has_pattern = is_cbcs && origin_cenc_has_ranges(cenc);
    uint8_t pattern = has_pattern ? CENC_PATTERN_CRYPT << 4 | CENC_PATTERN_SKIP : 0;

    size_t tenc = origin_box_begin_full(buf, "tenc", is_cbcs ? 1 : 0, 0);
    put(buf, (const uint8_t[]){0, pattern, 1, is_cbcs ? 0 : CENC_IV}, 4);
    put(buf, key->id, sizeof(key->id));
    if (is_cbcs) {
        fb_buf_append_byte(buf, FB_AES_BLOCK);
        put(buf, cenc->iv, sizeof(cenc->iv));
    }
    origin_box_end(buf, tenc);
}

static void put_sinf(struct rewrite *rewrite, const char *type)
{
    struct fb_buf *buf = rewrite->buf;
    const struct origin_content_key *key = rewrite->options->key;

    size_t sinf = origin_box_begin(buf, "sinf");
    size_t frma = origin_box_begin(buf, "frma");
    put(buf, type, 4);
    origin_box_end(buf, frma);
    size_t schm = origin_box_begin_full(buf, "schm", 0, 0);
    put(buf, origin_scheme_text(key->scheme), 4);
    origin_box_put_u32(buf, SCHEME_VERSION);
    origin_box_end(buf, schm);
    size_t schi = origin_box_begin(buf, "schi");
    put_tenc(buf, rewrite->cenc, key);
    origin_box_end(buf, schi);
    origin_box_end(buf, sinf);
}

static int rewrite_entry(struct rewrite *rewrite, const struct origin_box *entry)
{
    const struct entry_kind *kind = NULL;

    for (size_t i = 0; i < FB_ARRAY_LEN(entry_kinds); i++) {
        kind = origin_box_is(entry, entry_kinds[i].type) ? &entry_kinds[i] : kind;
    }
    if (kind == NULL) {
        return FB_E_UNSUPPORTED;
    }
    size_t fields = kind->is_video ? VIDEO_ENTRY : AUDIO_ENTRY;
    if (entry->body.len < fields) {
        return FB_E_MALFORMED;
    }
    int err = learn_entry(rewrite->cenc, kind, fb_str_skip(entry->body, fields));
    if (err < 0) {
        return err;
    }
    size_t begin = origin_box_begin(rewrite->buf, kind->is_video ? "encv" : "enca");
    fb_buf_append(rewrite->buf, entry->body);
    put_sinf(rewrite, entry->type);
    origin_box_end(rewrite->buf, begin);
    rewrite->n_entries++;
    return FB_OK;
}

static int rewrite_stsd(struct rewrite *rewrite, const struct origin_box *stsd)
{
    struct fb_str rest = fb_str_skip(stsd->body, STSD_HEAD);
    struct origin_box entry;

    if (stsd->body.len < STSD_HEAD || origin_box_u32(stsd->body, 4) != 1) {
        return FB_E_MALFORMED;
    }
    int err = origin_box_next(&rest, &entry);
    if (err < 0 || rest.len > 0) {
        return FB_E_MALFORMED;
    }
    size_t begin = origin_box_begin(rewrite->buf, "stsd");
    fb_buf_append(rewrite->buf, fb_str_first(stsd->body, STSD_HEAD));
    err = rewrite_entry(rewrite, &entry);
    origin_box_end(rewrite->buf, begin);
    return err;
}

static int learn_trex(struct origin_cenc *cenc, const struct origin_box *trex)
{
    if (trex->whole.len < TREX_BYTES + ENTRY_HEAD) {
        return FB_E_MALFORMED;
    }
    cenc->default_size = origin_box_u32(trex->body, TREX_SIZE_AT);
    return FB_OK;
}

/* The boxes on the way to the sample entry and to trex. */
static bool is_container(const struct origin_box *box)
{
    static const char types[][5] = {"moov", "trak", "mdia", "minf", "stbl", "mvex"};

    for (size_t i = 0; i < FB_ARRAY_LEN(types); i++) {
        if (origin_box_is(box, types[i])) {
            return true;
        }
    }
    return false;
}

/* NOLINTNEXTLINE(misc-no-recursion): as deep as `depth` says */
static int rewrite_boxes(struct rewrite *rewrite, struct fb_str rest, unsigned depth)
{
    if (depth > TRACK_MAX_DEPTH) {
        return FB_E_MALFORMED;
    }
    while (rest.len > 0) {
        struct origin_box box;
        int err = origin_box_next(&rest, &box);
        if (err < 0) {
            return err;
        }
        if (is_container(&box)) {
            bool is_moov = origin_box_is(&box, "moov");
            size_t begin = origin_box_begin(rewrite->buf, box.type);
            err = rewrite_boxes(rewrite, box.body, depth + 1);
            if (is_moov) {
                rewrite->n_moovs++;
                fb_buf_append(rewrite->buf, rewrite->options->pssh);
            }
            origin_box_end(rewrite->buf, begin);
        } else if (origin_box_is(&box, "stsd")) {
            err = rewrite_stsd(rewrite, &box);
        } else {
            err = origin_box_is(&box, "trex") ? learn_trex(rewrite->cenc, &box) : FB_OK;
            fb_buf_append(rewrite->buf, box.whole);
        }
        if (err < 0) {
            return err;
        }
    }
    return FB_OK;
}

/* ---- new and free -------------------------------------------------------------------- */

/* The IV of cbcs, one for each track: drawn from the key, so that it is the same for all source
 * chunks. */
static void derive_iv(struct origin_cenc *cenc)
{
    uint8_t mac[FB_SHA256_SIZE];
    char text[] = "constant iv 0";

    text[sizeof(text) - 2] = (char)cenc->track;
    fb_hmac_sha256((struct fb_str){(const char *)cenc->key, sizeof(cenc->key)},
                   (struct fb_str){text, sizeof(text) - 1}, mac);
    memcpy(cenc->iv, mac, sizeof(cenc->iv));
}

int origin_cenc_new(const struct origin_cenc_options *options, struct fb_str clear,
                    struct fb_buf *init, struct origin_cenc **ret_cenc, struct fb_diag *diag)
{
    size_t before = init->len;

    if (options->track >= ORIGIN_CENC_TRACKS_MAX || clear.len > INIT_MAX) {
        return fb_diag_set(diag, FB_E_LIMIT, "encrypt an init segment: too many tracks or bytes");
    }
    struct origin_cenc *cenc = FB_NEW(struct origin_cenc);
    cenc->scheme = options->key->scheme;
    cenc->track = options->track;
    memcpy(cenc->key, options->key->key, sizeof(cenc->key));
    fb_aes128_init(&cenc->aes, cenc->key);
    derive_iv(cenc);
    struct rewrite rewrite = {.cenc = cenc, .options = options, .buf = init};
    int err = rewrite_boxes(&rewrite, clear, 0);
    if (err == FB_OK && (rewrite.n_entries != 1 || rewrite.n_moovs != 1)) {
        err = FB_E_MALFORMED;
    }
    if (err < 0) {
        fb_buf_truncate(init, before);
        origin_cenc_free(cenc);
        return fb_diag_set(diag, err, "encrypt an init segment: %s", fb_err_text(err));
    }
    *ret_cenc = cenc;
    return FB_OK;
}

void origin_cenc_free(struct origin_cenc *cenc)
{
    if (cenc != NULL) {
        explicit_bzero(cenc, sizeof(*cenc));
        fb_free(cenc);
    }
}

void origin_cenc_pssh(struct fb_buf *buf, const uint8_t id[ORIGIN_CONTENT_KEY_BYTES])
{
    static const uint8_t system[] = {0x10, 0x77, 0xef, 0xec, 0xc0, 0xb2, 0x4d, 0x02,
                                     0xac, 0xe3, 0x3c, 0x1e, 0x52, 0xe2, 0xfb, 0x4b};

    size_t pssh = origin_box_begin_full(buf, "pssh", 1, 0);
    put(buf, system, sizeof(system));
    origin_box_put_u32(buf, 1);
    put(buf, id, ORIGIN_CONTENT_KEY_BYTES);
    origin_box_put_u32(buf, 0); /* no data of the system's own */
    origin_box_end(buf, pssh);
}
