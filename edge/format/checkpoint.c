#include "base/core/check.h"
#include "base/core/err.h"
#include "edge/format/format_internal.h"

static const char checkpoint_magic[] = "FBCHECKP";

/* The head, which is one block; zones and listings follow it without a gap. */
enum {
    AT_N_ZONES = 20,
    AT_SEQUENCE = 24,
    AT_UUID = 32,
    AT_WALL = 48,
    AT_N_LISTINGS = 56,
    AT_N_BYTES = 64,
    AT_BODY_SUM = 72,
    AT_WRITTEN = 80
};

/* A zone. */
enum {
    ZONE_GENERATION = 0,
    ZONE_N_BLOCKS = 8,
    ZONE_IS_SEALED = 12,
    ZONE_HAS_GAPS = 13,
    ZONE_BYTES = 16
};

uint64_t edge_checkpoint_bytes(uint32_t n_zones, size_t n_listings)
{
    uint64_t body = (uint64_t)n_zones * ZONE_BYTES + (uint64_t)n_listings * EDGE_LISTING_BYTES;
    uint64_t n_blocks = (body + EDGE_FORMAT_BLOCK - 1) / EDGE_FORMAT_BLOCK + 1;

    return n_blocks * EDGE_FORMAT_BLOCK;
}

size_t edge_checkpoint_max_listings(uint32_t n_zones, uint64_t n_bytes)
{
    return (n_bytes - EDGE_FORMAT_BLOCK - (uint64_t)n_zones * ZONE_BYTES) / EDGE_LISTING_BYTES;
}

static struct fb_str checkpoint_body(const char *bytes, uint64_t n_bytes)
{
    return (struct fb_str){bytes + EDGE_FORMAT_BLOCK, n_bytes - EDGE_FORMAT_BLOCK};
}

/* ---- writing ------------------------------------------------------------- */

void edge_checkpoint_begin(const struct edge_checkpoint *checkpoint, struct fb_buf *bytes)
{
    FB_REQUIRE(bytes->len == 0);
    char *head = fb_buf_reserve(bytes, EDGE_FORMAT_BLOCK);

    edge_head_begin(head, 1, checkpoint_magic);
    fb_put_u32(head + AT_N_ZONES, checkpoint->n_zones);
    fb_put_u64(head + AT_SEQUENCE, checkpoint->sequence);
    memcpy(head + AT_UUID, checkpoint->uuid, sizeof(checkpoint->uuid));
    fb_put_u64(head + AT_WALL, (uint64_t)checkpoint->wall_ms);
    edge_written_put(head + AT_WRITTEN, &checkpoint->written);
    fb_buf_add(bytes, EDGE_FORMAT_BLOCK);
}

void edge_checkpoint_add_zone(struct fb_buf *bytes, const struct edge_checkpoint_zone *zone)
{
    char *at = fb_buf_reserve(bytes, ZONE_BYTES);

    memset(at, 0, ZONE_BYTES);
    fb_put_u64(at + ZONE_GENERATION, zone->generation);
    fb_put_u32(at + ZONE_N_BLOCKS, zone->n_blocks);
    at[ZONE_IS_SEALED] = zone->is_sealed ? 1 : 0;
    at[ZONE_HAS_GAPS] = zone->has_gaps ? 1 : 0;
    fb_buf_add(bytes, ZONE_BYTES);
}

void edge_checkpoint_add_listing(struct fb_buf *bytes, const struct edge_listing *listing)
{
    edge_listing_put(fb_buf_reserve(bytes, EDGE_LISTING_BYTES), listing);
    fb_buf_add(bytes, EDGE_LISTING_BYTES);
}

