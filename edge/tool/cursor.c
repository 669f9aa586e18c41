#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/disk/disk.h"
#include "edge/tool/survey.h"

#include <string.h>

enum {
    WINDOW_HEADS = 64 * 1024 / EDGE_FORMAT_BLOCK,
    WINDOW_WHOLE = 8 * 1024 * 1024 / EDGE_FORMAT_BLOCK, /* the longest record fits */
    HOUR_MS = 60 * 60 * 1000
};

/* ---- the window ---------------------------------------------------------- */

/* Blocks `block` to `block + n - 1` of the zone, which are there. */
static int window_get(struct tool_cursor *cursor, uint32_t block, uint32_t n, char **ret_bytes)
{
    const struct tool_survey *survey = cursor->survey;

    if (block < cursor->window_block || block + n > cursor->window_block + cursor->window_n) {
        uint32_t n_read = FB_MIN(FB_MAX(n, cursor->window_size), survey->n_zone_blocks - block);
        uint64_t offset = edge_superblock_zone_offset(&survey->layout.superblock, cursor->zone) +
                          (uint64_t)block * EDGE_FORMAT_BLOCK;
        cursor->window_n = 0;
        int err = fb_disk_read_now(survey->disk, offset, cursor->window,
                                   (size_t)n_read * EDGE_FORMAT_BLOCK);
        if (err < 0) {
            return err;
        }
        cursor->window_block = block;
        cursor->window_n = n_read;
    }
    *ret_bytes = cursor->window + (size_t)(block - cursor->window_block) * EDGE_FORMAT_BLOCK;
    return FB_OK;
}

/* ---- heads --------------------------------------------------------------- */

/* FB_E_CORRUPT and *ret_wrong: no record of this zone begins there. */
static int cursor_read_head(struct tool_cursor *cursor, uint32_t block, uint32_t n_expected,
                            struct edge_record *ret_record, const char **ret_wrong)
{
    const struct tool_survey *survey = cursor->survey;
    uint32_t left = survey->n_zone_blocks - block;
    uint32_t n = FB_MIN(FB_MAX(n_expected, (uint32_t)EDGE_FORMAT_MAX_HEAD_BLOCKS), left);
    char *bytes = NULL;

    int err = window_get(cursor, block, n, &bytes);
    if (err < 0) {
        return err;
    }
    err = edge_record_decode(bytes, (size_t)n * EDGE_FORMAT_BLOCK, ret_record);
    if (err == FB_E_MALFORMED) {
        *ret_wrong = "no record begins there";
    } else if (err == FB_E_UNSUPPORTED) {
        *ret_wrong = "its head is of another format version";
    } else if (err < 0) {
        *ret_wrong = "its head does not fit its checksum";
    } else if (ret_record->generation != survey->zones[cursor->zone].header.generation) {
        *ret_wrong = "a record of the zone's last life lies there";
    } else if (ret_record->block != block || ret_record->n_blocks > left) {
        *ret_wrong = "its head is of another place";
    } else if (ret_record->kind == EDGE_RECORD_EXTENT &&
               edge_fingerprint_of(ret_record->head.key) != ret_record->head.id.fingerprint) {
        *ret_wrong = "its fingerprint is not that of its key";
    } else {
        return FB_OK;
    }
    return FB_E_CORRUPT;
}

static struct edge_listing listing_of(uint32_t zone, const struct edge_record *record)
{
    return (struct edge_listing){
        .kind = record->kind,
        .id = record->head.id,
        .place = {.zone = zone,
                  .block = record->block,
                  .n_blocks = record->n_blocks,
                  .title = record->head.title,
                  .hour = (uint32_t)(record->head.wall_ms / HOUR_MS),
                  .n_head_blocks = record->n_head_blocks,
                  .mask = record->head.mask},
    };
}

/* ---- sealed zones: by the summary ---------------------------------------- */

static bool fits_listing(const struct edge_record *record, const struct edge_listing *listing)
{
    return record->kind == listing->kind &&
           record->head.id.fingerprint == listing->id.fingerprint &&
           record->head.id.version == listing->id.version &&
           record->head.id.number == listing->id.number &&
           record->head.mask == listing->place.mask &&
           record->n_blocks == listing->place.n_blocks &&
           record->n_head_blocks == listing->place.n_head_blocks;
}

