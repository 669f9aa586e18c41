#include "edge/tool/survey.h"

#include "base/core/alloc.h"
#include "base/core/err.h"
#include "base/disk/disk.h"

#include <inttypes.h>
#include <string.h>

const char *edge_tool_zone_state_name(enum tool_zone_state state)
{
    static const char *const names[TOOL_ZONE_STATES] = {
        [TOOL_ZONE_FREE] = "free",
        [TOOL_ZONE_OPEN] = "open",
        [TOOL_ZONE_SEALED] = "sealed",
        [TOOL_ZONE_DAMAGED] = "damaged",
    };
    return names[state];
}

/* ---- opening ------------------------------------------------------------- */

static int survey_identify(struct tool_survey *survey, struct fb_diag *diag)
{
    const char *path = fb_disk_path(survey->disk);

    int err = edge_layout_look(survey->disk, &survey->layout);
    if (err < 0) {
        return fb_diag_set(diag, err, "cannot read '%s': %s", path, fb_err_text(err));
    }
    switch (survey->layout.kind) {
    case EDGE_LAYOUT_VOLUME:
        return FB_OK;
    case EDGE_LAYOUT_BLANK:
        return fb_diag_set(diag, FB_E_MALFORMED, "'%s' is blank: no volume yet", path);
    case EDGE_LAYOUT_OTHER_VERSION:
        return fb_diag_set(diag, FB_E_UNSUPPORTED, "'%s' is a volume of another format version",
                           path);
    case EDGE_LAYOUT_DAMAGED:
        break;
    case EDGE_LAYOUT_FOREIGN:
        return fb_diag_set(diag, FB_E_MALFORMED, "'%s' is no volume: it holds something else",
                           path);
    }
    if (survey->layout.is_first_good || survey->layout.is_copy_good) {
        return fb_diag_set(diag, FB_E_CORRUPT,
                           "'%s' has %" PRIu64 " bytes, but was made a volume of %" PRIu64
                           ": it was cut short",
                           path, fb_disk_size(survey->disk), survey->layout.superblock.size);
    }
    return fb_diag_set(diag, FB_E_CORRUPT, "'%s' is a volume whose superblocks are both damaged",
                       path);
}

static uint64_t written_total(const struct edge_written *written)
{
    return written->admission + written->rewriting + written->metadata;
}

static void survey_learn(struct tool_survey *survey, const struct edge_written *written)
{
    if (written_total(written) >= written_total(&survey->written)) {
        survey->written = *written;
    }
}

/* What the checkpoint that counts knows. Returns the least generation in use then, or 0. */
static uint64_t survey_take_checkpoint(struct tool_survey *survey)
{
    const struct tool_slot *slot = edge_tool_survey_checkpoint(survey);
    uint32_t n = survey->layout.superblock.n_zones;
    uint64_t oldest = UINT64_MAX;

    for (uint32_t i = 0; slot != NULL && i < n && i < slot->checkpoint.n_zones; i++) {
        const struct edge_checkpoint_zone *known = &slot->zones[i];
        struct tool_zone *zone = &survey->zones[i];
        if (known->generation != 0) {
            oldest = FB_MIN(oldest, known->generation);
            zone->n_known_blocks =
                known->generation == zone->header.generation ? known->n_blocks : 0;
        }
    }
    return oldest == UINT64_MAX ? 0 : oldest;
}

/* A generation below the oldest that any header or the checkpoint speaks of is free. */
static void survey_settle(struct tool_survey *survey)
{
    uint64_t oldest = survey_take_checkpoint(survey);

    for (uint32_t i = 0; i < survey->layout.superblock.n_zones; i++) {
        const struct tool_zone *zone = &survey->zones[i];
        if (zone->header.generation > 0) {
            survey_learn(survey, &zone->header.written);
            oldest = FB_MAX(oldest, zone->header.oldest);
            survey->newest_generation = FB_MAX(survey->newest_generation, zone->header.generation);
        }
    }
    for (uint32_t i = 0; i < survey->layout.superblock.n_zones; i++) {
        struct tool_zone *zone = &survey->zones[i];
        if (zone->header.generation > 0 && zone->header.generation < oldest) {
            zone->state = TOOL_ZONE_FREE;
        }
    }
    for (unsigned i = 0; i < FB_ARRAY_LEN(survey->slots); i++) {
        if (survey->slots[i].state == TOOL_SLOT_GOOD) {
            survey_learn(survey, &survey->slots[i].checkpoint.written);
        }
    }
}

