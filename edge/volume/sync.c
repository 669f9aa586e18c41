#include "base/core/err.h"
#include "edge/volume/volume_internal.h"

/*
 * Syncs, and who awaits them. One runs at a time; it covers what was on the disk without a gap
 * when it began.
 */

static void sync_start(struct edge_volume *volume)
{
    struct volume_writer *writer = &volume->writer;

    writer->is_syncing = true;
    writer->n_syncs++;
    writer->covers = volume->pieces.written;
    writer->sync.io.verb = FB_DISK_SYNC;
    edge_volume_io_start(volume, &writer->sync);
}

uint64_t edge_sync_ask(struct edge_volume *volume)
{
    struct volume_writer *writer = &volume->writer;

    if (writer->is_syncing) {
        writer->wants_sync = true;
        return writer->n_syncs + 1;
    }
    sync_start(volume);
    return writer->n_syncs;
}

/* Answers what is durable; asks for a sync if one would make more so. */
void edge_sync_answer(struct edge_volume *volume)
{
    struct volume_writer *writer = &volume->writer;

    while (!fb_list_empty(&writer->awaiting)) {
        struct edge_volume_request *first =
            FB_CONTAINER_OF(writer->awaiting.next, struct edge_volume_request, link);
        if (first->ticket > writer->durable) {
            if (first->ticket <= volume->pieces.written &&
                (!writer->is_syncing || writer->covers < first->ticket)) {
                (void)edge_sync_ask(volume);
            }
            return;
        }
        fb_list_remove(&first->link);
        edge_request_answer(first, FB_OK);
    }
}

static void on_synced(struct volume_io *io, int result)
{
    struct edge_volume *volume = io->volume;
    struct volume_writer *writer = &volume->writer;

    writer->is_syncing = false;
    if (result < 0) {
        edge_volume_fail(volume, result);
        return;
    }
    writer->n_synced = writer->n_syncs;
    writer->durable = writer->covers;
    if (!edge_volume_writes(volume)) {
        return;
    }
    if (writer->wants_sync) {
        writer->wants_sync = false;
        sync_start(volume);
    }
    if (edge_pieces_position(volume) > writer->durable && !fb_timer_is_set(&writer->sync_timer)) {
        fb_timer_set(&writer->sync_timer, EDGE_VOLUME_SYNC_MS);
    }
    edge_sync_answer(volume);
    edge_zone_step(volume);
    edge_checkpointer_on_sync(volume);
    edge_writer_pump(volume);
}

static void on_sync_due(struct fb_timer *timer)
{
    struct edge_volume *volume = FB_CONTAINER_OF(timer, struct edge_volume, writer.sync_timer);

    if (!edge_volume_writes(volume) || volume->writer.durable == edge_pieces_position(volume)) {
        return;
    }
    if (volume->pieces.written > volume->writer.durable) {
        (void)edge_sync_ask(volume);
    } else {
        fb_timer_set(timer, EDGE_VOLUME_FLUSH_MS);
    }
}

static void on_flush_due(struct fb_timer *timer)
{
    struct edge_volume *volume = FB_CONTAINER_OF(timer, struct edge_volume, writer.flush_timer);

    if (edge_volume_writes(volume)) {
        edge_pieces_submit(volume);
    }
}

void edge_sync_await(struct edge_volume *volume, struct edge_volume_request *request)
{
    request->ticket = edge_pieces_position(volume);
    fb_list_append(&volume->writer.awaiting, &request->link);
}

void edge_sync_init(struct edge_volume *volume)
{
    struct volume_writer *writer = &volume->writer;

    fb_list_init(&writer->awaiting);
    writer->sync.done = on_synced;
    fb_timer_init(&writer->flush_timer, volume->loop, on_flush_due);
    fb_timer_init(&writer->sync_timer, volume->loop, on_sync_due);
}
