/*
 * What is pending becomes reports, and reports go once they are acknowledged.
 */
#include "base/core/alloc.h"
#include "base/core/arena.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/log/log.h"
#include "base/sys/random.h"
#include "edge/report/spool_internal.h"

#include <string.h>

/* Bytes of counts and names in a report, and for how many streams it stands: what does not compress
 * at all still fits its bound, or nothing would ever be sealed behind it. */
enum {
    PLAIN_MAX = 3 * 1024 * 1024,
    MERGED_MAX = 2048,
    MERGED_BYTES_MAX = 2 + FB_VIEW_NODE_MAX + 8 + 2 * 10, /* a name, an epoch and two varints */
    ENTRY_OVERHEAD = 64,
};
_Static_assert(PLAIN_MAX + MERGED_MAX * MERGED_BYTES_MAX <
                   FB_VIEW_REPORT_MAX - FB_VIEW_REPORT_MAX / 16,
               "a report of what is pending has room for all that it may say");

struct stream {
    uint64_t epoch;
    struct fb_view_stream last;
};

/* What is taken out of `pending` for one report. */
struct draft {
    struct fb_arena arena; /* of texts */
    struct fb_str region;
    struct fb_view_entry *entries; /* owned */
    size_t n_entries;
    size_t room_entries;
    struct fb_view_merged *merged; /* owned */
    size_t n_merged;
    size_t room_merged;
    struct fb_view_totals totals;
};

static void draft_done(struct draft *draft)
{
    for (size_t i = 0; i < draft->n_entries; i++) {
        fb_view_entry_done(&draft->entries[i]);
    }
    fb_free(draft->entries);
    fb_free(draft->merged);
    fb_arena_done(&draft->arena);
}

/* ---- streams ----------------------------------------------------------------- */

static int stream_put(struct edge_spool *spool, struct fb_str receiver, const struct stream *stream)
{
    struct fb_str digest = {(const char *)stream->last.digest, FB_VIEW_DIGEST_SIZE};
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(spool->db, "INSERT OR REPLACE INTO streams (receiver, epoch, sequence, digest)"
                               " VALUES (?1, ?2, ?3, ?4)");
    fb_db_bind_str(&q, 1, receiver);
    fb_db_bind_int(&q, 2, (int64_t)stream->epoch);
    fb_db_bind_int(&q, 3, (int64_t)stream->last.sequence);
    fb_db_bind_blob(&q, 4, digest);
    return fb_db_run(&q);
}

/* FB_E_END: there is none for `receiver`. */
static int stream_get(struct edge_spool *spool, struct fb_str receiver, struct stream *ret_stream)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(spool->db, "SELECT epoch, sequence, digest FROM streams WHERE receiver = ?1");
    fb_db_bind_str(&q, 1, receiver);
    int err = fb_db_step(&q);
    if (err < 0) {
        return err;
    }
    struct fb_str digest = fb_db_column_blob(&q, 2);
    *ret_stream = (struct stream){(uint64_t)fb_db_column_int(&q, 0),
                                  {.sequence = (uint64_t)fb_db_column_int(&q, 1)}};
    if (digest.len != FB_VIEW_DIGEST_SIZE) {
        return FB_E_CORRUPT;
    }
    memcpy(ret_stream->last.digest, digest.ptr, FB_VIEW_DIGEST_SIZE);
    return FB_OK;
}

/* Numbers `report`, keeps its bytes, and moves the stream on. */
static int stream_append(struct edge_spool *spool, struct fb_str receiver, struct stream *stream,
                         struct fb_view_report *report)
{
    FB_AUTO(fb_buf_done) struct fb_buf bytes = {0};

