/*
 * What is whole, and what nobody ends.
 */
#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/log/log.h"
#include "origin/objects/objects.h"
#include "origin/upload/ledger_internal.h"

#include <stdio.h>
#include <string.h>

enum { SWEEP_PAGE = 256, ORPHAN_MS = 3600 * 1000 };

int origin_ledger_whole(struct origin_ledger *ledger, struct fb_arena *arena,
                        const struct origin_ledger_place *place, struct origin_upload_row *ret_row,
                        struct origin_fault *fault)
{
    struct origin_catalog *catalog = ledger->options.catalog;
    struct origin_upload_video video;
    struct origin_upload_row row = {.bytes = 0};

    int err = origin_catalog_upload_video(catalog, arena, &place->video, &video);
    if (err == FB_OK && place->owner.text[0] != '\0' &&
        !origin_id_equal(&place->owner, &video.owner)) {
        err = FB_E_NOT_FOUND;
    }
    if (err == FB_OK) {
        err = origin_catalog_upload_whole(catalog, arena, &place->video, &row);
    }
    if (err == FB_OK && place->name.len > 0 && !fb_str_equal(place->name, row.name)) {
        err = FB_E_NOT_FOUND;
    }
    if (err < 0) {
        return err == FB_E_NOT_FOUND
                   ? origin_fault_set(fault, ORIGIN_FAULT_NO_KEY, "there is no such file")
                   : origin_fault_of(fault, err);
    }
    *ret_row = row;
    return FB_OK;
}

int origin_ledger_remove(struct origin_ledger *ledger, const struct origin_ledger_place *place,
                         struct origin_fault *fault)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {.n_bytes = 0};
    struct origin_upload_row row = {.bytes = 0};

    int err = origin_ledger_whole(ledger, &arena, place, &row, fault);
    if (err < 0) {
        return fault->kind == ORIGIN_FAULT_NO_KEY ? FB_OK : err;
    }
    err = origin_catalog_upload_end(ledger->options.catalog, &row.id, true);
    if (err == FB_E_NOT_FOUND) {
        return origin_ledger_refused(fault, FB_E_CONFLICT);
    }
    if (err < 0) {
        return origin_fault_of(fault, err);
    }
    origin_ledger_clean(ledger, &row);
    return FB_OK;
}

int origin_ledger_claim(struct origin_ledger *ledger, const struct origin_id *video,
                        struct fb_buf *ret_key, struct origin_fault *fault)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {.n_bytes = 0};
    struct origin_upload_row row;
    char key[LEDGER_KEY_MAX];

    int err = origin_catalog_upload_claim(ledger->options.catalog, &arena, video, &row);
    if (err == FB_E_NOT_FOUND) {
        return origin_fault_set(fault, ORIGIN_FAULT_PART,
                                "the file has not been uploaded, or not to its end");
    }
    if (err < 0) {
        return origin_fault_of(fault, err);
    }
    fb_buf_append(ret_key, origin_ledger_key(key, &row.video, &row.id));
    return FB_OK;
}

/* ---- the end of uploads ---------------------------------------------------------------- */

static int store_forget(struct origin_ledger *ledger, const struct origin_upload_row *row)
{
    struct origin_objects *objects = ledger->options.objects;
    char key[LEDGER_KEY_MAX];
    struct fb_str name = origin_ledger_key(key, &row->video, &row->id);
    int err = FB_OK;

    if (row->store_id.len > 0) {
        err = origin_multipart_abort(objects, name, row->store_id);
    }
    return err < 0 ? err : origin_objects_remove(objects, name);
}

void origin_ledger_clean(struct origin_ledger *ledger, const struct origin_upload_row *row)
{
    int err = store_forget(ledger, row);

    if (err == FB_OK) {
        err = origin_catalog_upload_remove(ledger->options.catalog, &row->id);
    }
    if (err < 0) {
        FB_LOG(DEBUG, "upload", "could not take away an old upload, the sweep will",
               FB_LOG_TEXT("video", row->video.text), FB_LOG_TEXT("cause", fb_err_text(err)));
    }
}

