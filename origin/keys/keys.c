#include "origin/keys/keys.h"

#include "base/core/alloc.h"
#include "base/core/arena.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/log/log.h"
#include "base/metrics/metrics.h"
#include "origin/catalog/content_keys.h"

#include <string.h>

enum { RESEAL_AT_ONCE = 64 };

enum keys_metric { KEYS_DRAWN, KEYS_OPENED, KEYS_RESEALED, KEYS_SHUT };

static const struct fb_metric keys_metrics[] = {
    [KEYS_DRAWN] = {"origin_keys_drawn_total", FB_METRIC_COUNTER, NULL,
                    "Content keys drawn for jobs."},
    [KEYS_OPENED] = {"origin_keys_opened_total", FB_METRIC_COUNTER, NULL,
                     "Content keys opened, for tasks and licences."},
    [KEYS_RESEALED] = {"origin_keys_resealed_total", FB_METRIC_COUNTER, NULL,
                       "Content keys sealed anew because the master key changed."},
    [KEYS_SHUT] = {"origin_keys_shut", FB_METRIC_GAUGE, NULL,
                   "Content keys that no master key of ours opens, by the last look."},
};

struct origin_keys {
    struct origin_keys_options options;
    struct fb_metrics_table *metrics; /* the registry's */
};

struct origin_keys *origin_keys_open(const struct origin_keys_options *options)
{
    struct origin_keys *keys = FB_NEW(struct origin_keys);

    keys->options = *options;
    keys->metrics =
        fb_metrics_table_new(options->metrics, keys_metrics, FB_ARRAY_LEN(keys_metrics), NULL);
    return keys;
}

void origin_keys_close(struct origin_keys *keys)
{
    fb_free(keys);
}

/* ---- seals --------------------------------------------------------------------------- */

/* What a row is, so that it opens as nothing else. */
static void put_context(struct fb_buf *buf, const struct origin_sealed_key *row)
{
    fb_buf_printf(buf, "content key 1 %s %s ", origin_scheme_text(row->scheme), row->video.text);
    fb_text_hex(buf, (struct fb_str){(const char *)row->id, sizeof(row->id)});
}

static void wipe(struct fb_buf *buf)
{
    if (buf->ptr != NULL) {
        explicit_bzero(buf->ptr, buf->len);
    }
    fb_buf_done(buf);
}

/* Seals `key` by the current master key; the row's strings then are views of `master` and `sealed`.
 */
static int row_seal(struct origin_keys *keys, struct fb_str key, struct origin_sealed_key *row,
                    char master[ORIGIN_SEALER_ID_MAX + 1], struct fb_buf *sealed)
{
    const struct origin_sealer *sealer = keys->options.sealer;
    FB_AUTO(fb_buf_done) struct fb_buf context = {0};

    put_context(&context, row);
    row->master = sealer->current(sealer->ctx, master);
    int err = sealer->seal(sealer->ctx, row->master, fb_buf_str(&context), key, sealed);
    row->sealed = fb_buf_str(sealed);
    return err;
}

static int row_unseal(struct origin_keys *keys, const struct origin_sealed_key *row,
                      struct origin_content_key *ret_key)
{
    const struct origin_sealer *sealer = keys->options.sealer;
    FB_AUTO(fb_buf_done) struct fb_buf context = {0};
    FB_AUTO(wipe) struct fb_buf plain = {0};

    put_context(&context, row);
    int err = sealer->unseal(sealer->ctx, row->master, fb_buf_str(&context), row->sealed, &plain);
    if (err < 0 || plain.len != sizeof(ret_key->key)) {
        FB_LOG(ERROR, "keys", "a content key does not open: is its master key gone?",
               FB_LOG_TEXT("video", row->video.text), FB_LOG_STR("master", row->master));
        return err < 0 ? err : FB_E_DENIED;
    }
    ret_key->scheme = row->scheme;
    memcpy(ret_key->id, row->id, sizeof(ret_key->id));
    memcpy(ret_key->key, plain.ptr, sizeof(ret_key->key));
    return FB_OK;
}

static int row_open(struct origin_keys *keys, const struct origin_sealed_key *row,
                    struct origin_content_key *ret_key)
{
    int err = row_unseal(keys, row, ret_key);

    fb_metrics_add(keys->metrics, KEYS_OPENED, err == FB_OK ? 1 : 0);
    return err;
}

/* ---- for tasks and licences -------------------------------------------------------------- */

