#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/log/log.h"
#include "edge/volume/volumes_internal.h"

#include <errno.h>

/*
 * The life of one slot on its owner's loop (volumes_internal.h has the diagram). What
 * blocks runs on the pool; every call that ends comes to slot_on_done().
 */
enum {
    LOOK_AGAIN_MS = 50, /* a killed process lets go of its files when its last write is over, ... */
    LOOKS_AGAIN = 200,  /* ... which a busy drive makes seconds: ten are waited at the start */
    LOOK_MS = 1000,     /* between looks at a volume, in service or not */
    LOOK_SELDOM_MS = 5000,  /* what is refused, or lacks room, changes slowly */
    LOOK_RARELY_MS = 60000, /* a volume that fails again and again */
    STEADY_MS = 60000       /* so long in service: the failures before do not count */
};

static const struct fb_state slot_states[] = {
    [EDGE_SLOT_IDLE] = {"idle", FB_TO(EDGE_SLOT_OPENING) | FB_TO(EDGE_SLOT_CLOSED)},
    [EDGE_SLOT_OPENING] = {"opening", FB_TO(EDGE_SLOT_RECOVERING) | FB_TO(EDGE_SLOT_CLOSING) |
                                          FB_TO(EDGE_SLOT_WAITING) | FB_TO(EDGE_SLOT_DRAINING) |
                                          FB_TO(EDGE_SLOT_CLOSED)},
    [EDGE_SLOT_RECOVERING] = {"recovering", FB_TO(EDGE_SLOT_CATCHING_UP) |
                                                FB_TO(EDGE_SLOT_DRAINING) |
                                                FB_TO(EDGE_SLOT_CLOSING)},
    [EDGE_SLOT_CATCHING_UP] = {"catching up", FB_TO(EDGE_SLOT_ONLINE) |
                                                  FB_TO(EDGE_SLOT_SUSPENDING) |
                                                  FB_TO(EDGE_SLOT_DRAINING)},
    [EDGE_SLOT_ONLINE] = {"online", FB_TO(EDGE_SLOT_CHECKING) | FB_TO(EDGE_SLOT_SUSPENDING) |
                                        FB_TO(EDGE_SLOT_DRAINING)},
    [EDGE_SLOT_CHECKING] = {"checking", FB_TO(EDGE_SLOT_ONLINE) | FB_TO(EDGE_SLOT_SUSPENDING) |
                                            FB_TO(EDGE_SLOT_DRAINING)},
    [EDGE_SLOT_SUSPENDING] = {"suspending", FB_TO(EDGE_SLOT_CLOSING)},
    [EDGE_SLOT_DRAINING] = {"draining", FB_TO(EDGE_SLOT_CLOSING) | FB_TO(EDGE_SLOT_CLOSED)},
    [EDGE_SLOT_CLOSING] = {"closing", FB_TO(EDGE_SLOT_WAITING) | FB_TO(EDGE_SLOT_DRAINING) |
                                          FB_TO(EDGE_SLOT_CLOSED)},
    [EDGE_SLOT_WAITING] = {"waiting", FB_TO(EDGE_SLOT_OPENING) | FB_TO(EDGE_SLOT_DRAINING) |
                                          FB_TO(EDGE_SLOT_CLOSED)},
    [EDGE_SLOT_CLOSED] = {"closed", 0},
};

static void slot_step(struct edge_slot *slot, int result);

static void slot_on_done(struct fb_op *op)
{
    slot_step(FB_CONTAINER_OF(op, struct edge_slot, op), op->result);
}

static void slot_on_work_done(struct fb_op *op)
{
    slot_step(FB_CONTAINER_OF(op, struct edge_slot, work.op), op->result);
}

static void slot_call_pool(struct edge_slot *slot, int (*run)(struct fb_work *work))
{
    slot->diag = (struct fb_diag){0};
    slot->work.run = run;
    fb_op_init(&slot->work.op, slot->owner->loop, slot_on_work_done);
    fb_work_start(slot->set->pool, &slot->work);
}

static struct fb_op *slot_op(struct edge_slot *slot)
{
    fb_op_init(&slot->op, slot->owner->loop, slot_on_done);
    return &slot->op;
}

/* ---- opening --------------------------------------------------------------------- */

static int slot_run_opening(struct fb_work *work)
{
    struct edge_slot *slot = FB_CONTAINER_OF(work, struct edge_slot, work);

    return edge_opening_run(&slot->opening, &slot->diag);
}

