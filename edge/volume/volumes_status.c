#include "base/core/buf.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/metrics/metrics.h"
#include "edge/volume/volumes_internal.h"

#include <stdio.h>

enum {
    IS_ONLINE,
    EXTENTS,
    INDEX_BYTES,
    SIZE_BYTES,
    ZONES_FREE,
    QUEUED_BYTES,
    WRITTEN_ADMISSION,
    WRITTEN_REWRITING,
    WRITTEN_METADATA,
    WRITTEN_TODAY,
    BUDGET_BYTES,
    READS,
    READ_TORN,
    READ_ROTTEN_HEADS,
    READ_ROTTEN_CHUNKS,
    READ_RECLAIMED,
    IO_ERRORS,
    ZONES_RECLAIMED,
    REWRITTEN,
    DROPPED,
    CHECKPOINTS,
    SCRUBBED_BYTES,
    N_ROWS
};

#define WRITTEN_HELP "Bytes written to the volume in its life, over restarts."
#define LOST_READS_HELP \
    "What was not as it was written, or not there any more, by whomever it was read: never served."

static const struct fb_metric rows[N_ROWS] = {
    [IS_ONLINE] = {"edge_volume_online", FB_METRIC_GAUGE, NULL,
                   "Whether the volume is in service."},
    [EXTENTS] = {"edge_volume_extents", FB_METRIC_GAUGE, NULL, "Extents that the volume holds."},
    [INDEX_BYTES] = {"edge_volume_index_bytes", FB_METRIC_GAUGE, NULL,
                     "Memory of the volume's index."},
    [SIZE_BYTES] = {"edge_volume_size_bytes", FB_METRIC_GAUGE, NULL, "Size of the volume."},
    [ZONES_FREE] = {"edge_volume_zones_free", FB_METRIC_GAUGE, NULL, "Zones ready to be opened."},
    [QUEUED_BYTES] = {"edge_volume_queued_bytes", FB_METRIC_GAUGE, NULL,
                      "Bytes that wait to be written."},
    [WRITTEN_ADMISSION] = {"edge_volume_written_bytes_total", FB_METRIC_COUNTER,
                           "kind=\"admission\"", WRITTEN_HELP},
    [WRITTEN_REWRITING] = {"edge_volume_written_bytes_total", FB_METRIC_COUNTER,
                           "kind=\"rewriting\"", WRITTEN_HELP},
    [WRITTEN_METADATA] = {"edge_volume_written_bytes_total", FB_METRIC_COUNTER, "kind=\"metadata\"",
                          WRITTEN_HELP},
    [WRITTEN_TODAY] = {"edge_volume_written_today_bytes", FB_METRIC_GAUGE, NULL,
                       "Bytes written on this day (UTC), as the budget counts them."},
    [BUDGET_BYTES] = {"edge_volume_budget_bytes", FB_METRIC_GAUGE, NULL,
                      "Bytes that may be written in a day; 0: no limit."},
    [READS] = {"edge_volume_reads_total", FB_METRIC_COUNTER, NULL, "Chunks asked of the volume."},
    [READ_TORN] = {"edge_volume_lost_reads_total", FB_METRIC_COUNTER, "cause=\"torn\"",
                   LOST_READS_HELP},
    [READ_ROTTEN_HEADS] = {"edge_volume_lost_reads_total", FB_METRIC_COUNTER,
                           "cause=\"rotten_head\"", LOST_READS_HELP},
    [READ_ROTTEN_CHUNKS] = {"edge_volume_lost_reads_total", FB_METRIC_COUNTER,
                            "cause=\"rotten_chunk\"", LOST_READS_HELP},
    [READ_RECLAIMED] = {"edge_volume_lost_reads_total", FB_METRIC_COUNTER, "cause=\"reclaimed\"",
                        LOST_READS_HELP},
    [IO_ERRORS] = {"edge_volume_io_errors_total", FB_METRIC_COUNTER, NULL,
                   "Reads, writes and syncs that the drive failed."},
    [ZONES_RECLAIMED] = {"edge_volume_zones_reclaimed_total", FB_METRIC_COUNTER, NULL,
                         "Zones that were emptied to be written again."},
    [REWRITTEN] = {"edge_volume_rewritten_extents_total", FB_METRIC_COUNTER, NULL,
                   "Extents that were worth keeping when their zone was reclaimed."},
    [DROPPED] = {"edge_volume_dropped_extents_total", FB_METRIC_COUNTER, NULL,
                 "Extents given to be written that were not: budget, failure, purge."},
    [CHECKPOINTS] = {"edge_volume_checkpoints_total", FB_METRIC_COUNTER, NULL,
                     "Checkpoints written."},
    [SCRUBBED_BYTES] = {"edge_volume_scrubbed_bytes_total", FB_METRIC_COUNTER, NULL,
                        "Bytes read to see whether they are as they were written."},
};

