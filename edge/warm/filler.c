#include "base/core/alloc.h"
#include "base/core/check.h"
#include "base/core/err.h"
#include "base/log/log.h"
#include "edge/site/site.h"
#include "edge/warm/warm_internal.h"

#include <string.h>

/* So many entries are looked for in one go; then it is the clients' turn. */
enum { FILLER_LOOKS = 256, FILLER_PAUSE_MS = 1 };

/* After failures in a row: 1 s, 2 s, … nothing is asked for. What failed is tried again later. */
enum { FILLER_AWAY_MS = 1000, FILLER_AWAY_MAX_MS = 60000, FILLER_AGAIN_MS = 60000 };

/* What a look at an entry came to. */
enum filler_look { LOOK_ABSENT, LOOK_PRESENT, LOOK_NO_KEY }; /* present, or coming */

/* ---- what is there ---------------------------------------------------------- */

static bool filler_is_held(const struct edge_warm *warm, struct fb_str key,
                           const struct fb_headers *headers, uint64_t size)
{
    struct edge_store *store = warm->options.store;
    struct edge_object *object = edge_store_find(store, key, headers);

    if (object != NULL) {
        bool holds = edge_object_holds(object, 0, FB_LENGTH_UNKNOWN);
        edge_object_unref(object);
        return holds;
    }
    for (uint64_t offset = 0; offset < size; offset += EDGE_CHUNK_BYTES) {
        if (!edge_store_may_load(store, key, offset)) {
            return false;
        }
    }
    return true;
}

/* Makes slot->request and the ask of an entry; the site is held from here on. */
static int slot_ask(struct warm_slot *slot, const struct fb_plan_entry *entry)
{
    struct edge_warm *warm = slot->warm;
    size_t question = fb_str_find(entry->path, '?');
    struct edge_target target;

    slot->sites = edge_sites_ref(warm->options.sites(warm->options.sites_ctx));
    slot->request = (struct fb_request_head){
        .method = FB_METHOD_GET,
        .method_text = FB_STR("GET"),
        .target = entry->path,
        .path = fb_str_first(entry->path, question),
        .query = question < entry->path.len ? fb_str_skip(entry->path, question + 1) : FB_STR_NONE,
        .host = warm->options.settings.host,
        .version_minor = 1,
    };
    const struct edge_site *site = edge_sites_find(slot->sites, slot->request.host);
    int err = edge_site_key(site, &slot->arena, &slot->request, &target);
    if (err < 0) {
        return err;
    }
    memcpy(slot->sha256, entry->sha256, sizeof(slot->sha256)); /* the plan may go before the fill */
    slot->request.host = target.host;
    slot->request.target = target.target;
    slot->request.path = target.path;
    slot->request.query = target.query;
    slot->ahead.ask = (struct edge_fill_ask){
        .key = target.key,
        .request = &slot->request,
        .treatment = edge_site_treat(site, &slot->arena, target.path),
        .is_planned = true,
        .sha256 = slot->sha256,
        .pool = warm->options.pool,
        .upstream = warm->options.uplink,
    };
    return FB_OK;
}

static void slot_drop(struct warm_slot *slot)
{
    edge_sites_unref(slot->sites);
    slot->sites = NULL;
    fb_arena_reset(&slot->arena);
}

/* True if another slot has it on its way: an entry marked `now` comes by twice, and one that was
 * begun by the plan before may be in this one too. If it fails, all are looked at again. */
static bool slot_is_second(const struct warm_slot *slot)
{
    const struct edge_warm *warm = slot->warm;

    for (unsigned i = 0; i < warm->options.settings.parallel; i++) {
        const struct warm_slot *other = &warm->filler.slots[i];
        if (other->is_busy && fb_str_equal(other->ahead.ask.key, slot->ahead.ask.key)) {
            return true;
        }
    }
    return false;
}

static enum filler_look slot_look(struct warm_slot *slot, const struct fb_plan_entry *entry)
{
    if (slot_ask(slot, entry) < 0) {
        return LOOK_NO_KEY;
    }
    return slot_is_second(slot) || filler_is_held(slot->warm, slot->ahead.ask.key,
                                                  &slot->request.headers, entry->size)
               ? LOOK_PRESENT
               : LOOK_ABSENT;
}

/* ---- an object on its way --------------------------------------------------- */

/* It will not be asked for under this plan again. */
static void slot_spoil(struct warm_slot *slot, enum warm_row row, const char *why)
{
    struct edge_warm *warm = slot->warm;

    edge_warm_count(warm, row, 1);
    if (slot->serial == warm->plan->head.serial) { /* else the plan is another by now */
        warm->filler.is_wrong[slot->index] = true;
    }
    FB_LOG(WARN, "warm", "an entry of the plan is given up", FB_LOG_STR("key", slot->ahead.ask.key),
           FB_LOG_TEXT("reason", why), FB_LOG_INT("read", slot->ahead.n_read),
           FB_LOG_INT("size", slot->size));
}