    report->node = fb_str_from(spool->node);
    report->epoch = stream->epoch;
    report->sequence = stream->last.sequence + 1;
    memcpy(report->previous, stream->last.digest, FB_VIEW_DIGEST_SIZE);
    int err = fb_view_report_encode(report, &bytes);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(spool->db, "INSERT INTO sealed (receiver, sequence, made_ms, bytes)"
                               " VALUES (?1, ?2, ?3, ?4)");
    fb_db_bind_str(&q, 1, receiver);
    fb_db_bind_int(&q, 2, (int64_t)report->sequence);
    fb_db_bind_int(&q, 3, report->made_ms);
    fb_db_bind_blob(&q, 4, fb_buf_str(&bytes));
    err = fb_db_run(&q);
    if (err < 0) {
        return err;
    }
    stream->last.sequence = report->sequence;
    fb_view_report_digest(fb_buf_str(&bytes), stream->last.digest);
    return stream_put(spool, receiver, stream);
}

/* ---- taking out of what is pending ------------------------------------------- */

/* That of the oldest entry, else of any totals or merged streams. FB_E_END: nothing is pending. */
static int draft_choose_region(struct edge_spool *spool, struct draft *draft)
{
    static const char *const asked[] = {
        "SELECT region FROM pending ORDER BY span DESC, minute LIMIT 1",
        "SELECT region FROM totals LIMIT 1",
        "SELECT region FROM merged LIMIT 1",
    };
    int err = FB_E_END;

    for (size_t i = 0; i < FB_ARRAY_LEN(asked) && err == FB_E_END; i++) {
        FB_AUTO(fb_db_query_done) struct fb_db_query q = fb_db_query(spool->db, asked[i]);
        err = fb_db_step(&q);
        if (err == FB_OK) {
            draft->region = fb_arena_dup(&draft->arena, fb_db_column_str(&q, 0));
        }
    }
    return err;
}

/* Room for one more: most reports are far below their bounds. */
static void *draft_grow(void *items, size_t n, size_t *room, size_t item_bytes)
{
    enum { FIRST = 32 };

    if (n < *room) {
        return items;
    }
    *room = FB_MAX((size_t)FIRST, 2 * *room);
    return fb_realloc(items, *room * item_bytes);
}

static int draft_read_entries(struct edge_spool *spool, struct draft *draft)
{
    size_t n_bytes = 0;
    int err = FB_OK;
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(spool->db, "SELECT span, minute, video, rendition, counts FROM pending"
                               " WHERE region = ?1 ORDER BY span DESC, minute LIMIT ?2");
    fb_db_bind_str(&q, 1, draft->region);
    fb_db_bind_int(&q, 2, EDGE_SPOOL_ENTRIES_MAX);
    while (n_bytes < PLAIN_MAX && (err = fb_db_step(&q)) == FB_OK) {
        draft->entries = draft_grow(draft->entries, draft->n_entries, &draft->room_entries,
                                    sizeof(*draft->entries));
        struct fb_view_entry *entry = &draft->entries[draft->n_entries++];

        edge_spool_row_read(&q, 0, entry);
        entry->video = fb_arena_dup(&draft->arena, entry->video);
        entry->rendition = fb_arena_dup(&draft->arena, entry->rendition);
        n_bytes +=
            fb_db_column_blob(&q, 4).len + entry->video.len + entry->rendition.len + ENTRY_OVERHEAD;
    }
    return err == FB_E_END ? FB_OK : err;
}

static int draft_read_merged(struct edge_spool *spool, struct draft *draft)
{
    int err = FB_OK;
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(spool->db, "SELECT node, epoch, first, last FROM merged"
                                                  " WHERE region = ?1 LIMIT ?2");
    fb_db_bind_str(&q, 1, draft->region);
    fb_db_bind_int(&q, 2, MERGED_MAX);
    while ((err = fb_db_step(&q)) == FB_OK) {
        draft->merged =
            draft_grow(draft->merged, draft->n_merged, &draft->room_merged, sizeof(*draft->merged));
        draft->merged[draft->n_merged++] = (struct fb_view_merged){
            .node = fb_arena_dup(&draft->arena, fb_db_column_str(&q, 0)),
            .epoch = (uint64_t)fb_db_column_int(&q, 1),
            .first = (uint64_t)fb_db_column_int(&q, 2),
            .last = (uint64_t)fb_db_column_int(&q, 3),
        };
    }
    return err == FB_E_END ? FB_OK : err;
}

