#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "edge/volume/volume_internal.h"

enum { TICK_MS = 1000 };

static const struct fb_state volume_states[] = {
    [VOLUME_CLOSED] = {"closed", FB_TO(VOLUME_RECOVERING) | FB_TO(VOLUME_CLOSING)},
    [VOLUME_RECOVERING] = {"recovering", FB_TO(VOLUME_ONLINE) | FB_TO(VOLUME_CLOSING)},
    [VOLUME_ONLINE] = {"online",
                       FB_TO(VOLUME_FAILED) | FB_TO(VOLUME_DRAINING) | FB_TO(VOLUME_CLOSING)},
    [VOLUME_FAILED] = {"failed", FB_TO(VOLUME_CLOSING)},
    [VOLUME_DRAINING] = {"draining", FB_TO(VOLUME_CLOSING)},
    [VOLUME_CLOSING] = {"closing", FB_TO(VOLUME_CLOSED)},
};

bool edge_volume_is(const struct edge_volume *volume, enum volume_state state)
{
    return volume->state.state == state;
}

bool edge_volume_writes(const struct edge_volume *volume)
{
    return edge_volume_is(volume, VOLUME_ONLINE) || edge_volume_is(volume, VOLUME_DRAINING);
}

int64_t edge_volume_wall_ms(const struct edge_volume *volume)
{
    return fb_clock_wall_ms(fb_loop_clock(volume->loop));
}

uint32_t edge_volume_hour(const struct edge_volume *volume)
{
    int64_t wall_ms = edge_volume_wall_ms(volume);

    return wall_ms < 0 ? 0 : (uint32_t)(wall_ms / VOLUME_HOUR_MS);
}

static void volume_set_online(struct edge_volume *volume, bool is_online)
{
    __atomic_store_n(&volume->shared.is_online, is_online, __ATOMIC_RELEASE);
}

/* ---- transfers ------------------------------------------------------------------ */

static void on_io(struct fb_op *op)
{
    struct fb_disk_io *disk_io = FB_CONTAINER_OF(op, struct fb_disk_io, op);
    struct volume_io *io = FB_CONTAINER_OF(disk_io, struct volume_io, io);
    struct edge_volume *volume = io->volume;

    volume->n_ios--;
    if (op->result < 0 && disk_io->verb != FB_DISK_READ) {
        volume_count(&volume->shared.counts.n_io_errors, 1); /* reads are counted by who asks */
    }
    io->done(io, op->result);
    edge_volume_settle(volume);
}

void edge_volume_io_start(struct edge_volume *volume, struct volume_io *io)
{
    io->volume = volume;
    io->io.disk = volume->disk;
    fb_op_init(&io->io.op, volume->loop, on_io);
    volume->n_ios++;
    fb_disk_start(volume->queue, &io->io);
}

/* ---- what reads tell --------------------------------------------------------------- */

static void on_fail_posted(struct fb_post *post)
{
    struct edge_volume *volume = FB_CONTAINER_OF(post, struct edge_volume, fail_post);

    __atomic_store_n(&volume->shared.is_fail_posted, false, __ATOMIC_RELEASE);
    edge_volume_fail(volume, __atomic_load_n(&volume->shared.fail_err, __ATOMIC_RELAXED));
    edge_volume_settle(volume);
}

void edge_volume_count_read(struct edge_volume *volume, int result)
{
    struct volume_shared *shared = &volume->shared;

    if (result == FB_OK) {
        if (__atomic_load_n(&shared->errors_in_row, __ATOMIC_RELAXED) > 0) {
            __atomic_store_n(&shared->errors_in_row, 0, __ATOMIC_RELAXED);
        }
        return;
    }
    volume_count(&shared->counts.n_io_errors, 1);
    if (__atomic_add_fetch(&shared->errors_in_row, 1, __ATOMIC_RELAXED) >=
            EDGE_VOLUME_READ_ERRORS &&
        !__atomic_exchange_n(&shared->is_fail_posted, true, __ATOMIC_ACQ_REL)) {
        __atomic_store_n(&shared->fail_err, result, __ATOMIC_RELAXED);
        fb_loop_post(volume->loop, &volume->fail_post);
    }
}

