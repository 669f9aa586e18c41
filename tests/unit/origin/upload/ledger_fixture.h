/*
 * A ledger over a catalog and a folder of objects, for the tests in this folder.
 */
#pragma once

#include "../catalog/catalog_fixture.h"
#include "base/crypto/hash.h"
#include "origin/objects/objects.h"
#include "origin/upload/ledger.h"

#define LEDGER_DAY_MS (UINT64_C(24) * 3600 * 1000)

enum { LEDGER_BYTES = 1000 }; /* of a file, as the catalog's fixture declares it */

struct desk {
    struct fixture *f; /* the catalog's */
    struct origin_objects *objects;
    struct origin_ledger *ledger;
    struct origin_fault fault; /* of what was asked last */
};

static inline void desk_open(struct desk *desk)
{
    desk->ledger =
        origin_ledger_new(&(struct origin_ledger_options){.objects = desk->objects,
                                                          .catalog = desk->f->catalog,
                                                          .clock = &desk->f->clock.clock,
                                                          .unfinished_ms = LEDGER_DAY_MS});
}

static inline int desk_set_up(void **state)
{
    struct desk *desk = FB_NEW(struct desk);
    char url[TEST_PATH_MAX + 32];
    void *fixture = NULL;

    (void)set_up(&fixture);
    desk->f = fixture;
    (void)snprintf(url, sizeof(url), "file:%s/objects", desk->f->folder.path);
    must(origin_objects_open(
        &(struct origin_objects_options){.url = fb_str_from(url), .clock = &desk->f->clock.clock},
        &desk->objects, NULL));
    desk_open(desk);
    *state = desk;
    return 0;
}

static inline int desk_tear_down(void **state)
{
    struct desk *desk = *state;
    void *fixture = desk->f;

    origin_ledger_free(desk->ledger);
    origin_objects_close(desk->objects);
    (void)tear_down(&fixture);
    fb_free(desk);
    return 0;
}

static inline struct origin_ledger_place place_of(const struct origin_id *video)
{
    return (struct origin_ledger_place){.video = *video, .name = FB_STR("clip.mp4")};
}

/* `size` bytes of one value: the whole file, or the part `number` of `upload`. */
static inline int desk_put(struct desk *desk, const struct origin_id *video,
                           const struct origin_id *upload, uint32_t number, size_t size, char value)
{
    const struct origin_sum sum = {.kind = ORIGIN_SUM_NONE};
    FB_AUTO(fb_freep) char *bytes = fb_alloc(size);
    struct origin_ledger_put *put = NULL;
    struct fb_md5 md5;
    uint8_t digest[FB_MD5_SIZE];

    memset(bytes, value, size);
    struct fb_str piece = {bytes, size};
    fb_md5_init(&md5);
    fb_md5_update(&md5, piece);
    fb_md5_finish(&md5, digest);
    int err = origin_ledger_put_begin(
        desk->ledger,
        &(struct origin_ledger_ask){
            .place = place_of(video), .size = size, .upload = upload, .number = number},
        &put, &desk->fault);
    if (err < 0) {
        return err;
    }
    err = origin_ledger_put_write(put, &piece, 1, &desk->fault);
    if (err < 0) {
        origin_ledger_put_abort(put);
        return err;
    }
    return origin_ledger_put_commit(put, digest, &sum, &desk->fault);
}

static inline int desk_begin(struct desk *desk, const struct origin_id *video,
                             struct origin_id *ret_upload)
{
    return origin_ledger_begin(desk->ledger, &(struct origin_ledger_ask){.place = place_of(video)},
                               ORIGIN_SUM_NONE, ret_upload, &desk->fault);
}

/* Of all parts that are there. */
static inline int desk_complete(struct desk *desk, const struct origin_id *video,
                                const struct origin_id *upload)
{
    struct origin_ledger_place place = place_of(video);
    struct origin_upload_row row;

    return origin_ledger_complete(
        desk->ledger, &desk->f->arena,
        &(struct origin_ledger_completion){.place = &place, .upload = upload}, &row, &desk->fault);
}

/* How many objects there are of uploads, whoever knows of them. */
static inline size_t desk_objects(struct desk *desk)
{
    struct origin_listed items[16];
    size_t n = 0;

    must(origin_objects_list(desk->objects, FB_STR("uploads"), FB_STR(""), items,
                             FB_ARRAY_LEN(items), &n));
    return n;
}

/* And of multiparts that are begun. */
static inline size_t desk_multiparts(struct desk *desk)
{
    FB_AUTO(fb_freep) struct origin_multipart *items = fb_alloc_array(16, sizeof(*items));
    size_t n = 0;

    must(origin_multipart_list(desk->objects, INT64_MAX, items, 16, &n));
    return n;
}

/* The claimed file is `size` bytes of one value. */
static inline void check_claimed(struct desk *desk, const struct origin_id *video, size_t size,
                                 char value)
{
    FB_AUTO(fb_buf_done) struct fb_buf key = {0};
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};

    must(origin_ledger_claim(desk->ledger, video, &key, &desk->fault));
    must(origin_objects_get_bytes(desk->objects, fb_buf_str(&key), size, &bytes));
    assert_int_equal(fb_buf_str(&bytes).len, size);
    for (size_t i = 0; i < size; i++) {
        assert_int_equal(fb_buf_str(&bytes).ptr[i], value);
    }
}
