#include "base/core/check.h"
#include "base/core/err.h"
#include "edge/format/format_internal.h"

/* The superblock. */
static const char superblock_magic[] = "FBVOLUME";

enum {
    AT_N_ZONES = 20,
    AT_UUID = 24,
    AT_CREATED = 40,
    AT_SIZE = 48,
    AT_ZONE_BYTES = 56,
    AT_ZONES_OFFSET = 64,
    AT_CHECKPOINT_OFFSET = 72,
    AT_CHECKPOINT_BYTES = 80,
    AT_BLOCK_BYTES = 88,
    AT_CHUNK_BYTES = 92,
    AT_EXTENT_CHUNKS = 96,
    AT_NODE_LEN = 100,
    AT_WAS_LOGGED = 101,
    AT_NODE = 104,
    AT_DOUBTED = AT_NODE + EDGE_FORMAT_NODE_MAX
};

enum {
    ZONES_WANTED = 64,
    ZONES_ALIGN = 1024 * 1024,
    FIRST_SLOT = 2 * EDGE_FORMAT_BLOCK, /* after the superblock and its copy */
    ENTRY_BYTES_SMALL = 8 * 1024, /* volume bytes per entry: nothing is smaller than this ... */
    ENTRY_BYTES_LARGE = 64 * 1024 /* ... but few things are that small on a large volume */
};

#define ENTRIES_SMALL    ((uint64_t)8 * 1024 * 1024) /* what smaller volumes have at most */
#define VOLUME_MAX_BYTES ((uint64_t)1 << 60)         /* lest sums overflow */

static uint64_t plan_zone_bytes(uint64_t size)
{
    uint64_t bytes = EDGE_FORMAT_MIN_ZONE_BYTES;

    while (bytes < EDGE_FORMAT_MAX_ZONE_BYTES && bytes * 2 <= size / ZONES_WANTED) {
        bytes *= 2;
    }
    return bytes;
}

static uint64_t plan_entries(uint64_t size)
{
    return FB_MIN(size / ENTRY_BYTES_SMALL, FB_MAX(ENTRIES_SMALL, size / ENTRY_BYTES_LARGE));
}

int edge_superblock_plan(uint64_t size, struct edge_superblock *ret_superblock)
{
    size = FB_MIN(size, VOLUME_MAX_BYTES) / EDGE_FORMAT_BLOCK * EDGE_FORMAT_BLOCK;
    uint64_t zone_bytes = plan_zone_bytes(size);
    uint64_t n_zones = FB_MIN(size / zone_bytes, (uint64_t)EDGE_FORMAT_MAX_ZONES);
    uint64_t slot = edge_checkpoint_bytes((uint32_t)n_zones, plan_entries(n_zones * zone_bytes));
    uint64_t front = FIRST_SLOT + 2 * slot;

    front = (front + ZONES_ALIGN - 1) / ZONES_ALIGN * ZONES_ALIGN;
    if (size < front + EDGE_FORMAT_MIN_ZONES * zone_bytes) {
        return FB_E_LIMIT;
    }
    *ret_superblock = (struct edge_superblock){
        .size = size,
        .zone_bytes = zone_bytes,
        .n_zones = (uint32_t)FB_MIN((size - front) / zone_bytes, n_zones),
        .zones_offset = front,
        .checkpoint_offset = FIRST_SLOT,
        .checkpoint_bytes = slot,
    };
    return FB_OK;
}

void edge_superblock_encode(const struct edge_superblock *superblock, char *block)
{
    size_t node_len = strnlen(superblock->node, sizeof(superblock->node));

    FB_REQUIRE(node_len > 0 && node_len <= EDGE_FORMAT_NODE_MAX);
    edge_head_begin(block, 1, superblock_magic);
    fb_put_u32(block + AT_N_ZONES, superblock->n_zones);
    memcpy(block + AT_UUID, superblock->uuid, sizeof(superblock->uuid));
    fb_put_u64(block + AT_CREATED, (uint64_t)superblock->created_ms);
    fb_put_u64(block + AT_SIZE, superblock->size);
    fb_put_u64(block + AT_ZONE_BYTES, superblock->zone_bytes);
    fb_put_u64(block + AT_ZONES_OFFSET, superblock->zones_offset);
    fb_put_u64(block + AT_CHECKPOINT_OFFSET, superblock->checkpoint_offset);
    fb_put_u64(block + AT_CHECKPOINT_BYTES, superblock->checkpoint_bytes);
    fb_put_u32(block + AT_BLOCK_BYTES, EDGE_FORMAT_BLOCK);
    fb_put_u32(block + AT_CHUNK_BYTES, EDGE_CHUNK_BYTES);
    fb_put_u32(block + AT_EXTENT_CHUNKS, EDGE_EXTENT_CHUNKS);
    block[AT_NODE_LEN] = (char)node_len;
    block[AT_WAS_LOGGED] = superblock->was_logged ? 1 : 0;
    memcpy(block + AT_NODE, superblock->node, node_len);
    fb_put_u64(block + AT_DOUBTED, superblock->doubted);
    (void)edge_head_end(block, 1);
}