void edge_volume_count_bad(struct edge_volume *volume, const struct edge_place *place,
                           uint64_t generation, uint64_t *counter)
{
    const struct volume_shared *shared = &volume->shared;
    bool is_suspect =
        generation == __atomic_load_n(&shared->suspect_generation, __ATOMIC_RELAXED) &&
        place->block < __atomic_load_n(&shared->suspect_end, __ATOMIC_RELAXED);

    volume_count(is_suspect ? &volume->shared.counts.n_torn : counter, 1);
}

/* ---- closing -------------------------------------------------------------------------- */

static void volume_finish_life(struct edge_volume *volume, int result)
{
    struct fb_op *op = volume->life;

    volume->life = NULL;
    if (op != NULL) {
        fb_op_finish(op, result);
    }
}

static void volume_begin_closing(struct edge_volume *volume, int result)
{
    bool is_last = volume->is_draining;

    volume_set_online(volume, false);
    fb_machine_move(&volume->state, VOLUME_CLOSING);
    volume->life_result = result;
    fb_timer_clear(&volume->tick);
    edge_scrub_stop(volume);
    edge_mailbox_open(volume, false, !is_last);
    __atomic_fetch_or(&volume->shared.gate, VOLUME_GATE_SHUT, __ATOMIC_ACQ_REL);
    edge_writer_refuse(volume, result < 0 ? result : FB_E_UNAVAILABLE);
}

static bool volume_is_still(struct edge_volume *volume)
{
    return volume->n_ios == 0 && !volume->checkpoint.is_posted &&
           __atomic_load_n(&volume->shared.gate, __ATOMIC_ACQUIRE) == VOLUME_GATE_SHUT &&
           !__atomic_load_n(&volume->shared.is_fail_posted, __ATOMIC_ACQUIRE) &&
           (!volume->is_draining || !edge_mailbox_is_posted(volume)) &&
           !edge_recovery_is_posted(volume->recovery);
}

static void volume_close(struct edge_volume *volume)
{
    edge_recovery_free(volume->recovery);
    volume->recovery = NULL;
    edge_reclaim_abort(volume);
    edge_checkpointer_reset(volume);
    edge_writer_reset(volume);
    edge_scrub_done(volume);
    fb_machine_move(&volume->state, VOLUME_CLOSED);
    volume_finish_life(volume, volume->life_result);
}

/* The last steps before closing, one at a time: everything out, then the index. */
static void volume_go_on_draining(struct edge_volume *volume)
{
    if (edge_mailbox_is_posted(volume)) {
        return; /* what was taken before is on its way */
    }
    if (!edge_writer_drain(volume) || !edge_volume_is(volume, VOLUME_DRAINING)) {
        return;
    }
    if (volume->reclaim.is_active) {
        edge_reclaim_hurry(volume);
        return;
    }
    if (!volume->checkpoint.was_tried) {
        edge_checkpointer_finish(volume);
    }
    if (volume->checkpoint.was_tried && volume->checkpoint.step == VOLUME_CHECKPOINT_IDLE) {
        volume_begin_closing(volume, FB_OK);
    }
}

void edge_volume_settle(struct edge_volume *volume)
{
    if (volume->is_settling) {
        return;
    }
    volume->is_settling = true;
    if (edge_volume_is(volume, VOLUME_DRAINING)) {
        volume_go_on_draining(volume);
    }
    bool is_over = edge_volume_is(volume, VOLUME_CLOSING) && volume_is_still(volume);
    volume->is_settling = false;
    if (is_over) {
        volume_close(volume);
    }
}

void edge_volume_fail(struct edge_volume *volume, int err)
{
    if (edge_volume_is(volume, VOLUME_DRAINING)) {
        volume_begin_closing(volume, err);
        return;
    }
    if (!edge_volume_is(volume, VOLUME_ONLINE)) {
        return;
    }
    volume_set_online(volume, false);
    fb_machine_move(&volume->state, VOLUME_FAILED);
    fb_timer_clear(&volume->tick);
    edge_scrub_stop(volume);
    edge_mailbox_open(volume, false, true);
    edge_writer_refuse(volume, err);
    if (volume->failed != NULL) {
        volume->failed(volume->ctx, err);
    }
}