static int draft_read_totals(struct edge_spool *spool, struct draft *draft)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(spool->db, "SELECT numbers FROM totals WHERE region = ?1");
    fb_db_bind_str(&q, 1, draft->region);
    int err = fb_db_step(&q);
    if (err == FB_OK) {
        edge_spool_totals_decode(fb_db_column_blob(&q, 0), &draft->totals);
    }
    return err == FB_E_END ? FB_OK : err;
}

static int draft_remove_entries(struct edge_spool *spool, const struct draft *draft)
{
    int err = FB_OK;
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(spool->db, "DELETE FROM pending WHERE span = ?1 AND minute = ?2"
                               " AND region = ?3 AND video = ?4 AND rendition = ?5");
    for (size_t i = 0; i < draft->n_entries && err == FB_OK; i++) {
        const struct fb_view_entry *entry = &draft->entries[i];
        fb_db_bind_int(&q, 1, entry->span);
        fb_db_bind_int(&q, 2, entry->minute);
        fb_db_bind_str(&q, 3, draft->region);
        fb_db_bind_str(&q, 4, entry->video);
        fb_db_bind_str(&q, 5, entry->rendition);
        err = fb_db_run(&q);
    }
    return err;
}

static int draft_remove_merged(struct edge_spool *spool, const struct draft *draft)
{
    int err = FB_OK;
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(spool->db, "DELETE FROM merged WHERE region = ?1"
                                                  " AND node = ?2 AND epoch = ?3 AND first = ?4");
    for (size_t i = 0; i < draft->n_merged && err == FB_OK; i++) {
        fb_db_bind_str(&q, 1, draft->region);
        fb_db_bind_str(&q, 2, draft->merged[i].node);
        fb_db_bind_int(&q, 3, (int64_t)draft->merged[i].epoch);
        fb_db_bind_int(&q, 4, (int64_t)draft->merged[i].first);
        err = fb_db_run(&q);
    }
    return err;
}

static int draft_remove(struct edge_spool *spool, const struct draft *draft)
{
    int err = draft_remove_entries(spool, draft);
    if (err == FB_OK) {
        err = draft_remove_merged(spool, draft);
    }
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(spool->db, "DELETE FROM totals WHERE region = ?1");
    fb_db_bind_str(&q, 1, draft->region);
    return fb_db_run(&q);
}

static int draft_read(struct edge_spool *spool, struct draft *draft)
{
    int err = draft_choose_region(spool, draft);
    if (err == FB_OK) {
        err = draft_read_entries(spool, draft);
    }
    if (err == FB_OK) {
        err = draft_read_merged(spool, draft);
    }
    return err < 0 ? err : draft_read_totals(spool, draft);
}

static int spool_count_sealed(struct edge_spool *spool, struct fb_str receiver, int64_t *ret_n)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(spool->db, "SELECT count(*) FROM sealed WHERE receiver = ?1");
    fb_db_bind_str(&q, 1, receiver);
    int err = fb_db_step(&q);
    if (err == FB_OK) {
        *ret_n = fb_db_column_int(&q, 0);
    }
    return err;
}

static int spool_seal_one(struct edge_spool *spool, struct fb_str receiver, struct draft *draft)
{
    struct stream stream = {0};
    int64_t n_sealed = 0;

    int err = spool_count_sealed(spool, receiver, &n_sealed);
    if (err == FB_OK && n_sealed >= EDGE_SPOOL_SEALED_MAX) {
        return FB_E_BUSY;
    }
    if (err == FB_OK) {
        err = draft_read(spool, draft);
    }
    if (err == FB_OK) {
        err = stream_get(spool, receiver, &stream);
    }
    if (err == FB_E_END && draft->region.ptr != NULL) {
        stream.epoch = fb_random_u64();
        err = FB_OK;
    }
    if (err < 0) {
        return err;
    }
    err = draft_remove(spool, draft); /* by its rows' order, which encoding may change */
    if (err < 0) {
        return err;
    }
    struct fb_view_report report = {
        .region = draft->region,
        .made_ms = FB_MAX(fb_clock_wall_ms(spool->clock), 0),
        .totals = draft->totals,
        .merged = draft->merged,
        .n_merged = draft->n_merged,
        .entries = draft->entries,
        .n_entries = draft->n_entries,
    };
    return stream_append(spool, receiver, &stream, &report);
}

