/*
 * One transaction: a stream moves on, and what its reports say is added to the rows.
 */
#include "base/core/buf.h"
#include "base/sketch/hyperloglog.h"
#include "origin/catalog/catalog_internal.h"
#include "origin/catalog/view_internal.h"

#include <string.h>

#define SUM_NAME(name) ", " #name
#define SUM_ADDED(name) \
    ", " #name " = min(" #name " + excluded." #name ", " ORIGIN_VIEW_SUM_MAX_TEXT ")"
#define SUM_NAMES  ORIGIN_VIEW_SUMS(SUM_NAME)
#define SUMS_ADDED ORIGIN_VIEW_SUMS(SUM_ADDED)

enum { N_SUMS = sizeof(struct origin_view_sums) / sizeof(uint64_t), SUMS_AT = 4 };
enum { DAY_COUNTS = (int)FB_VIEW_SOURCES_N + (int)FB_VIEW_REASONS_N + (int)FB_VIEW_STARTUP_N };

static void bind_count(struct fb_db_query *q, int column, uint64_t count)
{
    fb_db_bind_int(q, column, (int64_t)FB_MIN(count, ORIGIN_VIEW_SUM_MAX));
}

static void bind_sums(struct fb_db_query *q, const struct origin_view_sums *sums)
{
    int column = SUMS_AT;
#define BIND(name) bind_count(q, column++, sums->name);
    ORIGIN_VIEW_SUMS(BIND)
#undef BIND
}

/* ---- which video, which region --------------------------------------------- */

static int videos_find(struct fb_db *db, struct origin_view_apply *apply)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "SELECT seq, id FROM videos WHERE id = ?1");

    apply->n_unknown = 0;
    for (size_t i = 0; i < apply->n_videos; i++) {
        struct origin_view_video *video = &apply->videos[i];
        fb_db_query_reset(&q);
        fb_db_bind_str(&q, 1, video->name);
        int err = fb_db_step(&q);
        if (err < 0 && err != FB_E_END) {
            return err;
        }
        video->seq = err == FB_OK ? fb_db_column_int(&q, 0) : 0;
        video->id = err == FB_OK ? origin_catalog_column_id(&q, 1) : (struct origin_id){{0}};
        apply->n_unknown += video->seq == 0;
    }
    return FB_OK;
}

static int region_find(struct fb_db *db, struct fb_str name, int64_t *ret_id)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query add =
        fb_db_query(db, "INSERT INTO regions (name) VALUES (?1) ON CONFLICT (name) DO NOTHING");
    FB_AUTO(fb_db_query_done)
    struct fb_db_query get = fb_db_query(db, "SELECT id FROM regions WHERE name = ?1");

    fb_db_bind_str(&add, 1, name.ptr != NULL ? name : FB_STR(""));
    fb_db_bind_str(&get, 1, name.ptr != NULL ? name : FB_STR(""));
    int err = fb_db_run(&add);
    if (err < 0 || (err = fb_db_step(&get)) < 0) {
        return err;
    }
    *ret_id = fb_db_column_int(&get, 0);
    return FB_OK;
}

/* ---- rows of sums ----------------------------------------------------------- */

static int part_add(struct fb_db_query *q, int64_t seq, int64_t region,
                    const struct origin_view_part *part, bool has_rendition)
{
    fb_db_query_reset(q);
    fb_db_bind_int(q, 1, seq);
    fb_db_bind_int(q, 2, part->when);
    fb_db_bind_int(q, 3, region);
    bind_sums(q, &part->sums);
    if (has_rendition) {
        fb_db_bind_str(q, SUMS_AT + N_SUMS,
                       part->rendition.ptr != NULL ? part->rendition : FB_STR(""));
    }
    return fb_db_run(q);
}

static int hours_add(struct fb_db *db, int64_t region, const struct origin_view_video *video)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "INSERT INTO view_hours (video, hour, region" SUM_NAMES ")"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
            " ON CONFLICT (video, hour, region) DO UPDATE SET hour = excluded.hour" SUMS_ADDED);
    int err = FB_OK;

    for (size_t i = 0; i < video->n_hours && err == FB_OK; i++) {
        err = part_add(&q, video->seq, region, &video->hours[i], false);
    }
    return err;
}

static int slots_add(struct fb_db *db, int64_t region, const struct origin_view_video *video)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "INSERT INTO view_slots (video, slot, region" SUM_NAMES ")"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
            " ON CONFLICT (slot, video, region) DO UPDATE SET slot = excluded.slot" SUMS_ADDED);
    int err = FB_OK;

    for (size_t i = 0; i < video->n_slots && err == FB_OK; i++) {
        err = part_add(&q, video->seq, region, &video->slots[i], false);
    }
    return err;
}