/* The regional node does not give it, now. */
static void slot_fail(struct warm_slot *slot, int err)
{
    struct edge_warm *warm = slot->warm;
    struct warm_filler *filler = &warm->filler;
    int64_t now_ms = edge_warm_mono_ms(warm);

    if (err == FB_E_CANCELED) {
        return;
    }
    edge_warm_count(warm, WARM_ROW_FAILED, 1);
    int64_t pause_ms = (int64_t)FILLER_AWAY_MS << FB_MIN(filler->n_failed, 6U);
    filler->n_failed++;
    filler->away_ms = now_ms + FB_MIN(pause_ms, (int64_t)FILLER_AWAY_MAX_MS);
    filler->again_ms = now_ms + FILLER_AGAIN_MS;
    FB_LOG(DEBUG, "warm", "an entry of the plan cannot be had now",
           FB_LOG_STR("key", slot->ahead.ask.key), FB_LOG_TEXT("cause", fb_err_name(err)));
}

static void slot_end(struct warm_slot *slot)
{
    struct edge_warm *warm = slot->warm;

    edge_bucket_give(&warm->bucket, slot->size - FB_MIN(slot->ahead.n_read, slot->size));
    edge_object_unref(slot->ahead.object);
    slot->ahead.object = NULL;
    slot_drop(slot);
    slot->is_busy = false;
    warm->filler.n_busy--;
    warm->filler.n_coming -= slot->size;
    if (warm->is_stopping) {
        edge_warm_settle(warm);
    } else {
        edge_filler_step(warm);
    }
}

static void slot_filled(struct warm_slot *slot)
{
    struct edge_warm *warm = slot->warm;

    warm->filler.n_failed = 0;
    if (!edge_object_head(slot->ahead.object)->is_planned) {
        edge_warm_count(warm, WARM_ROW_JOINED, 1);
        return;
    }
    edge_warm_count(warm, WARM_ROW_FILLED, 1);
    edge_warm_count(warm, WARM_ROW_FILLED_BYTES, slot->ahead.n_read);
    warm->next.part = *edge_yield_add(&warm->yield, edge_warm_wall_ms(warm), slot->ahead.n_read, 0);
    warm->is_dirty = true;
}

static void slot_on_done(struct fb_op *op)
{
    struct warm_slot *slot = FB_CONTAINER_OF(op, struct warm_slot, ahead.op);

    if (op->result == FB_OK && slot->ahead.n_read == slot->size) {
        slot_filled(slot);
    } else if (op->result == FB_OK || op->result == FB_E_CORRUPT) {
        slot_spoil(slot, WARM_ROW_WRONG, "its bytes are not those of the plan");
    } else if (op->result == FB_E_UNSUPPORTED) {
        slot_spoil(slot, WARM_ROW_REFUSED, slot->ahead.refusal);
    } else {
        slot_fail(slot, op->result);
    }
    slot_end(slot);
}

static void slot_begin(struct warm_slot *slot, size_t index)
{
    struct edge_warm *warm = slot->warm;

    slot->is_busy = true;
    slot->index = index;
    slot->serial = warm->plan->head.serial;
    slot->size = warm->plan->entries[index].size;
    warm->filler.n_busy++;
    warm->filler.n_coming += slot->size;
    edge_bucket_take(&warm->bucket, slot->size);
    fb_op_init(&slot->ahead.op, warm->options.loop, slot_on_done);
    edge_fill_ahead(warm->options.fills, &slot->ahead);
}

/* ---- which comes next ------------------------------------------------------- */

/* The next entry to look at, if the window lets any through. Of those marked `now` the order is
 * theirs; in the window it is the plan's. */
static bool filler_advance(struct edge_warm *warm, size_t *ret_index)
{
    struct warm_filler *filler = &warm->filler;

    while (filler->at_now < filler->n_entries &&
           (warm->options.settings.fills_now || filler->was_open)) {
        size_t index = filler->at_now++;
        if (warm->plan->entries[index].is_now && !filler->is_wrong[index]) {
            *ret_index = index;
            return true;
        }
    }
    while (filler->at_all < filler->n_entries && filler->was_open) {
        size_t index = filler->at_all++;
        if (!filler->is_wrong[index]) {
            *ret_index = index;
            return true;
        }
    }
    return false;
}

bool edge_filler_has_work(const struct edge_warm *warm)
{
    const struct warm_filler *filler = &warm->filler;

    return filler->n_busy > 0 || filler->at_all < filler->n_entries ||
           filler->at_now < filler->n_entries || filler->again_ms != 0;
}

