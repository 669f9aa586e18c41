/*
 * Pages: a part of a snapshot's list as JSON, alike for whoever asks and whoever is told.
 *
 *     {"window":"24h","region":null,"category":"music","generated_at":"…",
 *      "videos":[{"rank":1,"score":812.50,"video":{…}}, …],"next_cursor":null}
 *
 * Threads    Any.
 */
#pragma once

#include "base/core/buf.h"
#include "origin/trending/snapshot.h"

#include <stdint.h>

enum { ORIGIN_PAGE_NAME_MAX = 64 }; /* bytes of a region's or category's name */

/* "1h", "24h", "7d"; FB_E_MALFORMED for others. */
const char *origin_page_window(enum origin_trending_window window);
FB_MUST_CHECK int origin_page_parse_window(struct fb_str text,
                                           enum origin_trending_window *ret_window);

struct origin_page_part {
    size_t first; /* from 0 */
    size_t n;
};

/* Appends the page. Its end is the next page's cursor, if there is one (origin_page_cursor()). */
void origin_page_write(const struct origin_snapshot *snapshot,
                       const struct origin_snapshot_query *query,
                       const struct origin_page_part *part, struct fb_buf *json);

/* A cursor is good for its own query: FB_E_MALFORMED for others'. Snapshots come and go meanwhile,
 * so that a video may be seen twice, or not at all. */
FB_MUST_CHECK int origin_page_parse_cursor(const struct origin_snapshot_query *query,
                                           struct fb_str cursor, size_t *ret_first);

/* Appends an entity-tag with its quotes. Equal tags of one query and part mean equal pages. */
void origin_page_etag(const struct origin_snapshot_list *list, const struct origin_page_part *part,
                      struct fb_buf *etag);
