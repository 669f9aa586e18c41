#include "base/core/alloc.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "edge/tool/survey.h"
#include "edge/tool/tool_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum {
    /* What was seen half written is whole after that, or was reclaimed. */
    WRITER_MS = 2000,
    TELL_EVERY_MS = 1000,
    NS_PER_S = 1000000000
};

struct verification {
    const struct tool_args *args;
    struct tool_survey survey;
    uint64_t n_damaged;
    uint64_t n_records;
    uint64_t n_bytes; /* read of records */
    uint64_t began_ns;
    uint64_t told_ms;
    uint32_t zone;
    bool is_silent; /* looks, and counts, but does not tell */
    bool tells_progress;
};

static uint64_t now_ns(void)
{
    return fb_clock_mono_ns(fb_clock_system());
}

static void sleep_ns(uint64_t ns)
{
    struct timespec left = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};

    while (nanosleep(&left, &left) != 0) {
    }
}

/* ---- telling ------------------------------------------------------------- */

static void clear_progress(const struct verification *verification)
{
    if (verification->tells_progress) {
        (void)fputs("\r\033[K", stderr);
    }
}

/* Not more than once a second, and only to somebody who looks. */
static void tell_progress(struct verification *verification)
{
    uint64_t ms = now_ns() / FB_NS_PER_MS;
    uint32_t n_zones = verification->survey.layout.superblock.n_zones;
    char size[TOOL_SIZE_MAX];

    if (!verification->tells_progress || ms < verification->told_ms + TELL_EVERY_MS) {
        return;
    }
    verification->told_ms = ms;
    (void)fprintf(stderr, "\rzone %u of %u, %" PRIu64 " records, %s, %" PRIu64 " damaged ",
                  verification->zone, n_zones, verification->n_records,
                  edge_tool_size(verification->n_bytes, size), verification->n_damaged);
}

static void damage(struct verification *verification, const char *what)
{
    verification->n_damaged++;
    if (!verification->is_silent) {
        clear_progress(verification);
        (void)printf("%s\n", what);
    }
}

static void damage_in_record(struct verification *verification, const struct tool_item *item,
                             const char *what)
{
    const struct edge_listing *listing = &item->listing;
    FB_AUTO(fb_buf_done) struct fb_buf line = {0};

    fb_buf_printf(&line, "zone %u block %u: %s", verification->zone, listing->place.block,
                  listing->kind == EDGE_RECORD_PURGE ? "purge" : "extent");
    if (item->has_record && listing->kind == EDGE_RECORD_EXTENT) {
        fb_buf_printf(&line, " %u of ", listing->id.number);
        fb_text_json_string(&line, item->record.head.key);
    } else {
        fb_buf_printf(&line, " of fingerprint %016" PRIx64, listing->id.fingerprint);
    }
    fb_buf_printf(&line, ": %s", what);
    damage(verification, line.ptr);
}

/* ---- one zone ------------------------------------------------------------ */

static void verify_chunks(struct verification *verification, const struct tool_item *item)
{
    const struct edge_record *record = &item->record;

    for (unsigned i = 0; i < EDGE_EXTENT_CHUNKS; i++) {
        if (record->chunk_bytes[i] == 0) {
            continue;
        }
        size_t at = (size_t)edge_record_chunk_block(record, i) * EDGE_FORMAT_BLOCK;
        struct fb_str chunk = {item->bytes + at, record->chunk_bytes[i]};
        if (edge_format_sum(chunk) != record->chunk_sums[i]) {
            char what[64];
            (void)snprintf(what, sizeof(what), "chunk %u does not fit its checksum", i);
            damage_in_record(verification, item, what);
        }
    }
}

/* Waits until the bytes read so far are not too many for the time. */
static void keep_rate(const struct verification *verification)
{
    uint64_t rate = verification->args->rate;

    if (rate > 0) {
        unsigned __int128 due = (unsigned __int128)verification->n_bytes * NS_PER_S / rate;
        uint64_t passed = now_ns() - verification->began_ns;
        if (due > passed) {
            sleep_ns((uint64_t)due - passed);
        }
    }
}

/* A chain that breaks is where a crash cut it, unless the checkpoint knows better. */
static void verify_end(struct verification *verification, const struct tool_cursor *cursor)
{
    uint32_t n_known = verification->survey.zones[verification->zone].n_known_blocks;
    char what[128];

    if (cursor->listings == NULL && cursor->block < n_known) {
        (void)snprintf(what, sizeof(what),
                       "zone %u block %u: no record begins there, but the checkpoint saw some up "
                       "to block %u",
                       verification->zone, cursor->block, n_known);
        damage(verification, what);
    }
}

static int verify_records(struct verification *verification)
{
    struct tool_cursor cursor;
    struct tool_item item;

    int err = edge_tool_cursor_init(&cursor, &verification->survey, verification->zone, TOOL_WHOLE);
    if (err == FB_E_CORRUPT) {
        char what[80];
        (void)snprintf(what, sizeof(what), "zone %u: its summary does not fit its checksum",
                       verification->zone);
        damage(verification, what);
    } else if (err < 0) {
        return err;
    }
    while ((err = edge_tool_cursor_next(&cursor, &item)) == FB_OK) {
        verification->n_records++;
        verification->n_bytes += (uint64_t)item.listing.place.n_blocks * EDGE_FORMAT_BLOCK;
        if (item.wrong != NULL) {
            damage_in_record(verification, &item, item.wrong);
        } else {
            verify_chunks(verification, &item);
        }
        keep_rate(verification);
        tell_progress(verification);
    }
    if (err == FB_E_END) {
        verify_end(verification, &cursor);
    }
    edge_tool_cursor_done(&cursor);
    return err == FB_E_END ? FB_OK : err;
}

