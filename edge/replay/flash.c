#include "edge/replay/flash.h"

#include "base/core/alloc.h"
#include "base/core/buf.h"
#include "base/core/check.h"
#include "edge/format/format.h"
#include "edge/policy/admission.h"
#include "edge/policy/budget.h"
#include "edge/policy/rewriting.h"
#include "edge/volume/index.h"
#include "edge/volume/zones.h"

enum {
    FLASH_FREE_ZONES = 2,            /* kept ready, as a volume does */
    FLASH_WRITTEN_PER_METADATA = 100 /* one byte of checkpoint for so many written */
};

/* What is wanted again of a zone that is reclaimed. */
struct flash_wanted {
    struct edge_extent_id id;
    struct edge_place place;
};

struct edge_replay_flash {
    struct edge_replay_tier tier;
    struct edge_superblock superblock;
    struct edge_index *index;         /* owned */
    struct edge_zones *zones;         /* owned */
    struct edge_admission *admission; /* owned */
    struct edge_budget budget;
    struct fb_buf wanted; /* of struct flash_wanted */
    uint64_t now_ms;
    uint64_t since_checkpoint; /* bytes written */
    bool is_reclaiming;

    /* The open zone. */
    bool has_zone;
    uint32_t zone;
    uint32_t n_blocks;
    uint32_t n_listings;
};

/* ---- what is written --------------------------------------------------- */

/* False if the budget does not grant it. */
static bool flash_count(struct edge_replay_flash *flash, uint64_t *sum, enum edge_budget_use use,
                        uint64_t n_blocks)
{
    uint64_t n_bytes = n_blocks * EDGE_FORMAT_BLOCK;

    if (!edge_budget_take(&flash->budget, use, n_bytes, (int64_t)flash->now_ms)) {
        return false;
    }
    *sum += n_bytes;
    flash->since_checkpoint += n_bytes;
    return true;
}

static void flash_count_metadata(struct edge_replay_flash *flash, uint64_t n_blocks)
{
    FB_IGNORE(flash_count(flash, &flash->tier.written.metadata, EDGE_BUDGET_UPKEEP,
                          n_blocks)); /* content leaves room for it */
}

static void flash_checkpoint_if_due(struct edge_replay_flash *flash)
{
    uint64_t n_bytes =
        edge_checkpoint_bytes(flash->superblock.n_zones, edge_index_count(flash->index));

    if (flash->since_checkpoint / FLASH_WRITTEN_PER_METADATA >= n_bytes) {
        flash->since_checkpoint = 0;
        flash_count_metadata(flash, n_bytes / EDGE_FORMAT_BLOCK);
    }
}

/* ---- zones ------------------------------------------------------------- */

static void flash_seal(struct edge_replay_flash *flash)
{
    if (flash->has_zone) {
        flash_count_metadata(flash, edge_summary_blocks(flash->n_listings));
        edge_zones_seal(flash->zones, flash->zone);
        flash->has_zone = false;
        flash_checkpoint_if_due(flash);
    }
}

static void flash_open(struct edge_replay_flash *flash)
{
    uint64_t generation = 0;

    FB_REQUIRE(edge_zones_open(flash->zones, &flash->zone, &generation)); /* some are kept free */
    flash->has_zone = true;
    flash->n_blocks = 1; /* its header */
    flash->n_listings = 0;
    flash_count_metadata(flash, 1);
}

static bool flash_has_room(const struct edge_replay_flash *flash, uint32_t n_blocks)
{
    /* A summary, and a ledger in case that the zone is continued after a restart. */
    return flash->has_zone &&
           flash->n_blocks + n_blocks + edge_summary_blocks(flash->n_listings + 1U) + 1 <=
               edge_superblock_zone_blocks(&flash->superblock);
}

static void flash_reclaim(struct edge_replay_flash *flash);

