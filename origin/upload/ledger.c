#include "origin/upload/ledger.h"

#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/crypto/base64.h"
#include "origin/objects/objects.h"
#include "origin/upload/ledger_internal.h"

#include <stdio.h>

struct origin_ledger *origin_ledger_new(const struct origin_ledger_options *options)
{
    struct origin_ledger *ledger = FB_NEW(struct origin_ledger);

    ledger->options = *options;
    (void)pthread_mutex_init(&ledger->lock, NULL);
    fb_list_init(&ledger->flows);
    fb_list_init(&ledger->joins);
    return ledger;
}

void origin_ledger_free(struct origin_ledger *ledger)
{
    if (ledger != NULL) {
        (void)pthread_mutex_destroy(&ledger->lock);
        fb_free(ledger);
    }
}

struct fb_str origin_ledger_key(char key[LEDGER_KEY_MAX], const struct origin_id *video,
                                const struct origin_id *upload)
{
    (void)snprintf(key, LEDGER_KEY_MAX, "uploads/%s/%s", video->text, upload->text);
    return fb_str_from(key);
}

int origin_ledger_refused(struct origin_fault *fault, int err)
{
    if (err == FB_E_CONFLICT) {
        return origin_fault_set(fault, ORIGIN_FAULT_CLOSED,
                                "the upload of this video was completed before");
    }
    if (err == FB_E_NOT_FOUND) {
        return origin_fault_set(fault, ORIGIN_FAULT_NO_UPLOAD,
                                "this upload was ended, or its video is gone");
    }
    return origin_fault_of(fault, err);
}

int origin_ledger_video(struct origin_ledger *ledger, struct fb_arena *arena,
                        const struct origin_ledger_place *place,
                        struct origin_upload_video *ret_video, struct origin_fault *fault)
{
    struct origin_upload_video video;

    int err = origin_catalog_upload_video(ledger->options.catalog, arena, &place->video, &video);
    /* Whose a video is, is told to nobody else. */
    if (err == FB_OK && place->owner.text[0] != '\0' &&
        !origin_id_equal(&place->owner, &video.owner)) {
        err = FB_E_NOT_FOUND;
    }
    if (err < 0) {
        return err == FB_E_NOT_FOUND
                   ? origin_fault_set(fault, ORIGIN_FAULT_NO_KEY, "there is no such video")
                   : origin_fault_of(fault, err);
    }
    if (!video.is_waiting) {
        return origin_ledger_refused(fault, FB_E_CONFLICT);
    }
    *ret_video = video;
    return FB_OK;
}

/* ---- what is under way ----------------------------------------------------------- */

/* All puts for one video. */
struct flow {
    struct fb_list link;
    struct origin_id video;
    uint64_t bytes;
    unsigned n;
};

static struct flow *flow_find(struct origin_ledger *ledger, const struct origin_id *video)
{
    FB_LIST_EACH(node, &ledger->flows) {
        struct flow *flow = FB_CONTAINER_OF(node, struct flow, link);
        if (origin_id_equal(&flow->video, video)) {
            return flow;
        }
    }
    return NULL;
}

/* A part that is sent again while the server has not noticed yet that the first is lost must fit
 * beside it; a client that asks for space without end must not get it. */
static int flow_enter(struct origin_ledger *ledger, const struct origin_upload_video *video,
                      uint64_t size, struct origin_fault *fault)
{
    int err = FB_OK;

    (void)pthread_mutex_lock(&ledger->lock);
    struct flow *flow = flow_find(ledger, &video->id);
    if (flow == NULL) {
        flow = FB_NEW(struct flow);
        flow->video = video->id;
        fb_list_init(&flow->link);
        fb_list_append(&ledger->flows, &flow->link);
    }
    if (flow->n > 0 &&
        (flow->n == ORIGIN_PUTS_AT_ONCE || flow->bytes / 2 + size / 2 > video->bytes)) {
        err = FB_E_BUSY;
    } else {
        flow->bytes += size;
        flow->n++;
    }
    (void)pthread_mutex_unlock(&ledger->lock);
    return err < 0 ? origin_fault_set(fault, ORIGIN_FAULT_BUSY,
                                      "too much of this file is sent at once; wait for the rest")
                   : FB_OK;
}

static void flow_leave(struct origin_ledger *ledger, const struct origin_id *video, uint64_t size)
{
    (void)pthread_mutex_lock(&ledger->lock);
    struct flow *flow = flow_find(ledger, video);
    FB_REQUIRE(flow != NULL);
    flow->bytes -= size;
    if (--flow->n == 0) {
        fb_list_remove(&flow->link);
        fb_free(flow);
    }
    (void)pthread_mutex_unlock(&ledger->lock);
}

/* ---- puts ---------------------------------------------------------------------------- */

