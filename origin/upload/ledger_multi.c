/*
 * Multiparts of the ledger.
 */
#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/crypto/base64.h"
#include "origin/objects/objects.h"
#include "origin/upload/ledger_internal.h"

#include <string.h>

int origin_ledger_find(struct origin_ledger *ledger, struct fb_arena *arena,
                       const struct origin_ledger_place *place, const struct origin_id *upload,
                       struct origin_upload_row *ret_row, struct origin_fault *fault)
{
    struct origin_upload_row row;

    int err = origin_catalog_upload_get(ledger->options.catalog, arena, upload, &row);
    if (err < 0 && err != FB_E_NOT_FOUND) {
        return origin_fault_of(fault, err);
    }
    if (err < 0 || !row.is_multipart || row.state == ORIGIN_UPLOAD_OLD ||
        !origin_id_equal(&row.video, &place->video) ||
        (place->name.len > 0 && !fb_str_equal(place->name, row.name))) {
        return origin_fault_set(fault, ORIGIN_FAULT_NO_UPLOAD,
                                "there is no such upload; it may have been ended");
    }
    *ret_row = row;
    return FB_OK;
}

/* ---- begin ---------------------------------------------------------------------------- */

/* Of those that are open only the newest are of use: clients that lose one begin another. */
static int end_oldest(struct origin_ledger *ledger, struct fb_arena *arena,
                      const struct origin_id *video)
{
    struct origin_upload_row *rows = NULL;
    size_t n = 0;

    int err = origin_catalog_upload_list(
        ledger->options.catalog, arena,
        &(struct origin_upload_query){
            .video = video, .is_open = true, .limit = ORIGIN_OPEN_AT_ONCE + 1},
        &rows, &n);
    if (err < 0 || n < ORIGIN_OPEN_AT_ONCE) {
        return err;
    }
    struct origin_upload_row *oldest = rows;
    for (size_t i = 1; i < n; i++) {
        oldest = rows[i].touched_ms < oldest->touched_ms ? &rows[i] : oldest;
    }
    err = origin_catalog_upload_end(ledger->options.catalog, &oldest->id, false);
    if (err == FB_OK) {
        origin_ledger_clean(ledger, oldest);
    }
    return err == FB_E_NOT_FOUND ? FB_OK : err;
}

static int store_begin(struct origin_ledger *ledger, const struct origin_upload_row *row)
{
    char key[LEDGER_KEY_MAX];
    char store_id[ORIGIN_MULTIPART_ID_MAX + 1] = "";
    const struct origin_ledger_options *options = &ledger->options;
    struct fb_str object = origin_ledger_key(key, &row->video, &row->id);

    int err = origin_multipart_begin(options->objects, object, store_id);
    if (err < 0) {
        return err;
    }
    err = origin_catalog_upload_began(options->catalog, &row->id, fb_str_from(store_id));
    if (err < 0) {
        /* What a failure leaves here has no row that knows it, and is swept. */
        FB_IGNORE(origin_multipart_abort(options->objects, object, fb_str_from(store_id)));
    }
    return err;
}

int origin_ledger_begin(struct origin_ledger *ledger, const struct origin_ledger_ask *ask,
                        enum origin_sum_kind sum_kind, struct origin_id *ret_upload,
                        struct origin_fault *fault)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {.n_bytes = 0};
    struct origin_upload_video video;
    struct origin_upload_row row = {.id = origin_id_new(),
                                    .video = ask->place.video,
                                    .name = ask->place.name,
                                    .is_multipart = true,
                                    .sum = fb_str_from(origin_sum_name(sum_kind)),
                                    .meta = ask->meta};

    int err = origin_ledger_video(ledger, &arena, &ask->place, &video, fault);
    if (err < 0 || (err = origin_ledger_check_type(ask, &video, fault)) < 0) {
        return err;
    }
    if ((err = end_oldest(ledger, &arena, &video.id)) < 0 ||
        (err = origin_catalog_upload_add(ledger->options.catalog, &row)) < 0) {
        return origin_ledger_refused(fault, err);
    }
    err = store_begin(ledger, &row);
    if (err < 0) {
        if (origin_catalog_upload_end(ledger->options.catalog, &row.id, false) == FB_OK) {
            origin_ledger_clean(ledger, &row);
        }
        return origin_ledger_refused(fault, err);
    }
    *ret_upload = row.id;
    return FB_OK;
}

