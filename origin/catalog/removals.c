#include "origin/catalog/removals.h"

#include "base/core/text.h"
#include "origin/catalog/catalog_internal.h"

#include <stdio.h>
#include <string.h>

char *origin_purge_tag(enum origin_purge_what what, const struct origin_id *video,
                       char tag[ORIGIN_PURGE_TAG_MAX])
{
    (void)snprintf(tag, ORIGIN_PURGE_TAG_MAX, "%c-%s", what == ORIGIN_PURGE_MEDIA ? 'v' : 'm',
                   video->text);
    return tag;
}

/* ---- objects --------------------------------------------------------------------- */

int origin_catalog_removal_add(struct fb_db *db, const struct origin_id *video, int64_t now_ms)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "INSERT OR REPLACE INTO removals (video, run_after_ms) VALUES (?1, ?2)");
    fb_db_bind_str(&q, 1, origin_id_str(video));
    fb_db_bind_int(&q, 2, now_ms);
    return fb_db_run(&q);
}

int origin_catalog_removals_due(struct origin_catalog *catalog, size_t limit,
                                struct origin_removal *removals, size_t *ret_n)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    size_t n = 0;
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "SELECT video, n_done, n_failed FROM removals WHERE run_after_ms <= ?1"
                             " ORDER BY run_after_ms LIMIT ?2");
    fb_db_bind_int(&q, 1, origin_catalog_now(catalog));
    fb_db_bind_int(&q, 2, (int64_t)limit);
    while (n < limit && (err = fb_db_step(&q)) == FB_OK) {
        removals[n++] = (struct origin_removal){
            .video = origin_catalog_column_id(&q, 0),
            .n_done = (uint32_t)fb_db_column_int(&q, 1),
            .n_failed = (uint32_t)fb_db_column_int(&q, 2),
        };
    }
    if (err < 0 && err != FB_E_END) {
        return err;
    }
    *ret_n = n;
    return FB_OK;
}

int origin_catalog_removal_set(struct origin_catalog *catalog, const struct origin_removal *removal,
                               int64_t wait_ms, bool is_over)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        hold.db, is_over ? "DELETE FROM removals WHERE video = ?1"
                         : "UPDATE removals SET n_done = ?2, n_failed = ?3, run_after_ms = ?4"
                           " WHERE video = ?1");
    fb_db_bind_str(&q, 1, origin_id_str(&removal->video));
    if (!is_over) {
        fb_db_bind_int(&q, 2, removal->n_done);
        fb_db_bind_int(&q, 3, removal->n_failed);
        fb_db_bind_int(&q, 4, origin_catalog_now(catalog) + wait_ms);
    }
    return fb_db_run(&q);
}

/* The first column of the one row of `q`, which is done with. */
static int query_number(struct fb_db_query *q, int64_t *ret_number)
{
    int err = fb_db_step(q);
    if (err == FB_OK) {
        *ret_number = fb_db_column_int(q, 0);
    }
    return err;
}

int origin_catalog_removal_count(struct origin_catalog *catalog, uint64_t *ret_n)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int64_t n = 0;
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(hold.db, "SELECT count(*) FROM removals");
    err = query_number(&q, &n);
    if (err == FB_OK) {
        *ret_n = (uint64_t)n;
    }
    return err;
}

/* ---- copies ----------------------------------------------------------------------- */

int origin_catalog_purge_add(struct fb_db *db, enum origin_purge_what what,
                             const struct origin_id *video, int64_t now_ms)
{
    char tag[ORIGIN_PURGE_TAG_MAX];
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(db, "INSERT INTO purges (tag, at_ms) VALUES (?1, ?2)");
    fb_db_bind_str(&q, 1, fb_str_from(origin_purge_tag(what, video, tag)));
    fb_db_bind_int(&q, 2, now_ms);
    return fb_db_run(&q);
}

static int put_node(struct fb_db *db, const struct origin_purge_node *node)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "INSERT INTO purge_nodes (url, is_upper, done) VALUES (?1, ?2, 0)"
                        " ON CONFLICT (url) DO UPDATE SET is_upper = ?2");
    fb_db_bind_str(&q, 1, node->url);
    fb_db_bind_int(&q, 2, node->is_upper);
    return fb_db_run(&q);
}

