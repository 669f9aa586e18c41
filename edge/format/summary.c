#include "base/core/err.h"
#include "edge/format/format_internal.h"

static const char summary_magic[] = "FBSUMMRY";

/* The footer. */
enum { AT_ZONE = 20, AT_GENERATION = 24, AT_N = 32, AT_N_BLOCKS = 36, AT_LISTINGS_SUM = 40 };

/* A listing. */
enum {
    LISTING_FINGERPRINT = 0,
    LISTING_VERSION = 8,
    LISTING_NUMBER = 16,
    LISTING_ZONE = 20,
    LISTING_BLOCK = 24,
    LISTING_N_BLOCKS = 28,
    LISTING_HEAD_BLOCKS = 30,
    LISTING_MASK = 31,
    LISTING_TITLE = 32,
    LISTING_HOUR = 36,
    LISTING_HEAT = 40,
    LISTING_KIND = 41
};

enum { CHUNK_MAX_BLOCKS = EDGE_CHUNK_BYTES / EDGE_FORMAT_BLOCK };

/* ---- listings ------------------------------------------------------------ */

void edge_listing_put(char *bytes, const struct edge_listing *listing)
{
    const struct edge_place *place = &listing->place;

    memset(bytes, 0, EDGE_LISTING_BYTES);
    fb_put_u64(bytes + LISTING_FINGERPRINT, listing->id.fingerprint);
    fb_put_u64(bytes + LISTING_VERSION, listing->id.version);
    fb_put_u32(bytes + LISTING_NUMBER, listing->id.number);
    fb_put_u32(bytes + LISTING_ZONE, place->zone);
    fb_put_u32(bytes + LISTING_BLOCK, place->block);
    fb_put_u16(bytes + LISTING_N_BLOCKS, (uint16_t)place->n_blocks);
    bytes[LISTING_HEAD_BLOCKS] = (char)place->n_head_blocks;
    bytes[LISTING_MASK] = (char)place->mask;
    fb_put_u32(bytes + LISTING_TITLE, place->title);
    fb_put_u32(bytes + LISTING_HOUR, place->hour);
    bytes[LISTING_HEAT] = (char)place->heat;
    bytes[LISTING_KIND] = (char)listing->kind;
}

static bool listing_is_sound(const struct edge_listing *listing)
{
    const struct edge_place *place = &listing->place;

    if (place->block == 0 || place->block >= EDGE_ZONE_MAX_BLOCKS ||
        place->n_blocks > EDGE_ZONE_MAX_BLOCKS - place->block || place->heat > EDGE_HEAT_MAX) {
        return false;
    }
    if (listing->kind == EDGE_RECORD_PURGE) {
        return place->n_blocks == 1 && place->n_head_blocks == 1 && place->mask == 0;
    }
    uint32_t n_chunks = (uint32_t)__builtin_popcount(place->mask);
    return listing->kind == EDGE_RECORD_EXTENT && place->mask != 0 &&
           place->mask >> EDGE_EXTENT_CHUNKS == 0 && place->n_head_blocks > 0 &&
           place->n_head_blocks <= EDGE_FORMAT_MAX_HEAD_BLOCKS &&
           place->n_blocks >= place->n_head_blocks + n_chunks &&
           place->n_blocks <= place->n_head_blocks + n_chunks * CHUNK_MAX_BLOCKS;
}

int edge_listing_get(const char *bytes, struct edge_listing *ret_listing)
{
    struct edge_listing listing = {
        .kind = (enum edge_record_kind)(unsigned char)bytes[LISTING_KIND],
        .id =
            {
                .fingerprint = fb_get_u64(bytes + LISTING_FINGERPRINT),
                .version = fb_get_u64(bytes + LISTING_VERSION),
                .number = fb_get_u32(bytes + LISTING_NUMBER),
            },
        .place =
            {
                .zone = fb_get_u32(bytes + LISTING_ZONE),
                .block = fb_get_u32(bytes + LISTING_BLOCK),
                .n_blocks = fb_get_u16(bytes + LISTING_N_BLOCKS),
                .title = fb_get_u32(bytes + LISTING_TITLE),
                .hour = fb_get_u32(bytes + LISTING_HOUR),
                .n_head_blocks = (uint8_t)bytes[LISTING_HEAD_BLOCKS],
                .mask = (uint8_t)bytes[LISTING_MASK],
                .heat = (uint8_t)bytes[LISTING_HEAT],
            },
    };
    if (!listing_is_sound(&listing)) {
        return FB_E_CORRUPT;
    }
    *ret_listing = listing;
    return FB_OK;
}

