#include "base/core/alloc.h"
#include "base/core/err.h"
#include "edge/policy/rewriting.h"
#include "edge/volume/volume_internal.h"

/*
 * Reclaim empties the oldest sealed zone, so that VOLUME_FREE_ZONES stand ready, or passes it
 * over as it is if most of it is in demand: then the next one. What the policy wants again is read,
 * verified, and written like anything else; the rest is dropped from the index. At most half a zone
 * is written again, the hottest of it, so that each reclaim gains something; and at most
 * VOLUME_FETCHES extents are read at a time, so that viewers' reads are not behind many of ours.
 *
 * A zone of which something was purged is not passed over, and loses its passes: it must go before
 * the zone that holds the record of the purge does, or a crash could bring back what was purged.
 */

struct volume_wanted {
    struct edge_extent_id id;
    struct edge_place place;
};

static size_t reclaim_n_wanted(const struct volume_reclaim *reclaim)
{
    return reclaim->wanted.len / sizeof(struct volume_wanted);
}

static struct volume_wanted *reclaim_wanted(const struct volume_reclaim *reclaim, size_t i)
{
    return (struct volume_wanted *)(void *)reclaim->wanted.ptr + i;
}

/* ---- choosing -------------------------------------------------------------------- */

static bool reclaim_passes(struct edge_volume *volume, uint32_t zone)
{
    struct edge_extent_id id;
    struct edge_place place;
    uint64_t n_warm_blocks = 0;
    uint32_t cursor = 0;

    if (edge_index_has_gaps(volume->index, zone)) {
        return false;
    }
    while (edge_index_next_of_zone(volume->index, zone, &cursor, &id, &place)) {
        n_warm_blocks += place.heat > 0 ? place.n_blocks : 0;
    }
    return edge_rewriting_passes(n_warm_blocks, volume->n_zone_blocks, volume->reclaim.n_passed);
}

/* The zone to be emptied: the oldest one that is not passed over. */
static bool reclaim_next_zone(struct edge_volume *volume)
{
    struct volume_reclaim *reclaim = &volume->reclaim;

    reclaim->n_passed = 0;
    for (uint32_t i = 0; i < volume->superblock.n_zones; i++) {
        if (edge_index_has_gaps(volume->index, i)) {
            edge_zones_unpass(volume->zones, i);
        }
    }
    while (edge_zones_oldest_sealed(volume->zones, &reclaim->zone)) {
        if (!reclaim_passes(volume, reclaim->zone)) {
            return true;
        }
        edge_index_cool_zone(volume->index, reclaim->zone);
        edge_zones_pass(volume->zones, reclaim->zone);
        reclaim->n_passed++;
    }
    return false;
}

static bool reclaim_asks_for(const struct edge_volume *volume, const struct edge_place *place)
{
    return edge_rewriting_ask(
        place->heat, edge_budget_pressure(&volume->ledger.budget, edge_volume_wall_ms(volume)));
}

/* The least heat at which all that is as hot fits into half a zone. */
static unsigned reclaim_least_heat(const struct edge_volume *volume, const uint64_t *blocks_of_heat)
{
    uint64_t left = volume->n_zone_blocks / 2;
    unsigned heat = EDGE_HEAT_MAX + 1;

    while (heat > 0 && blocks_of_heat[heat - 1] <= left) {
        heat--;
        left -= blocks_of_heat[heat];
    }
    return heat;
}

static void reclaim_choose(struct edge_volume *volume)
{
    struct volume_reclaim *reclaim = &volume->reclaim;
    uint64_t blocks_of_heat[EDGE_HEAT_MAX + 1] = {0};
    uint32_t cursor = 0;
    struct volume_wanted wanted;
    size_t n_kept = 0;
    uint64_t left = volume->n_zone_blocks / 2;

    fb_buf_clear(&reclaim->wanted);
    while (
        edge_index_next_of_zone(volume->index, reclaim->zone, &cursor, &wanted.id, &wanted.place)) {
        if (reclaim_asks_for(volume, &wanted.place)) {
            blocks_of_heat[FB_MIN(wanted.place.heat, (unsigned)EDGE_HEAT_MAX)] +=
                wanted.place.n_blocks;
            fb_buf_append(&reclaim->wanted, (struct fb_str){(const char *)&wanted, sizeof(wanted)});
        }
    }
    /* Of the heat that does not fit as a whole, what comes first. */
    unsigned least = reclaim_least_heat(volume, blocks_of_heat);
    for (unsigned heat = least; heat <= EDGE_HEAT_MAX; heat++) {
        left -= blocks_of_heat[heat];
    }
    for (size_t i = 0; i < reclaim_n_wanted(reclaim); i++) {
        const struct volume_wanted *each = reclaim_wanted(reclaim, i);
        bool is_kept = each->place.heat >= least;
        if (each->place.heat + 1U == least && each->place.n_blocks <= left) {
            left -= each->place.n_blocks;
            is_kept = true;
        }
        if (is_kept) {
            *reclaim_wanted(reclaim, n_kept++) = *each;
        }
    }
    fb_buf_truncate(&reclaim->wanted, n_kept * sizeof(struct volume_wanted));
    reclaim->next = 0;
}

/* ---- moving ------------------------------------------------------------------------ */

static void on_copied(void *owner)
{
    struct volume_fetch *fetch = owner;
    fetch->is_busy = false;
}