static int next_listed(struct tool_cursor *cursor, struct tool_item *item)
{
    const struct tool_survey *survey = cursor->survey;
    const struct edge_summary *summary = &survey->zones[cursor->zone].summary;

    if (cursor->i == summary->n) {
        return FB_E_END;
    }
    int err = edge_summary_get(cursor->listings, summary, cursor->i++, &item->listing);
    if (err < 0 || !edge_superblock_holds(&survey->layout.superblock, &item->listing.place)) {
        item->wrong = "the summary lists an impossible record";
        return FB_OK;
    }
    if (cursor->depth == TOOL_LISTINGS) {
        return FB_OK;
    }
    uint32_t block = item->listing.place.block;
    uint32_t n = cursor->depth == TOOL_WHOLE ? item->listing.place.n_blocks : 1;
    err = cursor_read_head(cursor, block, n, &item->record, &item->wrong);
    if (err == FB_OK && !fits_listing(&item->record, &item->listing)) {
        item->wrong = "the summary lists another record there";
        err = FB_E_CORRUPT;
    }
    if (err == FB_OK) {
        item->has_record = true;
        if (cursor->depth == TOOL_WHOLE) {
            item->bytes =
                cursor->window + (size_t)(block - cursor->window_block) * EDGE_FORMAT_BLOCK;
        }
    }
    return err == FB_E_CORRUPT ? FB_OK : err;
}

/* ---- open zones: one after the other ------------------------------------- */

static int next_in_chain(struct tool_cursor *cursor, struct tool_item *item)
{
    const struct tool_survey *survey = cursor->survey;
    const char *wrong = NULL;

    while (cursor->block < survey->n_zone_blocks) {
        int err = cursor_read_head(cursor, cursor->block, 1, &item->record, &wrong);
        if (err == FB_E_CORRUPT || (err == FB_OK && item->record.previous != cursor->sum)) {
            return FB_E_END;
        }
        if (err == FB_OK && cursor->depth == TOOL_WHOLE) {
            err = cursor_read_head(cursor, cursor->block, item->record.n_blocks, &item->record,
                                   &wrong);
        }
        if (err < 0) {
            return err == FB_E_CORRUPT ? FB_E_END : err;
        }
        uint32_t block = cursor->block;
        cursor->block += item->record.n_blocks;
        cursor->sum = item->record.sum;
        if (item->record.kind == EDGE_RECORD_LEDGER) {
            cursor->written = item->record.written;
            cursor->has_written = true;
            continue;
        }
        item->has_record = true;
        item->listing = listing_of(cursor->zone, &item->record);
        if (cursor->depth == TOOL_WHOLE) {
            item->bytes =
                cursor->window + (size_t)(block - cursor->window_block) * EDGE_FORMAT_BLOCK;
        }
        return FB_OK;
    }
    return FB_E_END;
}

/* ---- the cursor ---------------------------------------------------------- */

static int cursor_load_summary(struct tool_cursor *cursor)
{
    const struct tool_survey *survey = cursor->survey;
    const struct edge_summary *summary = &survey->zones[cursor->zone].summary;
    size_t n_bytes = (size_t)summary->n_blocks * EDGE_FORMAT_BLOCK;
    uint64_t end = edge_superblock_zone_offset(&survey->layout.superblock, cursor->zone) +
                   survey->layout.superblock.zone_bytes;

    cursor->listings = fb_disk_buffer(n_bytes);
    int err = fb_disk_read_now(survey->disk, end - n_bytes, cursor->listings, n_bytes);
    if (err == FB_OK) {
        err = edge_summary_verify(cursor->listings, summary);
        err = err == FB_OK ? FB_OK : FB_E_CORRUPT;
    }
    if (err < 0) {
        fb_free(cursor->listings);
        cursor->listings = NULL;
    }
    return err;
}

int edge_tool_cursor_init(struct tool_cursor *cursor, const struct tool_survey *survey,
                          uint32_t zone, enum tool_depth depth)
{
    enum tool_zone_state state = survey->zones[zone].state;
    int err = FB_OK;

    *cursor = (struct tool_cursor){
        .survey = survey,
        .zone = zone,
        .depth = depth,
        .block = state == TOOL_ZONE_OPEN || state == TOOL_ZONE_SEALED ? 1 : UINT32_MAX,
        .window_size = depth == TOOL_WHOLE ? WINDOW_WHOLE : WINDOW_HEADS,
    };
    cursor->window = fb_disk_buffer((size_t)cursor->window_size * EDGE_FORMAT_BLOCK);
    if (state == TOOL_ZONE_SEALED) {
        err = cursor_load_summary(cursor);
    }
    if (err < 0 && err != FB_E_CORRUPT) {
        edge_tool_cursor_done(cursor);
    }
    return err;
}

void edge_tool_cursor_done(struct tool_cursor *cursor)
{
    fb_free(cursor->window);
    fb_free(cursor->listings);
    memset(cursor, 0, sizeof(*cursor));
}

int edge_tool_cursor_next(struct tool_cursor *cursor, struct tool_item *ret_item)
{
    memset(ret_item, 0, sizeof(*ret_item));
    return cursor->listings != NULL ? next_listed(cursor, ret_item)
                                    : next_in_chain(cursor, ret_item);
}
