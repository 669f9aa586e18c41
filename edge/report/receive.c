/*
 * Reports of others become what is pending here.
 */
#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/log/log.h"
#include "edge/report/spool_internal.h"

#include <string.h>

#define PEER_KEPT_MS (INT64_C(400) * 24 * 3600 * 1000)

/* A body's reports, decoded before the database is asked. */
struct mail {
    struct fb_view_report *reports; /* owned */
    uint8_t (*digests)[FB_VIEW_DIGEST_SIZE];
    size_t n;
    size_t capacity;
};

static void mail_done(struct mail *mail)
{
    for (size_t i = 0; i < mail->n; i++) {
        fb_view_report_done(&mail->reports[i]);
    }
    fb_free(mail->reports);
    fb_free(mail->digests);
}

static int mail_add(struct mail *mail, struct fb_str bytes)
{
    enum { FIRST = 4 };

    if (mail->n == mail->capacity) {
        mail->capacity = FB_MAX(FIRST, 2 * mail->capacity);
        mail->reports = fb_realloc(mail->reports, mail->capacity * sizeof(*mail->reports));
        mail->digests = fb_realloc(mail->digests, mail->capacity * sizeof(*mail->digests));
    }
    struct fb_view_report *report = &mail->reports[mail->n];
    int err = fb_view_report_decode(bytes, report);
    if (err < 0) {
        return err;
    }
    fb_view_report_digest(bytes, mail->digests[mail->n++]);
    bool is_of_one = fb_str_equal(report->node, mail->reports[0].node) &&
                     report->epoch == mail->reports[0].epoch;
    return is_of_one ? FB_OK : FB_E_MALFORMED;
}

static int mail_read(struct mail *mail, struct fb_str body)
{
    /* what they say all together is bound, not only each of them */
    enum { ENTRIES_MAX = 2 * FB_VIEW_ENTRIES_MAX, REPORTS_MAX = 64 };
    struct fb_str bytes = FB_STR_NONE;
    size_t n_entries = 0;
    int err = FB_OK;

    while (err == FB_OK && (err = fb_view_batch_next(&body, &bytes)) == FB_OK) {
        err = mail->n < REPORTS_MAX ? mail_add(mail, bytes) : FB_E_LIMIT;
        n_entries += err == FB_OK ? mail->reports[mail->n - 1].n_entries : 0;
        err = n_entries > ENTRIES_MAX ? FB_E_LIMIT : err;
    }
    if (err == FB_E_END && mail->n > 0) {
        return FB_OK;
    }
    /* FB_E_LIMIT is a spool without room: that passes, and this does not */
    return err == FB_E_END || err == FB_E_LIMIT ? FB_E_MALFORMED : err;
}

/* ---- peers --------------------------------------------------------------------- */

static int peer_get(struct edge_spool *spool, const struct fb_view_report *report,
                    struct fb_view_stream *ret_last)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(spool->db, "SELECT sequence, digest FROM peers WHERE node = ?1 AND epoch = ?2");
    fb_db_bind_str(&q, 1, report->node);
    fb_db_bind_int(&q, 2, (int64_t)report->epoch);
    *ret_last = (struct fb_view_stream){0};
    int err = fb_db_step(&q);
    if (err < 0) {
        return err == FB_E_END ? FB_OK : err;
    }
    struct fb_str digest = fb_db_column_blob(&q, 1);
    if (digest.len != FB_VIEW_DIGEST_SIZE) {
        return FB_E_CORRUPT;
    }
    ret_last->sequence = (uint64_t)fb_db_column_int(&q, 0);
    memcpy(ret_last->digest, digest.ptr, FB_VIEW_DIGEST_SIZE);
    return FB_OK;
}

static int peer_put(struct edge_spool *spool, const struct fb_view_report *report,
                    const struct fb_view_stream *last)
{
    struct fb_str digest = {(const char *)last->digest, FB_VIEW_DIGEST_SIZE};
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        spool->db, "INSERT OR REPLACE INTO peers (node, epoch, sequence, digest, seen_ms)"
                   " VALUES (?1, ?2, ?3, ?4, ?5)");
    fb_db_bind_str(&q, 1, report->node);
    fb_db_bind_int(&q, 2, (int64_t)report->epoch);
    fb_db_bind_int(&q, 3, (int64_t)last->sequence);
    fb_db_bind_blob(&q, 4, digest);
    fb_db_bind_int(&q, 5, fb_clock_wall_ms(spool->clock));
    return fb_db_run(&q);
}

/* One who holds the token may invent names: streams that were silent for a year make room, and
 * beyond that new ones wait. */
static int peer_make_room(struct edge_spool *spool)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(spool->db, "SELECT count(*) FROM peers");
    int err = fb_db_step(&q);
    if (err < 0 || fb_db_column_int(&q, 0) < EDGE_SPOOL_PEERS_MAX) {
        return err;
    }
    fb_db_query_done(&q);
    FB_AUTO(fb_db_query_done)
    struct fb_db_query old = fb_db_query(spool->db, "DELETE FROM peers WHERE seen_ms < ?1");
    fb_db_bind_int(&old, 1, fb_clock_wall_ms(spool->clock) - PEER_KEPT_MS);
    err = fb_db_run(&old);
    return err < 0 || fb_db_changes(spool->db) > 0 ? err : FB_E_LIMIT;
}