int edge_spool_seal(struct edge_spool *spool, struct fb_str receiver)
{
    FB_AUTO(edge_spool_hold_done) struct spool_hold hold = {0};
    FB_AUTO(draft_done) struct draft draft = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};

    edge_spool_lock(spool, &hold);
    int err = fb_db_begin(spool->db, &tx);
    if (err == FB_OK) {
        err = spool_seal_one(spool, receiver, &draft);
    }
    if (err == FB_OK) {
        err = fb_db_commit(&tx);
    }
    spool->counts.sealed += err == FB_OK ? 1 : 0;
    return err;
}

/* ---- batches ----------------------------------------------------------------- */

void edge_spool_batch_done(struct edge_spool_batch *batch)
{
    fb_buf_done(&batch->body);
    *batch = (struct edge_spool_batch){0};
}

static int batch_read(struct edge_spool *spool, struct fb_str receiver,
                      struct edge_spool_batch *batch)
{
    struct stream stream = {0};
    int err = stream_get(spool, receiver, &stream);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(spool->db, "SELECT sequence, bytes FROM sealed"
                                                  " WHERE receiver = ?1 ORDER BY sequence");
    fb_db_bind_str(&q, 1, receiver);
    while ((err = fb_db_step(&q)) == FB_OK) {
        struct fb_str bytes = fb_db_column_blob(&q, 1);
        if (batch->body.len + bytes.len + ENTRY_OVERHEAD > FB_VIEW_BATCH_MAX) {
            break;
        }
        batch->last = (uint64_t)fb_db_column_int(&q, 0);
        batch->first = batch->first == 0 ? batch->last : batch->first;
        fb_view_batch_add(&batch->body, bytes);
    }
    batch->epoch = stream.epoch;
    return err == FB_E_END && batch->first != 0 ? FB_OK : err;
}

int edge_spool_batch(struct edge_spool *spool, struct fb_str receiver,
                     struct edge_spool_batch *ret_batch)
{
    FB_AUTO(edge_spool_hold_done) struct spool_hold hold = {0};
    FB_AUTO(edge_spool_batch_done) struct edge_spool_batch batch = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};

    edge_spool_lock(spool, &hold);
    int err = fb_db_begin(spool->db, &tx); /* the stream and its reports are of one moment */
    if (err == FB_OK) {
        err = batch_read(spool, receiver, &batch);
    }
    if (err == FB_OK) {
        *ret_batch = batch;
        batch = (struct edge_spool_batch){0};
    }
    return err;
}

/* ---- answers ----------------------------------------------------------------- */

static int sealed_remove(struct edge_spool *spool, struct fb_str receiver, uint64_t last)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(spool->db, "DELETE FROM sealed WHERE receiver = ?1 AND sequence <= ?2");
    fb_db_bind_str(&q, 1, receiver);
    fb_db_bind_int(&q, 2, (int64_t)FB_MIN(last, (uint64_t)INT64_MAX));
    return fb_db_run(&q);
}

struct sealed {
    struct fb_view_report reports[EDGE_SPOOL_SEALED_MAX]; /* owned: `n` */
    size_t n;
};

static void sealed_done(struct sealed *sealed)
{
    for (size_t i = 0; i < sealed->n; i++) {
        fb_view_report_done(&sealed->reports[i]);
    }
}

