#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "base/disk/disk.h"
#include "base/json/json.h"
#include "edge/tool/survey.h"
#include "edge/tool/tool_internal.h"

#include <inttypes.h>
#include <stdio.h>

/* What lies in the zones that are in use. */
struct inspect_totals {
    uint32_t n_zones[TOOL_ZONE_STATES];
    uint64_t n_extents;
    uint64_t n_purges;
    uint64_t chunk_bytes; /* with the padding of each to whole blocks */
    uint64_t head_bytes;  /* of all records, and zones' headers */
    uint64_t summary_bytes;
    uint64_t oldest_generation;
    struct edge_written written;
};

/* ---- counting ------------------------------------------------------------ */

static void count_listing(struct inspect_totals *totals, const struct edge_listing *listing)
{
    const struct edge_place *place = &listing->place;
    uint32_t n_chunk_blocks = place->n_blocks - place->n_head_blocks;

    totals->n_extents += listing->kind == EDGE_RECORD_EXTENT ? 1 : 0;
    totals->n_purges += listing->kind == EDGE_RECORD_PURGE ? 1 : 0;
    totals->chunk_bytes += (uint64_t)n_chunk_blocks * EDGE_FORMAT_BLOCK;
    totals->head_bytes += (uint64_t)place->n_head_blocks * EDGE_FORMAT_BLOCK;
}

static int count_zone(const struct tool_survey *survey, uint32_t zone,
                      struct inspect_totals *totals)
{
    const struct tool_zone *found = &survey->zones[zone];
    struct tool_cursor cursor;
    struct tool_item item;

    totals->n_zones[found->state]++;
    if (found->state != TOOL_ZONE_OPEN && found->state != TOOL_ZONE_SEALED) {
        return FB_OK;
    }
    int err = edge_tool_cursor_init(&cursor, survey, zone, TOOL_LISTINGS);
    if (err < 0 && err != FB_E_CORRUPT) {
        return err;
    }
    while ((err = edge_tool_cursor_next(&cursor, &item)) == FB_OK) {
        if (item.wrong == NULL) {
            count_listing(totals, &item.listing);
        }
    }
    if (cursor.has_written) {
        totals->written = cursor.written;
    }
    edge_tool_cursor_done(&cursor);
    uint64_t generation = found->header.generation;
    if (totals->oldest_generation == 0 || generation < totals->oldest_generation) {
        totals->oldest_generation = generation;
    }
    totals->head_bytes += EDGE_FORMAT_BLOCK;
    totals->summary_bytes += (uint64_t)found->summary.n_blocks * EDGE_FORMAT_BLOCK;
    return err == FB_E_END ? FB_OK : err;
}

static uint64_t today_of(const struct edge_written *written)
{
    struct edge_budget budget;

    edge_budget_init(&budget, 0, &written->budget);
    return edge_budget_today(&budget, fb_clock_wall_ms(fb_clock_system()));
}

/* ---- the volume, for programs --------------------------------------------- */

static void uuid_text(const uint8_t uuid[16], struct fb_buf *text)
{
    fb_text_hex(text, (struct fb_str){(const char *)uuid, 16});
}

static const char *slot_state_name(enum tool_slot_state state)
{
    switch (state) {
    case TOOL_SLOT_BLANK:
        return "blank";
    case TOOL_SLOT_GOOD:
        return "good";
    case TOOL_SLOT_OTHER_LIFE:
        return "of another life";
    case TOOL_SLOT_DAMAGED:
        break;
    }
    return "damaged";
}

static void json_superblock(struct fb_json *json, const struct tool_survey *survey)
{
    const struct edge_superblock *superblock = &survey->layout.superblock;
    FB_AUTO(fb_buf_done) struct fb_buf uuid = {0};
    char created[FB_TIMESTAMP_MAX];

    uuid_text(superblock->uuid, &uuid);
    fb_json_set_text(json, "path", fb_disk_path(survey->disk));
    fb_json_set_bool(json, "in_use", survey->is_in_use);
    fb_json_set_int(json, "format", EDGE_FORMAT_VERSION);
    fb_json_set_str(json, "uuid", fb_buf_str(&uuid));
    fb_json_set_text(json, "node", superblock->node);
    fb_json_set_text(json, "created", fb_timestamp(superblock->created_ms, created));
    fb_json_set_int(json, "size", (int64_t)superblock->size);
    fb_json_set_int(json, "zone_bytes", (int64_t)superblock->zone_bytes);
    fb_json_set_int(json, "n_zones", superblock->n_zones);
    fb_json_set_int(json, "zones_offset", (int64_t)superblock->zones_offset);
    fb_json_set_int(json, "checkpoint_offset", (int64_t)superblock->checkpoint_offset);
    fb_json_set_int(json, "checkpoint_bytes", (int64_t)superblock->checkpoint_bytes);
    fb_json_set_bool(json, "superblock_is_good", survey->layout.is_first_good);
    fb_json_set_bool(json, "copy_is_good", survey->layout.is_copy_good);
}