static int renditions_add(struct fb_db *db, int64_t region, const struct origin_view_video *video)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "INSERT INTO view_renditions (video, day, region" SUM_NAMES ", rendition)"
                        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)"
                        " ON CONFLICT (video, day, region, rendition)"
                        " DO UPDATE SET day = excluded.day" SUMS_ADDED);
    int err = FB_OK;

    for (size_t i = 0; i < video->n_renditions && err == FB_OK; i++) {
        err = part_add(&q, video->seq, region, &video->renditions[i], true);
    }
    return err;
}

/* ---- days: sketches and counts ------------------------------------------------ */

static int sketch_of(struct fb_str bytes, unsigned precision, struct fb_hyperloglog **ret_sketch)
{
    struct fb_str rest = bytes;

    if (bytes.len == 0) {
        *ret_sketch = fb_hyperloglog_new(precision);
        return FB_OK;
    }
    return fb_hyperloglog_decode(&rest, precision, ret_sketch) < 0 ? FB_E_CORRUPT : FB_OK;
}

/* What stands in `old` (bytes) and `more`, into `into`; no bytes for nobody. */
static int sketch_merge(struct fb_str old, const struct fb_hyperloglog *more, unsigned precision,
                        struct fb_buf *into)
{
    FB_AUTO(fb_hyperloglog_freep) struct fb_hyperloglog *sketch = NULL;

    if (fb_hyperloglog_is_empty(more)) {
        if (old.len > 0) {
            fb_buf_append(into, old);
        }
        return FB_OK;
    }
    int err = sketch_of(old, precision, &sketch);
    if (err < 0) {
        return err;
    }
    fb_hyperloglog_merge(sketch, more);
    fb_hyperloglog_encode(sketch, into);
    return FB_OK;
}

struct day_queries {
    struct fb_db_query *get;
    struct fb_db_query *put;
    int64_t region;
};

static int day_sketches(struct day_queries *queries, int64_t seq, const struct origin_view_day *day,
                        struct fb_buf *viewers, struct fb_buf *networks)
{
    struct fb_db_query *q = queries->get;

    fb_db_query_reset(q);
    fb_db_bind_int(q, 1, seq);
    fb_db_bind_int(q, 2, day->day);
    fb_db_bind_int(q, 3, queries->region);
    int err = fb_db_step(q);
    if (err < 0 && err != FB_E_END) {
        return err;
    }
    bool has_row = err == FB_OK;
    struct fb_str old_viewers = has_row ? fb_db_column_blob(q, 0) : FB_STR_NONE;
    struct fb_str old_networks = has_row ? fb_db_column_blob(q, 1) : FB_STR_NONE;
    err = sketch_merge(old_viewers, day->viewers, FB_VIEW_VIEWERS_PRECISION, viewers);
    return err < 0
               ? err
               : sketch_merge(old_networks, day->networks, FB_VIEW_NETWORKS_PRECISION, networks);
}

/* Bytes, where an empty string of bytes is one too and not NULL. */
static void bind_bytes(struct fb_db_query *q, int column, const struct fb_buf *buf)
{
    struct fb_str bytes = fb_buf_str(buf);
    fb_db_bind_blob(q, column, bytes.len > 0 ? bytes : FB_STR(""));
}

static int day_add(struct day_queries *queries, int64_t seq, const struct origin_view_day *day)
{
    FB_AUTO(fb_buf_done) struct fb_buf viewers = {0};
    FB_AUTO(fb_buf_done) struct fb_buf networks = {0};
    struct fb_db_query *q = queries->put;
    int column = 6;

    int err = day_sketches(queries, seq, day, &viewers, &networks);
    if (err < 0) {
        return err;
    }
    fb_db_query_reset(q);
    fb_db_bind_int(q, 1, seq);
    fb_db_bind_int(q, 2, day->day);
    fb_db_bind_int(q, 3, queries->region);
    bind_bytes(q, 4, &viewers);
    bind_bytes(q, 5, &networks);
    for (size_t i = 0; i < FB_VIEW_SOURCES_N; i++) {
        bind_count(q, column++, day->sources[i]);
    }
    for (size_t i = 0; i < FB_VIEW_REASONS_N; i++) {
        bind_count(q, column++, day->uncounted[i]);
    }
    for (size_t i = 0; i < FB_VIEW_STARTUP_N; i++) {
        bind_count(q, column++, day->startup[i]);
    }
    return fb_db_run(q);
}