int edge_tool_survey_take(struct fb_disk *disk, struct tool_survey *ret_survey,
                          struct fb_diag *diag)
{
    struct tool_survey survey = {.disk = disk};

    int err = survey_identify(&survey, diag);
    if (err < 0) {
        edge_tool_survey_close(&survey);
        return err;
    }
    survey.n_zone_blocks = edge_superblock_zone_blocks(&survey.layout.superblock);
    survey.zones = fb_alloc_array(survey.layout.superblock.n_zones, sizeof(*survey.zones));
    for (unsigned i = 0; err == FB_OK && i < FB_ARRAY_LEN(survey.slots); i++) {
        err = edge_tool_survey_slot(&survey, i);
    }
    if (err < 0) {
        (void)fb_diag_set(diag, err, "cannot read '%s': %s", fb_disk_path(disk), fb_err_text(err));
        edge_tool_survey_close(&survey);
        return err;
    }
    for (uint32_t i = 0; i < survey.layout.superblock.n_zones; i++) {
        survey.zones[i] = edge_tool_survey_zone(&survey, i);
    }
    survey_settle(&survey);
    *ret_survey = survey;
    return FB_OK;
}

/* Locked, so that nobody begins to write meanwhile, if that can be had. */
int edge_tool_survey_open(const char *path, struct tool_survey *ret_survey, struct fb_diag *diag)
{
    struct fb_disk_options options = {.size = 0};
    struct fb_disk *disk = NULL;

    int err = fb_disk_open(path, &options, &disk, NULL);
    bool is_in_use = err == FB_E_BUSY;
    if (err < 0) {
        options.is_read_only = true;
        err = fb_disk_open(path, &options, &disk, diag);
    }
    if (err == FB_OK) {
        err = edge_tool_survey_take(disk, ret_survey, diag);
    }
    if (err == FB_OK) {
        ret_survey->is_in_use = is_in_use;
    }
    return err;
}

void edge_tool_survey_close(struct tool_survey *survey)
{
    fb_disk_close(survey->disk);
    fb_free(survey->zones);
    for (unsigned i = 0; i < FB_ARRAY_LEN(survey->slots); i++) {
        fb_free(survey->slots[i].zones);
    }
    memset(survey, 0, sizeof(*survey));
}

/* ---- heads --------------------------------------------------------------- */

static uint64_t zone_offset(const struct tool_survey *survey, uint32_t zone, uint32_t block)
{
    return edge_superblock_zone_offset(&survey->layout.superblock, zone) +
           (uint64_t)block * EDGE_FORMAT_BLOCK;
}

static bool zone_has_summary(const struct tool_survey *survey, const struct tool_zone *zone)
{
    return zone->summary.zone == zone->header.zone &&
           zone->summary.generation == zone->header.generation &&
           zone->summary.n_blocks < survey->n_zone_blocks;
}

struct tool_zone edge_tool_survey_zone(const struct tool_survey *survey, uint32_t zone)
{
    FB_AUTO(fb_freep) char *block = fb_disk_buffer(EDGE_FORMAT_BLOCK);
    const uint8_t *uuid = survey->layout.superblock.uuid;
    struct tool_zone found = {.state = TOOL_ZONE_FREE};
    uint64_t first = zone_offset(survey, zone, 0);
    uint64_t last = zone_offset(survey, zone, survey->n_zone_blocks - 1);

