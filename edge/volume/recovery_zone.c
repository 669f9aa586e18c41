#include "base/core/alloc.h"
#include "base/core/err.h"
#include "edge/volume/recovery_internal.h"

/*
 * Replaying the zones, oldest first. What each brings beyond the checkpoint comes from its
 * summary in one read, or from a walk in windows that grow while records are small.
 */

enum { WINDOW_MIN = 16, WINDOW_MAX = 256 /* blocks */ };

static void replay_next(struct volume_recovery *recovery);

static struct recovery_zone *replay_zone(const struct volume_recovery *recovery)
{
    return &recovery->zones[recovery->order[recovery->next]];
}

static bool replay_is_newest(const struct volume_recovery *recovery)
{
    return recovery->next + 1 == recovery->n_order;
}

/* The current zone is done with. */
static void replay_adopt(struct volume_recovery *recovery, enum edge_zone_state state,
                         uint32_t n_blocks)
{
    struct edge_volume *volume = recovery->volume;
    const struct recovery_zone *zone = replay_zone(recovery);
    uint32_t number = recovery->order[recovery->next];
    uint32_t used = FB_MAX(n_blocks, zone->known.n_blocks);

    edge_zones_adopt(volume->zones, number, state, zone->generation);
    edge_zones_set_used(volume->zones, number, used);
    if (replay_is_newest(recovery)) {
        __atomic_store_n(&volume->shared.suspect_generation, zone->generation, __ATOMIC_RELAXED);
        __atomic_store_n(&volume->shared.suspect_end, used, __ATOMIC_RELAXED);
    }
    recovery->next++;
    edge_recovery_later(recovery, replay_next);
}

/* ---- walking -------------------------------------------------------------------------- */

static void walk_end(struct volume_recovery *recovery, bool is_broken)
{
    struct recovery_walk *walk = &recovery->walk;
    const struct recovery_zone *zone = replay_zone(recovery);
    struct volume_zone *open = &recovery->volume->writer.zone;

    if (!walk->is_newest || walk->sealed > 0 || !zone->has_header || is_broken ||
        walk->block < zone->known.n_blocks) {
        edge_zone_clear(recovery->volume);
        replay_adopt(recovery, EDGE_ZONE_SEALED, FB_MAX(walk->block, walk->sealed));
        return;
    }
    open->step = VOLUME_ZONE_FOUND;
    open->number = walk->zone;
    open->generation = zone->generation;
    open->is_continued = true;
    open->n_blocks = walk->block;
    open->written = walk->block;
    open->sum = walk->sum;
    replay_adopt(recovery, EDGE_ZONE_OPEN, walk->block);
}

static struct edge_listing listing_of(const struct recovery_walk *walk,
                                      const struct edge_record *record)
{
    int64_t hour = record->head.wall_ms / VOLUME_HOUR_MS;

    return (struct edge_listing){
        .kind = record->kind,
        .id = record->head.id,
        .place =
            {
                .zone = walk->zone,
                .block = record->block,
                .n_blocks = record->n_blocks,
                .title = record->head.title,
                .hour = hour < 0 ? 0 : (uint32_t)hour,
                .n_head_blocks = record->n_head_blocks,
                .mask = record->head.mask,
            },
    };
}

static void walk_count(struct recovery_walk *walk, const struct edge_record *record)
{
    enum volume_use use = record->kind != EDGE_RECORD_EXTENT ? VOLUME_METADATA
                          : record->is_rewritten             ? VOLUME_REWRITING
                                                             : VOLUME_ADMISSION;

    walk->since[use] += (uint64_t)record->n_blocks * EDGE_FORMAT_BLOCK;
}

static void walk_take(struct volume_recovery *recovery, const struct edge_record *record)
{
    struct recovery_walk *walk = &recovery->walk;
    bool is_known = record->block < replay_zone(recovery)->known.n_blocks;
    struct edge_listing listing = listing_of(walk, record);

    if (record->kind == EDGE_RECORD_LEDGER) {
        if (edge_recovery_saw_written(recovery, &record->written)) {
            walk->since[VOLUME_ADMISSION] = 0;
            walk->since[VOLUME_REWRITING] = 0;
            walk->since[VOLUME_METADATA] = 0;
        }
        return;
    }
    if (walk->is_newest && !is_known) {
        walk_count(walk, record);
    }
    if (walk->is_newest && walk->sealed == 0) {
        edge_zone_list(recovery->volume, &listing);
    }
    if (!is_known && walk->sealed == 0) {
        edge_recovery_apply(recovery, &listing);
    }
}

/* The record at walk->block, if there is a whole one that follows the one before. */
static bool walk_decode(const struct volume_recovery *recovery, struct edge_record *ret_record)
{
    const struct recovery_walk *walk = &recovery->walk;
    uint32_t at = walk->block - walk->window;
    size_t n = (size_t)(walk->n_window - at) * EDGE_FORMAT_BLOCK;

    return edge_record_decode(recovery->bytes + (size_t)at * EDGE_FORMAT_BLOCK, n, ret_record) ==
               FB_OK &&
           ret_record->generation == replay_zone(recovery)->generation &&
           ret_record->block == walk->block && ret_record->previous == walk->sum &&
           ret_record->n_blocks <= recovery->volume->n_zone_blocks - walk->block;
}