/* Puts an extent of `place->n_blocks` into the open zone. */
static bool flash_write(struct edge_replay_flash *flash, const struct edge_extent_id *id,
                        const struct edge_place *place, uint64_t *sum)
{
    struct edge_place placed = *place;

    while (!flash_has_room(flash, place->n_blocks)) {
        flash_seal(flash);
        flash_open(flash);
        flash_reclaim(flash);
    }
    if (!flash_count(flash, sum, EDGE_BUDGET_CONTENT, place->n_blocks)) {
        return false;
    }
    placed.zone = flash->zone;
    placed.block = flash->n_blocks;
    placed.heat = 0;
    flash->n_blocks += place->n_blocks;
    flash->n_listings++;
    return edge_index_add(flash->index, id, &placed) == 0;
}

/* ---- reclaim ----------------------------------------------------------- */

static bool flash_passes(struct edge_replay_flash *flash, uint32_t zone, unsigned n_passed)
{
    struct edge_extent_id id;
    struct edge_place place;
    uint64_t n_warm_blocks = 0;
    uint32_t cursor = 0;

    while (edge_index_next_of_zone(flash->index, zone, &cursor, &id, &place)) {
        n_warm_blocks += place.heat > 0 ? place.n_blocks : 0;
    }
    return edge_rewriting_passes(n_warm_blocks, edge_superblock_zone_blocks(&flash->superblock),
                                 n_passed);
}

/* The zone to be emptied. */
static uint32_t flash_next_zone(struct edge_replay_flash *flash)
{
    uint32_t zone = 0;
    unsigned n_passed = 0;

    FB_REQUIRE(edge_zones_oldest_sealed(flash->zones, &zone)); /* four zones at least */
    while (flash_passes(flash, zone, n_passed)) {
        n_passed++;
        edge_index_cool_zone(flash->index, zone);
        edge_zones_pass(flash->zones, zone);
        FB_REQUIRE(edge_zones_oldest_sealed(flash->zones, &zone));
    }
    return zone;
}

/* At most half a zone is written again, so that each reclaim gains something. */
static void flash_choose(struct edge_replay_flash *flash, uint32_t zone)
{
    double pressure = edge_budget_pressure(&flash->budget, (int64_t)flash->now_ms);
    uint32_t left = edge_superblock_zone_blocks(&flash->superblock) / 2;
    struct flash_wanted wanted;
    uint32_t cursor = 0;

    fb_buf_clear(&flash->wanted);
    while (edge_index_next_of_zone(flash->index, zone, &cursor, &wanted.id, &wanted.place)) {
        if (edge_rewriting_ask(wanted.place.heat, pressure) && wanted.place.n_blocks <= left) {
            left -= wanted.place.n_blocks;
            fb_buf_append(&flash->wanted, (struct fb_str){(const char *)&wanted, sizeof(wanted)});
        }
    }
}

static void flash_empty(struct edge_replay_flash *flash, uint32_t zone)
{
    flash_choose(flash, zone);
    size_t n_wanted = flash->wanted.len / sizeof(struct flash_wanted);

    edge_zones_reclaim(flash->zones, zone);
    flash->tier.n_evictions += edge_index_drop_zone(flash->index, zone);
    edge_zones_release(flash->zones, zone);
    for (size_t i = 0; i < n_wanted; i++) {
        const struct flash_wanted *wanted =
            (const struct flash_wanted *)(const void *)flash->wanted.ptr + i;
        if (flash_write(flash, &wanted->id, &wanted->place, &flash->tier.written.rewriting)) {
            flash->tier.n_evictions--;
        }
    }
}

static void flash_reclaim(struct edge_replay_flash *flash)
{
    if (flash->is_reclaiming) {
        return;
    }
    flash->is_reclaiming = true;
    while (edge_zones_n_free(flash->zones) < FLASH_FREE_ZONES) {
        flash_empty(flash, flash_next_zone(flash));
    }
    flash->is_reclaiming = false;
}

/* ---- the tier ---------------------------------------------------------- */

static struct edge_replay_flash *flash_of(struct edge_replay_tier *tier)
{
    return FB_CONTAINER_OF(tier, struct edge_replay_flash, tier);
}

static struct edge_extent_id flash_id(const struct edge_replay_extent *extent)
{
    return (struct edge_extent_id){
        .fingerprint = extent->object->id,
        .version = extent->object->id,
        .number = extent->number,
    };
}