int origin_ledger_abort(struct origin_ledger *ledger, const struct origin_ledger_place *place,
                        const struct origin_id *upload, struct origin_fault *fault)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {.n_bytes = 0};
    struct origin_upload_row row;

    int err = origin_ledger_find(ledger, &arena, place, upload, &row, fault);
    if (err < 0) {
        return err;
    }
    err = origin_catalog_upload_end(ledger->options.catalog, upload, false);
    if (err < 0) {
        return origin_ledger_refused(fault, err);
    }
    origin_ledger_clean(ledger, &row);
    return FB_OK;
}

/* ---- complete --------------------------------------------------------------------------- */

/* What will be the file's, made of its parts'. */
struct whole {
    uint64_t bytes;
    struct fb_md5 md5;
    struct fb_sha256 sha256;
    uint32_t crc;
    enum origin_sum_kind kind; /* of all parts; NONE: they have none to be made one of */
    struct origin_part_name names[ORIGIN_PART_MAX];
    size_t n;
};

static int part_fault(struct origin_fault *fault, uint32_t number)
{
    return origin_fault_set(fault, ORIGIN_FAULT_PART,
                            "part %u is not there, or has another ETag or checksum", number);
}

/* "CRC32C <base64>" as its base64, if it is of that kind. */
static struct fb_str sum_of(struct fb_str text, enum origin_sum_kind kind)
{
    size_t space = fb_str_find(text, ' ');

    return kind != ORIGIN_SUM_NONE &&
                   fb_str_equal(fb_str_first(text, space), fb_str_from(origin_sum_name(kind)))
               ? fb_str_skip(text, space + 1)
               : FB_STR_NONE;
}

/* One more part: the ETag is the hash of all parts' hashes, as the checksum is. */
static int whole_add(struct whole *whole, const struct origin_upload_part *part)
{
    FB_AUTO(fb_buf_done) struct fb_buf digest = {0};
    uint8_t md5[FB_MD5_SIZE];

    if (fb_text_unhex(part->etag, md5, sizeof(md5)) < 0) {
        return FB_E_CORRUPT;
    }
    fb_md5_update(&whole->md5, (struct fb_str){(const char *)md5, sizeof(md5)});
    if (whole->kind != ORIGIN_SUM_NONE) {
        struct fb_str sum = sum_of(part->sum, whole->kind);
        if (sum.ptr == NULL || fb_base64_decode(&digest, FB_BASE64_STD, sum) < 0) {
            return FB_E_NOT_FOUND;
        }
        fb_sha256_update(&whole->sha256, fb_buf_str(&digest));
        whole->crc = whole->kind == ORIGIN_SUM_CRC32C ? fb_crc32c(whole->crc, fb_buf_str(&digest))
                                                      : fb_crc32(whole->crc, fb_buf_str(&digest));
    }
    whole->bytes += part->bytes;
    whole->names[whole->n++] =
        (struct origin_part_name){.number = part->number, .etag = part->etag};
    return FB_OK;
}

/* Whether the part that is there is the one that its completer names. */
static bool is_wanted(const struct origin_upload_part *have, const struct origin_ledger_part *want)
{
    struct fb_str sum = fb_str_skip(have->sum, fb_str_find(have->sum, ' ') + 1);

    if (want->etag.ptr != NULL && !fb_str_equal_nocase(want->etag, have->etag)) {
        return false;
    }
    return want->sum.ptr == NULL || sum.len == 0 || fb_str_equal(want->sum, sum);
}

/* The parts that were asked for among those that are there; both ascend. */
static int whole_choose(struct whole *whole, const struct origin_upload_part *have, size_t n_have,
                        const struct origin_ledger_part *want, size_t n_want,
                        struct origin_fault *fault)
{
    size_t at = 0;

    for (size_t i = 0; i < n_want; i++) {
        if (i > 0 && want[i].number <= want[i - 1].number) {
            return origin_fault_set(fault, ORIGIN_FAULT_PART_ORDER, "the parts must ascend");
        }
        while (at < n_have && have[at].number < want[i].number) {
            at++;
        }
        if (at == n_have || have[at].number != want[i].number || !is_wanted(&have[at], &want[i])) {
            return part_fault(fault, want[i].number);
        }
        if (i + 1 < n_want && have[at].bytes < ORIGIN_PART_LEAST) {
            return origin_fault_set(fault, ORIGIN_FAULT_TOO_SMALL,
                                    "part %u has less than %d bytes and is not the last",
                                    want[i].number, ORIGIN_PART_LEAST);
        }
        int err = whole_add(whole, &have[at]);
        if (err < 0) {
            return err == FB_E_NOT_FOUND ? part_fault(fault, want[i].number)
                                         : origin_fault_of(fault, err);
        }
    }
    return FB_OK;
}

