#include "base/core/err.h"
#include "edge/format/format_internal.h"

static const char zone_magic[] = "FBZONE\0";

enum {
    AT_ZONE = 20,
    AT_GENERATION = 24,
    AT_UUID = 32,
    AT_WALL = 48,
    AT_OLDEST = 56,
    AT_WRITTEN = 64
};

void edge_zone_header_encode(const struct edge_zone_header *header, char *block)
{
    edge_head_begin(block, 1, zone_magic);
    fb_put_u32(block + AT_ZONE, header->zone);
    fb_put_u64(block + AT_GENERATION, header->generation);
    memcpy(block + AT_UUID, header->uuid, sizeof(header->uuid));
    fb_put_u64(block + AT_WALL, (uint64_t)header->wall_ms);
    fb_put_u64(block + AT_OLDEST, header->oldest);
    edge_written_put(block + AT_WRITTEN, &header->written);
    (void)edge_head_end(block, 1);
}

int edge_zone_header_decode(const char *block, struct edge_zone_header *ret_header)
{
    if (!edge_head_is(block, zone_magic)) {
        return FB_E_MALFORMED;
    }
    int err = edge_head_check(block, 1);
    if (err < 0) {
        return err;
    }
    struct edge_zone_header header = {
        .zone = fb_get_u32(block + AT_ZONE),
        .generation = fb_get_u64(block + AT_GENERATION),
        .oldest = fb_get_u64(block + AT_OLDEST),
        .wall_ms = (int64_t)fb_get_u64(block + AT_WALL),
    };
    if (header.generation == 0 || header.oldest > header.generation ||
        header.zone >= EDGE_FORMAT_MAX_ZONES) {
        return FB_E_CORRUPT;
    }
    memcpy(header.uuid, block + AT_UUID, sizeof(header.uuid));
    edge_written_get(block + AT_WRITTEN, &header.written);
    *ret_header = header;
    return FB_OK;
}