/* Under the lock. */
static void slot_describe(const struct edge_slot *slot, struct edge_volume_status *ret)
{
    struct edge_volume_status status = {.size = slot->spec.size,
                                        .daily_bytes = slot->spec.daily_bytes};

    if (slot->volume != NULL) {
        edge_volume_describe(slot->volume, &status);
    }
    status.path = slot->spec.path;
    status.state = slot->state;
    (void)snprintf(status.reason, sizeof(status.reason), "%s", slot->reason);
    *ret = status;
}

void edge_volumes_status(struct edge_volumes *volumes, size_t i, struct edge_volume_status *ret)
{
    FB_REQUIRE(i < volumes->n && pthread_rwlock_rdlock(&volumes->lock) == 0);
    slot_describe(&volumes->slots[i], ret);
    FB_REQUIRE(pthread_rwlock_unlock(&volumes->lock) == 0);
}

bool edge_volumes_are_started(struct edge_volumes *volumes)
{
    bool are_started = true;

    FB_REQUIRE(pthread_rwlock_rdlock(&volumes->lock) == 0);
    for (size_t i = 0; i < volumes->n; i++) {
        are_started &= volumes->slots[i].state != EDGE_VOLUME_STARTING;
    }
    FB_REQUIRE(pthread_rwlock_unlock(&volumes->lock) == 0);
    return are_started;
}

static void slot_refresh(const struct edge_slot *slot)
{
    struct edge_volume_status status;
    struct edge_volume_counts counts = {0};

    slot_describe(slot, &status);
    if (slot->volume != NULL) {
        edge_volume_counts(slot->volume, &counts);
    }
    const uint64_t values[N_ROWS] = {
        [IS_ONLINE] = slot->is_serving,
        [EXTENTS] = status.n_extents,
        [INDEX_BYTES] = status.index_bytes,
        [SIZE_BYTES] = status.size,
        [ZONES_FREE] = status.n_zones_free,
        [QUEUED_BYTES] = counts.queued_bytes,
        [WRITTEN_ADMISSION] = status.written_admission,
        [WRITTEN_REWRITING] = status.written_rewriting,
        [WRITTEN_METADATA] = status.written_metadata,
        [WRITTEN_TODAY] = status.written_today,
        [BUDGET_BYTES] = status.daily_bytes,
        [READS] = counts.n_reads,
        [READ_TORN] = counts.n_torn,
        [READ_ROTTEN_HEADS] = counts.n_rotten_heads,
        [READ_ROTTEN_CHUNKS] = counts.n_rotten_chunks,
        [READ_RECLAIMED] = counts.n_reclaimed,
        [IO_ERRORS] = counts.n_io_errors,
        [ZONES_RECLAIMED] = counts.n_zones_reclaimed,
        [REWRITTEN] = counts.n_rewritten,
        [DROPPED] = counts.n_dropped,
        [CHECKPOINTS] = counts.n_checkpoints,
        [SCRUBBED_BYTES] = counts.scrubbed_bytes,
    };
    for (size_t i = 0; i < N_ROWS; i++) {
        fb_metrics_set(slot->metrics, i, values[i]);
    }
}

static void volumes_refresh(void *ctx)
{
    struct edge_volumes *volumes = ctx;

    FB_REQUIRE(pthread_rwlock_rdlock(&volumes->lock) == 0);
    for (size_t i = 0; i < volumes->n; i++) {
        slot_refresh(&volumes->slots[i]);
    }
    FB_REQUIRE(pthread_rwlock_unlock(&volumes->lock) == 0);
}

void edge_volumes_make_metrics(struct edge_volumes *volumes, struct fb_metrics *metrics)
{
    for (size_t i = 0; i < volumes->n; i++) {
        FB_AUTO(fb_buf_done) struct fb_buf label = {0};

        fb_metrics_label(&label, "volume", fb_str_from(volumes->slots[i].spec.path));
        volumes->slots[i].metrics = fb_metrics_table_new(metrics, rows, N_ROWS, label.ptr);
    }
    if (volumes->n > 0) {
        fb_metrics_on_render(metrics, volumes_refresh, volumes);
    }
}