static void slot_open(struct edge_slot *slot)
{
    const struct edge_volumes_options *options = &slot->set->options;
    bool formats = false;

    edge_slot_lock(slot);
    formats = slot->missed.is_over;
    slot->missed.is_over = false; /* from here on they are kept again */
    edge_slot_unlock(slot);
    slot->opening = (struct edge_opening){
        .path = slot->spec.path,
        /* A folder where the drive was mounted is not the drive. */
        .size = slot->was_opened ? 0 : slot->spec.size,
        .node = options->node,
        .wall_ms = fb_clock_wall_ms(options->clock),
        .has_log = options->has_log,
        .epoch = options->epoch,
        .open = options->open,
        .ctx = options->open_ctx,
        .formats = formats,
    };
    slot->failure = FB_OK;
    slot->began_ms = fb_loop_now_ms(slot->owner->loop);
    fb_machine_move(&slot->machine, EDGE_SLOT_OPENING);
    slot_call_pool(slot, slot_run_opening);
}

static void slot_on_failed(void *ctx, int err)
{
    struct edge_slot *slot = ctx;

    /* The volume is in the middle of something; while another call is under way its end is
     * awaited. */
    slot->failure = err;
    if (slot->machine.state == EDGE_SLOT_ONLINE) {
        fb_timer_set(&slot->timer, 0);
    }
}

static int slot_run_closing(struct fb_work *work)
{
    struct edge_slot *slot = FB_CONTAINER_OF(work, struct edge_slot, work);

    fb_disk_close(slot->disk);
    return FB_OK;
}

static void slot_close(struct edge_slot *slot)
{
    fb_machine_move(&slot->machine, EDGE_SLOT_CLOSING);
    slot_call_pool(slot, slot_run_closing);
}

static void slot_drain_volume(struct edge_slot *slot)
{
    fb_timer_clear(&slot->timer);
    edge_slot_tell(slot, EDGE_VOLUME_OFFLINE, "the node stops");
    slot->was_drained = true;
    fb_machine_move(&slot->machine, EDGE_SLOT_DRAINING);
    edge_volume_drain(slot->volume, slot_op(slot));
}

static void slot_end(struct edge_slot *slot)
{
    fb_machine_move(&slot->machine, EDGE_SLOT_CLOSED);
    edge_volumes_loop_check(slot->owner);
}

/* With the disk closed, or never opened. */
static void slot_wait(struct edge_slot *slot)
{
    if (!slot->is_draining) {
        fb_machine_move(&slot->machine, EDGE_SLOT_WAITING);
        fb_timer_set(&slot->timer, slot->pause_ms);
    } else if (slot->volume != NULL && !slot->was_drained) {
        slot_drain_volume(slot); /* requests may still be on their way to it */
    } else {
        slot_end(slot);
    }
}

static void slot_on_open_failed(struct edge_slot *slot, int err)
{
    bool is_refused = edge_opening_is_refusal(err);

    if (slot->opening.formats) {
        edge_slot_lock(slot);
        slot->missed.is_over = true; /* still to be emptied */
        edge_slot_unlock(slot);
    }
    if (err == FB_E_BUSY && !slot->was_opened && slot->n_busy++ < LOOKS_AGAIN) {
        slot->pause_ms = LOOK_AGAIN_MS;
        slot_wait(slot);
        return;
    }
    edge_slot_tell(slot, is_refused ? EDGE_VOLUME_REFUSED : EDGE_VOLUME_OFFLINE, slot->diag.text);
    slot->pause_ms = is_refused || err == -ENOSPC ? LOOK_SELDOM_MS : LOOK_MS;
    slot_wait(slot);
}

static void slot_doubt(const struct edge_slot *slot)
{
    const struct edge_volumes_options *options = &slot->set->options;
    uint64_t epoch = slot->opening.superblock.doubted;

    if (epoch == 0) {
        return;
    }
    if (!slot->was_opened) {
        FB_LOG(WARN, "volume",
               "the log of its purges is not here: what it held before that went is validated "
               "before it is used",
               FB_LOG_TEXT("path", slot->spec.path), FB_LOG_INT("epoch", epoch));
    }
    if (options->doubt != NULL) {
        options->doubt(options->doubt_ctx, epoch);
    }
}