struct origin_ledger_put {
    struct origin_ledger *ledger;
    struct origin_put *put; /* owned; NULL: there is none (any more) */
    struct origin_id video;
    struct origin_id upload;
    uint64_t size;
    uint32_t number; /* of a part */
    bool is_part;    /* else a whole file, whose upload is this put's own */
};

/* What stands before ';' of a Content-Type. */
static struct fb_str essence(struct fb_str type)
{
    return fb_str_trim(fb_str_first(type, fb_str_find(type, ';')));
}

int origin_ledger_check_type(const struct origin_ledger_ask *ask,
                             const struct origin_upload_video *video, struct origin_fault *fault)
{
    struct fb_str type = essence(ask->type);

    /* Tools that do not know say so. */
    if (video->type.len == 0 || type.len == 0 ||
        fb_str_equal_nocase(type, FB_STR("application/octet-stream")) ||
        fb_str_equal_nocase(type, FB_STR("binary/octet-stream")) ||
        fb_str_equal_nocase(type, essence(video->type))) {
        return FB_OK;
    }
    return origin_fault_set(fault, ORIGIN_FAULT_ARGUMENT,
                            "the file was declared to be %.*s, not %.*s", FB_STR_ARG(video->type),
                            (int)FB_MIN(type.len, (size_t)100), type.ptr);
}

static int check_size(const struct origin_ledger_ask *ask, const struct origin_upload_video *video,
                      struct origin_fault *fault)
{
    bool is_small = ask->upload == NULL && ask->size < video->bytes;

    if (ask->size <= video->bytes && !is_small) {
        return FB_OK;
    }
    return origin_fault_set(fault, is_small ? ORIGIN_FAULT_TOO_SMALL : ORIGIN_FAULT_TOO_LARGE,
                            "the file was declared to have %llu bytes, and %llu come",
                            (unsigned long long)video->bytes, (unsigned long long)ask->size);
}

static int begin_whole(struct origin_ledger_put *put, const struct origin_ledger_ask *ask,
                       struct origin_fault *fault)
{
    const struct origin_ledger_options *options = &put->ledger->options;
    struct origin_upload_row row = {
        .id = put->upload, .video = put->video, .name = ask->place.name, .meta = ask->meta};
    char key[LEDGER_KEY_MAX];

    int err = origin_catalog_upload_add(options->catalog, &row);
    if (err < 0) {
        return origin_ledger_refused(fault, err);
    }
    err = origin_put_begin(options->objects, origin_ledger_key(key, &put->video, &put->upload),
                           put->size, &put->put);
    return err < 0 ? origin_fault_of(fault, err) : FB_OK;
}

static int check_fits(const struct origin_ledger_put *put, struct origin_fault *fault)
{
    struct origin_upload_part part = {.number = put->number, .bytes = put->size};

    int err = origin_catalog_upload_part_fits(put->ledger->options.catalog, &put->upload, &part);
    if (err == FB_E_LIMIT) {
        return origin_fault_set(fault, ORIGIN_FAULT_TOO_LARGE,
                                "with this part they all are larger than the file was declared");
    }
    return err < 0 ? origin_ledger_refused(fault, err) : FB_OK;
}

static int begin_part(struct origin_ledger_put *put, const struct origin_ledger_ask *ask,
                      struct origin_fault *fault)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {.n_bytes = 0};
    const struct origin_ledger_options *options = &put->ledger->options;
    struct origin_upload_row row;
    char key[LEDGER_KEY_MAX];

    put->upload = *ask->upload;
    put->number = ask->number;
    if (ask->number < 1 || ask->number > ORIGIN_PART_MAX) {
        return origin_fault_set(fault, ORIGIN_FAULT_ARGUMENT, "parts have numbers from 1 to %d",
                                ORIGIN_PART_MAX);
    }
    int err = origin_ledger_find(put->ledger, &arena, &ask->place, ask->upload, &row, fault);
    if (err < 0 || (err = check_fits(put, fault)) < 0) {
        return err;
    }
    err = row.store_id.len == 0
              ? FB_E_NOT_FOUND
              : origin_multipart_part(options->objects,
                                      origin_ledger_key(key, &put->video, &put->upload),
                                      row.store_id, put->number, put->size, &put->put);
    return err < 0 ? origin_ledger_refused(fault, err) : FB_OK;
}