static int verify_state(struct verification *verification)
{
    const struct tool_zone *zone = &verification->survey.zones[verification->zone];
    char what[80];

    if (zone->state == TOOL_ZONE_DAMAGED && zone->err == FB_OK) {
        (void)snprintf(what, sizeof(what), "zone %u: its header does not fit its checksum",
                       verification->zone);
        damage(verification, what);
    }
    if (zone->state == TOOL_ZONE_DAMAGED) {
        return zone->err;
    }
    if (zone->state == TOOL_ZONE_OPEN && zone->has_torn_summary) {
        (void)snprintf(what, sizeof(what),
                       "zone %u: the footer of its summary does not fit its "
                       "checksum",
                       verification->zone);
        damage(verification, what);
    }
    return verify_records(verification);
}

/* In a volume that is in use a zone may be half written, or reclaimed, while it is read: what is
 * wrong with it counts only if it is still wrong after a while, in the same life of the zone. */
static int verify_zone(struct verification *verification)
{
    uint64_t n_damaged = verification->n_damaged;
    struct tool_zone *zone = &verification->survey.zones[verification->zone];
    struct tool_zone again;

    verification->is_silent = verification->survey.is_in_use;
    int err = verify_state(verification);
    bool is_in_doubt = verification->is_silent && verification->n_damaged > n_damaged;
    verification->is_silent = false;
    if (err < 0 || !is_in_doubt) {
        return err;
    }
    verification->n_damaged = n_damaged;
    sleep_ns((uint64_t)WRITER_MS * FB_NS_PER_MS);
    again = edge_tool_survey_zone(&verification->survey, verification->zone);
    if (again.header.generation != zone->header.generation) {
        return FB_OK;
    }
    again.n_known_blocks = zone->n_known_blocks;
    *zone = again;
    return verify_state(verification);
}

/* ---- the volume ---------------------------------------------------------- */

static int verify_slot(struct verification *verification, unsigned i)
{
    struct tool_slot *slot = &verification->survey.slots[i];
    char what[80];

    if (slot->state == TOOL_SLOT_DAMAGED && verification->survey.is_in_use) {
        sleep_ns((uint64_t)WRITER_MS * FB_NS_PER_MS);
        int err = edge_tool_survey_slot(&verification->survey, i);
        if (err < 0) {
            return err;
        }
    }
    if (slot->state == TOOL_SLOT_DAMAGED) {
        (void)snprintf(what, sizeof(what), "checkpoint %c: it does not fit its checksum",
                       'A' + (int)i);
        damage(verification, what);
    }
    return FB_OK;
}

static int verify_volume(struct verification *verification)
{
    int err = FB_OK;

    if (!verification->survey.layout.is_first_good) {
        damage(verification, "superblock: it does not fit its checksum; its copy is good");
    }
    if (!verification->survey.layout.is_copy_good) {
        damage(verification, "superblock: its copy does not fit its checksum");
    }
    for (unsigned i = 0; err == FB_OK && i < FB_ARRAY_LEN(verification->survey.slots); i++) {
        err = verify_slot(verification, i);
    }
    for (uint32_t i = 0; err == FB_OK && i < verification->survey.layout.superblock.n_zones; i++) {
        verification->zone = i;
        int zone_err = verify_zone(verification);
        if (zone_err < 0) { /* the others may be readable */
            char what[80];
            (void)snprintf(what, sizeof(what), "zone %u: cannot be read: %s", i,
                           fb_err_text(zone_err));
            damage(verification, what);
        }
    }
    clear_progress(verification);
    return err;
}

int edge_tool_verify(const struct tool_args *args)
{
    struct verification verification = {
        .args = args,
        .began_ns = now_ns(),
        .tells_progress = !args->quiet && isatty(STDERR_FILENO) == 1,
    };
    struct fb_diag diag = {0};
    char size[TOOL_SIZE_MAX];

    if (edge_tool_survey_open(args->path, &verification.survey, &diag) < 0) {
        return edge_tool_complain(args, &diag, TOOL_EXIT_UNREADABLE);
    }
    if (verification.survey.is_in_use) {
        (void)fprintf(stderr, "forebay-edge store verify: warning: '%s' is in use\n", args->path);
    }
    int err = verify_volume(&verification);
    edge_tool_survey_close(&verification.survey);
    if (err < 0) {
        (void)fb_diag_set(&diag, err, "cannot read '%s': %s", args->path, fb_err_text(err));
        return edge_tool_complain(args, &diag, TOOL_EXIT_UNREADABLE);
    }
    (void)printf("%" PRIu64 " records, %s: ", verification.n_records,
                 edge_tool_size(verification.n_bytes, size));
    if (verification.n_damaged > 0) {
        (void)printf("%" PRIu64 " damaged\n", verification.n_damaged);
        return TOOL_EXIT_FAILED;
    }
    (void)printf("all is whole\n");
    return TOOL_EXIT_DONE;
}