static void slot_on_opened(struct edge_slot *slot)
{
    bool is_known = edge_slot_is_same_volume(slot);

    slot->disk = slot->opening.disk;
    edge_slot_tell_opened(slot);
    slot_doubt(slot);
    slot->was_opened = true;
    slot->pause_ms = LOOK_MS;
    if (slot->is_draining ||
        (slot->volume != NULL && !is_known && !edge_slot_forget_volume(slot))) {
        slot_close(slot);
        return;
    }
    if (is_known) {
        fb_machine_move(&slot->machine, EDGE_SLOT_RECOVERING);
        edge_volume_resume(slot->volume, slot->disk, slot_op(slot));
        return;
    }
    edge_slot_make_volume(slot, slot_on_failed);
    fb_machine_move(&slot->machine, EDGE_SLOT_RECOVERING);
    edge_volume_recover(slot->volume, slot_op(slot));
}

/* ---- into service ------------------------------------------------------------------ */

/* Twice as long before it is looked at again, if it failed soon after it came back. */
static void slot_slow_down(struct edge_slot *slot)
{
    bool was_steady = fb_loop_now_ms(slot->owner->loop) - slot->began_ms >= STEADY_MS;

    slot->pause_ms = was_steady ? LOOK_MS : slot->repeat_ms;
    slot->repeat_ms = FB_MIN(slot->pause_ms * 2, (uint64_t)LOOK_RARELY_MS);
}

static void slot_suspend(struct edge_slot *slot)
{
    fb_timer_clear(&slot->timer);
    fb_machine_move(&slot->machine, EDGE_SLOT_SUSPENDING);
    edge_volume_suspend(slot->volume, slot_op(slot));
}

static void slot_give_up(struct edge_slot *slot)
{
    /* What a drive that was pulled gives is the end of a file that was longer a moment ago. */
    if (slot->failure == FB_E_CLOSED) {
        edge_slot_tell_failure(slot, "it was cut short, or is gone", -ENODEV);
    } else {
        edge_slot_tell_failure(slot, "a read or write failed", slot->failure);
    }
    slot_slow_down(slot);
    slot_suspend(slot);
}

static void catch_up_on_done(struct fb_op *op)
{
    struct edge_catch_up *one = FB_CONTAINER_OF(op, struct edge_catch_up, request.op);
    struct edge_slot *slot = one->slot;

    if (op->result < 0) {
        slot->catch_up_result = op->result;
    }
    if (++slot->n_caught_up < slot->n_catching_up) {
        return;
    }
    if (slot->catch_up_result == FB_OK) {
        edge_slot_lock(slot);
        edge_missed_drop(&slot->missed, slot->n_catching_up);
        edge_slot_unlock(slot);
    }
    slot_step(slot, slot->catch_up_result);
}

/* Has the volume forget what was purged while it could not be told: some of it. */
static void slot_catch_up(struct edge_slot *slot)
{
    slot->n_caught_up = 0;
    slot->catch_up_result = FB_OK;
    edge_slot_lock(slot);
    slot->n_catching_up = FB_MIN(slot->missed.n, (size_t)EDGE_SLOT_CATCH_UP);
    for (size_t i = 0; i < slot->n_catching_up; i++) {
        slot->catch_up[i].request.fingerprint = slot->missed.fingerprints[i];
    }
    edge_slot_unlock(slot);
    for (size_t i = 0; i < slot->n_catching_up; i++) {
        struct edge_catch_up *one = &slot->catch_up[i];

        one->slot = slot;
        fb_op_init(&one->request.op, slot->owner->loop, catch_up_on_done);
        edge_volume_purge(slot->volume, &one->request);
    }
}

/* Serves as soon as there is no purge that it has not heard of. */
static void slot_serve(struct edge_slot *slot)
{
    bool is_over = false;
    bool serves = false;

    if (slot->failure != FB_OK) {
        slot_give_up(slot);
        return;
    }
    edge_slot_lock(slot);
    is_over = slot->missed.is_over;
    serves = !is_over && slot->missed.n == 0;
    if (serves) {
        slot->is_serving = true;
        slot->state = EDGE_VOLUME_ONLINE;
        slot->reason[0] = '\0';
    }
    edge_slot_unlock(slot);
    if (is_over) {
        slot->pause_ms = 0;
        slot_suspend(slot);
    } else if (serves) {
        edge_slot_tell_online(slot);
        fb_machine_move(&slot->machine, EDGE_SLOT_ONLINE);
        fb_timer_set(&slot->timer, LOOK_MS);
    } else {
        slot_catch_up(slot);
    }
}

/* ---- in service -------------------------------------------------------------------- */

static int slot_run_check(struct fb_work *work)
{
    struct edge_slot *slot = FB_CONTAINER_OF(work, struct edge_slot, work);

    slot->is_present = fb_disk_is_present(slot->disk);
    return FB_OK;
}

