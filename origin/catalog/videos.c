#include "origin/catalog/videos.h"

#include "origin/catalog/catalog_internal.h"

#include <string.h>

static const char *const status_texts[] = {
    [ORIGIN_VIDEO_UPLOADING] = "uploading",   [ORIGIN_VIDEO_QUEUED] = "queued",
    [ORIGIN_VIDEO_PROCESSING] = "processing", [ORIGIN_VIDEO_READY] = "ready",
    [ORIGIN_VIDEO_FAILED] = "failed",
};

const char *origin_video_status_text(enum origin_video_status status)
{
    return status_texts[status];
}

static const char *const privacy_texts[] = {
    [ORIGIN_PRIVACY_PUBLIC] = "public",
    [ORIGIN_PRIVACY_UNLISTED] = "unlisted",
    [ORIGIN_PRIVACY_PRIVATE] = "private",
};

const char *origin_privacy_text(enum origin_privacy privacy)
{
    return privacy_texts[privacy];
}

int origin_privacy_parse(struct fb_str text, enum origin_privacy *ret_privacy)
{
    for (size_t i = 0; i < FB_ARRAY_LEN(privacy_texts); i++) {
        if (fb_str_equal(text, fb_str_from(privacy_texts[i]))) {
            *ret_privacy = (enum origin_privacy)i;
            return FB_OK;
        }
    }
    return FB_E_MALFORMED;
}

/* What the table's own check would not let in is for nobody. */
static enum origin_privacy privacy_of(struct fb_str text)
{
    enum origin_privacy privacy = ORIGIN_PRIVACY_PRIVATE;

    FB_IGNORE(origin_privacy_parse(text, &privacy));
    return privacy;
}

static enum origin_video_status status_of(struct fb_str text)
{
    for (size_t i = 0; i < FB_ARRAY_LEN(status_texts); i++) {
        if (fb_str_equal(text, fb_str_from(status_texts[i]))) {
            return (enum origin_video_status)i;
        }
    }
    return ORIGIN_VIDEO_FAILED; /* the table's own check lets nothing else in */
}

bool origin_video_is_public(const struct origin_video *video)
{
    return video->status == ORIGIN_VIDEO_READY && video->deactivated_ms == 0 &&
           video->privacy == ORIGIN_PRIVACY_PUBLIC;
}

int origin_catalog_video_insert(struct fb_db *db, const struct origin_video *video, int64_t now_ms)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "INSERT INTO videos (id, owner, title, description, tags, filename, source_bytes,"
            " status, created_ms, category, sound, options, privacy, countries)"
            " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'uploading', ?8, ?9, ?10, ?11, ?12, ?13)");
    fb_db_bind_str(&q, 1, origin_id_str(&video->id));
    fb_db_bind_str(&q, 2, origin_id_str(&video->owner));
    fb_db_bind_str(&q, 3, video->title);
    fb_db_bind_str(&q, 4, video->description);
    fb_db_bind_str(&q, 5, video->tags);
    fb_db_bind_str(&q, 6, video->filename);
    fb_db_bind_int(&q, 7, (int64_t)video->source_bytes);
    fb_db_bind_int(&q, 8, now_ms);
    fb_db_bind_str(&q, 9, video->category.ptr != NULL ? video->category : FB_STR(""));
    fb_db_bind_str(&q, 10, video->sound.ptr != NULL ? video->sound : FB_STR(""));
    fb_db_bind_str(&q, 11, video->options.ptr != NULL ? video->options : FB_STR(""));
    fb_db_bind_str(&q, 12, fb_str_from(origin_privacy_text(video->privacy)));
    fb_db_bind_str(&q, 13, video->countries.ptr != NULL ? video->countries : FB_STR(""));
    return fb_db_run(&q);
}

int origin_catalog_video_add(struct origin_catalog *catalog, const struct origin_video *video)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);

    return err < 0 ? err : origin_catalog_video_insert(hold.db, video, origin_catalog_now(catalog));
}

struct origin_video origin_catalog_video_of_row(const struct fb_db_query *q, struct fb_arena *arena)
{
    int64_t stage = fb_db_column_int(q, 29);

    return (struct origin_video){
        .id = origin_catalog_column_id(q, 0),
        .owner = origin_catalog_column_id(q, 1),
        .title = origin_catalog_column_dup(q, arena, 2),
        .description = origin_catalog_column_dup(q, arena, 3),
        .tags = origin_catalog_column_dup(q, arena, 4),
        .filename = origin_catalog_column_dup(q, arena, 5),
        .category = origin_catalog_column_dup(q, arena, 6),
        .source_bytes = (uint64_t)fb_db_column_int(q, 7),
        .seq = fb_db_column_int(q, 8),
        .status = status_of(fb_db_column_str(q, 9)),
        .permille = (uint32_t)fb_db_column_int(q, 10),
        .reason = origin_catalog_column_dup(q, arena, 11),
        .version = origin_catalog_column_dup(q, arena, 12),
        .duration_ms = (uint64_t)fb_db_column_int(q, 13),
        .width = (uint32_t)fb_db_column_int(q, 14),
        .height = (uint32_t)fb_db_column_int(q, 15),
        .has_audio = fb_db_column_int(q, 16) != 0,
        .created_ms = fb_db_column_int(q, 17),
        .published_ms = fb_db_column_int(q, 18),
        .deactivated_ms = fb_db_column_int(q, 19),
        .deactivated_reason = origin_catalog_column_dup(q, arena, 20),
        .owner_name = origin_catalog_column_dup(q, arena, 21),
        .counters = origin_catalog_column_counters(q, 22),
        .sound = origin_catalog_column_dup(q, arena, 28),
        .stage = (enum origin_stage)stage,
        .is_degraded = fb_db_column_int(q, 30) != 0,
        .options = origin_catalog_column_dup(q, arena, 31),
        .privacy = privacy_of(fb_db_column_str(q, 32)),
        .countries = origin_catalog_column_dup(q, arena, 33),
    };
}