static int days_add(struct fb_db *db, int64_t region, const struct origin_view_video *video)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query get = fb_db_query(db, "SELECT viewers, networks FROM view_days"
                                             " WHERE video = ?1 AND day = ?2 AND region = ?3");
    FB_AUTO(fb_db_query_done)
    struct fb_db_query put = fb_db_query(
        db, "INSERT INTO view_days (video, day, region, viewers, networks" ORIGIN_VIEW_DAY_COUNTS(
                SUM_NAME) ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14,"
                          " ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24)"
                          " ON CONFLICT (video, day, region) DO UPDATE SET"
                          " viewers = excluded.viewers,"
                          " networks = excluded.networks" ORIGIN_VIEW_DAY_COUNTS(SUM_ADDED));
    struct day_queries queries = {.get = &get, .put = &put, .region = region};
    int err = FB_OK;

    for (size_t i = 0; i < video->n_days && err == FB_OK; i++) {
        err = day_add(&queries, video->seq, &video->days[i]);
    }
    return err;
}

/* ---- videos that are not here --------------------------------------------------- */

/* How many more names have room today. */
static int unknown_room(struct fb_db *db, int64_t day, size_t *ret_n)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "SELECT count(*) FROM view_unknown WHERE day = ?1");

    fb_db_bind_int(&q, 1, day);
    int err = fb_db_step(&q);
    if (err < 0) {
        return err;
    }
    size_t n = (size_t)fb_db_column_int(&q, 0);
    *ret_n = n < ORIGIN_UNKNOWN_MAX ? ORIGIN_UNKNOWN_MAX - n : 0;
    return FB_OK;
}

/* Under its own name as long as there is room in the day, else under none. */
static int unknown_add(struct fb_db *db, const struct origin_view_video *video, int64_t day,
                       bool has_room)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "INSERT INTO view_unknown (day, name" SUM_NAMES ")"
            " VALUES (?1, CASE WHEN ?2 = '' OR ?3 OR EXISTS"
            " (SELECT 1 FROM view_unknown WHERE day = ?1 AND name = ?2) THEN ?2 ELSE '' END,"
            " ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)"
            " ON CONFLICT (day, name) DO UPDATE SET day = excluded.day" SUMS_ADDED);

    fb_db_bind_int(&q, 1, day);
    fb_db_bind_str(&q, 2, video->name);
    fb_db_bind_int(&q, 3, has_room);
    bind_sums(&q, &video->sum);
    return fb_db_run(&q);
}

/* ---- all of it ------------------------------------------------------------------ */

static int video_add(struct fb_db *db, int64_t region, const struct origin_view_video *video)
{
    struct origin_video_counters counters = {
        .views = (int64_t)FB_MIN(video->sum.views, ORIGIN_VIEW_SUM_MAX),
        .watch_ms = (int64_t)FB_MIN(video->sum.watch_ms, ORIGIN_VIEW_SUM_MAX),
    };

    int err = hours_add(db, region, video);
    if (err < 0 || (err = slots_add(db, region, video)) < 0 ||
        (err = renditions_add(db, region, video)) < 0 || (err = days_add(db, region, video)) < 0) {
        return err;
    }
    return counters.views == 0 && counters.watch_ms == 0
               ? FB_OK
               : origin_catalog_video_counters_add(db, &video->id, &counters);
}

static int unknowns_add(struct fb_db *db, const struct origin_view_apply *apply, int64_t day)
{
    size_t room = 0;

    int err = unknown_room(db, day, &room);
    for (size_t i = 0; i < apply->n_videos && err == FB_OK; i++) {
        if (apply->videos[i].seq == 0) {
            err = unknown_add(db, &apply->videos[i], day, room > 0);
            room -= room > 0;
        }
    }
    return err;
}

static int videos_add(struct fb_db *db, struct origin_view_apply *apply, int64_t day)
{
    int64_t region = 0;

    int err = region_find(db, apply->region, &region);
    if (err < 0 || (err = videos_find(db, apply)) < 0) {
        return err;
    }
    apply->n_rows = 0;
    for (size_t i = 0; i < apply->n_videos && err == FB_OK; i++) {
        const struct origin_view_video *video = &apply->videos[i];
        if (video->seq != 0) {
            err = video_add(db, region, video);
            apply->n_rows += video->n_hours + video->n_slots + video->n_renditions + video->n_days;
        }
    }
    return err == FB_OK && apply->n_unknown > 0 ? unknowns_add(db, apply, day) : err;
}

int origin_catalog_views_apply(struct origin_catalog *catalog, struct origin_view_apply *apply)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    int64_t now_ms = origin_catalog_now(catalog);

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0 ||
        (err = origin_catalog_stream_move(hold.db, apply, now_ms)) < 0 ||
        (err = origin_catalog_streams_merged(hold.db, apply, now_ms)) < 0 ||
        (err = videos_add(hold.db, apply, now_ms / ORIGIN_MS_PER_DAY)) < 0) {
        return err;
    }
    return fb_db_commit(&tx);
}
