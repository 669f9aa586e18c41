#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "edge/policy/rewriting.h"
#include "edge/volume/volume_internal.h"

/*
 * One record is placed at a time, front to back: its head and chunks are copied into the
 * pieces, and its entry waits until they are on the disk. Order is everything here: entries
 * reach the index in the order of their records, so that what a sync covers has no gap.
 */

/* ---- entries ------------------------------------------------------------------- */

void edge_writer_on_written(struct edge_volume *volume)
{
    struct volume_writer *writer = &volume->writer;

    while (!fb_list_empty(&writer->entries)) {
        struct volume_entry *entry =
            FB_CONTAINER_OF(writer->entries.next, struct volume_entry, link);
        const struct edge_place *place = &entry->listing.place;
        if (entry->end > volume->pieces.written) {
            break;
        }
        fb_list_remove(&entry->link);
        writer->n_entries--;
        edge_entry_publish(volume, entry);
        writer->zone.written = place->block + place->n_blocks;
        edge_zones_set_used(volume->zones, place->zone, writer->zone.written);
        if (entry->is_rewritten) {
            edge_reclaim_moved(volume);
        }
        fb_free(entry);
    }
    edge_sync_answer(volume);
    edge_zone_step(volume);
    edge_writer_pump(volume);
}

static void writer_drop_entries(struct edge_volume *volume)
{
    struct fb_list *node = NULL;

    while ((node = fb_list_pop(&volume->writer.entries)) != NULL) {
        fb_free(FB_CONTAINER_OF(node, struct volume_entry, link));
    }
    volume->writer.n_entries = 0;
}

/* ---- placing ---------------------------------------------------------------------- */

static bool job_is_again(const struct volume_job *job)
{
    return job->kind == VOLUME_JOB_EXTENT && job->record.is_rewritten;
}

/* The job leaves; it was placed, or is dropped. */
static void writer_finish_job(struct edge_volume *volume, struct volume_job *job, bool is_dropped)
{
    bool was_moving = job_is_again(job) && is_dropped;

    fb_list_remove(&job->link);
    if (is_dropped && job->kind == VOLUME_JOB_EXTENT) {
        volume_count(&volume->shared.counts.n_dropped, 1);
    }
    edge_job_free(volume, job);
    if (was_moving) {
        edge_reclaim_moved(volume);
    }
}

/* Rewriting: still there, and not overtaken by another version? The index finds first what
 * was added last, so what is written again must not hide what came later. */
static bool job_is_worth_again(const struct edge_volume *volume, const struct volume_job *job)
{
    struct edge_extent_id any = job->record.head.id;
    struct edge_place newest;
    struct edge_place own;

    any.version = 0;
    return edge_index_has(volume->index, &job->record.head.id, &job->old) &&
           edge_index_find(volume->index, &any, -1, 0, &newest) &&
           edge_index_find(volume->index, &job->record.head.id, -1, 0, &own) &&
           newest.zone == own.zone && newest.block == own.block;
}

static struct edge_listing listing_of(const struct edge_volume *volume,
                                      const struct volume_job *job)
{
    const struct edge_record *record = &job->record;

    return (struct edge_listing){
        .kind = record->kind,
        .id = record->head.id,
        .place =
            {
                .zone = volume->writer.zone.number,
                .block = record->block,
                .n_blocks = record->n_blocks,
                .title = record->head.title,
                .hour = edge_volume_hour(volume),
                .n_head_blocks = record->n_head_blocks,
                .mask = record->head.mask,
            },
    };
}

/* Gives the record its place, and encodes its head. */
static void writer_begin(struct edge_volume *volume, struct volume_job *job)
{
    struct volume_writer *writer = &volume->writer;
    struct volume_entry *entry = FB_NEW(struct volume_entry);
    struct edge_record *record = &job->record;

    fb_list_remove(&job->link);
    record->generation = writer->zone.generation;
    record->block = writer->zone.n_blocks;
    record->previous = writer->zone.sum;
    for (unsigned i = 0; i < EDGE_EXTENT_CHUNKS; i++) {
        if (record->chunk_bytes[i] > 0) {
            record->chunk_sums[i] = edge_format_sum(job->chunks[i]);
        }
    }
    if (writer->placing.head == NULL) {
        writer->placing.head =
            fb_disk_buffer((size_t)EDGE_FORMAT_MAX_HEAD_BLOCKS * EDGE_FORMAT_BLOCK);
    }
    edge_record_encode(record, writer->placing.head);
    writer->placing.job = job;
    writer->placing.part = 0;
    writer->placing.at = 0;
    writer->zone.sum = record->sum;
    writer->zone.n_blocks += record->n_blocks;

    fb_list_init(&entry->link);
    entry->listing = listing_of(volume, job);
    entry->end = edge_pieces_position(volume) + record->n_blocks;
    entry->is_rewritten = record->is_rewritten;
    entry->old = job->old;
    fb_list_append(&writer->entries, &entry->link);
    writer->n_entries++;
    edge_zone_list(volume, &entry->listing);
}

