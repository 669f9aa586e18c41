/*
 * The reports' way in: from the bytes of a request to one transaction for what fits in memory.
 */
#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/log/log.h"
#include "origin/views/fold.h"
#include "origin/views/views_internal.h"

#include <string.h>

enum {
    GROUP_ENTRIES = 20000, /* of the reports that one transaction applies; and one report more */
    GROUP_REPORTS = 256,
    TRIES = 8 /* another request of the same stream, once each */
};

/* Reports of one stream that follow each other, decoded. */
struct group {
    struct fb_view_report reports[GROUP_REPORTS]; /* owned */
    size_t n;
    size_t n_entries;
    struct fb_view_stream from;
    struct fb_view_stream to;
};

static void group_clear(struct group *group)
{
    for (size_t i = 0; i < group->n; i++) {
        fb_view_report_done(&group->reports[i]);
    }
    group->n = 0;
    group->n_entries = 0;
    group->from = group->to;
}

/* ---- one transaction ------------------------------------------------------------------- */

static void merged_collect(struct fb_arena *arena, const struct group *group,
                           struct origin_view_apply *apply)
{
    size_t n = 0;
    for (size_t i = 0; i < group->n; i++) {
        n += group->reports[i].n_merged;
    }
    if (n == 0) {
        return;
    }
    struct fb_view_merged *merged = fb_arena_alloc(arena, n * sizeof(*merged));
    for (size_t i = 0; i < group->n; i++) {
        for (size_t k = 0; k < group->reports[i].n_merged; k++) {
            merged[apply->n_merged++] = group->reports[i].merged[k];
        }
    }
    apply->merged = merged;
}

/* A row of what was added to `video`. */
static struct origin_view_row row_of(const struct origin_view_apply *apply,
                                     const struct origin_view_video *video,
                                     const struct origin_view_part *part, int64_t span_ms)
{
    return (struct origin_view_row){
        .seq = video->seq,
        .video = video->id,
        .region = apply->region,
        .start_ms = part->when * span_ms,
        .span_ms = span_ms,
        .sums = part->sums,
    };
}

/* Tells of slots, and of the hours that have none any more. */
static void views_tell(const struct origin_views *views, struct fb_arena *arena,
                       const struct origin_view_apply *apply, int64_t slots_from_ms)
{
    size_t n = 0;
    for (size_t i = 0; i < apply->n_videos; i++) {
        n += apply->videos[i].n_slots + apply->videos[i].n_hours;
    }
    if (n == 0 || views->n_listeners == 0) {
        return;
    }
    struct origin_view_row *rows = fb_arena_alloc(arena, n * sizeof(*rows));
    n = 0;
    for (size_t i = 0; i < apply->n_videos; i++) {
        const struct origin_view_video *video = &apply->videos[i];
        for (size_t k = 0; k < video->n_hours && video->seq != 0; k++) {
            if (video->hours[k].when * ORIGIN_MS_PER_HOUR < slots_from_ms) {
                rows[n++] = row_of(apply, video, &video->hours[k], ORIGIN_MS_PER_HOUR);
            }
        }
        for (size_t k = 0; k < video->n_slots && video->seq != 0; k++) {
            rows[n++] = row_of(apply, video, &video->slots[k], ORIGIN_MS_PER_SLOT);
        }
    }
    for (size_t i = 0; i < views->n_listeners && n > 0; i++) {
        views->listeners[i].changed(views->listeners[i].ctx, rows, n);
    }
}

static void views_audit(struct origin_views *views, const struct origin_view_audit *audit)
{
    int err = origin_catalog_view_audit_add(views->options.catalog, audit);
    if (err < 0) {
        FB_LOG(WARN, "views", "could not note what is wrong with a report",
               FB_LOG_STR("node", audit->node), FB_LOG_STR("what", audit->reason),
               FB_LOG_TEXT("cause", fb_err_text(err)));
    }
}

