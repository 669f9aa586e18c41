#include "origin/catalog/view_reports.h"

#include "base/core/text.h"
#include "base/sys/random.h"
#include "origin/catalog/view_internal.h"

#include <string.h>

enum { AUDIT_ROWS_MAX = 10000 };

/* Reports are sent within a month; nobody sends one of a stream that was silent for a year. */
#define STREAMS_KEPT_MS (400 * ORIGIN_MS_PER_DAY)
#define UNKNOWN_KEPT_MS (90 * ORIGIN_MS_PER_DAY)

/* ---- who we are ------------------------------------------------------------------ */

static int receiver_draw(struct fb_db *db)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "INSERT INTO report_receiver (one, id) VALUES (1, ?1)"
                                           " ON CONFLICT (one) DO NOTHING");
    FB_AUTO(fb_buf_done) struct fb_buf hex = {0};
    char bytes[ORIGIN_RECEIVER_LEN / 2];

    fb_random_bytes(bytes, sizeof(bytes));
    fb_text_hex(&hex, (struct fb_str){bytes, sizeof(bytes)});
    fb_db_bind_str(&q, 1, fb_buf_str(&hex));
    return fb_db_run(&q);
}

static int receiver_get(struct fb_db *db, char ret_id[ORIGIN_RECEIVER_LEN + 1])
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "SELECT id FROM report_receiver");
    int err = fb_db_step(&q);
    if (err < 0) {
        return err == FB_E_END ? FB_E_NOT_FOUND : err;
    }
    struct fb_str id = fb_db_column_str(&q, 0);
    if (id.len != ORIGIN_RECEIVER_LEN) {
        return FB_E_CORRUPT;
    }
    memcpy(ret_id, id.ptr, id.len);
    ret_id[id.len] = '\0';
    return FB_OK;
}

int origin_catalog_receiver(struct origin_catalog *catalog, char ret_id[ORIGIN_RECEIVER_LEN + 1])
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    err = receiver_get(hold.db, ret_id);
    if (err != FB_E_NOT_FOUND) {
        return err;
    }
    err = receiver_draw(hold.db);
    return err < 0 ? err : receiver_get(hold.db, ret_id);
}

/* ---- streams ----------------------------------------------------------------------- */

static int stream_get(struct fb_db *db, struct fb_str node, uint64_t epoch,
                      struct fb_view_stream *ret_stream)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "SELECT sequence, digest FROM report_nodes WHERE node = ?1 AND epoch = ?2");
    struct fb_view_stream stream = {0};

    fb_db_bind_str(&q, 1, node);
    fb_db_bind_int(&q, 2, (int64_t)epoch);
    int err = fb_db_step(&q);
    if (err < 0 && err != FB_E_END) {
        return err;
    }
    if (err == FB_OK) {
        struct fb_str digest = fb_db_column_blob(&q, 1);
        stream.sequence = (uint64_t)fb_db_column_int(&q, 0);
        if (digest.len == sizeof(stream.digest)) {
            memcpy(stream.digest, digest.ptr, digest.len);
        }
    }
    *ret_stream = stream;
    return FB_OK;
}

int origin_catalog_view_stream(struct origin_catalog *catalog, struct fb_str node, uint64_t epoch,
                               struct fb_view_stream *ret_stream)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    return err < 0 ? err : stream_get(hold.db, node, epoch, ret_stream);
}

#define TOTALS(X)   \
    X(bytes_served) \
    X(bytes_missed) \
    X(plan_filled)  \
    X(plan_served) X(prefetch_filled) X(prefetch_served) X(dropped_events) X(folded_entries)

#define TOTAL_NAME(name) ", " #name
#define TOTAL_ADDED(name) \
    ", " #name " = min(report_nodes." #name " + excluded." #name ", " ORIGIN_VIEW_SUM_MAX_TEXT ")"

static int64_t bounded(uint64_t number)
{
    return (int64_t)FB_MIN(number, ORIGIN_VIEW_SUM_MAX);
}

/* One who holds the token may invent names: beyond so many a new stream waits for the old ones that
 * pruning forgets. */
static int stream_check_room(struct fb_db *db)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "SELECT count(*) FROM report_nodes");
    int err = fb_db_step(&q);
    return err == FB_OK && fb_db_column_int(&q, 0) >= ORIGIN_STREAMS_MAX ? FB_E_UNAVAILABLE : err;
}