/* The part that is placed now; its padding is up to whole blocks. */
static struct fb_str placing_part(const struct volume_placing *placing)
{
    const struct edge_record *record = &placing->job->record;

    if (placing->part == 0) {
        return (struct fb_str){placing->head, (size_t)record->n_head_blocks * EDGE_FORMAT_BLOCK};
    }
    return (struct fb_str){placing->job->chunks[placing->part - 1].ptr,
                           record->chunk_bytes[placing->part - 1]};
}

/* False if there is no room in the pieces. */
static bool writer_go_on(struct edge_volume *volume)
{
    struct volume_placing *placing = &volume->writer.placing;

    while (placing->part <= EDGE_EXTENT_CHUNKS) {
        struct fb_str part = placing_part(placing);
        size_t padded = (part.len + EDGE_FORMAT_BLOCK - 1) / EDGE_FORMAT_BLOCK * EDGE_FORMAT_BLOCK;
        if (placing->at < part.len) {
            placing->at += edge_pieces_put(volume, part.ptr + placing->at, part.len - placing->at);
        }
        if (placing->at >= part.len) {
            placing->at += edge_pieces_pad(volume, padded - placing->at);
        }
        if (placing->at < padded) {
            return false;
        }
        placing->part++;
        placing->at = 0;
    }
    return true;
}

static void writer_end(struct edge_volume *volume)
{
    struct volume_job *job = volume->writer.placing.job;

    volume->writer.placing.job = NULL;
    if (job->request != NULL) {
        edge_sync_await(volume, job->request);
    }
    writer_finish_job(volume, job, false);
}

/* ---- the queue --------------------------------------------------------------------- */

/* Into the list of purges that are to be written when the volume is back. */
static void writer_owe(struct edge_volume *volume, uint64_t fingerprint)
{
    struct volume_writer *writer = &volume->writer;
    struct volume_job *owed = NULL;

    if (writer->n_owed == VOLUME_MAX_OWED) {
        return;
    }
    owed = FB_NEW(struct volume_job);
    fb_list_init(&owed->link);
    owed->kind = VOLUME_JOB_PURGE;
    owed->fingerprint = fingerprint;
    fb_list_append(&writer->owed, &owed->link);
    writer->n_owed++;
}

/* The job will not be done. */
static void writer_refuse_job(struct edge_volume *volume, struct volume_job *job, int err)
{
    if (job->kind == VOLUME_JOB_PURGE) {
        writer_owe(volume, job->fingerprint);
    }
    if (job->request != NULL) {
        edge_request_answer(job->request, err);
    }
    writer_finish_job(volume, job, true);
}

static bool writer_index_is_full(const struct edge_volume *volume)
{
    return edge_index_count(volume->index) + volume->writer.n_entries >=
           edge_superblock_max_entries(&volume->superblock);
}

/* FB_OK: there is room for it. FB_E_LATER: not now. Others: it is refused. */
static int writer_make_room(struct edge_volume *volume, const struct volume_job *job)
{
    bool is_again = job_is_again(job);
    uint64_t n = (uint64_t)job->record.n_blocks * EDGE_FORMAT_BLOCK;
    enum volume_use use = job->kind == VOLUME_JOB_PURGE ? VOLUME_METADATA
                          : is_again                    ? VOLUME_REWRITING
                                                        : VOLUME_ADMISSION;
    int err = FB_OK;

    if (is_again && !job_is_worth_again(volume, job)) {
        return FB_E_NOT_FOUND;
    }
    if (!is_again && writer_index_is_full(volume)) {
        edge_reclaim_poke(volume);
        return volume->reclaim.is_active ? FB_E_LATER : FB_E_LIMIT;
    }
    if (edge_budget_left(&volume->ledger.budget,
                         use == VOLUME_METADATA ? EDGE_BUDGET_UPKEEP : EDGE_BUDGET_CONTENT,
                         edge_volume_wall_ms(volume)) < n) {
        return FB_E_LIMIT;
    }
    if ((err = edge_zone_prepare(volume, job->record.n_blocks)) < 0) {
        return err;
    }
    return edge_ledger_take(volume, use, n) ? FB_OK : FB_E_LIMIT;
}

