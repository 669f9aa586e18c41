#include "origin/trending/page.h"

#include "base/core/attr.h"
#include "base/core/clock.h"
#include "base/core/err.h"
#include "base/core/text.h"
#include "origin/model/cursor.h"

#include <inttypes.h>

static const char *const windows[] =
    {[ORIGIN_TRENDING_HOUR] = "1h", [ORIGIN_TRENDING_DAY] = "24h", [ORIGIN_TRENDING_WEEK] = "7d"};

const char *origin_page_window(enum origin_trending_window window)
{
    return windows[window];
}

int origin_page_parse_window(struct fb_str text, enum origin_trending_window *ret_window)
{
    for (size_t i = 0; i < FB_ARRAY_LEN(windows); i++) {
        if (fb_str_equal(text, fb_str_from(windows[i]))) {
            *ret_window = (enum origin_trending_window)i;
            return FB_OK;
        }
    }
    return FB_E_MALFORMED;
}

/* ---- cursors ----------------------------------------------------------------------- */

static uint32_t query_hash(const struct origin_snapshot_query *query)
{
    uint64_t hash = fb_str_hash(query->category, (uint64_t)query->window);

    return (uint32_t)fb_str_hash(query->region, hash);
}

static void write_cursor(const struct origin_snapshot_query *query, size_t first,
                         struct fb_buf *json)
{
    FB_AUTO(fb_buf_done) struct fb_buf plain = {0};

    fb_buf_printf(&plain, "trending:%" PRIu32 ":%zu", query_hash(query), first);
    fb_buf_append_byte(json, '"');
    origin_cursor_write(json, fb_buf_str(&plain));
    fb_buf_append_byte(json, '"');
}

int origin_page_parse_cursor(const struct origin_snapshot_query *query, struct fb_str cursor,
                             size_t *ret_first)
{
    FB_AUTO(fb_buf_done) struct fb_buf place = {0};
    struct fb_str hash;
    uint64_t number = 0;
    uint64_t first = 0;

    int err = origin_cursor_read(cursor, FB_STR("trending:"), &place);
    if (err < 0) {
        return err;
    }
    struct fb_str rest = fb_buf_str(&place);
    if (!fb_str_cut(&rest, ':', &hash) || fb_str_to_u64(hash, &number) < 0 ||
        number != query_hash(query) || fb_str_to_u64(rest, &first) < 0 || first > UINT32_MAX) {
        return FB_E_MALFORMED;
    }
    *ret_first = (size_t)first;
    return FB_OK;
}

/* ---- pages ------------------------------------------------------------------------- */

static void write_name(struct fb_buf *json, const char *key, struct fb_str name)
{
    fb_buf_printf(json, ",\"%s\":", key);
    if (name.len > 0) {
        fb_text_json_string(json, name);
    } else {
        fb_buf_append(json, FB_STR("null"));
    }
}

void origin_page_write(const struct origin_snapshot *snapshot,
                       const struct origin_snapshot_query *query,
                       const struct origin_page_part *part, struct fb_buf *json)
{
    struct origin_snapshot_list list = origin_snapshot_list(snapshot, query);
    size_t first = FB_MIN(part->first, list.n);
    size_t end = first + FB_MIN(part->n, list.n - first);
    char stamp[FB_TIMESTAMP_MAX];

    fb_buf_printf(json, "{\"window\":\"%s\"", origin_page_window(query->window));
    write_name(json, "region", query->region);
    write_name(json, "category", query->category);
    fb_buf_printf(json, ",\"generated_at\":\"%s\",\"videos\":[",
                  fb_timestamp(origin_snapshot_made_ms(snapshot), stamp));
    for (size_t i = first; i < end; i++) {
        fb_buf_printf(json, "%s{\"rank\":%zu,\"score\":%.2f,\"video\":", i > first ? "," : "",
                      i + 1, list.items[i].score);
        fb_buf_append(json, list.items[i].video->json);
        fb_buf_append_byte(json, '}');
    }
    fb_buf_append(json, FB_STR("],\"next_cursor\":"));
    if (end < list.n) {
        write_cursor(query, end, json);
    } else {
        fb_buf_append(json, FB_STR("null"));
    }
    fb_buf_append_byte(json, '}');
}

void origin_page_etag(const struct origin_snapshot_list *list, const struct origin_page_part *part,
                      struct fb_buf *etag)
{
    fb_buf_printf(etag, "W/\"%016" PRIx64 "-%zu-%zu\"", list->content, part->first, part->n);
}