int origin_catalog_stream_move(struct fb_db *db, const struct origin_view_apply *apply,
                               int64_t now_ms)
{
    struct fb_view_stream now = {0};
    int err = stream_get(db, apply->node, apply->epoch, &now);
    if (err < 0) {
        return err;
    }
    if (now.sequence != apply->from.sequence ||
        memcmp(now.digest, apply->from.digest, sizeof(now.digest)) != 0) {
        return FB_E_CONFLICT;
    }
    if (now.sequence == 0 && (err = stream_check_room(db)) < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db,
        "INSERT INTO report_nodes (node, epoch, sequence, digest, region, via, first_ms,"
        " last_ms, reports" TOTALS(
            TOTAL_NAME) ") VALUES (?1, ?2, ?3, ?4, ?5, ?1, ?6, ?6, ?7,"
                        " ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
                        " ON CONFLICT (node, epoch) DO UPDATE SET sequence = excluded.sequence,"
                        " digest = excluded.digest, region = excluded.region, via = excluded.via,"
                        " last_ms = excluded.last_ms,"
                        " reports = report_nodes.reports + excluded.reports" TOTALS(TOTAL_ADDED));
    int column = 8;

    fb_db_bind_str(&q, 1, apply->node);
    fb_db_bind_int(&q, 2, (int64_t)apply->epoch);
    fb_db_bind_int(&q, 3, (int64_t)apply->to.sequence);
    fb_db_bind_blob(&q, 4,
                    (struct fb_str){(const char *)apply->to.digest, sizeof(apply->to.digest)});
    fb_db_bind_str(&q, 5, apply->region.ptr != NULL ? apply->region : FB_STR(""));
    fb_db_bind_int(&q, 6, now_ms);
    fb_db_bind_int(&q, 7, (int64_t)apply->n_reports);
#define BIND(name) fb_db_bind_int(&q, column++, bounded(apply->totals.name));
    TOTALS(BIND)
#undef BIND
    return fb_db_run(&q);
}

/* ---- the audit ----------------------------------------------------------------------- */

static int audit_add(struct fb_db *db, const struct origin_view_audit *audit, int64_t now_ms)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "INSERT INTO report_audit (node, epoch, sequence, reason, expected, first_ms, last_ms)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6) ON CONFLICT (node, epoch, sequence, reason)"
            " DO UPDATE SET n = n + 1, expected = excluded.expected, last_ms = excluded.last_ms");

    fb_db_bind_str(&q, 1, audit->node);
    fb_db_bind_int(&q, 2, (int64_t)audit->epoch);
    fb_db_bind_int(&q, 3, (int64_t)audit->sequence);
    fb_db_bind_str(&q, 4, audit->reason);
    fb_db_bind_int(&q, 5, bounded(audit->expected));
    fb_db_bind_int(&q, 6, now_ms);
    return fb_db_run(&q);
}

int origin_catalog_view_audit_add(struct origin_catalog *catalog,
                                  const struct origin_view_audit *audit)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    return err < 0 ? err : audit_add(hold.db, audit, origin_catalog_now(catalog));
}

int origin_catalog_view_audit_list(struct origin_catalog *catalog, size_t limit,
                                   int (*audit)(void *ctx, const struct origin_view_audit *),
                                   void *ctx)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "SELECT node, epoch, sequence, reason, expected, n, first_ms, last_ms"
                             " FROM report_audit ORDER BY last_ms DESC, seq DESC LIMIT ?1");
    fb_db_bind_int(&q, 1, (int64_t)limit);
    while ((err = fb_db_step(&q)) == FB_OK) {
        struct origin_view_audit row = {
            .node = fb_db_column_str(&q, 0),
            .epoch = (uint64_t)fb_db_column_int(&q, 1),
            .sequence = (uint64_t)fb_db_column_int(&q, 2),
            .reason = fb_db_column_str(&q, 3),
            .expected = (uint64_t)fb_db_column_int(&q, 4),
            .n = (uint64_t)fb_db_column_int(&q, 5),
            .first_ms = fb_db_column_int(&q, 6),
            .last_ms = fb_db_column_int(&q, 7),
        };
        err = audit(ctx, &row);
        if (err < 0) {
            return err;
        }
    }
    return err == FB_E_END ? FB_OK : err;
}

/* ---- what others bring ------------------------------------------------------------------ */