static void json_checkpoints(struct fb_json *array, const struct tool_survey *survey)
{
    const struct tool_slot *newest = edge_tool_survey_checkpoint(survey);

    for (unsigned i = 0; i < FB_ARRAY_LEN(survey->slots); i++) {
        const struct tool_slot *slot = &survey->slots[i];
        struct fb_json *json = fb_json_add_object(array);
        char made[FB_TIMESTAMP_MAX];
        fb_json_set_text(json, "state", slot_state_name(slot->state));
        if (slot->state == TOOL_SLOT_GOOD) {
            fb_json_set_int(json, "sequence", (int64_t)slot->checkpoint.sequence);
            fb_json_set_text(json, "made", fb_timestamp(slot->checkpoint.wall_ms, made));
            fb_json_set_int(json, "extents", (int64_t)slot->checkpoint.n_listings);
            fb_json_set_int(json, "bytes", (int64_t)slot->checkpoint.n_bytes);
            fb_json_set_bool(json, "counts", slot == newest);
        }
    }
}

static void json_totals(struct fb_json *json, const struct tool_survey *survey,
                        const struct inspect_totals *totals)
{
    struct fb_json *zones = fb_json_set_object(json, "zones");
    for (size_t i = 0; i < TOOL_ZONE_STATES; i++) {
        fb_json_set_int(zones, edge_tool_zone_state_name((enum tool_zone_state)i),
                        totals->n_zones[i]);
    }
    fb_json_set_int(json, "newest_generation", (int64_t)survey->newest_generation);
    fb_json_set_int(json, "oldest_generation", (int64_t)totals->oldest_generation);

    struct fb_json *records = fb_json_set_object(json, "records");
    fb_json_set_int(records, "extents", (int64_t)totals->n_extents);
    fb_json_set_int(records, "purges", (int64_t)totals->n_purges);

    struct fb_json *bytes = fb_json_set_object(json, "bytes");
    fb_json_set_int(bytes, "chunks", (int64_t)totals->chunk_bytes);
    fb_json_set_int(bytes, "heads", (int64_t)totals->head_bytes);
    fb_json_set_int(bytes, "summaries", (int64_t)totals->summary_bytes);

    struct fb_json *written = fb_json_set_object(json, "written");
    fb_json_set_int(written, "today", (int64_t)today_of(&totals->written));
    fb_json_set_int(written, "reserve", (int64_t)totals->written.reserve);
    fb_json_set_int(written, "admission", (int64_t)totals->written.admission);
    fb_json_set_int(written, "rewriting", (int64_t)totals->written.rewriting);
    fb_json_set_int(written, "metadata", (int64_t)totals->written.metadata);
}

/* ---- the volume, for people ----------------------------------------------- */

static void text_superblock(struct fb_buf *text, const struct tool_survey *survey)
{
    const struct edge_superblock *superblock = &survey->layout.superblock;
    char size[TOOL_SIZE_MAX];
    char zone[TOOL_SIZE_MAX];
    char created[FB_TIMESTAMP_MAX];

    fb_buf_printf(text, "volume       %s\n", fb_disk_path(survey->disk));
    fb_buf_append(text, FB_STR("uuid         "));
    uuid_text(superblock->uuid, text);
    fb_buf_printf(text, "\nnode         %s\ncreated      %s\nsize         %s: %u zones of %s\n",
                  superblock->node, fb_timestamp(superblock->created_ms, created),
                  edge_tool_size(superblock->size, size), superblock->n_zones,
                  edge_tool_size(superblock->zone_bytes, zone));
    if (!survey->layout.is_first_good || !survey->layout.is_copy_good) {
        fb_buf_printf(text, "superblock   damaged; %s is good\n",
                      survey->layout.is_first_good ? "the first of two" : "its copy");
    }
}