/* One step on. False if there is nothing to do, or no room. */
static bool writer_place_next(struct edge_volume *volume)
{
    struct volume_writer *writer = &volume->writer;
    struct fb_list *first = NULL;
    struct volume_job *job = NULL;

    if (writer->placing.job != NULL) {
        if (!writer_go_on(volume)) {
            return false;
        }
        writer_end(volume);
        return true;
    }
    first = fb_list_first(fb_list_empty(&writer->again) ? &writer->jobs : &writer->again);
    if (first == NULL) {
        return false;
    }
    job = FB_CONTAINER_OF(first, struct volume_job, link);
    if (job->kind == VOLUME_JOB_FLUSH) {
        edge_sync_await(volume, job->request);
        writer_finish_job(volume, job, false);
        return true;
    }
    if (job->kind == VOLUME_JOB_EXTENT && !job_is_again(job) &&
        edge_extent_is_known(volume, &job->record.head)) {
        writer_finish_job(volume, job, false);
        return true;
    }
    int err = writer_make_room(volume, job);
    if (err == FB_OK) {
        writer_begin(volume, job);
    } else if (err != FB_E_LATER) {
        writer_refuse_job(volume, job, err);
    }
    return err != FB_E_LATER;
}

void edge_writer_pump(struct edge_volume *volume)
{
    struct volume_writer *writer = &volume->writer;

    if (writer->is_pumping || !edge_volume_writes(volume)) {
        return;
    }
    writer->is_pumping = true;
    while (edge_volume_writes(volume) && writer_place_next(volume)) {
    }
    writer->is_pumping = false;
    if (!edge_volume_writes(volume)) {
        return;
    }
    if (!fb_list_empty(&writer->awaiting)) {
        edge_pieces_submit(volume);
        edge_sync_answer(volume);
    }
    edge_reclaim_poke(volume);
}

void edge_writer_add(struct edge_volume *volume, struct volume_job *job)
{
    struct volume_writer *writer = &volume->writer;
    bool is_purge = job->kind == VOLUME_JOB_PURGE;

    if (is_purge) {
        job->record.kind = EDGE_RECORD_PURGE;
        job->record.n_blocks = 1;
        job->record.n_head_blocks = 1;
        job->record.head.id.fingerprint = job->fingerprint;
        job->record.head.wall_ms = edge_volume_wall_ms(volume);
    }
    if (is_purge && !edge_volume_is(volume, VOLUME_RECOVERING)) {
        size_t n = edge_writer_forget(volume, job->fingerprint);
        if (job->request != NULL) {
            job->request->n_extents = n;
        }
    }
    if (edge_volume_writes(volume) || edge_volume_is(volume, VOLUME_RECOVERING)) {
        fb_list_append(job_is_again(job) ? &writer->again : &writer->jobs, &job->link);
    } else {
        writer_refuse_job(volume, job, FB_E_UNAVAILABLE);
    }
}

size_t edge_writer_forget(struct edge_volume *volume, uint64_t fingerprint)
{
    struct volume_writer *writer = &volume->writer;
    struct fb_list *queues[] = {&writer->jobs, &writer->again};
    size_t n = edge_index_purge(volume->index, fingerprint);

    for (size_t i = 0; i < FB_ARRAY_LEN(queues); i++) {
        FB_LIST_EACH(node, queues[i]) {
            struct volume_job *job = FB_CONTAINER_OF(node, struct volume_job, link);
            if (job->kind == VOLUME_JOB_EXTENT && job->fingerprint == fingerprint) {
                writer_finish_job(volume, job, true);
            }
        }
    }
    FB_LIST_EACH(node, &writer->entries) {
        struct volume_entry *entry = FB_CONTAINER_OF(node, struct volume_entry, link);
        if (entry->listing.id.fingerprint == fingerprint) {
            entry->is_dead = true;
        }
    }
    return n;
}

