#include "base/core/check.h"
#include "base/core/err.h"
#include "base/disk/disk.h"
#include "base/log/log.h"
#include "edge/volume/volumes_internal.h"

#include <stdio.h>
#include <string.h>

enum { THOUSANDTHS = 1000 };

void edge_slot_lock(struct edge_slot *slot)
{
    FB_REQUIRE(pthread_rwlock_wrlock(&slot->set->lock) == 0);
}

void edge_slot_unlock(struct edge_slot *slot)
{
    FB_REQUIRE(pthread_rwlock_unlock(&slot->set->lock) == 0);
}

static void log_state(const struct edge_slot *slot, enum edge_volume_state state)
{
    struct fb_log_field path = FB_LOG_TEXT("path", slot->spec.path);
    struct fb_log_field reason = FB_LOG_TEXT("reason", slot->reason);

    switch (state) {
    case EDGE_VOLUME_STARTING:
    case EDGE_VOLUME_ONLINE:
        break; /* said where more is known */
    case EDGE_VOLUME_OFFLINE:
        FB_LOG(ERROR, "volume", "out of service, what it holds is fetched again", path, reason);
        break;
    case EDGE_VOLUME_REFUSED:
        FB_LOG(ERROR, "volume", "refused, nothing is written to it", path, reason);
        break;
    }
}

void edge_slot_tell(struct edge_slot *slot, enum edge_volume_state state, const char *reason)
{
    bool is_news = false;

    edge_slot_lock(slot);
    is_news = slot->state != state;
    slot->state = state;
    slot->is_serving = false;
    (void)snprintf(slot->reason, sizeof(slot->reason), "%s", reason);
    edge_slot_unlock(slot);
    if (is_news && !slot->is_draining) {
        log_state(slot, state);
    }
}

void edge_slot_tell_failure(struct edge_slot *slot, const char *what, int err)
{
    char reason[sizeof(slot->reason)];

    (void)snprintf(reason, sizeof(reason), "%s: %s", what, fb_err_text(err));
    edge_slot_tell(slot, EDGE_VOLUME_OFFLINE, reason);
}

static uint64_t slot_daily_bytes(const struct edge_slot *slot)
{
    const struct edge_volume_spec *spec = &slot->spec;

    return spec->daily_share == 0 ? spec->daily_bytes
                                  : slot->superblock.size / THOUSANDTHS * spec->daily_share;
}

void edge_slot_make_volume(struct edge_slot *slot, void (*failed)(void *ctx, int err))
{
    struct edge_volume *volume = NULL;
    uint64_t seed = 0;

    slot->superblock = slot->opening.superblock;
    volume = edge_volume_new(&(struct edge_volume_options){
        .loop = slot->owner->loop,
        .queue = slot->owner->queue,
        .disk = slot->disk,
        .superblock = &slot->superblock,
        .daily_bytes = slot_daily_bytes(slot),
        .scrub_rate = slot->spec.scrub_rate,
        .failed = failed,
        .ctx = slot,
    });
    seed = fb_str_hash(
        (struct fb_str){(const char *)slot->superblock.uuid, sizeof(slot->superblock.uuid)}, 0);
    edge_slot_lock(slot);
    slot->volume = volume;
    slot->seed = seed;
    slot->weight = (double)slot->superblock.size;
    edge_slot_unlock(slot);
}

bool edge_slot_forget_volume(struct edge_slot *slot)
{
    struct edge_volume *volume = NULL;

    edge_slot_lock(slot);
    if (__atomic_load_n(&slot->n_requests, __ATOMIC_ACQUIRE) == 0) {
        volume = slot->volume;
        slot->volume = NULL;
    }
    edge_slot_unlock(slot);
    edge_volume_free(volume);
    return volume != NULL;
}

bool edge_slot_is_same_volume(const struct edge_slot *slot)
{
    const struct edge_superblock *a = &slot->superblock;
    const struct edge_superblock *b = &slot->opening.superblock;

    if (slot->volume == NULL) {
        return false;
    }
    return memcmp(a->uuid, b->uuid, sizeof(a->uuid)) == 0 && a->size == b->size &&
           a->zone_bytes == b->zone_bytes && a->n_zones == b->n_zones &&
           a->zones_offset == b->zones_offset && a->checkpoint_offset == b->checkpoint_offset &&
           a->checkpoint_bytes == b->checkpoint_bytes;
}

void edge_slot_tell_opened(const struct edge_slot *slot)
{
    const struct edge_superblock *superblock = &slot->opening.superblock;

    if (slot->opening.was_formatted) {
        FB_LOG(INFO, "volume", "formatted", FB_LOG_TEXT("path", slot->spec.path),
               FB_LOG_INT("bytes", superblock->size), FB_LOG_INT("zones", superblock->n_zones));
    } else if (!slot->was_opened && slot->spec.size != 0 &&
               slot->spec.size / FB_DISK_BLOCK != superblock->size / FB_DISK_BLOCK) {
        FB_LOG(WARN, "volume", "keeps the size it was made with",
               FB_LOG_TEXT("path", slot->spec.path), FB_LOG_INT("bytes", superblock->size),
               FB_LOG_INT("configured", slot->spec.size));
    }
    if (!slot->was_opened && !fb_disk_is_direct(slot->disk)) {
        FB_LOG(WARN, "volume", "no direct access there, so the page cache stands between",
               FB_LOG_TEXT("path", slot->spec.path));
    }
}

void edge_slot_tell_online(struct edge_slot *slot)
{
    uint64_t now_ms = fb_loop_now_ms(slot->owner->loop);
    struct edge_volume_status status = {0};

    edge_volume_describe(slot->volume, &status);
    FB_LOG(INFO, "volume", "in service", FB_LOG_TEXT("path", slot->spec.path),
           FB_LOG_INT("bytes", slot->superblock.size), FB_LOG_INT("extents", status.n_extents),
           FB_LOG_INT("ms", now_ms - slot->began_ms));
    slot->began_ms = now_ms;
}
