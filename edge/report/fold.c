/*
 * Detail goes when there is no room for it: minutes become hours, these days, these thirty days,
 * all renditions one; then the sketches of those go. Sums stay.
 */
#include "base/core/alloc.h"
#include "base/core/arena.h"
#include "base/core/err.h"
#include "base/sketch/hyperloglog.h"
#include "edge/report/spool_internal.h"

enum {
    ROWS = 1024,     /* at a time: others wait as long */
    MAX_STEPS = 64,  /* before it is given up to make room for what comes */
    SKETCH_MIN = 300 /* bytes of counts that are worth to lose their sketches */
};

static const uint32_t spans[] = {1, 60, 1440, 43200};

struct folding {
    struct fb_arena arena;
    struct fb_str regions[ROWS];
    struct fb_view_entry entries[ROWS];
    size_t n;
};

static void folding_done(struct folding *folding)
{
    for (size_t i = 0; i < folding->n; i++) {
        fb_view_entry_done(&folding->entries[i]);
    }
    fb_arena_done(&folding->arena);
}

/* Rows that `q` gives, whose columns are region and those of edge_spool_row_read(). */
static int folding_read(struct folding *folding, struct fb_db_query *q)
{
    int err = FB_OK;

    while (folding->n < ROWS && (err = fb_db_step(q)) == FB_OK) {
        struct fb_view_entry *entry = &folding->entries[folding->n];

        edge_spool_row_read(q, 1, entry);
        folding->regions[folding->n++] = fb_arena_dup(&folding->arena, fb_db_column_str(q, 0));
        entry->video = fb_arena_dup(&folding->arena, entry->video);
        entry->rendition = fb_arena_dup(&folding->arena, entry->rendition);
    }
    if (err < 0 && err != FB_E_END) {
        return err;
    }
    return folding->n > 0 ? FB_OK : FB_E_END;
}

static int folding_remove(struct edge_spool *spool, const struct folding *folding)
{
    int err = FB_OK;
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(spool->db, "DELETE FROM pending WHERE span = ?1 AND minute = ?2"
                               " AND region = ?3 AND video = ?4 AND rendition = ?5");
    for (size_t i = 0; i < folding->n && err == FB_OK; i++) {
        fb_db_bind_int(&q, 1, folding->entries[i].span);
        fb_db_bind_int(&q, 2, folding->entries[i].minute);
        fb_db_bind_str(&q, 3, folding->regions[i]);
        fb_db_bind_str(&q, 4, folding->entries[i].video);
        fb_db_bind_str(&q, 5, folding->entries[i].rendition);
        err = fb_db_run(&q);
    }
    return err;
}

/* The rows of the entries' wider spans get what they count; with `span` 0 they stay what they are
 * without their sketches. */
static int folding_put(struct edge_spool *spool, struct folding *folding, uint32_t span)
{
    int err = folding_remove(spool, folding);

    for (size_t i = 0; i < folding->n && err == FB_OK; i++) {
        struct fb_view_entry *entry = &folding->entries[i];

        if (span > 0) {
            entry->minute -= entry->minute % span;
            entry->span = span;
            entry->rendition = FB_STR_NONE;
        } else {
            fb_hyperloglog_free(entry->viewers);
            fb_hyperloglog_free(entry->networks);
            entry->viewers = NULL;
            entry->networks = NULL;
        }
        err = edge_spool_row_add(spool, folding->regions[i], entry);
    }
    struct fb_view_totals totals = {.folded_entries = folding->n};
    return err < 0 ? err : edge_spool_totals_add(spool, folding->regions[0], &totals);
}

static int fold_span(struct edge_spool *spool, struct folding *folding, size_t level)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(spool->db, "SELECT region, span, minute, video, rendition, counts FROM pending"
                               " WHERE span = ?1 ORDER BY minute LIMIT ?2");
    fb_db_bind_int(&q, 1, spans[level]);
    fb_db_bind_int(&q, 2, ROWS);
    int err = folding_read(folding, &q);
    fb_db_query_reset(&q);
    return err < 0 ? err : folding_put(spool, folding, spans[level + 1]);
}

static int fold_sketches(struct edge_spool *spool, struct folding *folding)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(spool->db, "SELECT region, span, minute, video, rendition, counts FROM pending"
                               " WHERE length(counts) > ?1 ORDER BY span DESC, minute LIMIT ?2");
    fb_db_bind_int(&q, 1, SKETCH_MIN);
    fb_db_bind_int(&q, 2, ROWS);
    int err = folding_read(folding, &q);
    fb_db_query_reset(&q);
    return err < 0 ? err : folding_put(spool, folding, 0);
}

static int fold_some(struct edge_spool *spool, struct folding *folding)
{
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    int err = fb_db_begin(spool->db, &tx);
    if (err < 0) {
        return err;
    }
    err = FB_E_END;
    for (size_t i = 0; i + 1 < FB_ARRAY_LEN(spans) && err == FB_E_END; i++) {
        err = fold_span(spool, folding, i);
    }
    if (err == FB_E_END) {
        err = fold_sketches(spool, folding);
    }
    if (err == FB_OK) {
        err = fb_db_commit(&tx);
    }
    spool->counts.folded += err == FB_OK ? folding->n : 0;
    return err;
}

/* FB_E_END: `bound` is kept, or there is nothing left to fold. */
static int fold_above(struct edge_spool *spool, uint64_t bound)
{
    uint64_t used = 0;

    int err = edge_spool_used(spool, &used);
    if (err < 0 || used < bound) {
        return err < 0 ? err : FB_E_END;
    }
    FB_AUTO(fb_freep) struct folding *folding = FB_NEW(struct folding);
    err = fold_some(spool, folding);
    folding_done(folding);
    return err;
}

int edge_spool_fold(struct edge_spool *spool)
{
    FB_AUTO(edge_spool_hold_done) struct spool_hold hold = {0};

    edge_spool_lock(spool, &hold);
    return fold_above(spool, spool->max_bytes / 8 * 7);
}

int edge_spool_make_room(struct edge_spool *spool)
{
    uint64_t used = 0;
    int err = FB_OK;

    for (size_t i = 0; i < MAX_STEPS && err == FB_OK; i++) {
        err = fold_above(spool, spool->max_bytes);
    }
    if (err < 0 && err != FB_E_END) {
        return err;
    }
    err = edge_spool_used(spool, &used);
    return err == FB_OK && used >= spool->max_bytes ? FB_E_LIMIT : err;
}