static void views_audit_clock(struct origin_views *views, const struct group *group,
                              struct fb_str reason, size_t n)
{
    if (n > 0) {
        fb_metrics_add(views->metrics, ORIGIN_VIEWS_CLAMPED, n);
        views_audit(views, &(struct origin_view_audit){
                               .node = group->reports[0].node,
                               .epoch = group->reports[0].epoch,
                               .sequence = group->to.sequence,
                               .expected = n,
                               .reason = reason,
                           });
    }
}

static int group_apply_once(struct origin_views *views, struct group *group)
{
    FB_AUTO(fb_arena_done) struct fb_arena arena = {0};
    int64_t now_ms = fb_clock_wall_ms(views->options.clock);
    uint64_t since_ns = fb_clock_mono_ns(views->options.clock);
    FB_AUTO(origin_fold_done)
    struct origin_fold fold = origin_fold_reports(&arena, group->reports, group->n, now_ms);
    struct origin_view_apply apply = {
        .node = group->reports[0].node,
        .region = group->reports[0].region,
        .epoch = group->reports[0].epoch,
        .from = group->from,
        .to = group->to,
        .n_reports = group->n,
        .videos = fold.videos,
        .n_videos = fold.n_videos,
    };

    for (size_t i = 0; i < group->n; i++) {
        fb_view_totals_add(&apply.totals, &group->reports[i].totals);
    }
    merged_collect(&arena, group, &apply);
    int err = origin_catalog_views_apply(views->options.catalog, &apply);
    if (err < 0) {
        return err;
    }
    fb_metrics_observe_ns(views->metrics, ORIGIN_VIEWS_SECONDS,
                          fb_clock_mono_ns(views->options.clock) - since_ns);
    fb_metrics_add(views->metrics, ORIGIN_VIEWS_APPLIED, group->n);
    fb_metrics_add(views->metrics, ORIGIN_VIEWS_ENTRIES, fold.n_entries);
    fb_metrics_add(views->metrics, ORIGIN_VIEWS_ROWS, apply.n_rows);
    fb_metrics_add(views->metrics, ORIGIN_VIEWS_UNKNOWN, apply.n_unknown);
    fb_metrics_add(views->metrics, ORIGIN_VIEWS_OVERLAPS, apply.n_overlaps);
    views_audit_clock(views, group, FB_STR("clock-ahead"), fold.n_ahead);
    views_audit_clock(views, group, FB_STR("clock-behind"), fold.n_behind);
    views_tell(views, &arena, &apply, origin_fold_slots_from(now_ms));
    return FB_OK;
}

/* Leaves the group empty on success. */
static int group_apply(struct origin_views *views, struct group *group)
{
    if (group->n == 0) {
        return FB_OK;
    }
    int err = group_apply_once(views, group);
    if (err == FB_OK) {
        group_clear(group);
    }
    return err;
}

/* ---- one request ------------------------------------------------------------------------- */

struct intake {
    struct origin_views *views;
    struct origin_views_answer *answer;
    struct group *group; /* owned */
    bool has_stream;     /* it is known whose the reports are */
};

static int intake_begin(struct intake *intake, const struct fb_view_report *report)
{
    struct origin_views_answer *answer = intake->answer;

    if (intake->has_stream) {
        bool is_same =
            answer->epoch == report->epoch && fb_str_equal(fb_buf_str(&answer->node), report->node);
        return is_same ? FB_OK : FB_E_MALFORMED;
    }
    int err = origin_catalog_view_stream(intake->views->options.catalog, report->node,
                                         report->epoch, &intake->group->from);
    if (err < 0) {
        return err;
    }
    intake->group->to = intake->group->from;
    intake->has_stream = true;
    answer->epoch = report->epoch;
    answer->acked = intake->group->from.sequence;
    fb_buf_clear(&answer->node);
    fb_buf_append(&answer->node, report->node);
    return FB_OK;
}

static void intake_refuse(struct intake *intake, const struct fb_view_report *report,
                          enum fb_view_verdict verdict)
{
    intake->answer->verdict = verdict;
    intake->answer->sequence = report->sequence;
}