static void reclaim_write_again(struct edge_volume *volume, struct volume_fetch *fetch)
{
    struct volume_job *job = FB_NEW(struct volume_job);

    fb_list_init(&job->link);
    job->kind = VOLUME_JOB_EXTENT;
    job->fingerprint = fetch->id.fingerprint;
    job->record = fetch->record;
    job->record.is_rewritten = true;
    job->old = fetch->place;
    for (unsigned i = 0; i < EDGE_EXTENT_CHUNKS; i++) {
        if (fetch->record.chunk_bytes[i] > 0) {
            job->chunks[i] = edge_fetch_chunk(fetch, i);
        }
    }
    job->release = on_copied;
    job->owner = fetch;
    edge_writer_add(volume, job);
}

static void on_wanted_fetched(struct volume_fetch *fetch, int result)
{
    struct edge_volume *volume = fetch->io.volume;

    if (result == FB_OK && !volume->reclaim.is_hurried && edge_volume_writes(volume)) {
        reclaim_write_again(volume, fetch);
    } else {
        fetch->is_busy = false;
        edge_reclaim_moved(volume);
    }
    edge_writer_pump(volume);
}

static struct volume_fetch *reclaim_idle_fetch(struct volume_reclaim *reclaim)
{
    for (unsigned i = 0; i < VOLUME_FETCHES; i++) {
        if (!reclaim->fetches[i].is_busy) {
            return &reclaim->fetches[i];
        }
    }
    return NULL;
}

static void reclaim_fetch_more(struct edge_volume *volume)
{
    struct volume_reclaim *reclaim = &volume->reclaim;
    struct volume_fetch *fetch = NULL;

    while (!reclaim->is_hurried && reclaim->next < reclaim_n_wanted(reclaim) &&
           (fetch = reclaim_idle_fetch(reclaim)) != NULL) {
        const struct volume_wanted *wanted = reclaim_wanted(reclaim, reclaim->next++);
        if (edge_index_has(volume->index, &wanted->id, &wanted->place)) {
            fetch->id = wanted->id;
            fetch->place = wanted->place;
            fetch->done = on_wanted_fetched;
            reclaim->n_moving++;
            edge_fetch_start(volume, fetch);
        }
    }
}

static void reclaim_free_buffers(struct volume_reclaim *reclaim)
{
    for (unsigned i = 0; i < VOLUME_FETCHES; i++) {
        if (!reclaim->fetches[i].is_busy) {
            edge_fetch_done(&reclaim->fetches[i]);
        }
    }
}

/* All that was wanted lies elsewhere: the zone is free. */
static void reclaim_end_if_done(struct edge_volume *volume)
{
    struct volume_reclaim *reclaim = &volume->reclaim;

    if (!reclaim->is_active || reclaim->n_moving > 0 || !edge_volume_writes(volume) ||
        (!reclaim->is_hurried && reclaim->next < reclaim_n_wanted(reclaim))) {
        return;
    }
    FB_IGNORE(edge_index_drop_zone(volume->index, reclaim->zone));
    edge_zones_release(volume->zones, reclaim->zone);
    reclaim->is_active = false;
    reclaim_free_buffers(reclaim);
    volume_count(&volume->shared.counts.n_zones_reclaimed, 1);
}

/* ---- entry points -------------------------------------------------------------------- */

/* An index that is full needs room as much as a volume. Before the first write after a restart
 * nothing does, and what is hot has yet to be found out again. */
static bool reclaim_is_due(const struct edge_volume *volume)
{
    const struct volume_writer *writer = &volume->writer;
    size_t max = edge_superblock_max_entries(&volume->superblock);

    if ((writer->zone.step == VOLUME_ZONE_NONE || writer->zone.step == VOLUME_ZONE_FOUND) &&
        fb_list_empty(&writer->jobs)) {
        return false;
    }
    return edge_zones_n_free(volume->zones) < VOLUME_FREE_ZONES ||
           edge_index_count(volume->index) + volume->writer.n_entries >= max;
}

void edge_reclaim_poke(struct edge_volume *volume)
{
    struct volume_reclaim *reclaim = &volume->reclaim;

    if (!edge_volume_writes(volume)) {
        return;
    }
    while (!reclaim->is_active && reclaim_is_due(volume) && reclaim_next_zone(volume)) {
        edge_zones_reclaim(volume->zones, reclaim->zone);
        reclaim->is_active = true;
        reclaim->is_hurried = edge_volume_is(volume, VOLUME_DRAINING);
        reclaim_choose(volume);
        reclaim_fetch_more(volume);
        reclaim_end_if_done(volume);
    }
    if (reclaim->is_active) {
        reclaim_fetch_more(volume);
        reclaim_end_if_done(volume);
    }
}

void edge_reclaim_hurry(struct edge_volume *volume)
{
    if (!volume->reclaim.is_active) {
        return;
    }
    volume->reclaim.is_hurried = true;
    edge_writer_drop_again(volume);
    edge_pieces_submit(volume);
    reclaim_end_if_done(volume);
}

void edge_reclaim_moved(struct edge_volume *volume)
{
    if (volume->reclaim.n_moving > 0) {
        volume->reclaim.n_moving--;
    }
    reclaim_end_if_done(volume);
}

void edge_reclaim_abort(struct edge_volume *volume)
{
    struct volume_reclaim *reclaim = &volume->reclaim;

    if (reclaim->is_active) {
        edge_zones_keep(volume->zones, reclaim->zone);
        edge_index_note_gap(volume->index, reclaim->zone);
        reclaim->is_active = false;
    }
    reclaim->n_moving = 0;
    for (unsigned i = 0; i < VOLUME_FETCHES; i++) {
        reclaim->fetches[i].is_busy = false;
    }
    reclaim_free_buffers(reclaim);
}

void edge_reclaim_done(struct edge_volume *volume)
{
    fb_buf_done(&volume->reclaim.wanted);
    reclaim_free_buffers(&volume->reclaim);
}