/* Those with another URL than each of the list, which is a JSON array. */
static int remove_others(struct fb_db *db, const struct origin_purge_node *nodes, size_t n)
{
    FB_AUTO(fb_buf_done) struct fb_buf list = {0};

    fb_buf_append_byte(&list, '[');
    for (size_t i = 0; i < n; i++) {
        fb_buf_append(&list, i > 0 ? FB_STR(",") : FB_STR_NONE);
        fb_text_json_string(&list, nodes[i].url);
    }
    fb_buf_append_byte(&list, ']');
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "DELETE FROM purge_nodes WHERE url NOT IN (SELECT value FROM json_each(?1))");
    fb_db_bind_str(&q, 1, fb_buf_str(&list));
    return fb_db_run(&q);
}

int origin_catalog_purge_nodes_set(struct origin_catalog *catalog,
                                   const struct origin_purge_node *nodes, size_t n)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0 ||
        (err = remove_others(hold.db, nodes, n)) < 0) {
        return err;
    }
    for (size_t i = 0; err == FB_OK && i < n; i++) {
        err = put_node(hold.db, &nodes[i]);
    }
    return err < 0 ? err : fb_db_commit(&tx);
}

#define WAITING " FROM purges WHERE seq > (SELECT done FROM purge_nodes WHERE url = ?1)"

int origin_catalog_purges_for(struct origin_catalog *catalog, struct fb_str url, size_t limit,
                              struct origin_purge *purges, size_t *ret_n)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    size_t n = 0;
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "SELECT seq, at_ms, tag" WAITING " ORDER BY seq LIMIT ?2");
    fb_db_bind_str(&q, 1, url);
    fb_db_bind_int(&q, 2, (int64_t)limit);
    while (n < limit && (err = fb_db_step(&q)) == FB_OK) {
        struct fb_str tag = fb_db_column_str(&q, 2);
        if (tag.len >= ORIGIN_PURGE_TAG_MAX) {
            return FB_E_CORRUPT;
        }
        purges[n] =
            (struct origin_purge){.seq = fb_db_column_int(&q, 0), .at_ms = fb_db_column_int(&q, 1)};
        memcpy(purges[n].tag, tag.ptr, tag.len);
        n++;
    }
    if (err < 0 && err != FB_E_END) {
        return err;
    }
    *ret_n = n;
    return FB_OK;
}

/* Sets back those below the node at `url`, if it is an upper one, to where it has stood. */
static int set_back(struct fb_db *db, struct fb_str url)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "UPDATE purge_nodes SET done = u.done FROM purge_nodes u"
                        " WHERE u.url = ?1 AND u.is_upper = 1 AND purge_nodes.is_upper = 0"
                        " AND purge_nodes.done > u.done");
    fb_db_bind_str(&q, 1, url);
    return fb_db_run(&q);
}

static int set_told(struct fb_db *db, struct fb_str url, int64_t seq)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(db, "UPDATE purge_nodes SET done = ?2 WHERE url = ?1 AND done < ?2");
    fb_db_bind_str(&q, 1, url);
    fb_db_bind_int(&q, 2, seq);
    return fb_db_run(&q);
}

int origin_catalog_purges_told(struct origin_catalog *catalog, struct fb_str url, int64_t seq)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    FB_AUTO(fb_db_tx_done) struct fb_db_tx tx = {0};

    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0 || (err = fb_db_begin(hold.db, &tx)) < 0 || (err = set_back(hold.db, url)) < 0 ||
        (err = set_told(hold.db, url, seq)) < 0) {
        return err;
    }
    return fb_db_commit(&tx);
}

int origin_catalog_purges_waiting(struct origin_catalog *catalog, struct fb_str url,
                                  uint64_t *ret_n, int64_t *ret_oldest_ms)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(hold.db, "SELECT count(*), coalesce(min(at_ms), 0)" WAITING);
    fb_db_bind_str(&q, 1, url);
    err = fb_db_step(&q);
    if (err == FB_OK) {
        *ret_n = (uint64_t)fb_db_column_int(&q, 0);
        *ret_oldest_ms = fb_db_column_int(&q, 1);
    }
    return err;
}

int origin_catalog_purges_prune(struct origin_catalog *catalog)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "DELETE FROM purges WHERE NOT EXISTS"
                             " (SELECT 1 FROM purge_nodes n WHERE n.done < purges.seq)");
    return fb_db_run(&q);
}