int origin_ledger_end_open(struct origin_ledger *ledger, const struct origin_id *video)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {.n_bytes = 0};
    struct origin_upload_row *rows = NULL;
    size_t n = 0;

    int err = origin_catalog_upload_list(
        ledger->options.catalog, &arena,
        &(struct origin_upload_query){.video = video, .is_open = true, .limit = SWEEP_PAGE}, &rows,
        &n);
    for (size_t i = 0; err == FB_OK && i < n; i++) {
        err = origin_catalog_upload_end(ledger->options.catalog, &rows[i].id, false);
        if (err == FB_OK) {
            origin_ledger_clean(ledger, &rows[i]);
        }
        err = err == FB_E_NOT_FOUND ? FB_OK : err;
    }
    return err;
}

/* ---- the sweep -------------------------------------------------------------------------- */

/* Whether "uploads/<video>/<upload>" has a row; true for what is no such key. */
static int key_is_known(struct origin_ledger *ledger, struct fb_str key, bool *ret_is_known)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {.n_bytes = 0};
    struct origin_upload_row row;
    struct fb_str part;
    struct origin_id id;

    *ret_is_known = true;
    if (!fb_str_cut(&key, '/', &part) || !fb_str_equal(part, FB_STR("uploads")) ||
        !fb_str_cut(&key, '/', &part) || origin_id_parse(key, &id) < 0) {
        return FB_OK;
    }
    int err = origin_catalog_upload_get(ledger->options.catalog, &arena, &id, &row);
    *ret_is_known = err != FB_E_NOT_FOUND;
    return err == FB_E_NOT_FOUND ? FB_OK : err;
}

/* Multiparts that the store has and the catalog does not. */
static int sweep_multiparts(struct origin_ledger *ledger, int64_t before_ms)
{
    FB_AUTO(fb_freep)
    struct origin_multipart *items = fb_alloc_array(SWEEP_PAGE, sizeof(*items));
    size_t n = 0;

    int err = origin_multipart_list(ledger->options.objects, before_ms, items, SWEEP_PAGE, &n);
    for (size_t i = 0; err == FB_OK && i < n; i++) {
        struct fb_str key = fb_str_from(items[i].key);
        bool is_known = true;
        err = key_is_known(ledger, key, &is_known);
        if (err == FB_OK && !is_known) {
            err = origin_multipart_abort(ledger->options.objects, key, fb_str_from(items[i].id));
        }
    }
    return err;
}

/* Files without a row: one page of all, each time the next. */
static int sweep_objects(struct origin_ledger *ledger, int64_t before_ms)
{
    FB_AUTO(fb_freep)
    struct origin_listed *items = fb_alloc_array(SWEEP_PAGE, sizeof(*items));
    struct origin_objects *objects = ledger->options.objects;
    size_t n = 0;

    int err = origin_objects_list(objects, FB_STR("uploads"), fb_str_from(ledger->swept), items,
                                  SWEEP_PAGE, &n);
    for (size_t i = 0; err == FB_OK && i < n; i++) {
        struct fb_str key = fb_str_from(items[i].key);
        bool is_known = true;
        if (items[i].modified_ms < before_ms) {
            err = key_is_known(ledger, key, &is_known);
        }
        if (err == FB_OK && !is_known) {
            err = origin_objects_remove(objects, key);
        }
    }
    if (err == FB_OK) {
        memcpy(ledger->swept, n == SWEEP_PAGE ? items[n - 1].key : "",
               n == SWEEP_PAGE ? strlen(items[n - 1].key) + 1 : 1);
    }
    return err;
}

int origin_ledger_sweep(struct origin_ledger *ledger)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {.n_bytes = 0};
    const struct origin_ledger_options *options = &ledger->options;
    int64_t now_ms = fb_clock_wall_ms(options->clock);
    struct origin_upload_row *rows = NULL;
    size_t n = 0;

    int err = origin_catalog_upload_expire(
        options->catalog, &arena,
        &(struct origin_upload_expiry){.before_ms = now_ms - (int64_t)options->unfinished_ms,
                                       .reason = FB_STR("The upload was not finished in time."),
                                       .limit = SWEEP_PAGE},
        &rows, &n);
    if (err < 0) {
        return err;
    }
    for (size_t i = 0; i < n; i++) {
        origin_ledger_clean(ledger, &rows[i]);
    }
    if (n > 0) {
        FB_LOG(INFO, "upload", "took away uploads that nobody ended", FB_LOG_INT("uploads", n));
    }
    err = sweep_multiparts(ledger, now_ms - ORPHAN_MS);
    return err < 0 ? err : sweep_objects(ledger, now_ms - ORPHAN_MS);
}