/* ---- summaries ----------------------------------------------------------- */

uint32_t edge_summary_blocks(size_t n)
{
    return (uint32_t)((n * EDGE_LISTING_BYTES + EDGE_FORMAT_BLOCK - 1) / EDGE_FORMAT_BLOCK + 1);
}

static struct fb_str summary_listings(const char *blocks, uint32_t n_blocks)
{
    return (struct fb_str){blocks, (size_t)(n_blocks - 1) * EDGE_FORMAT_BLOCK};
}

void edge_summary_encode(const struct edge_summary *summary, const struct edge_listing *listings,
                         struct fb_buf *blocks)
{
    uint32_t n_blocks = edge_summary_blocks(summary->n);
    size_t n_bytes = (size_t)n_blocks * EDGE_FORMAT_BLOCK;
    char *begin = fb_buf_reserve(blocks, n_bytes);
    char *footer = begin + n_bytes - EDGE_FORMAT_BLOCK;

    memset(begin, 0, n_bytes);
    for (size_t i = 0; i < summary->n; i++) {
        struct edge_listing listing = listings[i];
        listing.place.zone = summary->zone;
        edge_listing_put(begin + i * EDGE_LISTING_BYTES, &listing);
    }
    edge_head_begin(footer, 1, summary_magic);
    fb_put_u32(footer + AT_ZONE, summary->zone);
    fb_put_u64(footer + AT_GENERATION, summary->generation);
    fb_put_u32(footer + AT_N, summary->n);
    fb_put_u32(footer + AT_N_BLOCKS, n_blocks);
    fb_put_u64(footer + AT_LISTINGS_SUM, edge_format_sum(summary_listings(begin, n_blocks)));
    (void)edge_head_end(footer, 1);
    fb_buf_add(blocks, n_bytes);
}

int edge_summary_decode_footer(const char *block, struct edge_summary *ret_summary)
{
    if (!edge_head_is(block, summary_magic)) {
        return FB_E_MALFORMED;
    }
    int err = edge_head_check(block, 1);
    if (err < 0) {
        return err;
    }
    struct edge_summary summary = {
        .generation = fb_get_u64(block + AT_GENERATION),
        .zone = fb_get_u32(block + AT_ZONE),
        .n = fb_get_u32(block + AT_N),
        .n_blocks = fb_get_u32(block + AT_N_BLOCKS),
    };
    if (summary.generation == 0 || summary.zone >= EDGE_FORMAT_MAX_ZONES ||
        summary.n >= EDGE_ZONE_MAX_BLOCKS || summary.n_blocks != edge_summary_blocks(summary.n)) {
        return FB_E_CORRUPT;
    }
    *ret_summary = summary;
    return FB_OK;
}

int edge_summary_verify(const char *blocks, const struct edge_summary *summary)
{
    struct fb_str listings = summary_listings(blocks, summary->n_blocks);
    struct edge_summary footer;

    int err = edge_summary_decode_footer(blocks + listings.len, &footer);
    if (err < 0) {
        return err;
    }
    if (footer.generation != summary->generation || footer.zone != summary->zone ||
        footer.n != summary->n ||
        fb_get_u64(blocks + listings.len + AT_LISTINGS_SUM) != edge_format_sum(listings)) {
        return FB_E_CORRUPT;
    }
    return FB_OK;
}

int edge_summary_get(const char *blocks, const struct edge_summary *summary, uint32_t i,
                     struct edge_listing *ret_listing)
{
    struct edge_listing listing;

    int err = edge_listing_get(blocks + (size_t)i * EDGE_LISTING_BYTES, &listing);
    if (err < 0) {
        return err;
    }
    if (listing.place.zone != summary->zone) {
        return FB_E_CORRUPT;
    }
    *ret_listing = listing;
    return FB_OK;
}