/* The kind of checksum that was announced; NONE if none was. */
static enum origin_sum_kind announced(const struct origin_upload_row *row)
{
    enum origin_sum_kind kind = ORIGIN_SUM_NONE;

    if (origin_sum_kind_of(fb_str_first(row->sum, fb_str_find(row->sum, ' ')), &kind) < 0) {
        return ORIGIN_SUM_NONE;
    }
    return kind;
}

/* All that are there, as if they had been asked for. */
static const struct origin_ledger_part *want_all(struct fb_arena *arena,
                                                 const struct origin_upload_part *have, size_t n)
{
    struct origin_ledger_part *want = fb_arena_alloc(arena, n * sizeof(*want));

    for (size_t i = 0; i < n; i++) {
        want[i].number = have[i].number;
    }
    return want;
}

static int whole_read(struct origin_ledger *ledger, struct fb_arena *arena,
                      const struct origin_upload_row *row,
                      const struct origin_ledger_completion *completion, struct whole *whole,
                      struct origin_fault *fault)
{
    const struct origin_ledger_part *want = completion->parts;
    struct origin_upload_part *have = NULL;
    size_t n_want = completion->n;
    size_t n_have = 0;

    int err = origin_catalog_upload_parts(
        ledger->options.catalog, arena,
        &(struct origin_upload_part_query){.upload = &row->id, .limit = ORIGIN_PART_MAX}, &have,
        &n_have);
    if (err < 0) {
        return origin_fault_of(fault, err);
    }
    if (want == NULL) {
        want = want_all(arena, have, n_have);
        n_want = n_have;
    }
    if (n_want == 0 || n_want > ORIGIN_PART_MAX) {
        return origin_fault_set(fault, ORIGIN_FAULT_PART, "no part of the file is there");
    }
    whole->kind = announced(row);
    fb_md5_init(&whole->md5);
    fb_sha256_init(&whole->sha256);
    return whole_choose(whole, have, n_have, want, n_want, fault);
}

/* The texts of the ETag and the checksum; both end with the number of parts. */
static void whole_end(struct whole *whole, struct fb_arena *arena, struct origin_upload_end *end)
{
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    uint8_t digest[FB_SHA256_SIZE];

    end->bytes = whole->bytes;
    fb_md5_finish(&whole->md5, digest);
    fb_text_hex(&text, (struct fb_str){(const char *)digest, FB_MD5_SIZE});
    fb_buf_printf(&text, "-%zu", whole->n);
    end->etag = fb_arena_dup(arena, fb_buf_str(&text));
    fb_buf_clear(&text);
    struct origin_sum sum = {.kind = whole->kind};
    if (whole->kind == ORIGIN_SUM_SHA256) {
        fb_sha256_finish(&whole->sha256, sum.bytes);
    } else {
        for (unsigned i = 0; i < 4; i++) {
            sum.bytes[i] = (uint8_t)(whole->crc >> (24 - 8 * i));
        }
    }
    if (whole->kind != ORIGIN_SUM_NONE) {
        fb_buf_printf(&text, "%s ", origin_sum_name(whole->kind));
        fb_base64_encode(&text, FB_BASE64_STD, origin_sum_str(&sum));
        fb_buf_printf(&text, "-%zu", whole->n);
    }
    end->sum = fb_arena_dup(arena, fb_buf_str(&text));
}

/* Has the store join the parts. Whoever comes again after that happened finds no multipart there,
 * but the object, which no other upload has. */
static int store_complete(struct origin_ledger *ledger, const struct origin_upload_row *row,
                          const struct whole *whole, struct origin_fault *fault)
{
    struct origin_object object = {.fd = -1};
    char key[LEDGER_KEY_MAX];
    struct fb_str name = origin_ledger_key(key, &row->video, &row->id);
    struct origin_objects *objects = ledger->options.objects;

    int err = origin_multipart_complete(objects, name, row->store_id, whole->names, whole->n);
    if (err == FB_E_NOT_FOUND) {
        err = origin_objects_stat(objects, name, &object);
        if (err == FB_OK && object.size != whole->bytes) {
            err = FB_E_NOT_FOUND;
        }
    }
    if (err == FB_E_CONFLICT) {
        return origin_fault_set(fault, ORIGIN_FAULT_PART,
                                "a part was replaced by another meanwhile; send it again");
    }
    return err == FB_E_NOT_FOUND ? origin_ledger_refused(fault, err)
           : err < 0             ? origin_fault_of(fault, err)
                                 : FB_OK;
}