static int merged_put(struct fb_db *db, const struct origin_view_apply *apply,
                      const struct fb_view_merged *merged, int64_t now_ms)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db,
        "INSERT INTO report_nodes (node, epoch, sequence, region, via, first_ms, last_ms,"
        " reports" TOTALS(
            TOTAL_NAME) ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7,"
                        " 0, 0, 0, 0, 0, 0, 0, 0) ON CONFLICT (node, epoch) DO UPDATE SET"
                        " sequence = max(sequence, excluded.sequence), via = excluded.via,"
                        " last_ms = excluded.last_ms, reports = report_nodes.reports + excluded.reports");

    fb_db_bind_str(&q, 1, merged->node);
    fb_db_bind_int(&q, 2, (int64_t)merged->epoch);
    fb_db_bind_int(&q, 3, bounded(merged->last));
    fb_db_bind_str(&q, 4, apply->region.ptr != NULL ? apply->region : FB_STR(""));
    fb_db_bind_str(&q, 5, apply->node);
    fb_db_bind_int(&q, 6, now_ms);
    fb_db_bind_int(&q, 7, bounded(merged->last - merged->first + 1));
    return fb_db_run(&q);
}

/* A sender keeps to one receiver for a stream, so nothing of it should come two ways. What does is
 * in sums that cannot be taken apart any more: it is told. */
static int merged_check(struct fb_db *db, struct origin_view_apply *apply,
                        const struct fb_view_merged *merged, int64_t now_ms)
{
    struct fb_view_stream stream = {0};
    int err = stream_get(db, merged->node, merged->epoch, &stream);
    if (err < 0 || merged->first == stream.sequence + 1) {
        return err;
    }
    bool overlaps = merged->first <= stream.sequence;
    apply->n_overlaps += overlaps;
    return audit_add(db,
                     &(struct origin_view_audit){
                         .node = merged->node,
                         .epoch = merged->epoch,
                         .sequence = merged->first,
                         .expected = stream.sequence + 1,
                         .reason = overlaps ? FB_STR("overlap") : FB_STR("gap"),
                     },
                     now_ms);
}

int origin_catalog_streams_merged(struct fb_db *db, struct origin_view_apply *apply, int64_t now_ms)
{
    int err = FB_OK;

    apply->n_overlaps = 0;
    for (size_t i = 0; i < apply->n_merged && err == FB_OK; i++) {
        err = merged_check(db, apply, &apply->merged[i], now_ms);
        if (err == FB_OK) {
            err = merged_put(db, apply, &apply->merged[i], now_ms);
        }
    }
    return err;
}

/* ---- for people ------------------------------------------------------------------------- */

int origin_catalog_view_nodes(struct origin_catalog *catalog, size_t limit,
                              int (*node)(void *ctx, const struct origin_view_node *), void *ctx)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        hold.db, "SELECT node, region, via, epoch, sequence, reports, first_ms,"
                 " last_ms" TOTALS(TOTAL_NAME) " FROM report_nodes"
                                               " ORDER BY last_ms DESC, node, epoch LIMIT ?1");
    fb_db_bind_int(&q, 1, (int64_t)limit);
    while ((err = fb_db_step(&q)) == FB_OK) {
        struct origin_view_node row = {
            .node = fb_db_column_str(&q, 0),
            .region = fb_db_column_str(&q, 1),
            .via = fb_db_column_str(&q, 2),
            .epoch = (uint64_t)fb_db_column_int(&q, 3),
            .sequence = (uint64_t)fb_db_column_int(&q, 4),
            .n_reports = (uint64_t)fb_db_column_int(&q, 5),
            .first_ms = fb_db_column_int(&q, 6),
            .last_ms = fb_db_column_int(&q, 7),
        };
        int column = 8;
#define READ(name) row.totals.name = (uint64_t)fb_db_column_int(&q, column++);
        TOTALS(READ)
#undef READ
        err = node(ctx, &row);
        if (err < 0) {
            return err;
        }
    }
    return err == FB_E_END ? FB_OK : err;
}

/* Runs a statement whose one parameter is `number`. */
static int prune(struct fb_db *db, const char *sql, int64_t number)
{
    FB_AUTO(fb_db_query_done) struct fb_db_query q = fb_db_query(db, sql);

    fb_db_bind_int(&q, 1, number);
    return fb_db_run(&q);
}

int origin_catalog_view_reports_prune(struct origin_catalog *catalog)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int64_t now_ms = origin_catalog_now(catalog);

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 ||
        (err = prune(hold.db, "DELETE FROM report_nodes WHERE last_ms < ?1",
                     now_ms - STREAMS_KEPT_MS)) < 0 ||
        (err = prune(hold.db, "DELETE FROM view_unknown WHERE day < ?1",
                     (now_ms - UNKNOWN_KEPT_MS) / ORIGIN_MS_PER_DAY)) < 0) {
        return err;
    }
    return prune(hold.db,
                 "DELETE FROM report_audit WHERE seq <= (SELECT max(seq) FROM report_audit) - ?1",
                 AUDIT_ROWS_MAX);
}