    int err = fb_disk_read_now(survey->disk, first, block, EDGE_FORMAT_BLOCK);
    if (err < 0) {
        return (struct tool_zone){.state = TOOL_ZONE_DAMAGED, .err = err};
    }
    err = edge_zone_header_decode(block, &found.header);
    if (err < 0) {
        found.state = err == FB_E_MALFORMED ? TOOL_ZONE_FREE : TOOL_ZONE_DAMAGED;
        return found;
    }
    if (found.header.zone != zone ||
        memcmp(found.header.uuid, uuid, sizeof(found.header.uuid)) != 0) {
        return (struct tool_zone){.state = TOOL_ZONE_FREE}; /* a life before this one */
    }
    err = fb_disk_read_now(survey->disk, last, block, EDGE_FORMAT_BLOCK);
    if (err < 0) {
        found.state = TOOL_ZONE_DAMAGED;
        found.err = err;
        return found;
    }
    err = edge_summary_decode_footer(block, &found.summary);
    bool is_sealed = err == FB_OK && zone_has_summary(survey, &found);
    found.state = is_sealed ? TOOL_ZONE_SEALED : TOOL_ZONE_OPEN;
    found.has_torn_summary = err == FB_E_CORRUPT;
    if (!is_sealed) {
        found.summary.n_blocks = 0;
    }
    return found;
}

/* The whole checkpoint, of which the head was read. */
static int slot_load(const struct tool_survey *survey, uint64_t offset, struct tool_slot *slot)
{
    struct edge_checkpoint *checkpoint = &slot->checkpoint;
    FB_AUTO(fb_freep) char *bytes = fb_disk_buffer(checkpoint->n_bytes);

    int err = fb_disk_read_now(survey->disk, offset, bytes, checkpoint->n_bytes);
    if (err < 0) {
        return err;
    }
    if (edge_checkpoint_verify(bytes, checkpoint) < 0) {
        slot->state = TOOL_SLOT_DAMAGED;
        return FB_OK;
    }
    slot->state = TOOL_SLOT_GOOD;
    slot->zones = fb_alloc_array(checkpoint->n_zones, sizeof(*slot->zones));
    for (uint32_t i = 0; i < checkpoint->n_zones; i++) {
        edge_checkpoint_zone(bytes, checkpoint, i, &slot->zones[i]);
    }
    return FB_OK;
}

int edge_tool_survey_slot(struct tool_survey *survey, unsigned slot)
{
    const struct edge_superblock *superblock = &survey->layout.superblock;
    uint64_t offset = superblock->checkpoint_offset + slot * superblock->checkpoint_bytes;
    FB_AUTO(fb_freep) char *block = fb_disk_buffer(EDGE_FORMAT_BLOCK);
    struct tool_slot found = {.state = TOOL_SLOT_BLANK};
    struct edge_checkpoint *head = &found.checkpoint;

    int err = fb_disk_read_now(survey->disk, offset, block, EDGE_FORMAT_BLOCK);
    if (err < 0) {
        return err;
    }
    err = edge_checkpoint_decode_head(block, head);
    if (err == FB_OK && memcmp(head->uuid, superblock->uuid, sizeof(head->uuid)) != 0) {
        found.state = TOOL_SLOT_OTHER_LIFE;
    } else if (err == FB_OK && head->n_bytes <= superblock->checkpoint_bytes) {
        err = slot_load(survey, offset, &found);
        if (err < 0) {
            return err;
        }
    } else if (err != FB_E_MALFORMED) {
        found.state = TOOL_SLOT_DAMAGED;
    }
    fb_free(survey->slots[slot].zones);
    survey->slots[slot] = found;
    return FB_OK;
}

const struct tool_slot *edge_tool_survey_checkpoint(const struct tool_survey *survey)
{
    const struct tool_slot *best = NULL;

    for (unsigned i = 0; i < FB_ARRAY_LEN(survey->slots); i++) {
        const struct tool_slot *slot = &survey->slots[i];
        if (slot->state == TOOL_SLOT_GOOD &&
            (best == NULL || slot->checkpoint.sequence > best->checkpoint.sequence)) {
            best = slot;
        }
    }
    return best;
}