/* ---- life -------------------------------------------------------------------------------- */

static void on_tick(struct fb_timer *timer)
{
    struct edge_volume *volume = FB_CONTAINER_OF(timer, struct edge_volume, tick);

    edge_ledger_publish(volume); /* time passes, and with it what is granted */
    edge_writer_retry(volume);
    edge_checkpointer_poke(volume);
    fb_timer_set(timer, TICK_MS);
}

struct edge_volume *edge_volume_new(const struct edge_volume_options *options)
{
    struct edge_volume *volume = FB_NEW(struct edge_volume);

    volume->loop = options->loop;
    volume->queue = options->queue;
    volume->disk = options->disk;
    volume->superblock = *options->superblock;
    volume->n_zone_blocks = edge_superblock_zone_blocks(options->superblock);
    volume->daily_bytes = options->daily_bytes;
    volume->scrub_rate = options->scrub_rate;
    volume->failed = options->failed;
    volume->ctx = options->ctx;
    volume->index = edge_index_new(edge_superblock_max_entries(&volume->superblock),
                                   volume->superblock.n_zones);
    volume->zones = edge_zones_new(volume->superblock.n_zones,
                                   edge_superblock_first_generation(&volume->superblock));
    volume->shared.gate = VOLUME_GATE_SHUT;
    volume->fail_post.run = on_fail_posted;
    fb_timer_init(&volume->tick, volume->loop, on_tick);
    fb_machine_init(&volume->state, volume_states, VOLUME_CLOSED);
    edge_mailbox_init(volume);
    edge_pieces_init(volume);
    edge_writer_init(volume);
    edge_checkpointer_init(volume);
    edge_scrub_init(volume);
    edge_ledger_restore(volume, NULL);
    return volume;
}

void edge_volume_free(struct edge_volume *volume)
{
    if (volume == NULL) {
        return;
    }
    FB_REQUIRE(edge_volume_is(volume, VOLUME_CLOSED) && volume->life == NULL);
    edge_writer_done(volume);
    edge_pieces_done(volume);
    edge_reclaim_done(volume);
    edge_mailbox_done(volume);
    edge_index_free(volume->index);
    edge_zones_free(volume->zones);
    fb_free(volume);
}

static void volume_begin_life(struct edge_volume *volume, struct fb_op *op)
{
    FB_REQUIRE(volume->life == NULL);
    fb_op_begin(op, NULL);
    volume->life = op;
}

void edge_volume_recover(struct edge_volume *volume, struct fb_op *op)
{
    volume_begin_life(volume, op);
    fb_machine_move(&volume->state, VOLUME_RECOVERING);
    edge_recovery_start(volume);
}

void edge_volume_resume(struct edge_volume *volume, struct fb_disk *disk, struct fb_op *op)
{
    volume_begin_life(volume, op);
    fb_machine_move(&volume->state, VOLUME_RECOVERING);
    volume->disk = disk;
    if (volume->was_recovered) {
        edge_recovery_verify(volume);
    } else {
        edge_recovery_start(volume);
    }
}

void edge_volume_recovered(struct edge_volume *volume, int result)
{
    if (result < 0) {
        volume_begin_closing(volume, result);
        edge_volume_settle(volume);
        return;
    }
    volume->was_recovered = true;
    __atomic_store_n(&volume->shared.errors_in_row, 0, __ATOMIC_RELAXED);
    fb_machine_move(&volume->state, VOLUME_ONLINE);
    edge_mailbox_open(volume, true, true);
    __atomic_store_n(&volume->shared.gate, 0, __ATOMIC_RELEASE);
    volume_set_online(volume, true);
    fb_timer_set(&volume->tick, TICK_MS);
    edge_scrub_start(volume);
    volume_finish_life(volume, FB_OK);
    edge_writer_start(volume);
}