int origin_catalog_video_get(struct origin_catalog *catalog, struct fb_arena *arena,
                             const struct origin_id *id, struct origin_video *ret_video)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(hold.db, "SELECT " ORIGIN_VIDEO_COLUMNS
                                                " FROM " ORIGIN_VIDEO_TABLES " WHERE v.id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(id));
    err = fb_db_step(&q);
    if (err < 0) {
        return err == FB_E_END ? FB_E_NOT_FOUND : err;
    }
    *ret_video = origin_catalog_video_of_row(&q, arena);
    return FB_OK;
}

#define LIST_OF_PUBLIC \
    "SELECT " ORIGIN_VIDEO_COLUMNS " FROM " ORIGIN_VIDEO_TABLES " WHERE " ORIGIN_VIDEO_IS_PUBLIC
#define LIST_PAGE " AND v.seq < ?1 ORDER BY v.seq DESC LIMIT ?2"

static const char *video_list_sql(const struct origin_video_query *query)
{
    if (query->owner != NULL && query->in_any_state) {
        return "SELECT " ORIGIN_VIDEO_COLUMNS " FROM " ORIGIN_VIDEO_TABLES
               " WHERE v.owner = ?3" LIST_PAGE;
    }
    if (query->owner != NULL) {
        return LIST_OF_PUBLIC " AND v.owner = ?3" LIST_PAGE;
    }
    return query->follower != NULL ? LIST_OF_PUBLIC
               " AND v.owner IN (SELECT user FROM follows WHERE follower = ?3)" LIST_PAGE
                                   : LIST_OF_PUBLIC LIST_PAGE;
}

int origin_catalog_video_list(struct origin_catalog *catalog, struct fb_arena *arena,
                              const struct origin_video_query *query,
                              struct origin_video **ret_videos, size_t *ret_n)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(hold.db, video_list_sql(query));
    fb_db_bind_int(&q, 1, query->before_seq > 0 ? query->before_seq : INT64_MAX);
    fb_db_bind_int(&q, 2, (int64_t)query->limit);
    if (query->owner != NULL || query->follower != NULL) {
        fb_db_bind_str(&q, 3, origin_id_str(query->owner != NULL ? query->owner : query->follower));
    }
    struct origin_video *videos = fb_arena_alloc(arena, query->limit * sizeof(*videos));
    size_t n = 0;
    while (n < query->limit && (err = fb_db_step(&q)) == FB_OK) {
        videos[n++] = origin_catalog_video_of_row(&q, arena);
    }
    if (err < 0 && err != FB_E_END) {
        return err;
    }
    *ret_videos = videos;
    *ret_n = n;
    return FB_OK;
}

/* ---- removing ------------------------------------------------------------- */

/* ---- who may see it -------------------------------------------------------- */

static int video_privacy(struct fb_db *db, const struct origin_id *id,
                         enum origin_privacy *ret_privacy)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "SELECT privacy FROM videos WHERE id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(id));
    int err = fb_db_step(&q);
    if (err < 0) {
        return err == FB_E_END ? FB_E_NOT_FOUND : err;
    }
    *ret_privacy = privacy_of(fb_db_column_str(&q, 0));
    return FB_OK;
}

static int update_access(struct fb_db *db, const struct origin_id *id, enum origin_privacy privacy,
                         struct fb_str countries)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "UPDATE videos SET privacy = ?2, countries = ?3 WHERE id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(id));
    fb_db_bind_str(&q, 2, fb_str_from(origin_privacy_text(privacy)));
    fb_db_bind_str(&q, 3, countries.ptr != NULL ? countries : FB_STR(""));
    return origin_catalog_run_one(db, &q, FB_E_NOT_FOUND);
}

int origin_catalog_video_set_access(struct origin_catalog *catalog, const struct origin_id *id,
                                    enum origin_privacy privacy, struct fb_str countries)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};
    enum origin_privacy before = ORIGIN_PRIVACY_PUBLIC;

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0 ||
        (err = video_privacy(hold.db, id, &before)) < 0 ||
        (err = update_access(hold.db, id, privacy, countries)) < 0 ||
        (err = origin_catalog_search_refresh(hold.db, id)) < 0) {
        return err;
    }
    if (privacy != before) {
        bool is_closed = privacy == ORIGIN_PRIVACY_PRIVATE || before == ORIGIN_PRIVACY_PRIVATE;
        err = origin_catalog_purge_add(hold.db,
                                       is_closed ? ORIGIN_PURGE_MEDIA : ORIGIN_PURGE_MANIFESTS, id,
                                       origin_catalog_now(catalog));
    }
    return err < 0 ? err : fb_db_commit(&tx);
}

static int delete_row(struct fb_db *db, const struct origin_id *id)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "DELETE FROM videos WHERE id = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(id));
    return origin_catalog_run_one(db, &q, FB_E_NOT_FOUND);
}

int origin_catalog_video_remove(struct origin_catalog *catalog, const struct origin_id *id)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0 ||
        (err = origin_catalog_search_forget(hold.db, id)) < 0 ||
        (err = delete_row(hold.db, id)) < 0 ||
        (err = origin_catalog_removal_add(hold.db, id, origin_catalog_now(catalog))) < 0 ||
        (err = origin_catalog_purge_add(hold.db, ORIGIN_PURGE_MEDIA, id,
                                        origin_catalog_now(catalog))) < 0) {
        return err;
    }
    return fb_db_commit(&tx);
}