static bool is_aligned(uint64_t offset)
{
    return offset % EDGE_FORMAT_BLOCK == 0;
}

/* Each bound is checked before the sum that relies on it. */
static bool superblock_is_sound(const struct edge_superblock *superblock)
{
    uint64_t zone_bytes = superblock->zone_bytes;
    uint64_t size = superblock->size;

    if (size > VOLUME_MAX_BYTES || superblock->zones_offset > size ||
        superblock->checkpoint_bytes > size || superblock->checkpoint_offset > size) {
        return false;
    }
    if (zone_bytes < EDGE_FORMAT_MIN_ZONE_BYTES || zone_bytes > EDGE_FORMAT_MAX_ZONE_BYTES ||
        (zone_bytes & (zone_bytes - 1)) != 0 || superblock->n_zones < EDGE_FORMAT_MIN_ZONES ||
        superblock->n_zones > EDGE_FORMAT_MAX_ZONES) {
        return false;
    }
    return is_aligned(superblock->zones_offset) && is_aligned(superblock->checkpoint_offset) &&
           is_aligned(superblock->checkpoint_bytes) &&
           superblock->zones_offset + superblock->n_zones * zone_bytes <= size &&
           superblock->checkpoint_offset >= FIRST_SLOT &&
           superblock->checkpoint_offset + 2 * superblock->checkpoint_bytes <=
               superblock->zones_offset &&
           superblock->checkpoint_bytes >= edge_checkpoint_bytes(superblock->n_zones, 1);
}

int edge_superblock_decode(const char *block, struct edge_superblock *ret_superblock)
{
    size_t node_len = (unsigned char)block[AT_NODE_LEN];

    if (!edge_head_is(block, superblock_magic)) {
        return FB_E_MALFORMED;
    }
    int err = edge_head_check(block, 1);
    if (err < 0) {
        return err;
    }
    if (fb_get_u32(block + AT_BLOCK_BYTES) != EDGE_FORMAT_BLOCK ||
        fb_get_u32(block + AT_CHUNK_BYTES) != EDGE_CHUNK_BYTES ||
        fb_get_u32(block + AT_EXTENT_CHUNKS) != EDGE_EXTENT_CHUNKS) {
        return FB_E_UNSUPPORTED;
    }
    struct edge_superblock superblock = {
        .created_ms = (int64_t)fb_get_u64(block + AT_CREATED),
        .size = fb_get_u64(block + AT_SIZE),
        .zone_bytes = fb_get_u64(block + AT_ZONE_BYTES),
        .n_zones = fb_get_u32(block + AT_N_ZONES),
        .zones_offset = fb_get_u64(block + AT_ZONES_OFFSET),
        .checkpoint_offset = fb_get_u64(block + AT_CHECKPOINT_OFFSET),
        .checkpoint_bytes = fb_get_u64(block + AT_CHECKPOINT_BYTES),
        .was_logged = block[AT_WAS_LOGGED] != 0,
        .doubted = fb_get_u64(block + AT_DOUBTED),
    };
    if (!superblock_is_sound(&superblock) || node_len == 0 || node_len > EDGE_FORMAT_NODE_MAX ||
        memchr(block + AT_NODE, '\0', node_len) != NULL) {
        return FB_E_CORRUPT;
    }
    memcpy(superblock.uuid, block + AT_UUID, sizeof(superblock.uuid));
    memcpy(superblock.node, block + AT_NODE, node_len);
    *ret_superblock = superblock;
    return FB_OK;
}

size_t edge_superblock_max_entries(const struct edge_superblock *superblock)
{
    return edge_checkpoint_max_listings(superblock->n_zones, superblock->checkpoint_bytes);
}

uint64_t edge_superblock_first_generation(const struct edge_superblock *superblock)
{
    uint64_t life = fb_get_u32((const char *)superblock->uuid) & INT32_MAX;

    return (life << 32) + 1;
}

uint32_t edge_superblock_zone_blocks(const struct edge_superblock *superblock)
{
    return (uint32_t)(superblock->zone_bytes / EDGE_FORMAT_BLOCK);
}

uint64_t edge_superblock_zone_offset(const struct edge_superblock *superblock, uint32_t zone)
{
    return superblock->zones_offset + zone * superblock->zone_bytes;
}

bool edge_superblock_holds(const struct edge_superblock *superblock, const struct edge_place *place)
{
    uint32_t n_blocks = edge_superblock_zone_blocks(superblock);

    return place->zone < superblock->n_zones && place->block > 0 && place->n_blocks > 0 &&
           place->block < n_blocks && place->n_blocks <= n_blocks - place->block;
}