static void walk_window(struct volume_recovery *recovery);

static void on_window(struct volume_recovery *recovery, int result)
{
    struct recovery_walk *walk = &recovery->walk;
    uint32_t n_zone_blocks = recovery->volume->n_zone_blocks;
    uint32_t end = walk->window + walk->n_window;

    if (result < 0) {
        walk_end(recovery, true);
        return;
    }
    while (walk->block < n_zone_blocks) {
        struct edge_record record;
        if (walk->block + EDGE_FORMAT_MAX_HEAD_BLOCKS > end && end < n_zone_blocks) {
            walk_window(recovery);
            return;
        }
        if (!walk_decode(recovery, &record)) {
            break;
        }
        walk_take(recovery, &record);
        walk->sum = record.sum;
        walk->block += record.n_blocks;
    }
    walk_end(recovery, false);
}

static void walk_window(struct volume_recovery *recovery)
{
    struct recovery_walk *walk = &recovery->walk;
    struct edge_volume *volume = recovery->volume;
    bool is_dense = walk->block <= walk->window + walk->n_window;
    uint32_t n_wanted = is_dense ? FB_MIN(walk->n_window * 2, (uint32_t)WINDOW_MAX) : WINDOW_MIN;

    walk->window = walk->block;
    walk->n_window =
        FB_MIN(FB_MAX(n_wanted, (uint32_t)WINDOW_MIN), volume->n_zone_blocks - walk->block);
    edge_recovery_read(recovery, edge_zone_offset(volume, walk->zone, walk->block),
                       (size_t)walk->n_window * EDGE_FORMAT_BLOCK, on_window);
}

/* `sealed`: blocks that a summary told of; 0: none did. */
static void walk_begin(struct volume_recovery *recovery, uint32_t sealed)
{
    recovery->walk = (struct recovery_walk){
        .zone = recovery->order[recovery->next],
        .block = 1,
        .is_newest = replay_is_newest(recovery),
        .sealed = sealed,
    };
    walk_window(recovery);
}

/* ---- summaries --------------------------------------------------------------------------- */

static void on_summary(struct volume_recovery *recovery, int result)
{
    const struct recovery_zone *zone = replay_zone(recovery);
    const struct edge_summary *summary = &zone->summary;
    struct edge_listing listing;
    uint32_t n_blocks = 1;

    if (result == FB_OK) {
        result = edge_summary_verify(recovery->bytes, summary);
    }
    if (result < 0) {
        walk_begin(recovery, 0);
        return;
    }
    for (uint32_t i = 0; i < summary->n; i++) {
        if (edge_summary_get(recovery->bytes, summary, i, &listing) < 0) {
            continue;
        }
        n_blocks = FB_MAX(n_blocks, listing.place.block + listing.place.n_blocks);
        if (listing.place.block >= zone->known.n_blocks) {
            edge_recovery_apply(recovery, &listing);
        }
    }
    if (replay_is_newest(recovery)) {
        walk_begin(recovery, n_blocks); /* no later header has the count of its ledgers */
    } else {
        replay_adopt(recovery, EDGE_ZONE_SEALED, n_blocks);
    }
}

/* ---- all zones ----------------------------------------------------------------------------- */

static void replay_finish(struct volume_recovery *recovery)
{
    struct edge_volume *volume = recovery->volume;
    struct edge_written *written = &recovery->written;

    written->admission += recovery->walk.since[VOLUME_ADMISSION];
    written->rewriting += recovery->walk.since[VOLUME_REWRITING];
    written->metadata += recovery->walk.since[VOLUME_METADATA];
    edge_ledger_restore(volume, recovery->has_written ? written : NULL);
    if (written->reserve <= EDGE_FORMAT_BLOCK) { /* the latest count is that of a drain */
        __atomic_store_n(&volume->shared.suspect_end, 0, __ATOMIC_RELAXED);
    }
    volume->checkpoint.at_total = edge_written_total(written);
    edge_recovery_end(recovery, FB_OK);
}

static void replay_next(struct volume_recovery *recovery)
{
    const struct recovery_zone *zone = NULL;
    struct edge_volume *volume = recovery->volume;

    if (recovery->next == recovery->n_order) {
        replay_finish(recovery);
        return;
    }
    zone = replay_zone(recovery);
    if (zone->known.generation != 0 && zone->known.is_sealed) {
        replay_adopt(recovery, EDGE_ZONE_SEALED, zone->known.n_blocks);
    } else if (zone->summary.generation != 0) {
        edge_recovery_read(recovery,
                           edge_zone_offset(volume, recovery->order[recovery->next],
                                            volume->n_zone_blocks - zone->summary.n_blocks),
                           (size_t)zone->summary.n_blocks * EDGE_FORMAT_BLOCK, on_summary);
    } else {
        walk_begin(recovery, 0);
    }
}

void edge_recovery_replay(struct volume_recovery *recovery)
{
    recovery->next = 0;
    edge_recovery_later(recovery, replay_next);
}