static struct warm_slot *filler_free_slot(struct edge_warm *warm)
{
    for (unsigned i = 0; i < warm->options.settings.parallel; i++) {
        if (!warm->filler.slots[i].is_busy) {
            return &warm->filler.slots[i];
        }
    }
    return NULL;
}

/* Entry `index` is begun, unless it is there. True if that was so. */
static bool filler_begin(struct edge_warm *warm, struct warm_slot *slot, size_t index)
{
    enum filler_look look = slot_look(slot, &warm->plan->entries[index]);

    if (look == LOOK_ABSENT) {
        slot_begin(slot, index);
        return true;
    }
    if (look == LOOK_NO_KEY) {
        edge_warm_count(warm, WARM_ROW_REFUSED, 1);
        warm->filler.is_wrong[index] = true;
    }
    slot_drop(slot);
    return false;
}

static void filler_look_at_window(struct edge_warm *warm)
{
    struct warm_filler *filler = &warm->filler;
    bool is_open = edge_windows_are_open(warm->options.settings.windows, edge_warm_wall_ms(warm));

    if (is_open && !filler->was_open) { /* what left the store since the last window is due again */
        filler->at_all = 0;
    }
    filler->was_open = is_open;
    if (filler->again_ms != 0 && edge_warm_mono_ms(warm) >= filler->again_ms) {
        filler->again_ms = 0;
        filler->at_now = 0;
        filler->at_all = 0;
    }
}

void edge_filler_step(struct edge_warm *warm)
{
    struct warm_filler *filler = &warm->filler;
    struct warm_slot *slot = NULL;
    size_t index = 0;

    filler_look_at_window(warm);
    edge_warm_tell_guard(warm);
    for (unsigned n = 0; edge_warm_look(warm) == WARM_FILLING; n++) {
        uint64_t wait_ms = edge_bucket_wait_ms(&warm->bucket, edge_warm_mono_ms(warm));
        if (n == FILLER_LOOKS || wait_ms > 0) {
            fb_timer_set(&filler->timer, FB_MAX(wait_ms, (uint64_t)FILLER_PAUSE_MS));
            return;
        }
        slot = filler_free_slot(warm);
        if (slot == NULL || !filler_advance(warm, &index)) {
            return;
        }
        (void)filler_begin(warm, slot, index); /* there already, else: the next one */
    }
}

static void filler_on_timer(struct fb_timer *timer)
{
    struct warm_filler *filler = FB_CONTAINER_OF(timer, struct warm_filler, timer);

    edge_filler_step(FB_CONTAINER_OF(filler, struct edge_warm, filler));
}

/* ---- its life --------------------------------------------------------------- */

void edge_filler_init(struct edge_warm *warm)
{
    struct warm_filler *filler = &warm->filler;

    filler->slots = fb_alloc_array(warm->options.settings.parallel, sizeof(*filler->slots));
    for (unsigned i = 0; i < warm->options.settings.parallel; i++) {
        filler->slots[i].warm = warm;
    }
    fb_timer_init(&filler->timer, warm->options.loop, filler_on_timer);
}

void edge_filler_restart(struct edge_warm *warm)
{
    struct warm_filler *filler = &warm->filler;
    const struct fb_plan *plan = warm->plan;
    uint64_t storage = warm->options.settings.storage;

    filler->n_entries = 0;
    filler->n_bytes = 0;
    while (filler->n_entries < plan->n &&
           plan->entries[filler->n_entries].size <= storage - filler->n_bytes) {
        filler->n_bytes += plan->entries[filler->n_entries].size;
        filler->n_entries++;
    }
    filler->at_now = 0;
    filler->at_all = 0;
    filler->again_ms = 0;
    fb_free(filler->is_wrong);
    filler->is_wrong = fb_alloc_array(filler->n_entries + 1, sizeof(*filler->is_wrong));
}

void edge_filler_cancel(struct edge_warm *warm)
{
    fb_timer_clear(&warm->filler.timer);
    for (unsigned i = 0; i < warm->options.settings.parallel; i++) {
        struct warm_slot *slot = &warm->filler.slots[i];
        if (slot->is_busy) {
            fb_op_cancel(&slot->ahead.op);
        }
    }
}

void edge_filler_done(struct edge_warm *warm)
{
    FB_REQUIRE(warm->filler.n_busy == 0);
    for (unsigned i = 0; i < warm->options.settings.parallel; i++) {
        fb_arena_done(&warm->filler.slots[i].arena);
    }
    fb_free(warm->filler.slots);
    fb_free(warm->filler.is_wrong);
}