void edge_checkpoint_end(struct fb_buf *bytes)
{
    uint32_t n_zones = fb_get_u32(bytes->ptr + AT_N_ZONES);
    size_t before = EDGE_FORMAT_BLOCK + (size_t)n_zones * ZONE_BYTES;

    FB_REQUIRE(bytes->len >= before && (bytes->len - before) % EDGE_LISTING_BYTES == 0);
    size_t n_listings = (bytes->len - before) / EDGE_LISTING_BYTES;
    uint64_t n_bytes = edge_checkpoint_bytes(n_zones, n_listings);
    size_t padding = n_bytes - bytes->len;
    memset(fb_buf_reserve(bytes, padding), 0, padding);
    fb_buf_add(bytes, padding);

    fb_put_u64(bytes->ptr + AT_N_LISTINGS, n_listings);
    fb_put_u64(bytes->ptr + AT_N_BYTES, n_bytes);
    fb_put_u64(bytes->ptr + AT_BODY_SUM, edge_format_sum(checkpoint_body(bytes->ptr, n_bytes)));
    (void)edge_head_end(bytes->ptr, 1);
}

/* ---- reading ------------------------------------------------------------- */

int edge_checkpoint_decode_head(const char *block, struct edge_checkpoint *ret_checkpoint)
{
    if (!edge_head_is(block, checkpoint_magic)) {
        return FB_E_MALFORMED;
    }
    int err = edge_head_check(block, 1);
    if (err < 0) {
        return err;
    }
    struct edge_checkpoint checkpoint = {
        .sequence = fb_get_u64(block + AT_SEQUENCE),
        .wall_ms = (int64_t)fb_get_u64(block + AT_WALL),
        .n_zones = fb_get_u32(block + AT_N_ZONES),
        .n_listings = fb_get_u64(block + AT_N_LISTINGS),
        .n_bytes = fb_get_u64(block + AT_N_BYTES),
    };
    if (checkpoint.n_zones > EDGE_FORMAT_MAX_ZONES || checkpoint.n_listings > UINT32_MAX ||
        checkpoint.n_bytes != edge_checkpoint_bytes(checkpoint.n_zones, checkpoint.n_listings)) {
        return FB_E_CORRUPT;
    }
    memcpy(checkpoint.uuid, block + AT_UUID, sizeof(checkpoint.uuid));
    edge_written_get(block + AT_WRITTEN, &checkpoint.written);
    *ret_checkpoint = checkpoint;
    return FB_OK;
}

int edge_checkpoint_verify(const char *bytes, const struct edge_checkpoint *checkpoint)
{
    struct edge_checkpoint head;

    int err = edge_checkpoint_decode_head(bytes, &head);
    if (err < 0) {
        return err;
    }
    if (head.n_bytes != checkpoint->n_bytes || head.sequence != checkpoint->sequence ||
        fb_get_u64(bytes + AT_BODY_SUM) !=
            edge_format_sum(checkpoint_body(bytes, checkpoint->n_bytes))) {
        return FB_E_CORRUPT;
    }
    return FB_OK;
}

void edge_checkpoint_zone(const char *bytes, const struct edge_checkpoint *checkpoint, uint32_t i,
                          struct edge_checkpoint_zone *ret_zone)
{
    const char *at = bytes + EDGE_FORMAT_BLOCK + (size_t)i * ZONE_BYTES;

    FB_REQUIRE(i < checkpoint->n_zones);
    *ret_zone = (struct edge_checkpoint_zone){
        .generation = fb_get_u64(at + ZONE_GENERATION),
        .n_blocks = fb_get_u32(at + ZONE_N_BLOCKS),
        .is_sealed = at[ZONE_IS_SEALED] != 0,
        .has_gaps = at[ZONE_HAS_GAPS] != 0,
    };
}

int edge_checkpoint_listing(const char *bytes, const struct edge_checkpoint *checkpoint, uint64_t i,
                            struct edge_listing *ret_listing)
{
    size_t before = EDGE_FORMAT_BLOCK + (size_t)checkpoint->n_zones * ZONE_BYTES;
    struct edge_listing listing;

    FB_REQUIRE(i < checkpoint->n_listings);
    int err = edge_listing_get(bytes + before + i * EDGE_LISTING_BYTES, &listing);
    if (err < 0) {
        return err;
    }
    if (listing.place.zone >= checkpoint->n_zones) {
        return FB_E_CORRUPT;
    }
    *ret_listing = listing;
    return FB_OK;
}