static struct edge_admission_ask flash_ask(const struct edge_replay_flash *flash,
                                           const struct edge_replay_extent *extent)
{
    return (struct edge_admission_ask){
        .id = extent->id,
        .size = extent->n_bytes,
        .title = extent->object->title,
        .has_room = !edge_zones_was_full(flash->zones),
        .pressure = edge_budget_pressure(&flash->budget, (int64_t)flash->now_ms),
        .now_ms = (int64_t)flash->now_ms,
    };
}

static bool flash_find(struct edge_replay_tier *tier, const struct edge_replay_extent *extent,
                       uint64_t now_ms)
{
    struct edge_replay_flash *flash = flash_of(tier);
    struct edge_extent_id id = flash_id(extent);
    struct edge_place place;

    flash->now_ms = now_ms;
    if (!edge_index_find(flash->index, &id, -1, 0, &place)) {
        return false;
    }
    struct edge_admission_ask ask = flash_ask(flash, extent);
    edge_index_touch(flash->index, &id, &place, 1);
    edge_admission_seen(flash->admission, &ask);
    return true;
}

static void flash_offer(struct edge_replay_tier *tier, const struct edge_replay_extent *extent,
                        bool was_fetched, uint64_t now_ms)
{
    struct edge_replay_flash *flash = flash_of(tier);
    struct edge_extent_id id = flash_id(extent);
    struct edge_place place = {
        .n_head_blocks = 1, .n_blocks = 1, .mask = 1, .title = extent->object->title};

    flash->now_ms = now_ms;
    struct edge_admission_ask ask = flash_ask(flash, extent);
    if (!was_fetched || !edge_admission_ask(flash->admission, &ask)) {
        return;
    }
    for (uint32_t rest = extent->n_bytes; rest > 0;) {
        uint32_t chunk = FB_MIN(rest, (uint32_t)EDGE_CHUNK_BYTES);
        place.n_blocks += edge_record_chunk_blocks(chunk);
        rest -= chunk;
    }
    (void)flash_write(flash, &id, &place, &flash->tier.written.admission); /* else it is refused */
}

static void flash_request(struct edge_replay_tier *tier, const struct edge_trace_object *object,
                          enum edge_replay_outcome outcome, uint64_t now_ms)
{
    (void)tier;
    (void)object;
    (void)outcome;
    (void)now_ms;
}

static const struct edge_replay_tier_ops flash_ops = {
    .find = flash_find,
    .request = flash_request,
    .offer = flash_offer,
};

/* ---- life -------------------------------------------------------------- */

int edge_replay_flash_new(uint64_t volume_bytes, uint64_t daily_bytes,
                          struct edge_replay_flash **ret_flash)
{
    struct edge_superblock superblock;

    int err = edge_superblock_plan(volume_bytes, &superblock);
    if (err < 0) {
        return err;
    }
    struct edge_replay_flash *flash = FB_NEW(struct edge_replay_flash);
    flash->tier.ops = &flash_ops;
    flash->tier.n_bytes = volume_bytes;
    flash->superblock = superblock;
    flash->index = edge_index_new(edge_superblock_max_entries(&superblock), superblock.n_zones);
    flash->zones = edge_zones_new(superblock.n_zones, 1);
    flash->admission = edge_admission_new(volume_bytes);
    edge_budget_init(&flash->budget, daily_bytes, NULL);
    *ret_flash = flash;
    return 0;
}

void edge_replay_flash_free(struct edge_replay_flash *flash)
{
    if (flash != NULL) {
        edge_index_free(flash->index);
        edge_zones_free(flash->zones);
        edge_admission_free(flash->admission);
        fb_buf_done(&flash->wanted);
        fb_free(flash);
    }
}

void edge_replay_flash_freep(struct edge_replay_flash **flash)
{
    edge_replay_flash_free(*flash);
}

struct edge_replay_tier *edge_replay_flash_tier(struct edge_replay_flash *flash)
{
    return &flash->tier;
}