/* What waits for `receiver`, as it was before it was sealed. */
static int sealed_read(struct edge_spool *spool, struct fb_str receiver, struct sealed *sealed)
{
    int err = FB_OK;
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(spool->db, "SELECT bytes FROM sealed WHERE receiver = ?1 ORDER BY sequence");

    fb_db_bind_str(&q, 1, receiver);
    while (sealed->n < EDGE_SPOOL_SEALED_MAX && (err = fb_db_step(&q)) == FB_OK) {
        int bad = fb_view_report_decode(fb_db_column_blob(&q, 0), &sealed->reports[sealed->n]);
        if (bad < 0) {
            FB_LOG(ERROR, "report", "a report in the spool cannot be read and is lost",
                   FB_LOG_TEXT("error", fb_err_text(bad)));
            continue;
        }
        sealed->n++;
    }
    return err == FB_E_END ? FB_OK : err;
}

/* What waits gets numbers of a new stream, from 1. */
static int stream_renew(struct edge_spool *spool, struct fb_str receiver)
{
    FB_AUTO(sealed_done) struct sealed sealed = {.n = 0};
    struct stream stream = {.epoch = fb_random_u64()};

    int err = sealed_read(spool, receiver, &sealed);
    if (err < 0 || (err = sealed_remove(spool, receiver, UINT64_MAX)) < 0 ||
        (err = stream_put(spool, receiver, &stream)) < 0) {
        return err;
    }
    for (size_t i = 0; i < sealed.n && err == FB_OK; i++) {
        err = stream_append(spool, receiver, &stream, &sealed.reports[i]);
    }
    return err;
}

/* Whether `epoch` is that of the stream: an answer to an earlier one says nothing any more. */
static int stream_is(struct edge_spool *spool, struct fb_str receiver, uint64_t epoch,
                     struct stream *ret_stream, bool *ret_is)
{
    int err = stream_get(spool, receiver, ret_stream);
    *ret_is = err == FB_OK && ret_stream->epoch == epoch;
    return err == FB_E_END ? FB_OK : err;
}

static int spool_settle(struct edge_spool *spool, struct fb_str receiver, uint64_t epoch,
                        uint64_t applied, bool is_refused)
{
    struct stream stream = {0};
    bool is_current = false;
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};

    int err = fb_db_begin(spool->db, &tx);
    if (err == FB_OK) {
        err = stream_is(spool, receiver, epoch, &stream, &is_current);
    }
    if (err < 0 || !is_current) {
        return err;
    }
    bool is_set_back = applied > stream.last.sequence;
    if (is_refused || is_set_back) {
        FB_LOG(ERROR, "report", "reports begin a new stream, for the receiver knows another one",
               FB_LOG_STR("receiver", receiver), FB_LOG_INT("sealed", stream.last.sequence),
               FB_LOG_INT("applied", applied));
    }
    err = sealed_remove(spool, receiver, applied);
    if (err == FB_OK && (is_refused || is_set_back)) {
        err = stream_renew(spool, receiver);
    }
    return err < 0 ? err : fb_db_commit(&tx);
}

int edge_spool_acked(struct edge_spool *spool, struct fb_str receiver, uint64_t epoch,
                     uint64_t sequence)
{
    FB_AUTO(edge_spool_hold_done) struct spool_hold hold = {0};

    edge_spool_lock(spool, &hold);
    int err = spool_settle(spool, receiver, epoch, sequence, false);
    spool->counts.acked += err == FB_OK ? 1 : 0;
    return err;
}

int edge_spool_refused(struct edge_spool *spool, struct fb_str receiver, uint64_t epoch,
                       uint64_t sequence)
{
    FB_AUTO(edge_spool_hold_done) struct spool_hold hold = {0};

    edge_spool_lock(spool, &hold);
    int err = spool_settle(spool, receiver, epoch, sequence > 0 ? sequence - 1 : 0, true);
    spool->counts.refused += err == FB_OK ? 1 : 0;
    return err;
}
