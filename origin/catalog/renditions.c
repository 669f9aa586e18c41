#include "origin/catalog/renditions.h"

#include "origin/catalog/catalog_internal.h"

#include <string.h>

int origin_catalog_renditions_put(struct fb_db *db, const struct origin_id *video,
                                  const struct origin_result *result)
{
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q = fb_db_query(
        db, "INSERT OR REPLACE INTO renditions (video, version, place, height, width, bandwidth,"
            " codecs) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)");
    int err = FB_OK;

    for (size_t i = 0; i < result->n_renditions && err == FB_OK; i++) {
        const struct origin_result_rendition *rendition = &result->renditions[i];
        fb_db_query_reset(&q);
        fb_db_bind_str(&q, 1, origin_id_str(video));
        fb_db_bind_str(&q, 2, fb_str_from(result->version));
        fb_db_bind_int(&q, 3, (int64_t)i);
        fb_db_bind_int(&q, 4, rendition->height);
        fb_db_bind_int(&q, 5, rendition->width);
        fb_db_bind_int(&q, 6, (int64_t)rendition->bandwidth);
        fb_db_bind_str(&q, 7, fb_str_from(rendition->codecs));
        err = fb_db_run(&q);
    }
    return err;
}

int origin_catalog_rendition_list(
    struct origin_catalog *catalog, const struct origin_id *video, struct fb_str version,
    struct origin_result_rendition ret_renditions[ORIGIN_RENDITIONS_MAX], size_t *ret_n)
{
    FB_AUTO(fb_db_hold_done) struct fb_db_hold hold = {0};
    int err = fb_db_take(catalog->pool, &hold);
    if (err < 0) {
        return err;
    }
    FB_AUTO(fb_db_query_done)
    struct fb_db_query q =
        fb_db_query(hold.db, "SELECT height, width, bandwidth, codecs FROM renditions"
                             " WHERE video = ?1 AND version = ?2 ORDER BY place");
    fb_db_bind_str(&q, 1, origin_id_str(video));
    fb_db_bind_str(&q, 2, version);
    size_t n = 0;
    while (n < ORIGIN_RENDITIONS_MAX && (err = fb_db_step(&q)) == FB_OK) {
        struct fb_str codecs = fb_str_first(fb_db_column_str(&q, 3), ORIGIN_CODECS_MAX);
        struct origin_result_rendition rendition = {
            .height = (uint32_t)fb_db_column_int(&q, 0),
            .width = (uint32_t)fb_db_column_int(&q, 1),
            .bandwidth = (uint64_t)fb_db_column_int(&q, 2),
        };
        memcpy(rendition.codecs, codecs.ptr, codecs.len);
        ret_renditions[n++] = rendition;
    }
    if (err < 0 && err != FB_E_END) {
        return err;
    }
    *ret_n = n;
    return FB_OK;
}