int origin_ledger_put_begin(struct origin_ledger *ledger, const struct origin_ledger_ask *ask,
                            struct origin_ledger_put **ret_put, struct origin_fault *fault)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {.n_bytes = 0};
    struct origin_upload_video video = {.bytes = 0};

    int err = origin_ledger_video(ledger, &arena, &ask->place, &video, fault);
    if (err < 0 || (err = origin_ledger_check_type(ask, &video, fault)) < 0 ||
        (err = check_size(ask, &video, fault)) < 0 ||
        (err = flow_enter(ledger, &video, ask->size, fault)) < 0) {
        return err;
    }
    struct origin_ledger_put *put = FB_NEW(struct origin_ledger_put);
    *put = (struct origin_ledger_put){
        .ledger = ledger,
        .video = video.id,
        .upload = origin_id_new(),
        .size = ask->size,
        .is_part = ask->upload != NULL,
    };
    err = put->is_part ? begin_part(put, ask, fault) : begin_whole(put, ask, fault);
    if (err < 0) {
        origin_ledger_put_abort(put);
        return err;
    }
    *ret_put = put;
    return FB_OK;
}

int origin_ledger_put_write(struct origin_ledger_put *put, const struct fb_str *pieces,
                            size_t n_pieces, struct origin_fault *fault)
{
    int err = origin_put_write(put->put, pieces, n_pieces);

    return err == FB_E_NOT_FOUND ? origin_ledger_refused(fault, err)
           : err < 0             ? origin_fault_of(fault, err)
                                 : FB_OK;
}

void origin_ledger_put_abort(struct origin_ledger_put *put)
{
    if (put == NULL) {
        return;
    }
    origin_put_abort(put->put);
    if (!put->is_part &&
        origin_catalog_upload_end(put->ledger->options.catalog, &put->upload, false) == FB_OK) {
        origin_ledger_clean(put->ledger,
                            &(struct origin_upload_row){.id = put->upload, .video = put->video});
    }
    flow_leave(put->ledger, &put->video, put->size);
    fb_free(put);
}

static void sum_append(struct fb_buf *buf, const struct origin_sum *sum)
{
    if (sum->kind != ORIGIN_SUM_NONE) {
        fb_buf_printf(buf, "%s ", origin_sum_name(sum->kind));
        fb_base64_encode(buf, FB_BASE64_STD, origin_sum_str(sum));
    }
}

static int commit_whole(struct origin_ledger_put *put, struct fb_str etag, struct fb_str sum,
                        struct origin_fault *fault)
{
    const struct origin_ledger_options *options = &put->ledger->options;
    struct origin_put *store = put->put;
    struct origin_id old;

    put->put = NULL; /* commit frees it, whatever comes of it */
    int err = origin_put_commit(store);
    if (err < 0) {
        return origin_fault_of(fault, err);
    }
    err = origin_catalog_upload_done(
        options->catalog,
        &(struct origin_upload_end){
            .id = put->upload, .etag = etag, .sum = sum, .bytes = put->size},
        &old);
    if (err < 0) {
        char key[LEDGER_KEY_MAX];
        /* It may have lost its row with its video; what is left by a failure here has none. */
        FB_IGNORE(origin_objects_remove(options->objects,
                                        origin_ledger_key(key, &put->video, &put->upload)));
        return origin_ledger_refused(fault, err);
    }
    if (old.text[0] != '\0') {
        origin_ledger_clean(put->ledger,
                            &(struct origin_upload_row){.id = old, .video = put->video});
    }
    return FB_OK;
}

static int commit_part(struct origin_ledger_put *put, struct fb_str etag, struct fb_str sum,
                       struct origin_fault *fault)
{
    const struct origin_ledger_options *options = &put->ledger->options;
    struct origin_part stored;

    int err = check_fits(put, fault); /* others have come meanwhile */
    if (err < 0) {
        return err;
    }
    struct origin_put *store = put->put;
    put->put = NULL; /* as above */
    err = origin_put_commit_part(store, etag, &stored);
    if (err < 0) {
        return err == FB_E_NOT_FOUND ? origin_ledger_refused(fault, err)
                                     : origin_fault_of(fault, err);
    }
    err = origin_catalog_upload_part_put(
        options->catalog, &put->upload,
        &(struct origin_upload_part){
            .number = put->number, .bytes = put->size, .etag = etag, .sum = sum});
    return err < 0 ? origin_ledger_refused(fault, err) : FB_OK;
}

int origin_ledger_put_commit(struct origin_ledger_put *put, const uint8_t md5[FB_MD5_SIZE],
                             const struct origin_sum *sum, struct origin_fault *fault)
{
    FB_AUTO(fb_buf_done) struct fb_buf etag = {0};
    FB_AUTO(fb_buf_done) struct fb_buf sum_text = {0};

    fb_text_hex(&etag, (struct fb_str){(const char *)md5, FB_MD5_SIZE});
    sum_append(&sum_text, sum);
    int err = put->is_part ? commit_part(put, fb_buf_str(&etag), fb_buf_str(&sum_text), fault)
                           : commit_whole(put, fb_buf_str(&etag), fb_buf_str(&sum_text), fault);
    origin_ledger_put_abort(put); /* of what is done nothing is left to abort */
    return err;
}