/* ---- merging ------------------------------------------------------------------- */

/* For whom the next report of this node stands: a range that ends just before grows. */
static int merged_note(struct edge_spool *spool, struct fb_str region,
                       const struct fb_view_report *report)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query grow =
        fb_db_query(spool->db, "UPDATE merged SET last = ?4 WHERE region = ?1 AND node = ?2"
                               " AND epoch = ?3 AND last = ?4 - 1");
    FB_AUTO(fb_db_query_done)
    struct fb_db_query begin =
        fb_db_query(spool->db, "INSERT INTO merged (region, node, epoch, first, last)"
                               " VALUES (?1, ?2, ?3, ?4, ?4)");
    struct fb_db_query *queries[] = {&grow, &begin};

    for (size_t i = 0; i < FB_ARRAY_LEN(queries); i++) {
        fb_db_bind_str(queries[i], 1, region);
        fb_db_bind_str(queries[i], 2, report->node);
        fb_db_bind_int(queries[i], 3, (int64_t)report->epoch);
        fb_db_bind_int(queries[i], 4, (int64_t)report->sequence);
        int err = fb_db_run(queries[i]);
        if (err < 0 || fb_db_changes(spool->db) > 0) {
            return err;
        }
    }
    return FB_OK;
}

static int report_merge(struct edge_spool *spool, const struct fb_view_report *report)
{
    struct fb_str region = report->region.len > 0 ? report->region : fb_str_from(spool->region);
    int err = FB_OK;

    for (size_t i = 0; i < report->n_entries && err == FB_OK; i++) {
        err = edge_spool_row_add(spool, region, &report->entries[i]);
    }
    if (err == FB_OK) {
        err = edge_spool_totals_add(spool, region, &report->totals);
    }
    return err < 0 ? err : merged_note(spool, region, report);
}

/* One after the other, up to the first that does not follow. */
static int mail_apply(struct edge_spool *spool, const struct mail *mail,
                      struct edge_spool_answer *answer)
{
    struct fb_view_stream last = {0};

    FB_REQUIRE(mail->n > 0 && mail->reports != NULL);
    int err = peer_get(spool, &mail->reports[0], &last);
    if (err == FB_OK && last.sequence == 0) {
        err = peer_make_room(spool);
    }
    for (size_t i = 0; i < mail->n && err == FB_OK; i++) {
        const struct fb_view_report *report = &mail->reports[i];
        enum fb_view_verdict verdict = fb_view_report_judge(&last, report, mail->digests[i]);

        if (verdict == FB_VIEW_GAP || verdict == FB_VIEW_CHANGED) {
            answer->verdict = verdict;
            answer->refused = report->sequence;
            break;
        }
        if (verdict == FB_VIEW_REPEATED) {
            answer->n_repeated++;
            continue;
        }
        err = report_merge(spool, report);
        last.sequence = report->sequence;
        memcpy(last.digest, mail->digests[i], FB_VIEW_DIGEST_SIZE);
        answer->n_applied++;
    }
    answer->acked = last.sequence;
    if (err == FB_OK && answer->n_applied > 0) {
        err = peer_put(spool, &mail->reports[0], &last);
    }
    return err;
}

static void answer_log(const struct mail *mail, const struct edge_spool_answer *answer)
{
    FB_LOG(ERROR, "report",
           answer->verdict == FB_VIEW_GAP ? "a report is missing in a stream"
                                          : "a stream was changed",
           FB_LOG_STR("node", mail->reports[0].node), FB_LOG_INT("acked", answer->acked),
           FB_LOG_INT("refused", answer->refused));
}

int edge_spool_receive(struct edge_spool *spool, struct fb_str node, struct fb_str body,
                       struct edge_spool_answer *ret_answer)
{
    FB_AUTO(mail_done) struct mail mail = {0};
    struct edge_spool_answer answer = {.verdict = FB_VIEW_APPLY};

    int err = mail_read(&mail, body);
    if (err < 0) {
        return err;
    }
    bool is_theirs = mail.reports != NULL && fb_str_equal_nocase(mail.reports[0].node, node);
    if (node.ptr != NULL && !is_theirs) {
        return FB_E_DENIED;
    }
    FB_AUTO(edge_spool_hold_done) struct spool_hold hold = {0};
    edge_spool_lock(spool, &hold);
    err = edge_spool_make_room(spool);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    err = fb_db_begin(spool->db, &tx);
    if (err == FB_OK) {
        err = mail_apply(spool, &mail, &answer);
    }
    if (err == FB_OK) {
        err = fb_db_commit(&tx);
    }
    if (err < 0) {
        return err;
    }
    spool->counts.applied += answer.n_applied;
    spool->counts.repeated += answer.n_repeated;
    spool->counts.gaps += answer.verdict == FB_VIEW_GAP ? 1 : 0;
    spool->counts.changed += answer.verdict == FB_VIEW_CHANGED ? 1 : 0;
    if (answer.verdict != FB_VIEW_APPLY) {
        answer_log(&mail, &answer);
    }
    *ret_answer = answer;
    return FB_OK;
}