void edge_volume_drain(struct edge_volume *volume, struct fb_op *op)
{
    volume_begin_life(volume, op);
    volume->is_draining = true;
    edge_mailbox_open(volume, false, false);
    volume_set_online(volume, false);
    fb_timer_clear(&volume->tick);
    edge_scrub_stop(volume);
    volume->checkpoint.was_tried = false;
    if (edge_volume_is(volume, VOLUME_ONLINE)) {
        fb_machine_move(&volume->state, VOLUME_DRAINING);
    } else {
        volume_begin_closing(volume, FB_OK);
    }
    edge_volume_settle(volume);
}

void edge_volume_suspend(struct edge_volume *volume, struct fb_op *op)
{
    volume_begin_life(volume, op);
    volume_begin_closing(volume, FB_OK);
    edge_volume_settle(volume);
}

/* ---- on any thread -------------------------------------------------------------------------- */

bool edge_volume_is_online(const struct edge_volume *volume)
{
    return __atomic_load_n(&volume->shared.is_online, __ATOMIC_ACQUIRE);
}

bool edge_volume_find(const struct edge_volume *volume, const struct edge_extent_id *id, int chunk,
                      unsigned nth, struct edge_place *ret_place)
{
    return edge_volume_is_online(volume) &&
           edge_index_find(volume->index, id, chunk, nth, ret_place);
}

void edge_volume_touch(struct edge_volume *volume, const struct edge_extent_id *id, unsigned hits)
{
    struct edge_place place;

    if (edge_volume_find(volume, id, -1, 0, &place)) {
        edge_index_touch(volume->index, id, &place, hits);
    }
}

struct edge_volume_room edge_volume_room(const struct edge_volume *volume)
{
    return (struct edge_volume_room){
        .is_in_service = edge_volume_is_online(volume),
        .was_full = edge_zones_was_full(volume->zones),
        .pressure = __atomic_load_n(&volume->shared.pressure, __ATOMIC_RELAXED),
    };
}

void edge_volume_counts(const struct edge_volume *volume, struct edge_volume_counts *ret)
{
    const struct edge_volume_counts *from = &volume->shared.counts;

#define VOLUME_LOAD(member) .member = __atomic_load_n(&from->member, __ATOMIC_RELAXED)
    *ret = (struct edge_volume_counts){
        VOLUME_LOAD(n_reads),
        VOLUME_LOAD(n_torn),
        VOLUME_LOAD(n_rotten_heads),
        VOLUME_LOAD(n_rotten_chunks),
        VOLUME_LOAD(n_reclaimed),
        VOLUME_LOAD(n_io_errors),
        VOLUME_LOAD(n_zones_reclaimed),
        VOLUME_LOAD(n_rewritten),
        VOLUME_LOAD(n_dropped),
        VOLUME_LOAD(n_checkpoints),
        VOLUME_LOAD(scrubbed_bytes),
        .queued_bytes = __atomic_load_n(&volume->shared.queued_bytes, __ATOMIC_RELAXED),
    };
#undef VOLUME_LOAD
}

void edge_volume_describe(const struct edge_volume *volume, struct edge_volume_status *ret)
{
    const struct volume_shared *shared = &volume->shared;
    struct edge_volume_counts counts;

    edge_volume_counts(volume, &counts);
    ret->size = volume->superblock.size;
    ret->n_zones = volume->superblock.n_zones;
    ret->n_zones_free = edge_zones_n_free(volume->zones);
    ret->n_extents = edge_index_count(volume->index);
    ret->index_bytes = edge_index_bytes(volume->index);
    ret->written_admission = __atomic_load_n(&shared->written[VOLUME_ADMISSION], __ATOMIC_RELAXED);
    ret->written_rewriting = __atomic_load_n(&shared->written[VOLUME_REWRITING], __ATOMIC_RELAXED);
    ret->written_metadata = __atomic_load_n(&shared->written[VOLUME_METADATA], __ATOMIC_RELAXED);
    ret->written_today = __atomic_load_n(&shared->today, __ATOMIC_RELAXED);
    ret->daily_bytes = volume->daily_bytes;
    ret->n_corrupt = counts.n_torn + counts.n_rotten_heads + counts.n_rotten_chunks;
    ret->n_io_errors = counts.n_io_errors;
    ret->queued_bytes = counts.queued_bytes;
}