static void text_totals(struct fb_buf *text, const struct inspect_totals *totals)
{
    char sizes[6][TOOL_SIZE_MAX];
    const struct edge_written *written = &totals->written;

    fb_buf_printf(text, "zones        %u sealed, %u open, %u free",
                  totals->n_zones[TOOL_ZONE_SEALED], totals->n_zones[TOOL_ZONE_OPEN],
                  totals->n_zones[TOOL_ZONE_FREE]);
    if (totals->n_zones[TOOL_ZONE_DAMAGED] > 0) {
        fb_buf_printf(text, ", %u damaged", totals->n_zones[TOOL_ZONE_DAMAGED]);
    }
    fb_buf_printf(text, "\nrecords      %" PRIu64 " extents, %" PRIu64 " purges\n",
                  totals->n_extents, totals->n_purges);
    fb_buf_printf(text, "bytes        chunks %s, heads %s, summaries %s\n",
                  edge_tool_size(totals->chunk_bytes, sizes[0]),
                  edge_tool_size(totals->head_bytes, sizes[1]),
                  edge_tool_size(totals->summary_bytes, sizes[2]));
    fb_buf_printf(text, "written      today %s, of which %s are set aside for what may follow\n",
                  edge_tool_size(today_of(written), sizes[0]),
                  edge_tool_size(written->reserve, sizes[1]));
    fb_buf_printf(text, "             ever: admission %s, rewriting %s, metadata %s\n",
                  edge_tool_size(written->admission, sizes[3]),
                  edge_tool_size(written->rewriting, sizes[4]),
                  edge_tool_size(written->metadata, sizes[5]));
}

static void text_checkpoints(struct fb_buf *text, const struct tool_survey *survey)
{
    for (unsigned i = 0; i < FB_ARRAY_LEN(survey->slots); i++) {
        const struct tool_slot *slot = &survey->slots[i];
        char made[FB_TIMESTAMP_MAX];
        fb_buf_printf(text, "checkpoint   %c: %s", 'A' + (int)i, slot_state_name(slot->state));
        if (slot->state == TOOL_SLOT_GOOD) {
            fb_buf_printf(text, ", number %" PRIu64 " of %s, %" PRIu64 " extents%s",
                          slot->checkpoint.sequence, fb_timestamp(slot->checkpoint.wall_ms, made),
                          slot->checkpoint.n_listings,
                          slot == edge_tool_survey_checkpoint(survey) ? ": counts" : "");
        }
        fb_buf_append_byte(text, '\n');
    }
}

static int inspect_volume(const struct tool_args *args, const struct tool_survey *survey,
                          struct fb_buf *text)
{
    struct inspect_totals totals = {.written = survey->written};

    for (uint32_t i = 0; i < survey->layout.superblock.n_zones; i++) {
        int err = count_zone(survey, i, &totals);
        if (err < 0) {
            return err;
        }
    }
    if (!args->json) {
        text_superblock(text, survey);
        text_totals(text, &totals);
        text_checkpoints(text, survey);
        return FB_OK;
    }
    FB_AUTO(fb_json_freep) struct fb_json *json = fb_json_new_object();
    json_superblock(json, survey);
    json_totals(json, survey, &totals);
    json_checkpoints(fb_json_set_array(json, "checkpoints"), survey);
    fb_json_dump(json, text);
    fb_buf_append_byte(text, '\n');
    return FB_OK;
}

/* ---- one zone ------------------------------------------------------------- */

static uint64_t item_bytes(const struct tool_item *item)
{
    uint64_t n_bytes = 0;

    for (unsigned i = 0; i < EDGE_EXTENT_CHUNKS; i++) {
        n_bytes += item->record.chunk_bytes[i];
    }
    return n_bytes;
}

static int64_t item_age_s(const struct tool_item *item)
{
    return (fb_clock_wall_ms(fb_clock_system()) - item->record.head.wall_ms) / 1000;
}

static void json_item(struct fb_json *json, const struct tool_item *item)
{
    const struct edge_extent_head *head = &item->record.head;
    bool is_extent = item->listing.kind == EDGE_RECORD_EXTENT;

    fb_json_set_int(json, "block", item->listing.place.block);
    fb_json_set_text(json, "kind", is_extent ? "extent" : "purge");
    if (item->wrong != NULL) {
        fb_json_set_text(json, "wrong", item->wrong);
        return;
    }
    fb_json_set_int(json, "age_s", item_age_s(item));
    if (is_extent) {
        fb_json_set_str(json, "key", head->key);
        fb_json_set_int(json, "extent", head->id.number);
        fb_json_set_int(json, "mask", head->mask);
        fb_json_set_int(json, "bytes", (int64_t)item_bytes(item));
        fb_json_set_int(json, "length", (int64_t)head->length);
        fb_json_set_bool(json, "rewritten", item->record.is_rewritten);
    }
}