static int complete_open(struct origin_ledger *ledger, struct fb_arena *arena,
                         struct origin_upload_row *row, struct whole *whole, uint64_t declared,
                         struct origin_fault *fault)
{
    struct origin_upload_end end = {.id = row->id};
    struct origin_id old;

    if (whole->bytes != declared) {
        return origin_fault_set(
            fault, whole->bytes < declared ? ORIGIN_FAULT_TOO_SMALL : ORIGIN_FAULT_TOO_LARGE,
            "the file was declared to have %llu bytes, and its parts have %llu",
            (unsigned long long)declared, (unsigned long long)whole->bytes);
    }
    int err = store_complete(ledger, row, whole, fault);
    if (err < 0) {
        return err;
    }
    whole_end(whole, arena, &end);
    err = origin_catalog_upload_done(ledger->options.catalog, &end, &old);
    if (err < 0) {
        char key[LEDGER_KEY_MAX];
        if (err == FB_E_NOT_FOUND || err == FB_E_CONFLICT) {
            /* Nobody wants it any more; what a failure leaves is swept. */
            FB_IGNORE(origin_objects_remove(ledger->options.objects,
                                            origin_ledger_key(key, &row->video, &row->id)));
        }
        return origin_ledger_refused(fault, err);
    }
    if (old.text[0] != '\0') {
        origin_ledger_clean(ledger, &(struct origin_upload_row){.id = old, .video = row->video});
    }
    row->etag = end.etag;
    row->sum = end.sum;
    row->bytes = end.bytes;
    row->state = ORIGIN_UPLOAD_DONE;
    return FB_OK;
}

/* One at a time completes an upload: joining may take long, and clients that have waited long
 * enough ask again. */
static bool join_enter(struct origin_ledger *ledger, struct ledger_join *join)
{
    bool is_first = true;

    fb_list_init(&join->link);
    (void)pthread_mutex_lock(&ledger->lock);
    FB_LIST_EACH(node, &ledger->joins) {
        struct ledger_join *other = FB_CONTAINER_OF(node, struct ledger_join, link);
        is_first = is_first && !origin_id_equal(&other->upload, &join->upload);
    }
    if (is_first) {
        fb_list_append(&ledger->joins, &join->link);
    }
    (void)pthread_mutex_unlock(&ledger->lock);
    return is_first;
}

static void join_leave(struct origin_ledger *ledger, struct ledger_join *join)
{
    (void)pthread_mutex_lock(&ledger->lock);
    fb_list_remove(&join->link);
    (void)pthread_mutex_unlock(&ledger->lock);
}

static int complete(struct origin_ledger *ledger, struct fb_arena *arena,
                    struct origin_upload_row *row,
                    const struct origin_ledger_completion *completion, struct origin_fault *fault)
{
    FB_AUTO(fb_freep) struct whole *whole = FB_NEW(struct whole);
    struct origin_upload_video video;

    int err = origin_ledger_video(ledger, arena, &(struct origin_ledger_place){.video = row->video},
                                  &video, fault);
    if (err < 0 || (err = whole_read(ledger, arena, row, completion, whole, fault)) < 0) {
        return err;
    }
    return complete_open(ledger, arena, row, whole, video.bytes, fault);
}

int origin_ledger_complete(struct origin_ledger *ledger, struct fb_arena *arena,
                           const struct origin_ledger_completion *completion,
                           struct origin_upload_row *ret_row, struct origin_fault *fault)
{
    struct ledger_join join = {.upload = *completion->upload};
    struct origin_upload_row row = {.state = ORIGIN_UPLOAD_OLD};

    if (!join_enter(ledger, &join)) {
        return origin_fault_set(fault, ORIGIN_FAULT_BUSY,
                                "this upload is being completed; ask again in a moment");
    }
    int err = origin_ledger_find(ledger, arena, completion->place, completion->upload, &row, fault);
    if (err == FB_OK && row.state == ORIGIN_UPLOAD_OPEN) {
        err = complete(ledger, arena, &row, completion, fault);
        if (err < 0 && fault->kind == ORIGIN_FAULT_PART) {
            /* Parts go with an upload that is aborted meanwhile, which is what to say then. */
            int gone = origin_ledger_find(ledger, arena, completion->place, completion->upload,
                                          &row, fault);
            err = gone < 0 ? gone : err;
        }
    }
    join_leave(ledger, &join);
    if (err == FB_OK) {
        *ret_row = row;
    }
    return err;
}