static void slot_on_timer(struct fb_timer *timer)
{
    struct edge_slot *slot = FB_CONTAINER_OF(timer, struct edge_slot, timer);

    if (slot->machine.state == EDGE_SLOT_WAITING) {
        slot_open(slot);
    } else if (slot->failure != FB_OK) {
        slot_give_up(slot);
    } else {
        fb_machine_move(&slot->machine, EDGE_SLOT_CHECKING);
        slot_call_pool(slot, slot_run_check);
    }
}

static void slot_on_checked(struct edge_slot *slot)
{
    if (slot->is_draining) {
        slot_drain_volume(slot);
    } else if (slot->failure != FB_OK) {
        slot_give_up(slot);
    } else if (!slot->is_present) {
        edge_slot_tell(slot, EDGE_VOLUME_OFFLINE, "its path is gone, or names something else now");
        slot->pause_ms = LOOK_MS;
        slot->repeat_ms = LOOK_MS; /* put back it may be another one */
        slot_suspend(slot);
    } else {
        fb_machine_move(&slot->machine, EDGE_SLOT_ONLINE);
        fb_timer_set(&slot->timer, LOOK_MS);
    }
}

/* ---- the machine -------------------------------------------------------------------- */

static void slot_on_recovered(struct edge_slot *slot, int err)
{
    if (err < 0) {
        edge_slot_tell_failure(slot, "its index could not be read back", err);
        slot_slow_down(slot);
        slot_close(slot);
    } else if (slot->is_draining) {
        slot_drain_volume(slot);
    } else {
        fb_machine_move(&slot->machine, EDGE_SLOT_CATCHING_UP);
        slot_serve(slot);
    }
}

static void slot_on_caught_up(struct edge_slot *slot, int err)
{
    if (slot->is_draining) {
        slot_drain_volume(slot);
    } else {
        slot->failure = slot->failure != FB_OK ? slot->failure : err;
        slot_serve(slot);
    }
}

static void slot_on_closed(struct edge_slot *slot)
{
    slot->disk = NULL;
    slot_wait(slot);
}

static void slot_on_drained(struct edge_slot *slot, int err)
{
    if (err < 0) {
        FB_LOG(ERROR, "volume", "could not be written out, the last seconds are lost",
               FB_LOG_TEXT("path", slot->spec.path), FB_LOG_TEXT("reason", fb_err_text(err)));
    }
    if (slot->disk != NULL) {
        slot_close(slot);
    } else {
        slot_end(slot);
    }
}

/* What the slot waited for is there. */
static void slot_step(struct edge_slot *slot, int result)
{
    switch ((enum edge_slot_state)slot->machine.state) {
    case EDGE_SLOT_OPENING:
        if (result < 0) {
            slot_on_open_failed(slot, result);
        } else {
            slot_on_opened(slot);
        }
        break;
    case EDGE_SLOT_RECOVERING:
        slot_on_recovered(slot, result);
        break;
    case EDGE_SLOT_CATCHING_UP:
        slot_on_caught_up(slot, result);
        break;
    case EDGE_SLOT_CHECKING:
        slot_on_checked(slot);
        break;
    case EDGE_SLOT_DRAINING:
        slot_on_drained(slot, result);
        break;
    case EDGE_SLOT_SUSPENDING:
        slot_close(slot);
        break;
    case EDGE_SLOT_CLOSING:
        slot_on_closed(slot);
        break;
    case EDGE_SLOT_IDLE:
    case EDGE_SLOT_ONLINE:
    case EDGE_SLOT_WAITING:
    case EDGE_SLOT_CLOSED:
        break; /* none of these waits for a call */
    }
}

static void slot_on_start(struct fb_post *post)
{
    struct edge_slot *slot = FB_CONTAINER_OF(post, struct edge_slot, start);

    fb_timer_init(&slot->timer, slot->owner->loop, slot_on_timer);
    if (slot->is_draining) {
        slot_end(slot);
        return;
    }
    slot_open(slot);
}

void edge_slot_start(struct edge_slot *slot)
{
    slot->repeat_ms = LOOK_MS;
    slot->start.run = slot_on_start;
    fb_machine_init(&slot->machine, slot_states, EDGE_SLOT_IDLE);
    fb_loop_post(slot->owner->loop, &slot->start);
}

void edge_slot_drain(struct edge_slot *slot)
{
    slot->is_draining = true;
    if (slot->machine.state == EDGE_SLOT_ONLINE) {
        slot_drain_volume(slot);
    } else if (slot->machine.state == EDGE_SLOT_WAITING) {
        fb_timer_clear(&slot->timer);
        slot_wait(slot);
    }
}