static void text_item(struct fb_buf *text, const struct tool_item *item)
{
    const struct edge_extent_head *head = &item->record.head;
    FB_AUTO(fb_buf_done) struct fb_buf key = {0};

    fb_buf_printf(text, "%7u  ", item->listing.place.block);
    if (item->wrong != NULL) {
        fb_buf_printf(text, "damaged: %s\n", item->wrong);
        return;
    }
    if (item->listing.kind == EDGE_RECORD_PURGE) {
        fb_buf_printf(text, "%9" PRId64 "  purge of %016" PRIx64 "\n", item_age_s(item),
                      head->id.fingerprint);
        return;
    }
    fb_text_json_string(&key, head->key); /* control characters do no harm then */
    fb_buf_printf(text, "%9" PRId64 "  %8u  %c%c%c%c  %10" PRIu64 "  %s%s\n", item_age_s(item),
                  head->id.number, (head->mask & 1) != 0 ? '0' : '-',
                  (head->mask & 2) != 0 ? '1' : '-', (head->mask & 4) != 0 ? '2' : '-',
                  (head->mask & 8) != 0 ? '3' : '-', item_bytes(item), key.ptr,
                  item->record.is_rewritten ? " (rewritten)" : "");
}

static int inspect_items(const struct tool_survey *survey, uint32_t zone, struct fb_json *array,
                         struct fb_buf *text)
{
    struct tool_cursor cursor;
    struct tool_item item;

    int err = edge_tool_cursor_init(&cursor, survey, zone, TOOL_HEADS);
    if (err < 0 && err != FB_E_CORRUPT) {
        return err;
    }
    while ((err = edge_tool_cursor_next(&cursor, &item)) == FB_OK) {
        if (array != NULL) {
            json_item(fb_json_add_object(array), &item);
        } else {
            text_item(text, &item);
        }
    }
    edge_tool_cursor_done(&cursor);
    return err == FB_E_END ? FB_OK : err;
}

static int inspect_zone(const struct tool_args *args, const struct tool_survey *survey,
                        struct fb_buf *text)
{
    const struct tool_zone *zone = &survey->zones[args->zone];
    const char *state = edge_tool_zone_state_name(zone->state);
    bool has_header = zone->state == TOOL_ZONE_OPEN || zone->state == TOOL_ZONE_SEALED;
    char opened[FB_TIMESTAMP_MAX] = "";

    if (has_header) {
        (void)fb_timestamp(zone->header.wall_ms, opened);
    }
    if (!args->json) {
        fb_buf_printf(text, "zone %u: %s%s%s\n", args->zone, state, has_header ? ", opened " : "",
                      opened);
        fb_buf_append(text, FB_STR("  block    age (s)    extent  chunks      bytes  key\n"));
        return inspect_items(survey, args->zone, NULL, text);
    }
    FB_AUTO(fb_json_freep) struct fb_json *json = fb_json_new_object();
    fb_json_set_int(json, "zone", args->zone);
    fb_json_set_text(json, "state", state);
    if (has_header) {
        fb_json_set_int(json, "generation", (int64_t)zone->header.generation);
        fb_json_set_text(json, "opened", opened);
    }
    int err = inspect_items(survey, args->zone, fb_json_set_array(json, "records"), text);
    if (err == FB_OK) {
        fb_json_dump(json, text);
        fb_buf_append_byte(text, '\n');
    }
    return err;
}

int edge_tool_inspect(const struct tool_args *args)
{
    FB_AUTO(edge_tool_survey_close) struct tool_survey survey = {.disk = NULL};
    FB_AUTO(fb_buf_done) struct fb_buf text = {0};
    struct fb_diag diag = {0};

    if (edge_tool_survey_open(args->path, &survey, &diag) < 0) {
        return edge_tool_complain(args, &diag, TOOL_EXIT_UNREADABLE);
    }
    if (survey.is_in_use) {
        (void)fprintf(stderr, "forebay-edge store inspect: warning: '%s' is in use\n", args->path);
    }
    if (args->has_zone && args->zone >= survey.layout.superblock.n_zones) {
        (void)fb_diag_set(&diag, FB_E_MALFORMED, "there are zones 0 to %u, not %u",
                          survey.layout.superblock.n_zones - 1, args->zone);
        return edge_tool_complain(args, &diag, TOOL_EXIT_USAGE);
    }
    int err =
        args->has_zone ? inspect_zone(args, &survey, &text) : inspect_volume(args, &survey, &text);
    if (err < 0) {
        (void)fb_diag_set(&diag, err, "cannot read '%s': %s", args->path, fb_err_text(err));
        return edge_tool_complain(args, &diag, TOOL_EXIT_UNREADABLE);
    }
    return edge_tool_print(&text);
}