/* Takes over what the report owns. FB_E_END once one was refused. */
static int intake_take(struct intake *intake, struct fb_view_report *report, struct fb_str bytes)
{
    struct group *group = intake->group;
    uint8_t digest[FB_VIEW_DIGEST_SIZE];

    int err = intake_begin(intake, report);
    if (err < 0) {
        return err;
    }
    fb_view_report_digest(bytes, digest);
    enum fb_view_verdict verdict = fb_view_report_judge(&group->to, report, digest);
    if (verdict == FB_VIEW_REPEATED) {
        intake->answer->n_repeated++;
        return FB_OK;
    }
    if (verdict != FB_VIEW_APPLY) {
        intake_refuse(intake, report, verdict);
        return FB_E_END;
    }
    if (group->n > 0 && !fb_str_equal(group->reports[0].region, report->region)) {
        err = group_apply(intake->views, group); /* the rows of a group have one region */
        if (err < 0) {
            return err;
        }
    }
    group->to.sequence = report->sequence;
    memcpy(group->to.digest, digest, sizeof(digest));
    group->n_entries += report->n_entries;
    group->reports[group->n++] = *report;
    *report = (struct fb_view_report){0};
    if (group->n == GROUP_REPORTS || group->n_entries >= GROUP_ENTRIES) {
        err = group_apply(intake->views, group);
    }
    return err;
}

/* What was accepted before a report that is broken counts: it was sent before it. */
static int intake_run(struct intake *intake, struct fb_str body)
{
    struct fb_str rest = body;
    struct fb_str bytes;
    int err;

    while ((err = fb_view_batch_next(&rest, &bytes)) == FB_OK) {
        struct fb_view_report report = {0};
        err = fb_view_report_decode(bytes, &report);
        if (err == FB_OK) {
            err = intake_take(intake, &report, bytes);
            fb_view_report_done(&report);
        }
        if (err < 0) {
            break;
        }
    }
    int applied = group_apply(intake->views, intake->group);
    if (applied < 0) {
        return applied;
    }
    if (intake->has_stream) {
        intake->answer->acked = intake->group->to.sequence;
    }
    return err == FB_E_END ? FB_OK : err;
}

static int intake_once(struct origin_views *views, struct fb_str body,
                       struct origin_views_answer *answer)
{
    struct group *group = FB_NEW(struct group);
    struct intake intake = {.views = views, .answer = answer, .group = group};

    int err = intake_run(&intake, body);
    group_clear(group);
    fb_free(group);
    return err;
}

static void answer_audit(struct origin_views *views, const struct origin_views_answer *answer)
{
    bool is_gap = answer->verdict == FB_VIEW_GAP;

    views_audit(views, &(struct origin_view_audit){
                           .node = fb_buf_str(&answer->node),
                           .epoch = answer->epoch,
                           .sequence = answer->sequence,
                           .expected = answer->acked + 1,
                           .reason = is_gap ? FB_STR("gap") : FB_STR("changed"),
                       });
    fb_metrics_add(views->metrics, ORIGIN_VIEWS_REFUSED, 1);
}

int origin_views_take(struct origin_views *views, struct fb_str body,
                      struct origin_views_answer *answer)
{
    int err = FB_E_CONFLICT;

    /* Another request of the same stream may have moved it on: what it brought is a repetition. */
    for (int i = 0; i < TRIES && err == FB_E_CONFLICT; i++) {
        fb_buf_done(&answer->node);
        *answer = (struct origin_views_answer){.verdict = FB_VIEW_APPLY};
        err = intake_once(views, body, answer);
    }
    fb_metrics_add(views->metrics, ORIGIN_VIEWS_REPEATED, answer->n_repeated);
    if (answer->verdict == FB_VIEW_GAP || answer->verdict == FB_VIEW_CHANGED) {
        answer_audit(views, answer);
    }
    return err;
}