void edge_writer_drop_again(struct edge_volume *volume)
{
    struct fb_list *node = NULL;

    while ((node = fb_list_first(&volume->writer.again)) != NULL) {
        writer_finish_job(volume, FB_CONTAINER_OF(node, struct volume_job, link), true);
    }
}

/* ---- life ---------------------------------------------------------------------------- */

void edge_writer_init(struct edge_volume *volume)
{
    struct volume_writer *writer = &volume->writer;

    fb_list_init(&writer->jobs);
    fb_list_init(&writer->again);
    fb_list_init(&writer->entries);
    fb_list_init(&writer->owed);
    edge_sync_init(volume);
}

static void writer_add_all(struct edge_volume *volume, struct fb_list *from)
{
    struct fb_list jobs;
    struct fb_list *node = NULL;

    fb_list_init(&jobs);
    fb_list_splice(&jobs, from);
    while ((node = fb_list_pop(&jobs)) != NULL) {
        edge_writer_add(volume, FB_CONTAINER_OF(node, struct volume_job, link));
    }
}

void edge_writer_retry(struct edge_volume *volume)
{
    volume->writer.n_owed = 0;
    writer_add_all(volume, &volume->writer.owed);
    edge_writer_pump(volume);
}

void edge_writer_start(struct edge_volume *volume)
{
    writer_add_all(volume, &volume->writer.jobs);
    edge_writer_retry(volume);
}

bool edge_writer_drain(struct edge_volume *volume)
{
    struct volume_writer *writer = &volume->writer;
    enum volume_zone_step step = writer->zone.step;

    edge_writer_pump(volume);
    if (writer->placing.job != NULL || !fb_list_empty(&writer->jobs) ||
        !fb_list_empty(&writer->again) || !edge_volume_writes(volume)) {
        return false;
    }
    edge_pieces_submit(volume);
    if (volume->pieces.written < volume->pieces.sent || writer->is_syncing ||
        (step != VOLUME_ZONE_NONE && step != VOLUME_ZONE_FOUND && step != VOLUME_ZONE_OPEN)) {
        return false;
    }
    if (writer->durable < volume->pieces.written) {
        (void)edge_sync_ask(volume);
        return false;
    }
    return fb_list_empty(&writer->awaiting);
}

void edge_writer_refuse(struct edge_volume *volume, int err)
{
    struct volume_writer *writer = &volume->writer;
    struct fb_list *node = NULL;

    fb_timer_clear(&writer->flush_timer);
    fb_timer_clear(&writer->sync_timer);
    if (writer->placing.job != NULL) {
        struct volume_job *job = writer->placing.job;
        writer->placing.job = NULL;
        writer_refuse_job(volume, job, err);
    }
    while ((node = fb_list_first(&writer->jobs)) != NULL) {
        writer_refuse_job(volume, FB_CONTAINER_OF(node, struct volume_job, link), err);
    }
    edge_writer_drop_again(volume);
    while ((node = fb_list_pop(&writer->awaiting)) != NULL) {
        struct edge_volume_request *request =
            FB_CONTAINER_OF(node, struct edge_volume_request, link);
        if (request->is_purge) {
            writer_owe(volume, request->fingerprint);
        }
        edge_request_answer(request, err);
    }
}

void edge_writer_reset(struct edge_volume *volume)
{
    struct volume_writer *writer = &volume->writer;

    fb_timer_clear(&writer->flush_timer);
    fb_timer_clear(&writer->sync_timer);
    writer_drop_entries(volume);
    edge_pieces_reset(volume);
    edge_zone_reset(volume);
    writer->is_syncing = false;
    writer->wants_sync = false;
    writer->durable = volume->pieces.written;
}

void edge_writer_done(struct edge_volume *volume)
{
    struct volume_writer *writer = &volume->writer;
    struct fb_list *node = NULL;

    writer_drop_entries(volume);
    while ((node = fb_list_pop(&writer->owed)) != NULL) {
        edge_job_free(volume, FB_CONTAINER_OF(node, struct volume_job, link));
    }
    edge_zone_done(volume);
    fb_free(writer->placing.head);
}