static int draw(struct origin_keys *keys, struct fb_arena *arena, struct origin_sealed_key *row)
{
    FB_AUTO(origin_content_key_done) struct origin_content_key key = {0};
    FB_AUTO(fb_buf_done) struct fb_buf sealed = {0};
    char master[ORIGIN_SEALER_ID_MAX + 1];

    origin_content_key_draw(row->scheme, &key);
    memcpy(row->id, key.id, sizeof(row->id));
    int err = row_seal(keys, (struct fb_str){(const char *)key.key, sizeof(key.key)}, row, master,
                       &sealed);
    if (err == FB_OK) {
        err = origin_catalog_content_key_add(keys->options.catalog, arena, row, row);
    }
    fb_metrics_add(keys->metrics, KEYS_DRAWN, err == FB_OK ? 1 : 0);
    return err;
}

int origin_keys_of_job(struct origin_keys *keys, const struct origin_id *video,
                       const struct origin_id *job, enum origin_scheme scheme,
                       struct origin_content_key *ret_key)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {.n_bytes = 0};
    struct origin_sealed_key row;

    FB_REQUIRE(scheme != ORIGIN_SCHEME_CLEAR);
    int err = origin_catalog_content_key_of_job(keys->options.catalog, &arena, job, &row);
    if (err == FB_E_NOT_FOUND) {
        row = (struct origin_sealed_key){.video = *video, .job = *job, .scheme = scheme};
        err = draw(keys, &arena, &row);
    }
    return err == FB_OK ? row_open(keys, &row, ret_key) : err;
}

int origin_keys_find(struct origin_keys *keys, const uint8_t id[ORIGIN_CONTENT_KEY_BYTES],
                     struct origin_id *ret_video, struct origin_content_key *ret_key)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {.n_bytes = 0};
    struct origin_sealed_key row;

    int err = origin_catalog_content_key_find(keys->options.catalog, &arena, id, &row);
    if (err == FB_OK && (err = row_open(keys, &row, ret_key)) == FB_OK) {
        *ret_video = row.video;
    }
    return err;
}

/* ---- when the master key changes ------------------------------------------------------------ */

static int reseal(struct origin_keys *keys, const struct origin_sealed_key *old)
{
    FB_AUTO(origin_content_key_done) struct origin_content_key key = {0};
    FB_AUTO(fb_buf_done) struct fb_buf sealed = {0};
    char master[ORIGIN_SEALER_ID_MAX + 1];
    struct origin_sealed_key row = *old;

    int err = row_unseal(keys, old, &key);
    if (err < 0) {
        return err;
    }
    err = row_seal(keys, (struct fb_str){(const char *)key.key, sizeof(key.key)}, &row, master,
                   &sealed);
    if (err == FB_OK) {
        err = origin_catalog_content_key_reseal(keys->options.catalog, &row);
    }
    fb_metrics_add(keys->metrics, KEYS_RESEALED, err == FB_OK ? 1 : 0);
    return err;
}

int origin_keys_run(struct origin_keys *keys)
{
    const struct origin_sealer *sealer = keys->options.sealer;
    char master[ORIGIN_SEALER_ID_MAX + 1];
    uint8_t last[ORIGIN_CONTENT_KEY_BYTES];
    struct fb_str current = sealer->current(sealer->ctx, master);
    uint64_t n_shut = 0;
    size_t n = RESEAL_AT_ONCE;

    for (bool is_first = true; n == RESEAL_AT_ONCE; is_first = false) {
        FB_AUTO(fb_arena_done) struct fb_arena arena = {.n_bytes = 0};
        struct origin_sealed_key *rows = NULL;
        struct origin_sealed_query query = {
            .master = current, .after = is_first ? NULL : last, .limit = RESEAL_AT_ONCE};
        int err =
            origin_catalog_content_keys_of_others(keys->options.catalog, &arena, &query, &rows, &n);
        for (size_t i = 0; err == FB_OK && i < n; i++) {
            memcpy(last, rows[i].id, sizeof(last));
            err = reseal(keys, &rows[i]);
            n_shut += err == FB_E_DENIED ? 1 : 0;
            err = err == FB_E_DENIED ? FB_OK : err; /* the others may open */
        }
        if (err < 0) {
            return err;
        }
    }
    fb_metrics_set(keys->metrics, KEYS_SHUT, n_shut);
    return FB_OK;
}
